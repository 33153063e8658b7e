/* A run's settings and config.json: see settings.h. */
#include "train/settings.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/memory.h"
#include "io/file_bytes.h"
#include "io/json.h"

void train_settings_default(train_settings *settings) {
    *settings = (train_settings){
        .valid_share = 0.03,
        .batch = 8,
        .accumulate = 1,
        .crop_frames = 64,
        .rate = 6e-3,
        .last_rate = 0.02,
        .course = TRAIN_COSINE,
        .warm_up = 200,
        .optimizer = TRAIN_MUON,
        .momentum = 0.95,
        .beta1 = 0.9,
        .beta2 = 0.99,
        .epsilon = 1e-8,
        .decay = 0.01,
        .clip = 1.0,
        .average = 0.9997,
        .loss = TRAIN_LOSS_L2,
        .density = TRAIN_DENSITY_SINE,
        .gain_db = 6.0,
        .degrade = 0.5,
        .eval_every = 1000,
        .checkpoint_seconds = 600.0,
        .keep = 3,
        .valid_crops = 64,
        .samples = 3,
        .cache_mb = 2048.0,
    };
}

void train_settings_postnet(train_settings *settings) {
    settings->part = TRAIN_POSTNET;
    settings->batch = 16;
    settings->crop_frames = 48;
    settings->rate = 2e-3;
    settings->optimizer = TRAIN_ADAMW;
    settings->decay = 0.0;
    settings->loss = TRAIN_LOSS_L1;
    settings->degrade = 0.8;
}

/* ---- the table of members ----------------------------------------------------------------- */

typedef enum {
    MEMBER_TEXT,
    MEMBER_INT,
    MEMBER_UINT64,
    MEMBER_NUMBER,
    MEMBER_BOOL,
    MEMBER_CHOICE
} member_kind;

typedef struct member {
    const char *name;
    member_kind kind;
    size_t offset;
    double least, most;
    const char *const *choices;
    bool fact; /* belongs into a model file's training facts */
} member;

static const char *const part_names[] = {"denoiser", "postnet", NULL};
static const char *const loss_names[] = {"l2", "l1", NULL};
static const char *const density_names[] = {"sine", "uniform", "start", NULL};
static const char *const optimizer_names[] = {"adamw", "muon", NULL};
static const char *const course_names[] = {"cosine", "constant", NULL};

