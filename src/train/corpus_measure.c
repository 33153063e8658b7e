/* How long and how loud recordings are: see corpus_measure.h. */
#include "train/corpus_measure.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/atomic_file.h"
#include "base/memory.h"
#include "io/json.h"
#include "recording/audio_file.h"

enum { CHUNK_SECONDS = 30 };

static bool named_like_audio(const char *name) {
    static const char *const endings[] = {"wav",  "wave", "flac", "ogg", "oga", "opus", "mp3",
                                          "aif",  "aiff", "aifc", "au",  "snd", "caf",  "w64",
                                          "rf64", "sph",  "nist", "voc", NULL};
    const char *dot = strrchr(name, '.');
    if (dot == NULL) return false;
    for (int i = 0; endings[i] != NULL; i++)
        if (strcasecmp(dot + 1, endings[i]) == 0) return true;
    return false;
}

/* Windows of 20 ms, their powers in dB in a histogram of 1 dB, so that memory does not grow with
 * the file. */
typedef struct level_meter {
    double power[128]; /* sum of mean squares of the windows in a bin */
    size_t count[128];
    double peak;
} level_meter;

static void meter_window(level_meter *meter, const float *samples, size_t n) {
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        double magnitude = fabs((double)samples[i]);
        if (magnitude > meter->peak) meter->peak = magnitude;
        sum += magnitude * magnitude;
    }
    double power = n > 0 ? sum / (double)n : 0.0;
    double db = power > 1e-12 ? 10.0 * log10(power) : -120.0;
    int bin = (int)(db + 120.0);
    bin = bin < 0 ? 0 : bin > 127 ? 127 : bin;
    meter->power[bin] += power;
    meter->count[bin]++;
}

static void meter_result(const level_meter *meter, double *level, double *silence) {
    int loudest = 127;
    while (loudest > 0 && meter->count[loudest] == 0) loudest--;
    double power = 0.0;
    size_t active = 0, all = 0;
    for (int bin = 0; bin < 128; bin++) {
        all += meter->count[bin];
        if (bin <= loudest - 40 || bin == 0) continue;
        active += meter->count[bin];
        power += meter->power[bin];
    }
    *level = active > 0 && power > 0.0 ? 10.0 * log10(power / (double)active) : -120.0;
    *silence = all > 0 ? 1.0 - (double)active / (double)all : 1.0;
}

static void measure(train_found_file *file) {
    lull_error error = {0};
    recording_info info = {0};
    if (recording_file_info(file->path, &info, &error)) {
        file->other = !named_like_audio(file->name);
        file->reason = base_strdup(error.message);
        return;
    }
    file->rate = info.rate;
    file->channels = info.channels;
    file->frames = info.frames;
    size_t chunk = (size_t)info.rate * CHUNK_SECONDS;
    if (chunk > info.frames) chunk = info.frames;
    float *samples = base_alloc(chunk, sizeof *samples);
    level_meter meter = {{0}, {0}, 0.0};
    size_t window = (size_t)info.rate / 50 > 0 ? (size_t)info.rate / 50 : 1;
    chunk = chunk > window ? chunk - chunk % window : chunk;
    for (size_t first = 0; samples != NULL && chunk > 0 && first < info.frames; first += chunk) {
        size_t n = info.frames - first < chunk ? info.frames - first : chunk;
        size_t got = 0;
        if (recording_file_read_part(file->path, first, n, samples, &got, &error)) {
            file->reason = base_strdup(error.message);
            break;
        }
        for (size_t i = 0; i < got; i += window)
            meter_window(&meter, samples + i, got - i < window ? got - i : window);
        if (got < n) info.frames = file->frames = first + got; /* its header promises more */
    }
    if (samples == NULL) file->reason = base_strdup("out of memory");
    file->broken = file->reason != NULL;
    base_free(samples);
    file->peak = meter.peak;
    meter_result(&meter, &file->level, &file->silence);
    if (file->reason == NULL && !isfinite(file->peak + file->level))
        file->reason = base_strdup("has samples that are not finite");
}

/* ---- the index file ----------------------------------------------------------------------- */

static char *read_text(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) return NULL;
    char *text = NULL;
    if (fseek(file, 0, SEEK_END) == 0) {
        long size = ftell(file);
        rewind(file);
        text = size >= 0 ? base_alloc((size_t)size + 1, 1) : NULL;
        if (text != NULL && fread(text, 1, (size_t)size, file) != (size_t)size) {
            base_free(text);
            text = NULL;
        }
    }
    fclose(file);
    return text;
}

