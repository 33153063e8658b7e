/* Pairs of predicted mels and recordings: see pairs.h. */
#include "train/pairs.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "io/file_bytes.h"
#include "io/npy.h"
#include "mel/front_end.h"

enum { PATH_SIZE = 4096 };

static const double LEAST_CORRELATION = 0.5;

/* ---- the list ----------------------------------------------------------------------------- */

typedef struct pair_path {
    char *mel, *recording;
} pair_path;

static int by_recording(const void *a, const void *b) {
    return strcmp(((const pair_path *)a)->recording, ((const pair_path *)b)->recording);
}

/* Without the blanks around it. */
static char *trim(char *text) {
    while (isspace((unsigned char)*text)) text++;
    size_t n = strlen(text);
    while (n > 0 && isspace((unsigned char)text[n - 1])) text[--n] = '\0';
    return text;
}

/* A path of the list, beside which it is. */
static char *beside(const char *list, const char *path) {
    char whole[2 * PATH_SIZE];
    const char *slash = strrchr(list, '/');
    int folder = path[0] == '/' || slash == NULL ? 0 : (int)(slash + 1 - list);
    int n = snprintf(whole, sizeof whole, "%.*s%s", folder, list, path);
    return n > 0 && n < PATH_SIZE ? base_strdup(whole) : NULL;
}

static lull_status parse_line(const char *list, size_t number, char *line, pair_path *pair,
                              lull_error *error) {
    char *between = strpbrk(line, "\t|");
    if (between != NULL) *between = '\0';
    char *mel = trim(line), *recording = between ? trim(between + 1) : NULL;
    if (!*mel || !recording || !*recording)
        return base_fail(error, LULL_FORMAT,
                         "%s, line %zu: is not MEL|RECORDING (or with a tab between them)", list,
                         number);
    pair->mel = beside(list, mel);
    pair->recording = beside(list, recording);
    return pair->mel && pair->recording ? LULL_OK : base_no_memory(error);
}

static lull_status take_apart(const char *list, char *text, pair_path **pairs, size_t *count,
                              lull_error *error) {
    size_t capacity = 0, number = 0;
    lull_status status = LULL_OK;
    for (char *line = text, *end; !status && *line; line = end) {
        end = line + strcspn(line, "\n");
        if (*end) *end++ = '\0';
        number++;
        line = trim(line);
        if (*line == '\0' || *line == '#') continue;
        if (!base_grow((void **)pairs, &capacity, *count + 1, sizeof **pairs))
            return base_no_memory(error);
        pair_path *pair = &(*pairs)[(*count)++];
        *pair = (pair_path){NULL, NULL};
        status = parse_line(list, number, line, pair, error);
    }
    return status;
}

static lull_status sort(const char *list, pair_path *pairs, size_t count, lull_error *error) {
    if (count == 0) return base_fail(error, LULL_FORMAT, "%s: has no lines MEL|RECORDING", list);
    qsort(pairs, count, sizeof *pairs, by_recording);
    for (size_t i = 1; i < count; i++)
        if (!strcmp(pairs[i - 1].recording, pairs[i].recording))
            return base_fail(error, LULL_FORMAT, "%s: has %s twice; a recording has one mel", list,
                             pairs[i].recording);
    return LULL_OK;
}

lull_status train_pairs_read(const char *path, train_pairs *result, lull_error *error) {
    file_bytes bytes = {0};
    pair_path *pairs = NULL;
    size_t count = 0;
    *result = (train_pairs){NULL, NULL, 0};
    lull_status status = file_bytes_read(path, &bytes, error);
    if (status) return status;
    char *text = base_alloc(bytes.size + 1, 1);
    if (text != NULL && bytes.size > 0) memcpy(text, bytes.data, bytes.size);
    status = text ? take_apart(path, text, &pairs, &count, error) : base_no_memory(error);
    if (!status) status = sort(path, pairs, count, error);
    result->mels = base_alloc(count, sizeof *result->mels);
    result->recordings = base_alloc(count, sizeof *result->recordings);
    if (!status && (!result->mels || !result->recordings)) status = base_no_memory(error);
    for (size_t i = 0; i < count; i++) {
        if (status) {
            base_free(pairs[i].mel);
            base_free(pairs[i].recording);
        } else {
            result->mels[i] = pairs[i].mel;
            result->recordings[i] = pairs[i].recording;
            result->count = i + 1;
        }
    }
    base_free(pairs);
    base_free(text);
    file_bytes_free(&bytes);
    if (status) train_pairs_free(result);
    return status;
}

