/* Reading what synth, play and mel take: arrays of mel frames and recordings. */
#include "cli/input.h"

#include "base/error.h"
#include "base/memory.h"
#include "cli/options.h"
#include "cli/standard_input.h"
#include "recording/audio_file.h"
#include "io/npy.h"
#include "mel/compression.h"
#include "mel/front_end.h"
#include "mel/window.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LAYOUT_AUTO, LAYOUT_BANDS_FIRST, LAYOUT_FRAMES_FIRST };

const char *const cli_layout_choices[] = {"auto", "bands-first", "frames-first", NULL};
const char *const cli_from_choices[] = {"model", "ln", "log10", "db", "linear", NULL};

static bool has_ending(const char *path, const char *ending) {
    size_t length = strlen(path), wanted = strlen(ending);
    return length >= wanted && strcasecmp(path + length - wanted, ending) == 0;
}

bool cli_is_npy(const char *path) {
    static const char magic[] = "\x93NUMPY";
    char first[6];
    struct stat facts;
    if (has_ending(path, ".npy")) return true;
    /* A look into a pipe would take what is read away. */
    if (stat(path, &facts) != 0 || !S_ISREG(facts.st_mode)) return false;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return false;
    ssize_t got = read(descriptor, first, sizeof first);
    close(descriptor);
    return got == (ssize_t)sizeof first && memcmp(first, magic, sizeof first) == 0;
}

/* ---- conversions -------------------------------------------------------------------------- */

/* One value of the given scale as a linear mel, in the convention's own normalisation. */
static double to_linear(double value, int from) {
    switch (from) {
    case CLI_FROM_LN:
        return exp(value);
    case CLI_FROM_LOG10:
        return pow(10.0, value);
    case CLI_FROM_DB:
        return pow(10.0, value / 20.0);
    default:
        return value;
    }
}

lull_status cli_convert_frames(const mel_convention *convention, const cli_input_options *options,
                               const char *name, float *frames, size_t n, lull_error *error) {
    size_t bands = (size_t)convention->bands;
    double scale = convention->normalized_window ? mel_window_norm(convention) : 1.0;
    if (options->from == CLI_FROM_MODEL) return LULL_OK;
    for (size_t f = 0; f < n; f++) {
        float *frame = frames + f * bands;
        for (size_t b = 0; b < bands; b++) {
            double linear = to_linear(frame[b], options->from);
            float scaled = (float)(linear * scale);
            if (!isfinite(scaled))
                return base_fail(
                    error, LULL_NOT_FINITE,
                    "%s: band %zu of frame %zu is %g, which --from %s makes no finite number", name,
                    b, f, (double)frame[b], cli_from_choices[options->from]);
            if (linear < 0.0)
                return base_fail(
                    error, LULL_MISMATCH,
                    "%s: band %zu of frame %zu is %g: linear mels are not below 0; they may "
                    "be logarithms (--from ln or log10)",
                    name, b, f, (double)frame[b]);
            frame[b] = scaled;
        }
        mel_compress(convention, frame, frame);
    }
    return LULL_OK;
}

lull_status cli_take_frames(const mel_convention *convention, const cli_input_options *options,
                            const char *name, float *frames, size_t n, lull_error *error) {
    /* Who says what the values are is believed: only what is not said is guessed at. */
    return options->from == CLI_FROM_MODEL
               ? mel_convention_check_frames(convention, frames, n, name, error)
               : cli_convert_frames(convention, options, name, frames, n, error);
}

/* ---- arrays ------------------------------------------------------------------------------- */

/* "[80, 312]" */
static void print_shape(const npy_array *array, char *text, size_t size) {
    size_t used = (size_t)snprintf(text, size, "[");
    for (int i = 0; i < array->dimensions && used < size; i++)
        used +=
            (size_t)snprintf(text + used, size - used, "%s%zu", i > 0 ? ", " : "", array->shape[i]);
    if (used < size) snprintf(text + used, size - used, "]");
}