#define AT(field) offsetof(train_settings, field)
static const member members[] = {
    {"corpus", MEMBER_TEXT, AT(corpus), 0, 0, NULL, false},
    {"valid", MEMBER_TEXT, AT(valid), 0, 0, NULL, false},
    {"valid_share", MEMBER_NUMBER, AT(valid_share), 0, 0.5, NULL, false},
    {"init", MEMBER_TEXT, AT(init), 0, 0, NULL, false},
    {"part", MEMBER_CHOICE, AT(part), 0, 0, part_names, false},
    {"seed", MEMBER_UINT64, AT(seed), 0, 0, NULL, true},
    {"batch", MEMBER_INT, AT(batch), 1, 65536, NULL, true},
    {"accumulate", MEMBER_INT, AT(accumulate), 1, 65536, NULL, true},
    {"crop_frames", MEMBER_INT, AT(crop_frames), 1, 65536, NULL, true},
    {"rate", MEMBER_NUMBER, AT(rate), 0, 1e30, NULL, true},
    {"last_rate", MEMBER_NUMBER, AT(last_rate), 0, 1, NULL, true},
    {"course", MEMBER_CHOICE, AT(course), 0, 0, course_names, true},
    {"warm_up", MEMBER_INT, AT(warm_up), 0, 1e9, NULL, true},
    {"optimizer", MEMBER_CHOICE, AT(optimizer), 0, 0, optimizer_names, true},
    {"momentum", MEMBER_NUMBER, AT(momentum), 0, 0.999999, NULL, true},
    {"beta1", MEMBER_NUMBER, AT(beta1), 0, 0.999999, NULL, true},
    {"beta2", MEMBER_NUMBER, AT(beta2), 0, 0.999999, NULL, true},
    {"epsilon", MEMBER_NUMBER, AT(epsilon), 1e-30, 1, NULL, true},
    {"decay", MEMBER_NUMBER, AT(decay), 0, 1, NULL, true},
    {"clip", MEMBER_NUMBER, AT(clip), 0, 1e30, NULL, true},
    {"average", MEMBER_NUMBER, AT(average), 0, 0.9999999, NULL, true},
    {"loss", MEMBER_CHOICE, AT(loss), 0, 0, loss_names, true},
    {"stft", MEMBER_NUMBER, AT(stft), 0, 1e6, NULL, true},
    {"density", MEMBER_CHOICE, AT(density), 0, 0, density_names, true},
    {"gain_db", MEMBER_NUMBER, AT(gain_db), 0, 60, NULL, true},
    {"degrade", MEMBER_NUMBER, AT(degrade), 0, 1, NULL, true},
    {"bf16", MEMBER_BOOL, AT(bf16), 0, 0, NULL, true},
    {"max_steps", MEMBER_UINT64, AT(max_steps), 0, 0, NULL, false},
    {"max_hours", MEMBER_NUMBER, AT(max_hours), 0, 1e6, NULL, false},
    {"eval_every", MEMBER_UINT64, AT(eval_every), 0, 0, NULL, false},
    {"checkpoint_steps", MEMBER_UINT64, AT(checkpoint_steps), 0, 0, NULL, false},
    {"checkpoint_seconds", MEMBER_NUMBER, AT(checkpoint_seconds), 0, 1e9, NULL, false},
    {"keep", MEMBER_INT, AT(keep), 1, 1e9, NULL, false},
    {"valid_crops", MEMBER_INT, AT(valid_crops), 1, 65536, NULL, false},
    {"samples", MEMBER_INT, AT(samples), 0, 100, NULL, false},
    {"cache_mb", MEMBER_NUMBER, AT(cache_mb), 0, 1e9, NULL, false},
};
#undef AT
enum { MEMBERS = sizeof members / sizeof *members };

static void *field(const train_settings *settings, const member *m) {
    return (char *)settings + m->offset;
}

static lull_status check_number(const member *m, double value, const char *name,
                                lull_error *error) {
    if (isfinite(value) && value >= m->least && value <= m->most) return LULL_OK;
    return base_fail(error, LULL_INVALID, "%s: %s is %g, expected %g to %g", name, m->name, value,
                     m->least, m->most);
}

lull_status train_settings_check(const train_settings *settings, const model_config *config,
                                 lull_error *error) {
    for (int i = 0; i < MEMBERS; i++) {
        const member *m = &members[i];
        lull_status status = LULL_OK;
        if (m->kind == MEMBER_INT)
            status = check_number(m, *(int *)field(settings, m), "training", error);
        if (m->kind == MEMBER_NUMBER)
            status = check_number(m, *(double *)field(settings, m), "training", error);
        if (status) return status;
    }
    if (settings->part == TRAIN_POSTNET) {
        if (config->postnet_channels == 0)
            return base_fail(error, LULL_INVALID,
                             "the model has no postnet to train: network.postnet.channels is 0");
        if (settings->optimizer != TRAIN_ADAMW)
            return base_fail(error, LULL_INVALID, "a postnet is trained with --optimizer adamw");
        if (settings->stft > 0.0)
            return base_fail(error, LULL_INVALID, "the STFT loss is the denoiser's");
        if (settings->init[0] == '\0')
            return base_fail(error, LULL_INVALID,
                             "a postnet is trained for a model: name it with --init");
    }
    /* A noise prediction's waveform is divided by the signal's level, which is near 0 at first. */
    if (settings->stft > 0.0 && config->objective == DIFFUSION_NOISE)
        return base_fail(error, LULL_INVALID,
                         "the STFT loss needs objective v, flow or data, this is \"%s\"",
                         diffusion_objective_name(config->objective));
    return LULL_OK;
}

