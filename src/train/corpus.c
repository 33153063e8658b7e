/* A folder of recordings: see corpus.h. */
#include "train/corpus.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/folder.h"
#include "base/memory.h"
#include "base/os_file.h"
#include "recording/audio_file.h"
#include "io/json.h"
#include "recording/resample.h"

enum { MAX_DEPTH = 32, CHUNK_SECONDS = 30, PATH_SIZE = 4096 };

/* Full scales that a float recording may reach: one file beyond would spoil the steps of all. */
static const double LOUDEST = 64.0;

/* A file of the folder, before it is known to be a recording. */
typedef struct found_file {
    char *path, *name;
    int64_t size, modified; /* bytes, nanoseconds */
    bool known;             /* measurements come from the index file */
    int rate, channels;
    size_t frames;
    double level, silence, peak;
    char *reason; /* why it is left out, or NULL */
    bool other;   /* not even a recording by its name */
    bool broken;  /* could not be read through: not for the index */
} found_file;

typedef struct found_list {
    found_file *files;
    size_t count, capacity;
} found_list;

/* ---- names -------------------------------------------------------------------------------- */

double train_name_share(const char *name) {
    const char *slash = strrchr(name, '/');
    uint64_t hash = 0xcbf29ce484222325u;
    for (const char *c = slash ? slash + 1 : name; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
    /* FNV's upper bits hardly change with the last letters: finish with a multiply-shift mix. */
    hash ^= hash >> 32;
    hash *= 0xd6e8feb86659fd93u;
    hash ^= hash >> 32;
    return (double)(hash >> 11) / 9007199254740992.0;
}

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

/* ---- finding ------------------------------------------------------------------------------ */

static int by_name(const void *a, const void *b) {
    return strcmp(((const found_file *)a)->name, ((const found_file *)b)->name);
}

static lull_status add_file(found_list *list, const char *path, const char *name,
                            const os_facts *facts, lull_error *error) {
    if (!base_grow((void **)&list->files, &list->capacity, list->count + 1, sizeof *list->files))
        return base_no_memory(error);
    found_file *file = &list->files[list->count];
    memset(file, 0, sizeof *file);
    file->path = base_strdup(path);
    file->name = base_strdup(name);
    file->size = (int64_t)facts->size;
    file->modified = facts->modified;
    if (!file->path || !file->name) {
        base_free(file->path);
        base_free(file->name);
        return base_no_memory(error);
    }
    list->count++;
    return LULL_OK;
}

/* Folders that have been looked into, so that links make neither circles nor copies: an open hash
 * table of (device, number). */
typedef struct seen_folder {
    uint64_t device, number;
    bool used;
} seen_folder;

typedef struct walk {
    found_list *list;
    seen_folder *seen;
    size_t seen_count, seen_capacity; /* a power of 2 */
    found_list links;                 /* to folders: looked into after all real ones */
} walk;

/* The folder's place in the table, or the free one for it. */
static seen_folder *place_of(seen_folder *seen, size_t capacity, uint64_t device, uint64_t number) {
    size_t at = (size_t)((number * 0x9e3779b97f4a7c15u) ^ device) & (capacity - 1);
    while (seen[at].used && (seen[at].device != device || seen[at].number != number))
        at = (at + 1) & (capacity - 1);
    return &seen[at];
}

/* *is_new: it had not been seen. */
static lull_status see(walk *w, const os_facts *folder, bool *is_new, lull_error *error) {
    if (2 * w->seen_count >= w->seen_capacity) {
        size_t wider = w->seen_capacity ? 2 * w->seen_capacity : 64;
        seen_folder *table = base_alloc(wider, sizeof *table);
        if (table == NULL) return base_no_memory(error);
        for (size_t i = 0; i < w->seen_capacity; i++)
            if (w->seen[i].used)
                *place_of(table, wider, w->seen[i].device, w->seen[i].number) = w->seen[i];
        base_free(w->seen);
        w->seen = table;
        w->seen_capacity = wider;
    }
    seen_folder *place = place_of(w->seen, w->seen_capacity, folder->device, folder->number);
    *is_new = !place->used;
    if (*is_new) w->seen_count++;
    *place = (seen_folder){folder->device, folder->number, true};
    return LULL_OK;
}

/* A link to a folder that the corpus lies in would bring in all that lies beside it. */
static lull_status see_above(walk *w, const char *folder, lull_error *error) {
    char *path = realpath(folder, NULL);
    lull_status status = LULL_OK;
    while (path != NULL && !status) {
        char *slash = strrchr(path, '/');
        os_facts facts;
        bool is_new;
        if (slash == NULL || path[1] == '\0') break;
        slash[slash == path] = '\0';
        if (os_facts_of(path, &facts) == 0) status = see(w, &facts, &is_new, error);
    }
    free(path);
    return status;
}

/* One entry of a folder. */
static lull_status scan(walk *w, const char *folder, const char *prefix, int depth,
                        lull_error *error);

static lull_status scan_entry(walk *w, const char *path, const char *name, int depth,
                              lull_error *error) {
    os_facts about;
    if (os_facts_of(path, &about) != 0) return LULL_OK; /* gone, or a dangling link */
    if (about.kind == OS_FILE) return add_file(w->list, path, name, &about, error);
    if (about.kind != OS_FOLDER || depth >= MAX_DEPTH) return LULL_OK;
    return os_is_link(path) ? add_file(&w->links, path, name, &about, error)
                            : scan(w, path, name, depth + 1, error);
}

static lull_status scan(walk *w, const char *folder, const char *prefix, int depth,
                        lull_error *error) {
    os_facts own;
    base_folder entries;
    bool is_new = false;
    lull_status status = base_folder_list(folder, &entries, error);
    if (!status && os_facts_of(folder, &own) != 0)
        status = base_fail(error, LULL_IO, "%s: cannot be listed: %s", folder, strerror(errno));
    if (!status) status = see(w, &own, &is_new, error);
    for (size_t i = 0; !status && is_new && i < entries.count; i++) {
        char path[PATH_SIZE], name[PATH_SIZE];
        if (entries.names[i][0] == '.') continue;
        int a = snprintf(path, sizeof path, "%s/%s", folder, entries.names[i]);
        int b = snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "/" : "", entries.names[i]);
        if (a < PATH_SIZE && b < PATH_SIZE) status = scan_entry(w, path, name, depth, error);
    }
    base_folder_free(&entries);
    return status;
}