/* Which way round an array of rows × columns lies. */
static lull_status find_layout(const char *path, const char *shape, size_t rows, size_t columns,
                               size_t bands, int asked, int *layout, lull_error *error) {
    bool bands_first = rows == bands, frames_first = columns == bands;
    if (asked == LAYOUT_BANDS_FIRST) frames_first = false;
    if (asked == LAYOUT_FRAMES_FIRST) bands_first = false;
    if (!bands_first && !frames_first)
        return base_fail(error, LULL_MISMATCH,
                         "%s: shape %s, but the model wants %zu mel bands: [%zu, frames]%s", path,
                         shape, bands, bands,
                         asked == LAYOUT_AUTO          ? " or its transpose"
                         : asked == LAYOUT_BANDS_FIRST ? " with --layout bands-first"
                                                       : " transposed with --layout frames-first");
    if (bands_first && frames_first)
        return base_fail(error, LULL_MISMATCH,
                         "%s: shape %s can be read both ways; say --layout bands-first or "
                         "--layout frames-first",
                         path, shape);
    *layout = bands_first ? LAYOUT_BANDS_FIRST : LAYOUT_FRAMES_FIRST;
    return LULL_OK;
}

static lull_status arrange(const npy_array *array, const char *path, size_t bands, int asked,
                           float **frames, size_t *n, lull_error *error) {
    char shape[128];
    int first = 0, layout = asked;
    print_shape(array, shape, sizeof shape);
    while (array->dimensions - first > 2 && array->shape[first] == 1) first++;
    if (array->dimensions - first > 2)
        return base_fail(error, LULL_MISMATCH,
                         "%s: shape %s holds %zu spectrograms; save one a file, as [%zu, frames]",
                         path, shape, array->shape[first], bands);
    if (array->dimensions < 2)
        return base_fail(error, LULL_MISMATCH,
                         "%s: shape %s is no spectrogram; expected [%zu, frames]", path, shape,
                         bands);
    size_t rows = array->shape[first], columns = array->shape[first + 1];
    if (rows == 0 || columns == 0)
        return base_fail(error, LULL_MISMATCH, "%s: shape %s: no frames in it", path, shape);
    lull_status status = find_layout(path, shape, rows, columns, bands, asked, &layout, error);
    if (status != LULL_OK) return status;
    size_t count = layout == LAYOUT_BANDS_FIRST ? columns : rows;
    float *out = base_alloc(count * bands, sizeof *out);
    if (out == NULL) return base_no_memory(error);
    if (layout == LAYOUT_FRAMES_FIRST) {
        memcpy(out, array->data, count * bands * sizeof *out);
    } else {
        for (size_t f = 0; f < count; f++)
            for (size_t b = 0; b < bands; b++) out[f * bands + b] = array->data[b * count + f];
    }
    *frames = out;
    *n = count;
    return LULL_OK;
}

lull_status cli_arrange_array(const npy_array *array, const char *path,
                              const mel_convention *convention, const cli_input_options *options,
                              float **frames, size_t *n, lull_error *error) {
    lull_status status =
        arrange(array, path, (size_t)convention->bands, options->layout, frames, n, error);
    if (status != LULL_OK) return status;
    status = cli_take_frames(convention, options, path, *frames, *n, error);
    if (status != LULL_OK) {
        base_free(*frames);
        *frames = NULL;
    }
    return status;
}

/* ---- recordings --------------------------------------------------------------------------- */

/* Refuses digital silence and remarks what was done to the recording. */
static lull_status remark_recording(const char *path, int rate, bool quiet, audio_info info,
                                    float **samples, size_t *count, lull_error *error) {
    bool sound = false;
    for (size_t i = 0; i < *count && !sound; i++) sound = (*samples)[i] != 0.0f;
    if (!sound) {
        base_free(*samples);
        *samples = NULL;
        return base_fail(error, LULL_FORMAT,
                         "%s: no sound in it: every one of its %zu samples is 0", path,
                         info.frames);
    }
    if (!quiet && info.channels > 1 && info.rate != rate)
        cli_note("%s: %d channels mixed to one, %d Hz resampled to %d Hz", path, info.channels,
                 info.rate, rate);
    else if (!quiet && info.channels > 1)
        cli_note("%s: %d channels mixed to one", path, info.channels);
    else if (!quiet && info.rate != rate)
        cli_note("%s: resampled from %d Hz to %d Hz", path, info.rate, rate);
    return LULL_OK;
}

