/* A folder of recordings: see corpus.h. */
#include "train/corpus.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "recording/audio_file.h"
#include "recording/resample.h"
#include "train/corpus_measure.h"

enum { LINE_SIZE = 4096 + LULL_MESSAGE_SIZE };

/* Full scales that a float recording may reach: one file beyond would spoil the steps of all. */
static const double LOUDEST = 64.0;

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

/* ---- opening ------------------------------------------------------------------------------ */

static size_t samples_at(const train_found_file *file, int rate) {
    return (size_t)((double)file->frames * rate / file->rate);
}

static bool other_side(const train_found_file *file, const train_corpus_options *options) {
    if (options->side == TRAIN_SIDE_ALL) return false;
    bool valid = train_name_share(file->name) < options->valid_share;
    return valid != (options->side == TRAIN_SIDE_VALID);
}

static void judge(train_found_file *file, const train_corpus_options *options) {
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

static void tell_left_out(const train_found_list *list, const train_corpus_options *options,
                          size_t *left_out) {
    char line[LINE_SIZE];
    size_t others = 0;
    const char *example = NULL;
    for (size_t i = 0; i < list->count; i++) {
        const train_found_file *file = &list->files[i];
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

static lull_status nothing_usable(const char *folder, const train_found_list *list,
                                  const train_corpus_options *options, lull_error *error) {
    size_t aside = 0;
    for (size_t i = 0; i < list->count; i++)
        if (list->files[i].reason == NULL) aside++;
    if (aside > 0 && options->side == TRAIN_SIDE_TRAIN)
        return base_fail(error, LULL_INVALID,
                         "%s: its only usable recording%s on the validation side, as %s decide%s: "
                         "add more, or validate on others (--valid FOLDER)",
                         folder, aside == 1 ? " falls" : "s fall",
                         aside == 1 ? "its name" : "their names", aside == 1 ? "s" : "");
    return base_fail(error, LULL_INVALID,
                     "%s: no usable recording among %zu file%s; expected WAV, FLAC, Ogg or the "
                     "like of at least %.2f s",
                     folder, list->count, list->count == 1 ? "" : "s",
                     (double)options->least_samples / options->rate);
}

static lull_status build(train_found_list *list, const train_corpus_options *options,
                         train_corpus *corpus, lull_error *error) {
    size_t usable = 0;
    for (size_t i = 0; i < list->count; i++)
        if (list->files[i].reason == NULL && !other_side(&list->files[i], options)) usable++;
    corpus->recordings = base_alloc(usable, sizeof *corpus->recordings);
    corpus->first_sample = base_alloc(usable + 1, sizeof *corpus->first_sample);
    if (!corpus->recordings || !corpus->first_sample) return base_no_memory(error);
    size_t budget = options->cache_bytes / sizeof(float);
    for (size_t i = 0; i < list->count; i++) {
        train_found_file *file = &list->files[i];
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
    train_found_list list = {0};
    train_corpus *corpus = NULL;
    lull_status status = options->files
                             ? train_found_take(options->files, options->file_count, &list, error)
                             : train_found_search(folder, &list, error);
    if (status) goto done;
    const train_measuring how = {options->index_path, options->progress, options->context,
                                 options->stop};
    if (!train_measure(&list, &how, pool)) {
        status = base_fail(error, LULL_FINISHED,
                           "interrupted while the recordings of %s were measured", folder);
        goto done;
    }
    for (size_t i = 0; i < list.count; i++) judge(&list.files[i], options);
    corpus = base_alloc(1, sizeof *corpus);
    if (corpus == NULL) {
        status = base_no_memory(error);
        goto done;
    }
    corpus->rate = options->rate;
    corpus->found = list.count;
    tell_left_out(&list, options, &corpus->left_out);
    status = build(&list, options, corpus, error);
    if (!status && corpus->count == 0) status = nothing_usable(folder, &list, options, error);
done:
    train_found_free(&list);
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