void train_pairs_free(train_pairs *pairs) {
    for (size_t i = 0; i < pairs->count; i++) {
        base_free(pairs->mels[i]);
        base_free(pairs->recordings[i]);
    }
    base_free(pairs->mels);
    base_free(pairs->recordings);
    *pairs = (train_pairs){NULL, NULL, 0};
}

/* ---- the offset --------------------------------------------------------------------------- */

/* Takes each band's mean off a copy of the frames; base_free, NULL = out of memory. */
static float *centred(const float *frames, size_t n, size_t bands) {
    float *copy = base_alloc(n * bands, sizeof *copy);
    for (size_t b = 0; copy && b < bands; b++) {
        double sum = 0.0;
        for (size_t f = 0; f < n; f++) sum += frames[f * bands + b];
        for (size_t f = 0; f < n; f++)
            copy[f * bands + b] = (float)(frames[f * bands + b] - sum / (double)n);
    }
    return copy;
}

static double correlation_at(const float *a, int64_t n, const float *b, int64_t m, int64_t bands,
                             int64_t offset) {
    int64_t from = offset < 0 ? -offset : 0, to = n + offset > m ? m - offset : n;
    double both = 0.0, first = 0.0, second = 0.0;
    for (int64_t i = from * bands; i < to * bands; i++) {
        double x = a[i], y = b[i + offset * bands];
        both += x * y;
        first += x * x;
        second += y * y;
    }
    return both / sqrt(first * second);
}

double train_pairs_offset(const float *predicted, size_t n, const float *own, size_t own_count,
                          size_t bands, int *offset) {
    float *a = centred(predicted, n, bands), *b = centred(own, own_count, bands);
    double best = NAN;
    *offset = 0;
    for (int d = -TRAIN_PAIRS_REACH; a && b && d <= TRAIN_PAIRS_REACH; d++) {
        double is = correlation_at(a, (int64_t)n, b, (int64_t)own_count, (int64_t)bands, d);
        if (!(is > best || (isnan(best) && !isnan(is)))) continue;
        best = is;
        *offset = d;
    }
    base_free(a);
    base_free(b);
    return best;
}

/* ---- attaching ---------------------------------------------------------------------------- */

/* [bands, T] as PyTorch and `lull mel` write it, or [T, bands]; a leading 1 is a batch. */
static lull_status frames_of(const npy_array *array, const char *path, size_t bands, float **frames,
                             size_t *n, lull_error *error) {
    const size_t *shape = array->shape;
    int dimensions = array->dimensions;
    if (dimensions == 3 && shape[0] == 1) shape++, dimensions--;
    bool bands_first = dimensions == 2 && shape[0] == bands;
    if (dimensions != 2 || (!bands_first && shape[1] != bands))
        return base_fail(error, LULL_MISMATCH,
                         "%s: is no mel spectrogram of %zu bands (expected [%zu, T] or [T, %zu])",
                         path, bands, bands, bands);
    *n = bands_first ? shape[1] : shape[0];
    *frames = base_alloc(*n * bands, sizeof **frames);
    if (*frames == NULL) return base_no_memory(error);
    for (size_t f = 0; f < *n; f++)
        for (size_t b = 0; b < bands; b++)
            (*frames)[f * bands + b] = array->data[bands_first ? b * *n + f : f * bands + b];
    return LULL_OK;
}

static lull_status read_mel(const char *path, const mel_convention *convention, float **frames,
                            size_t *n, lull_error *error) {
    npy_array array = {0};
    *frames = NULL;
    lull_status status = npy_read(path, &array, error);
    if (!status) status = frames_of(&array, path, (size_t)convention->bands, frames, n, error);
    npy_free(&array);
    if (!status) status = mel_convention_check_frames(convention, *frames, *n, path, error);
    return status;
}

/* What the recording itself gives. */
static lull_status own_mel(train_corpus *corpus, size_t i, const mel_convention *convention,
                           float **frames, size_t *n, lull_error *error) {
    size_t count = corpus->recordings[i].samples;
    float *samples = base_alloc(count, sizeof *samples);
    if (samples == NULL) return base_no_memory(error);
    lull_status status = train_corpus_read(corpus, i, 0, count, samples, error);
    if (!status) status = mel_from_samples(convention, samples, count, frames, n, error);
    base_free(samples);
    return status;
}