static double number(yyjson_val *object, const char *name) {
    yyjson_val *item = yyjson_obj_get(object, name);
    return yyjson_is_num(item) ? yyjson_get_num(item) : -1e300;
}

/* Takes over measurements of files whose size and time have not changed. A broken index is as good
 * as none. */
static void index_load(const char *path, train_found_list *list) {
    char *text = read_text(path);
    yyjson_doc *tree = NULL;
    if (text != NULL) json_parse(text, strlen(text), path, &tree, NULL);
    yyjson_val *files = yyjson_obj_get(yyjson_doc_get_root(tree), "files"), *item;
    size_t at = 0, i, n;
    yyjson_arr_foreach(files, i, n, item) { /* both are sorted by name */
        const char *name = yyjson_get_str(yyjson_obj_get(item, "name"));
        const char *modified = yyjson_get_str(yyjson_obj_get(item, "modified"));
        if (name == NULL || modified == NULL) continue;
        while (at < list->count && strcmp(list->files[at].name, name) < 0) at++;
        if (at == list->count || strcmp(list->files[at].name, name) != 0) continue;
        train_found_file *file = &list->files[at];
        double rate = number(item, "rate"), channels = number(item, "channels"),
               frames = number(item, "frames");
        if (number(item, "size") != (double)file->size ||
            strtoll(modified, NULL, 10) != file->modified || rate < 1 || rate > 1e7 ||
            channels < 1 || channels > 1e4 || frames < 1 || frames > 1e15)
            continue;
        file->known = true;
        file->rate = (int)rate;
        file->channels = (int)channels;
        file->frames = (size_t)frames;
        file->level = number(item, "level");
        file->silence = number(item, "silence");
        file->peak = number(item, "peak");
    }
    yyjson_doc_free(tree);
    base_free(text);
}

/* Best effort: an index that cannot be written costs the next run its time, nothing else. */
static void index_save(const char *path, const train_found_list *list) {
    json_writer writer = json_writer_new();
    writer.keep_bytes = true; /* names of files, to be found again */
    json_add_number(&writer, writer.root, "format", 1);
    yyjson_mut_val *files = json_add_array(&writer, writer.root, "files");
    for (size_t i = 0; i < list->count; i++) {
        const train_found_file *file = &list->files[i];
        if (file->rate == 0 || file->broken || (file->reason != NULL && file->frames == 0))
            continue;
        char modified[32];
        snprintf(modified, sizeof modified, "%lld", (long long)file->modified);
        yyjson_mut_val *item = json_add_object(&writer, files, NULL);
        json_add_text(&writer, item, "name", file->name);
        json_add_number(&writer, item, "size", (double)file->size);
        json_add_text(&writer, item, "modified", modified);
        json_add_number(&writer, item, "rate", file->rate);
        json_add_number(&writer, item, "channels", file->channels);
        json_add_number(&writer, item, "frames", (double)file->frames);
        json_add_number(&writer, item, "level", file->level);
        json_add_number(&writer, item, "silence", file->silence);
        json_add_number(&writer, item, "peak", file->peak);
    }
    char *text = json_writer_end(&writer, false);
    atomic_file *out = NULL;
    if (text != NULL && atomic_file_open(path, &out, NULL) == LULL_OK) {
        if (atomic_file_write(out, text, strlen(text), NULL) == LULL_OK)
            atomic_file_commit(out, NULL);
        else
            atomic_file_abandon(out);
    }
    base_free(text);
}

/* ---- all of them -------------------------------------------------------------------------- */

typedef struct measure_task {
    train_found_list *list;
    size_t done;
    pthread_mutex_t lock;
    const train_measuring *how;
} measure_task;

static bool asked_to_stop(const train_measuring *how) {
    return how->stop != NULL && *how->stop;
}

static void measure_one(void *context, int i, int worker) {
    (void)worker;
    measure_task *task = context;
    train_found_file *file = &task->list->files[i];
    if (!file->known && !asked_to_stop(task->how)) measure(file);
    pthread_mutex_lock(&task->lock);
    task->done++;
    if (task->how->progress != NULL)
        task->how->progress(task->how->context, task->done, task->list->count);
    pthread_mutex_unlock(&task->lock);
}

bool train_measure(train_found_list *list, const train_measuring *how, thread_pool *pool) {
    if (how->index_path != NULL) index_load(how->index_path, list);
    measure_task task = {list, 0, PTHREAD_MUTEX_INITIALIZER, how};
    thread_pool_run(pool, (int)list->count, measure_one, &task);
    pthread_mutex_destroy(&task.lock);
    if (how->index_path != NULL) index_save(how->index_path, list);
    return !asked_to_stop(how);
}