/* ---- JSON --------------------------------------------------------------------------------- */

static bool print_member(const train_settings *settings, const member *m, cJSON *object) {
    const void *value = field(settings, m);
    char text[32];
    switch (m->kind) {
    case MEMBER_TEXT:
        return cJSON_AddStringToObject(object, m->name, value);
    case MEMBER_INT:
        return cJSON_AddNumberToObject(object, m->name, *(const int *)value);
    case MEMBER_NUMBER:
        return cJSON_AddNumberToObject(object, m->name, *(const double *)value);
    case MEMBER_BOOL:
        return cJSON_AddBoolToObject(object, m->name, *(const bool *)value);
    case MEMBER_CHOICE:
        return cJSON_AddStringToObject(object, m->name, m->choices[*(const int *)value]);
    case MEMBER_UINT64: /* beyond 2^53 a double would round */
        snprintf(text, sizeof text, "%llu", (unsigned long long)*(const uint64_t *)value);
        return cJSON_AddRawToObject(object, m->name, text);
    }
    return true;
}

static lull_status parse_member(train_settings *settings, const member *m, const cJSON *item,
                                const char *name, lull_error *error) {
    void *value = field(settings, m);
    switch (m->kind) {
    case MEMBER_TEXT:
        if (!cJSON_IsString(item) || strlen(item->valuestring) >= TRAIN_PATH_SIZE) break;
        memcpy(value, item->valuestring, strlen(item->valuestring) + 1);
        return LULL_OK;
    case MEMBER_INT:
        if (!cJSON_IsNumber(item) || item->valuedouble != floor(item->valuedouble)) break;
        *(int *)value = item->valueint;
        return check_number(m, item->valuedouble, name, error);
    case MEMBER_NUMBER:
        if (!cJSON_IsNumber(item)) break;
        *(double *)value = item->valuedouble;
        return check_number(m, item->valuedouble, name, error);
    case MEMBER_BOOL:
        if (!cJSON_IsBool(item)) break;
        *(bool *)value = cJSON_IsTrue(item);
        return LULL_OK;
    case MEMBER_UINT64:
        if (!cJSON_IsNumber(item) || item->valuedouble < 0 ||
            item->valuedouble > 18446744073709551616.0)
            break;
        *(uint64_t *)value =
            item->valuedouble < 18446744073709551616.0 ? (uint64_t)item->valuedouble : UINT64_MAX;
        return LULL_OK;
    case MEMBER_CHOICE:
        for (int i = 0; cJSON_IsString(item) && m->choices[i] != NULL; i++)
            if (strcmp(m->choices[i], item->valuestring) == 0) {
                *(int *)value = i;
                return LULL_OK;
            }
        break;
    }
    return base_fail(error, LULL_FORMAT, "%s: training.%s is not a value of its kind", name,
                     m->name);
}

static cJSON *print_settings(const train_settings *settings, bool facts_only) {
    cJSON *object = cJSON_CreateObject();
    bool fine = object != NULL;
    for (int i = 0; fine && i < MEMBERS; i++)
        if (!facts_only || members[i].fact) fine = print_member(settings, &members[i], object);
    if (fine) return object;
    cJSON_Delete(object);
    return NULL;
}

char *train_settings_facts(const train_settings *settings, uint64_t steps, double audio_seconds,
                           const char *before) {
    cJSON *object = print_settings(settings, true), *all = NULL;
    bool fine = cJSON_AddNumberToObject(object, "steps", (double)steps) &&
                cJSON_AddNumberToObject(object, "audio_seconds", audio_seconds);
    if (fine && settings->part == TRAIN_POSTNET) {
        fine = json_parse(before, strlen(before), "training", &all, NULL) != LULL_NO_MEMORY;
        if (fine && !cJSON_IsObject(all)) {
            cJSON_Delete(all);
            all = cJSON_CreateObject();
        }
        cJSON_DeleteItemFromObjectCaseSensitive(all, "postnet");
        fine = fine && json_add(all, "postnet", object);
        object = all;
    }
    char *text = fine ? cJSON_PrintUnformatted(object) : NULL;
    char *copy = text ? base_strdup(text) : NULL;
    cJSON_free(text);
    cJSON_Delete(object);
    return copy;
}