static void free_found(found_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        base_free(list->files[i].path);
        base_free(list->files[i].name);
        base_free(list->files[i].reason);
    }
    base_free(list->files);
}

/* Every folder once: by its own name where the corpus has it, else by the first of the links to
 * it, level by level and in the order of their names, whatever order the system lists them in. */
static lull_status find_files(const char *folder, found_list *list, lull_error *error) {
    walk w = {.list = list};
    lull_status status = see_above(&w, folder, error);
    if (!status) status = scan(&w, folder, "", 0, error);
    while (!status && w.links.count > 0) {
        found_list level = w.links;
        w.links = (found_list){0};
        qsort(level.files, level.count, sizeof *level.files, by_name);
        for (size_t i = 0; i < level.count && !status; i++) {
            int depth = 1;
            for (const char *c = level.files[i].name; *c; c++) depth += *c == '/';
            status = scan(&w, level.files[i].path, level.files[i].name, depth, error);
        }
        free_found(&level);
    }
    free_found(&w.links);
    base_free(w.seen);
    if (list->count > 0) qsort(list->files, list->count, sizeof *list->files, by_name);
    return status;
}

static lull_status take_files(const train_corpus_options *options, found_list *list,
                              lull_error *error) {
    lull_status status = LULL_OK;
    for (size_t i = 0; i < options->file_count && !status; i++) {
        const char *path = options->files[i];
        os_facts facts;
        if (os_facts_of(path, &facts) != 0)
            status = base_fail(error, LULL_IO, "%s: cannot be opened: %s", path, strerror(errno));
        else
            status = add_file(list, path, path, &facts, error);
    }
    if (list->count > 0) qsort(list->files, list->count, sizeof *list->files, by_name);
    return status;
}