lull_status cli_read_recording(const char *path, int rate, bool quiet, float **samples,
                               size_t *count, lull_error *error) {
    audio_info info = {0};
    unsigned char *bytes = NULL;
    size_t size = 0;
    lull_status status = LULL_OK;
    bool piped = strcmp(path, "-") == 0;
    *samples = NULL;
    *count = 0;
    if (piped) path = cli_standard_input;
    if (piped) status = cli_input_all(-1, NULL, 0, &bytes, &size, error);
    if (status == LULL_OK)
        status = piped ? audio_file_parse(bytes, size, path, rate, samples, count, &info, error)
                       : audio_file_read(path, rate, samples, count, &info, error);
    base_free(bytes);
    if (status != LULL_OK) return status;
    return remark_recording(path, rate, quiet, info, samples, count, error);
}

/* Frames of samples, which are freed. */
static lull_status analyse(const char *path, const mel_convention *convention, float *samples,
                           size_t count, float **frames, size_t *n, lull_error *error) {
    lull_status status = mel_from_samples(convention, samples, count, frames, n, error);
    base_free(samples);
    if (status != LULL_OK || *n > 0) return status;
    base_free(*frames);
    *frames = NULL;
    return base_fail(error, LULL_MISMATCH, "%s: %zu samples are too short for one mel frame of %d",
                     path, count, convention->hop);
}

static lull_status analyse_recording(const char *path, const mel_convention *convention, bool quiet,
                                     float **frames, size_t *n, lull_error *error) {
    float *samples = NULL;
    size_t count = 0;
    lull_status status =
        cli_read_recording(path, convention->sample_rate, quiet, &samples, &count, error);
    if (status != LULL_OK) return status;
    return analyse(path, convention, samples, count, frames, n, error);
}

lull_status cli_parse_recording(const void *bytes, size_t size, const mel_convention *convention,
                                const cli_input_options *options, float **frames, size_t *n,
                                lull_error *error) {
    float *samples = NULL;
    size_t count = 0;
    audio_info info = {0};
    int rate = convention->sample_rate;
    const char *name = cli_standard_input;
    lull_status status = audio_file_parse(bytes, size, name, rate, &samples, &count, &info, error);
    if (status == LULL_OK)
        status = remark_recording(name, rate, options->quiet, info, &samples, &count, error);
    if (status != LULL_OK) return status;
    return analyse(name, convention, samples, count, frames, n, error);
}

/* Files of the trade that hold arrays, but not as .npy. */
static lull_status refuse_by_name(const char *path, lull_error *error) {
    static const char *const endings[] = {".npz", ".pt", ".pth", ".pkl", ".safetensors", NULL};
    for (int i = 0; endings[i] != NULL; i++) {
        if (has_ending(path, endings[i]))
            return base_fail(error, LULL_FORMAT,
                             "%s: expected a .npy array or a recording; save the spectrogram with "
                             "numpy.save(\"NAME.npy\", array)",
                             path);
    }
    return LULL_OK;
}

lull_status cli_read_input(const char *path, const mel_convention *convention,
                           const cli_input_options *options, float **frames, size_t *n,
                           lull_error *error) {
    struct stat facts;
    *frames = NULL;
    *n = 0;
    if (stat(path, &facts) != 0) return base_fail(error, LULL_IO, "%s: %s", path, strerror(errno));
    if (S_ISDIR(facts.st_mode))
        return base_fail(error, LULL_IO, "%s: is a folder, expected a file", path);
    if (S_ISREG(facts.st_mode) && facts.st_size == 0)
        return base_fail(error, LULL_FORMAT, "%s: the file is empty", path);
    if (!cli_is_npy(path)) {
        lull_status status = refuse_by_name(path, error);
        return status != LULL_OK
                   ? status
                   : analyse_recording(path, convention, options->quiet, frames, n, error);
    }
    npy_array array = {0};
    lull_status status = npy_read(path, &array, error);
    if (status != LULL_OK) return status;
    status = cli_arrange_array(&array, path, convention, options, frames, n, error);
    npy_free(&array);
    return status;
}