char *train_settings_print(const train_settings *settings, const model_config *config) {
    char *model_text = model_config_print(config);
    if (model_text == NULL) return NULL;
    cJSON *root = cJSON_CreateObject();
    bool fine = cJSON_AddNumberToObject(root, "format", 1) &&
                json_add(root, "model", cJSON_Parse(model_text)) &&
                json_add(root, "training", print_settings(settings, false));
    base_free(model_text);
    char *text = fine ? cJSON_Print(root) : NULL;
    cJSON_Delete(root);
    char *copy = text ? base_strdup(text) : NULL;
    cJSON_free(text);
    return copy;
}

lull_status train_settings_write(const char *path, const train_settings *settings,
                                 const model_config *config, lull_error *error) {
    char *text = train_settings_print(settings, config);
    if (text == NULL) return base_no_memory(error);
    atomic_file *file = NULL;
    lull_status status = atomic_file_open(path, &file, error);
    if (!status) {
        status = atomic_file_write(file, text, strlen(text), error);
        if (!status) status = atomic_file_write(file, "\n", 1, error);
        if (status)
            atomic_file_abandon(file);
        else
            status = atomic_file_commit(file, error);
    }
    base_free(text);
    return status;
}

/* cJSON keeps numbers as doubles: 64-bit ones are taken from the text again. */
static uint64_t exact_number(const char *text, const char *name, uint64_t fallback) {
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", name);
    const char *at = strstr(text, quoted);
    return at ? strtoull(at + strlen(quoted), NULL, 10) : fallback;
}

lull_status train_settings_parse(const void *bytes, size_t size, const char *path,
                                 train_settings *settings, model_config *config,
                                 lull_error *error) {
    cJSON *root = NULL;
    char *text = base_alloc(size + 1, 1);
    lull_status status = text ? json_parse(bytes, size, path, &root, error) : base_no_memory(error);
    if (status) goto done;
    if (size > 0) memcpy(text, bytes, size);
    const cJSON *model = cJSON_GetObjectItemCaseSensitive(root, "model");
    const cJSON *training = cJSON_GetObjectItemCaseSensitive(root, "training");
    if (!cJSON_IsObject(model) || !cJSON_IsObject(training)) {
        status = base_fail(
            error, LULL_FORMAT,
            "%s: is not the config.json of a run: no \"model\" and \"training\" objects", path);
        goto done;
    }
    char *model_text = cJSON_PrintUnformatted(model);
    status =
        model_text ? model_config_parse(model_text, path, config, error) : base_no_memory(error);
    cJSON_free(model_text);
    train_settings_default(settings);
    const cJSON *item;
    cJSON_ArrayForEach(item, training) {
        int i = 0;
        while (i < MEMBERS && strcmp(members[i].name, item->string) != 0) i++;
        if (status) break;
        if (i == MEMBERS)
            status =
                base_fail(error, LULL_FORMAT, "%s: unknown member training.%s", path, item->string);
        else
            status = parse_member(settings, &members[i], item, path, error);
    }
    if (!status) settings->seed = exact_number(text, "seed", settings->seed);
done:
    cJSON_Delete(root);
    base_free(text);
    return status;
}

lull_status train_settings_read(const char *path, train_settings *settings, model_config *config,
                                lull_error *error) {
    file_bytes bytes = {0};
    lull_status status = file_bytes_read(path, &bytes, error);
    if (!status)
        status = train_settings_parse(bytes.data, bytes.size, path, settings, config, error);
    file_bytes_free(&bytes);
    return status;
}