/* ---- measuring ---------------------------------------------------------------------------- */

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

static void measure(found_file *file) {
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

typedef struct measure_task {
    found_file *files;
    size_t total, done;
    pthread_mutex_t lock;
    const train_corpus_options *options;
} measure_task;

static bool asked_to_stop(const train_corpus_options *options) {
    return options->stop != NULL && *options->stop;
}

static void measure_one(void *context, int i, int worker) {
    (void)worker;
    measure_task *task = context;
    found_file *file = &task->files[i];
    if (!file->known && !asked_to_stop(task->options)) measure(file);
    pthread_mutex_lock(&task->lock);
    task->done++;
    if (task->options->progress != NULL)
        task->options->progress(task->options->context, task->done, task->total);
    pthread_mutex_unlock(&task->lock);
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
static void index_load(const char *path, found_list *list) {
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
        found_file *file = &list->files[at];
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
static void index_save(const char *path, const found_list *list) {
    json_writer writer = json_writer_new();
    writer.keep_bytes = true; /* names of files, to be found again */
    json_add_number(&writer, writer.root, "format", 1);
    yyjson_mut_val *files = json_add_array(&writer, writer.root, "files");
    for (size_t i = 0; i < list->count; i++) {
        const found_file *file = &list->files[i];
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

/* ---- opening ------------------------------------------------------------------------------ */

static size_t samples_at(const found_file *file, int rate) {
    return (size_t)((double)file->frames * rate / file->rate);
}

static bool other_side(const found_file *file, const train_corpus_options *options) {
    if (options->side == TRAIN_SIDE_ALL) return false;
    bool valid = train_name_share(file->name) < options->valid_share;
    return valid != (options->side == TRAIN_SIDE_VALID);
}

static void judge(found_file *file, const train_corpus_options *options) {
    char text[160];
    if (file->reason != NULL) return;
    if (file->frames == 0 || file->rate < 1) {
        file->reason = base_strdup("holds no samples");
    } else if (samples_at(file, options->rate) < options->least_samples) {
        snprintf(text, sizeof text, "too short: %.3g s, a crop needs %.3g s",
                 (double)file->frames / file->rate, (double)options->least_samples / options->rate);
        file->reason = base_strdup(text);
    } else if (file->peak < 1e-4) {
        file->reason = base_strdup("silent: its loudest sample is 80 dB below full scale");
    } else if (file->peak > LOUDEST) {
        snprintf(text, sizeof text,
                 "its loudest sample is %.3g times full scale: integers as floats? Divide them by "
                 "what is full scale",
                 file->peak);
        file->reason = base_strdup(text);
    }
}

static void tell_left_out(const found_list *list, const train_corpus_options *options,
                          size_t *left_out) {
    char line[PATH_SIZE + LULL_MESSAGE_SIZE];
    size_t others = 0;
    const char *example = NULL;
    for (size_t i = 0; i < list->count; i++) {
        const found_file *file = &list->files[i];
        if (file->reason == NULL) continue;
        ++*left_out;
        if (file->other) {
            if (others++ == 0) example = file->name;
            continue;
        }
        /* Messages of the reader begin with the path already. */
        bool named = strncmp(file->reason, file->path, strlen(file->path)) == 0;
        snprintf(line, sizeof line, "left out %s%s%s", named ? "" : file->name, named ? "" : ": ",
                 file->reason);
        if (options->left_out != NULL) options->left_out(options->context, line);
    }
    if (others > 0 && options->left_out != NULL) {
        snprintf(line, sizeof line, "left out %zu file%s that %s no recording%s (%s%s)", others,
                 others == 1 ? "" : "s", others == 1 ? "is" : "are", others == 1 ? "" : "s",
                 example, others == 1 ? "" : ", …");
        options->left_out(options->context, line);
    }
}

static lull_status build(found_list *list, const train_corpus_options *options,
                         train_corpus *corpus, lull_error *error) {
    size_t usable = 0;
    for (size_t i = 0; i < list->count; i++)
        if (list->files[i].reason == NULL && !other_side(&list->files[i], options)) usable++;
    corpus->recordings = base_alloc(usable, sizeof *corpus->recordings);
    corpus->first_sample = base_alloc(usable + 1, sizeof *corpus->first_sample);
    if (!corpus->recordings || !corpus->first_sample) return base_no_memory(error);
    size_t budget = options->cache_bytes / sizeof(float);
    for (size_t i = 0; i < list->count; i++) {
        found_file *file = &list->files[i];
        if (file->reason != NULL || other_side(file, options)) continue;
        train_recording *recording = &corpus->recordings[corpus->count++];
        recording->path = file->path;
        recording->name = file->name;
        file->path = file->name = NULL;
        recording->rate = file->rate;
        recording->frames = file->frames;
        recording->samples = samples_at(file, options->rate);
        recording->level = file->level;
        recording->silence = file->silence;
        if (recording->samples <= budget) {
            recording->resident = true;
            budget -= recording->samples;
            corpus->resident_samples += recording->samples;
        }
        corpus->first_sample[corpus->count] =
            corpus->first_sample[corpus->count - 1] + recording->samples;
    }
    return LULL_OK;
}

lull_status train_corpus_open(const char *folder, const train_corpus_options *options,
                              thread_pool *pool, train_corpus **result, lull_error *error) {
    found_list list = {0};
    train_corpus *corpus = NULL;
    lull_status status =
        options->files ? take_files(options, &list, error) : find_files(folder, &list, error);
    if (status) goto done;
    if (options->index_path != NULL) index_load(options->index_path, &list);
    measure_task task = {list.files, list.count, 0, PTHREAD_MUTEX_INITIALIZER, options};
    thread_pool_run(pool, (int)list.count, measure_one, &task);
    pthread_mutex_destroy(&task.lock);
    if (asked_to_stop(options)) {
        if (options->index_path != NULL) index_save(options->index_path, &list);
        status = base_fail(error, LULL_FINISHED,
                           "interrupted while the recordings of %s were measured", folder);
        goto done;
    }
    for (size_t i = 0; i < list.count; i++) judge(&list.files[i], options);
    if (options->index_path != NULL) index_save(options->index_path, &list);
    corpus = base_alloc(1, sizeof *corpus);
    if (corpus == NULL) {
        status = base_no_memory(error);
        goto done;
    }
    corpus->rate = options->rate;
    corpus->found = list.count;
    tell_left_out(&list, options, &corpus->left_out);
    status = build(&list, options, corpus, error);
    if (!status && corpus->count == 0)
        status = base_fail(
            error, LULL_INVALID,
            "%s: no usable recording among %zu file%s; expected WAV, FLAC, Ogg or the like of at "
            "least %.2f s",
            folder, list.count, list.count == 1 ? "" : "s",
            (double)options->least_samples / options->rate);
done:
    free_found(&list);
    if (status) {
        train_corpus_free(corpus);
        corpus = NULL;
    }
    *result = corpus;
    return status;
}

void train_recording_free(train_recording *recording) {
    base_free(recording->path);
    base_free(recording->name);
    base_free(recording->audio);
    if (recording->pair != NULL) base_free(recording->pair->mel);
    base_free(recording->pair);
}

void train_corpus_free(train_corpus *corpus) {
    if (corpus == NULL) return;
    for (size_t i = 0; i < corpus->count; i++) train_recording_free(&corpus->recordings[i]);
    base_free(corpus->recordings);
    base_free(corpus->first_sample);
    base_free(corpus);
}

/* ---- reading ------------------------------------------------------------------------------ */

static size_t greatest_divisor(size_t a, size_t b) {
    while (b != 0) {
        size_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static lull_status has_changed(const train_recording *recording, lull_error *error) {
    return base_fail(error, LULL_FORMAT,
                     "%s: is shorter than when it was measured: it was cut off or replaced while "
                     "in use",
                     recording->path);
}

static lull_status make_resident(train_corpus *corpus, train_recording *recording,
                                 lull_error *error) {
    float *samples = NULL;
    size_t count = 0;
    lull_status status =
        recording_file_read(recording->path, corpus->rate, &samples, &count, NULL, error);
    if (status) return status;
    recording->audio = base_alloc(recording->samples, sizeof *recording->audio);
    if (recording->audio == NULL) {
        base_free(samples);
        return base_no_memory(error);
    }
    if (count > recording->samples) count = recording->samples; /* resampling may round up … */
    if (count + 2 < recording->samples) {                       /* … or down */
        base_free(samples);
        base_free(recording->audio);
        recording->audio = NULL;
        return has_changed(recording, error);
    }
    memcpy(recording->audio, samples, count * sizeof *samples);
    base_free(samples);
    return LULL_OK;
}

/* Part of a recording that is not resident: only that part of the file is decoded. When it is
 * resampled, it starts at a sample that both rates share, with a tenth of a second around it for
 * the resampler's filter. */
static lull_status read_part(const train_corpus *corpus, const train_recording *recording,
                             size_t first, size_t count, float *out, lull_error *error) {
    size_t got = 0;
    if (recording->rate == corpus->rate || recording->rate < 1) {
        lull_status status =
            recording_file_read_part(recording->path, first, count, out, &got, error);
        return !status && got < count ? has_changed(recording, error) : status;
    }
    size_t divisor = greatest_divisor((size_t)recording->rate, (size_t)corpus->rate);
    size_t in_unit = (size_t)recording->rate / divisor, out_unit = (size_t)corpus->rate / divisor;
    assert(out_unit > 0); /* the divisor divides the rate */
    size_t around = (size_t)corpus->rate / 10;
    size_t unit = first > around ? (first - around) / out_unit : 0;
    size_t in_first = unit * in_unit, out_first = unit * out_unit;
    size_t out_count = first - out_first + count + around;
    size_t in_count = (out_count + out_unit - 1) / out_unit * in_unit;
    if (in_first + in_count > recording->frames)
        in_count = recording->frames > in_first ? recording->frames - in_first : 0;
    float *in = base_alloc(in_count, sizeof *in), *converted = NULL;
    size_t produced = 0;
    lull_status status =
        in ? recording_file_read_part(recording->path, in_first, in_count, in, &got, error)
           : base_no_memory(error);
    if (!status && got < in_count) status = has_changed(recording, error);
    if (!status)
        status = recording_resample(in, in_count, recording->rate, corpus->rate, &converted,
                                    &produced, error);
    if (!status) {
        size_t skip = first - out_first;
        size_t have = produced > skip ? produced - skip : 0;
        if (have > count) have = count;
        memcpy(out, converted + skip, have * sizeof *out);
        memset(out + have, 0, (count - have) * sizeof *out);
    }
    base_free(converted);
    base_free(in);
    return status;
}

lull_status train_corpus_read(train_corpus *corpus, size_t index, int64_t first, size_t count,
                              float *out, lull_error *error) {
    train_recording *recording = &corpus->recordings[index];
    int64_t end = first + (int64_t)count, samples = (int64_t)recording->samples;
    int64_t from = first < 0 ? 0 : first > samples ? samples : first;
    int64_t to = end > samples ? samples : end < from ? from : end;
    size_t before = (size_t)(from - first), n = (size_t)(to - from);
    if (before > count) before = count, n = 0;
    memset(out, 0, before * sizeof *out);
    memset(out + before + n, 0, (count - before - n) * sizeof *out);
    if (n == 0) return LULL_OK;
    if (!recording->resident)
        return read_part(corpus, recording, (size_t)from, n, out + before, error);
    if (recording->audio == NULL) {
        lull_status status = make_resident(corpus, recording, error);
        if (status) return status;
    }
    memcpy(out + before, recording->audio + from, n * sizeof *out);
    return LULL_OK;
}
