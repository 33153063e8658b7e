/* The page and the list that go with a trace. */
#include "cli/trace_page.h"

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/memory.h"

#include <cjson/cJSON.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Text that grows; once memory is out it stays as it is and says so in the end. */
typedef struct text {
    char *bytes;
    size_t length, capacity;
    bool failed;
} text;

static void add_bytes(text *t, const char *bytes, size_t length) {
    if (t->failed || !base_grow((void **)&t->bytes, &t->capacity, t->length + length + 1, 1)) {
        t->failed = true;
        return;
    }
    memcpy(t->bytes + t->length, bytes, length);
    t->length += length;
    t->bytes[t->length] = '\0';
}

static void add(text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(text *t, const char *format, ...) {
    char piece[2048];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(piece, sizeof piece, format, arguments);
    va_end(arguments);
    if (length < 0 || length >= (int)sizeof piece)
        t->failed = true;
    else
        add_bytes(t, piece, (size_t)length);
}

/* A name as text of a page. */
static void add_escaped(text *t, const char *name) {
    for (; *name != '\0'; name++) {
        const char *entity = *name == '<'   ? "&lt;"
                             : *name == '>' ? "&gt;"
                             : *name == '&' ? "&amp;"
                             : *name == '"' ? "&quot;"
                                            : NULL;
        add_bytes(t, entity != NULL ? entity : name, entity != NULL ? strlen(entity) : 1);
    }
}

/* A name as part of an address. */
static void add_address(text *t, const char *name) {
    for (; *name != '\0'; name++) {
        unsigned char c = (unsigned char)*name;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("-_.~", c) != NULL;
        if (plain)
            add_bytes(t, name, 1);
        else
            add(t, "%%%02X", c);
    }
}

/* Writes and frees the text. */
static lull_status finish(text *t, const char *folder, const char *name, lull_error *error) {
    char path[PATH_MAX];
    atomic_file *file = NULL;
    lull_status status = t->failed ? base_no_memory(error) : LULL_OK;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (status == LULL_OK) status = atomic_file_open(path, &file, error);
    if (status == LULL_OK) {
        status = atomic_file_write(file, t->bytes, t->length, error);
        if (status == LULL_OK)
            status = atomic_file_commit(file, error);
        else
            atomic_file_abandon(file);
    }
    base_free(t->bytes);
    return status;
}

/* ---- the page ----------------------------------------------------------------------------- */

static const char head[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<style>\n"
    "body { font: 16px/1.5 sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }\n"
    "table { border-collapse: collapse; width: 100%; }\n"
    "th, td { text-align: left; vertical-align: top; padding: .5rem; border-top: 1px solid #999; "
    "}\n"
    "td:first-child { white-space: nowrap; }\n"
    "img, audio { display: block; width: 100%; }\n"
    "audio { height: 2rem; margin-top: .25rem; }\n"
    "</style>\n";

static void add_signal(text *t, int step, const char *kind, const char *words) {
    add(t,
        "<td><img src=\"step-%02d-%s.png\" alt=\"mel spectrogram, step %d: %s\">"
        "<audio controls preload=\"none\" src=\"step-%02d-%s.wav\"></audio></td>\n",
        step, kind, step, words, step, kind);
}

static void add_row(text *t, const trace_row *row, int step) {
    add(t, "<tr id=\"step-%d\"><td>", step);
    if (row->last)
        add(t, "the end");
    else
        add(t, "step %d<br>t = %.4g<br>a = %.3f<br>s = %.3f", step + 1, row->time, row->levels.a,
            row->levels.s);
    add(t, "</td>\n");
    add_signal(t, step, "x", "the signal");
    if (row->last) {
        add(t, "<td></td><td></td>\n");
    } else {
        add_signal(t, step, "x0", "the speech that the network believes in");
        add_signal(t, step, "forward", "the end result with noise mixed in");
    }
    add(t, "</tr>\n");
}

lull_status trace_page_write(const char *folder, const char *title, const lull_model *model,
                             const trace_row *rows, int count, lull_error *error) {
    const model_config *config = &model->config;
    text t = {NULL, 0, 0, false};
    add_bytes(&t, head, sizeof head - 1);
    add(&t, "<title>");
    add_escaped(&t, title);
    add(&t, "</title></head><body>\n<h1>From noise to speech: ");
    add_escaped(&t, title);
    add(&t, "</h1>\n<p>Model ");
    add_escaped(&t, config->name);
    add(&t, ", %d network evaluation%s.", count - 1, count == 2 ? "" : "s");
    if (config->whitened)
        add(&t, " The network works on whitened signals; for these recordings and pictures they "
                "were given "
                "the wanted mel's envelope back, so even the noise has the outlines of speech.");
    add(&t, "</p>\n<p>Sampling begins with noise. At every step the network is asked what in "
            "<b>x = a·speech + s·noise</b> is speech. From its answer, <b>x0</b>, and noise the "
            "next, less "
            "noisy signal is mixed. The last column goes the other way: the end result with the "
            "same noise "
            "mixed in at that step's levels, as in training. Where the two columns agree, the "
            "reverse process "
            "has followed the forward one.</p>\n"
            "<table><tr><th>step</th><th>x: what the network is given</th>"
            "<th>x0: the speech it believes in</th><th>forward: a·end + s·noise</th></tr>\n");
    for (int i = 0; i < count; i++) add_row(&t, &rows[i], i);
    add(&t, "</table>\n<p>What lull writes in the end went through mel consistency and the limiter "
            "after "
            "the last step, unless they were switched off.</p>\n</body></html>\n");
    return finish(&t, folder, "index.html", error);
}

lull_status trace_contents_write(const char *folder, const char *const *names, size_t count,
                                 lull_error *error) {
    text t = {NULL, 0, 0, false};
    add_bytes(&t, head, sizeof head - 1);
    add(&t, "<title>Traces</title></head><body>\n<h1>From noise to speech</h1>\n<ul>\n");
    for (size_t i = 0; i < count; i++) {
        add(&t, "<li><a href=\"");
        add_address(&t, names[i]);
        add(&t, "/index.html\">");
        add_escaped(&t, names[i]);
        add(&t, "</a></li>\n");
    }
    add(&t, "</ul>\n</body></html>\n");
    return finish(&t, folder, "index.html", error);
}

/* ---- the list ----------------------------------------------------------------------------- */

lull_status trace_list_write(const char *folder, const lull_model *model, const trace_row *rows,
                             int count, lull_error *error) {
    static const char *const kinds[] = {"x", "x0", "forward"};
    const model_config *config = &model->config;
    cJSON *root = cJSON_CreateObject(), *steps = cJSON_AddArrayToObject(root, "steps");
    cJSON_AddStringToObject(root, "model", config->name);
    cJSON_AddStringToObject(root, "objective", diffusion_objective_name(config->objective));
    for (int i = 0; i < count; i++) {
        cJSON *step = cJSON_CreateObject();
        if (!rows[i].last) {
            cJSON_AddNumberToObject(step, "time", rows[i].time);
            cJSON_AddNumberToObject(step, "speech_level", rows[i].levels.a);
            cJSON_AddNumberToObject(step, "noise_level", rows[i].levels.s);
        }
        for (int k = 0; k < (rows[i].last ? 1 : 3); k++) {
            char name[64];
            snprintf(name, sizeof name, "step-%02d-%s.wav", i, kinds[k]);
            cJSON_AddStringToObject(step, kinds[k], name);
        }
        cJSON_AddItemToArray(steps, step);
    }
    char *printed = cJSON_Print(root);
    text t = {NULL, 0, 0, printed == NULL};
    cJSON_Delete(root);
    if (printed != NULL) add_bytes(&t, printed, strlen(printed));
    cJSON_free(printed);
    return finish(&t, folder, "steps.json", error);
}