/* Frames of the recording that its mel covers. */
static size_t covered(const train_pair *pair, size_t own_count) {
    int64_t from = pair->first > 0 ? pair->first : 0, to = pair->first + (int64_t)pair->frames;
    if (to > (int64_t)own_count) to = (int64_t)own_count;
    return to > from ? (size_t)(to - from) : 0;
}

static lull_status attach_one(const char *mel, const mel_convention *convention, size_t least,
                              train_corpus *corpus, size_t i, double *correlation,
                              lull_error *error) {
    size_t bands = (size_t)convention->bands, own_count = 0;
    float *own = NULL;
    train_pair *pair = base_alloc(1, sizeof *pair);
    corpus->recordings[i].pair = pair;
    if (pair == NULL) return base_no_memory(error);
    lull_status status = read_mel(mel, convention, &pair->mel, &pair->frames, error);
    if (!status) status = own_mel(corpus, i, convention, &own, &own_count, error);
    if (status) goto done;
    double apart = fabs((double)pair->frames - (double)own_count);
    int offset = 0;
    if (apart > 2 * TRAIN_PAIRS_REACH) {
        status = base_fail(error, LULL_MISMATCH,
                           "%s: has %zu frames, its recording %zu: was it made teacher-forced?",
                           mel, pair->frames, own_count);
        goto done;
    }
    *correlation = train_pairs_offset(pair->mel, pair->frames, own, own_count, bands, &offset);
    pair->first = offset;
    if (!(*correlation >= LEAST_CORRELATION))
        status = base_fail(error, LULL_MISMATCH,
                           "%s: is not the mel of %s: their correlation is %.2f at best", mel,
                           corpus->recordings[i].name, *correlation);
    else if (covered(pair, own_count) < least)
        status = base_fail(error, LULL_MISMATCH,
                           "%s: shares %zu frames with its recording, a crop needs %zu", mel,
                           covered(pair, own_count), least);
done:
    base_free(own);
    return status;
}

/* Takes recording i out; the others keep their order. */
static void take_out(train_corpus *corpus, size_t i) {
    train_recording *gone = &corpus->recordings[i];
    if (gone->resident) corpus->resident_samples -= gone->samples;
    train_recording_free(gone);
    corpus->count--;
    corpus->left_out++;
    memmove(gone, gone + 1, (corpus->count - i) * sizeof *gone);
    for (size_t k = i; k < corpus->count; k++)
        corpus->first_sample[k + 1] = corpus->first_sample[k] + corpus->recordings[k].samples;
}

static const char *mel_of(const train_pairs *pairs, const char *recording) {
    size_t low = 0, high = pairs->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(pairs->recordings[middle], recording) <= 0)
            low = middle;
        else
            high = middle;
    }
    return pairs->mels[low];
}

lull_status train_pairs_attach(const train_pairs *pairs, const mel_convention *convention,
                               size_t least, train_corpus *corpus, const train_voice *voice,
                               lull_error *error) {
    int lowest = TRAIN_PAIRS_REACH, highest = -TRAIN_PAIRS_REACH;
    double sum = 0.0;
    for (size_t i = 0; i < corpus->count;) {
        lull_error reason = {0};
        double correlation = 0.0;
        lull_status status = attach_one(mel_of(pairs, corpus->recordings[i].name), convention,
                                        least, corpus, i, &correlation, &reason);
        if (status == LULL_NO_MEMORY) return base_no_memory(error);
        if (status) {
            train_say(voice, TRAIN_LINE_WARNING, "left out %s", reason.message);
            take_out(corpus, i);
            continue;
        }
        int offset = (int)corpus->recordings[i++].pair->first;
        lowest = offset < lowest ? offset : lowest;
        highest = offset > highest ? offset : highest;
        sum += correlation;
    }
    if (corpus->count == 0)
        return base_fail(error, LULL_INVALID, "no pair of the %zu can be used", pairs->count);
    train_say(voice, TRAIN_LINE_EVENT,
              "pairs: %zu, the mels %d to %d frames behind their recordings, correlation %.3f",
              corpus->count, lowest, highest, sum / (double)corpus->count);
    return LULL_OK;
}
