/* Reading what synth, play and mel take: arrays of mel frames and recordings. */
#include "cli/input.h"

#include "base/error.h"
#include "base/memory.h"
#include "cli/npz.h"
#include "cli/options.h"
#include "io/file_bytes.h"
#include "cli/standard_input.h"
#include "recording/audio_file.h"
#include "io/npy.h"
#include "mel/front_end.h"
#include "model/config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LAYOUT_AUTO, LAYOUT_BANDS_FIRST, LAYOUT_FRAMES_FIRST };

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

bool cli_is_array(const char *path) {
    return cli_is_npz(path) || cli_is_npy(path);
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

/* Neither side is the number of bands: of which convention could it be? */
static lull_status refuse_shape(const char *path, const char *shape, size_t rows, size_t columns,
                                const mel_convention *convention, int asked, lull_error *error) {
    char names[160] = "", advice[256] = "";
    size_t side = asked == LAYOUT_FRAMES_FIRST ? columns : rows;
    if (side <= MEL_MAX_BANDS) mel_conventions_of_bands((int)side, names, sizeof names);
    if (!*names && asked == LAYOUT_AUTO && columns <= MEL_MAX_BANDS)
        mel_conventions_of_bands((int)(side = columns), names, sizeof names);
    if (*names)
        snprintf(advice, sizeof advice, "; with %zu bands say whose it is with -c, as %s", side,
                 names);
    return base_fail(
        error, LULL_MISMATCH,
        "%s: shape %s, but mels of the convention '%s' have %d bands: [%d, frames]%s%s", path,
        shape, convention->name, convention->bands, convention->bands,
        asked == LAYOUT_AUTO          ? " or its transpose"
        : asked == LAYOUT_BANDS_FIRST ? " with --layout bands-first"
                                      : " transposed with --layout frames-first",
        advice);
}

/* Which way round an array of rows × columns lies; lull itself writes [bands, frames]. */
static lull_status find_layout(const char *path, const char *shape, size_t rows, size_t columns,
                               const mel_convention *convention, int asked, bool ours, int *layout,
                               lull_error *error) {
    const size_t bands = (size_t)convention->bands;
    bool bands_first = rows == bands, frames_first = columns == bands;
    if (asked == LAYOUT_BANDS_FIRST) frames_first = false;
    if (asked == LAYOUT_FRAMES_FIRST) bands_first = false;
    if (!bands_first && !frames_first)
        return refuse_shape(path, shape, rows, columns, convention, asked, error);
    if (bands_first && frames_first && !ours)
        return base_fail(error, LULL_MISMATCH,
                         "%s: shape %s can be read both ways; say --layout bands-first or "
                         "--layout frames-first",
                         path, shape);
    *layout = bands_first ? LAYOUT_BANDS_FIRST : LAYOUT_FRAMES_FIRST;
    return LULL_OK;
}

static lull_status arrange(const npy_array *array, const char *path,
                           const mel_convention *convention, int asked, float **frames, size_t *n,
                           lull_error *error) {
    const size_t bands = (size_t)convention->bands;
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
    lull_status status =
        find_layout(path, shape, rows, columns, convention, asked, array->ours, &layout, error);
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

lull_status cli_arrange_array(const npy_array *array, const char *path, const cli_reading *reading,
                              float **frames, size_t *n, lull_error *error) {
    lull_status status =
        arrange(array, path, &reading->input, reading->options.layout, frames, n, error);
    if (status != LULL_OK) return status;
    status = cli_reading_take(reading, path, *frames, *n, error);
    if (status != LULL_OK) {
        base_free(*frames);
        *frames = NULL;
    }
    return status;
}

/* The mel of an archive: "mel" or "mels", or the one that has two dimensions. */
static lull_status read_archive(const char *path, npy_array *array, lull_error *error) {
    npz_file *file = NULL;
    lull_status status = npz_open(path, &file, error);
    if (status != LULL_OK) return status;
    const size_t count = npz_count(file), text = npz_find(file, "convention");
    size_t at = npz_find(file, "mel"), others = 0, other = count;
    if (at == count) at = npz_find(file, "mels");
    for (size_t i = 0; i < count; i++)
        if (i != text) others++, other = i;
    if (at == count && others == 1) at = other;
    if (at == count)
        status = base_fail(error, LULL_MISMATCH,
                           "%s: %zu arrays in it, none of them named mel: save one with "
                           "numpy.savez(\"NAME.npz\", mel=array)",
                           path, others);
    else
        status = npz_array(file, at, array, error);
    npz_close(file);
    return status;
}

static lull_status read_array(const char *path, npy_array *array, lull_error *error) {
    return cli_is_npz(path) ? read_archive(path, array, error) : npy_read(path, array, error);
}

/* ---- what is written beside an array ------------------------------------------------------ */

static lull_status text_beside(const char *path, char **text, lull_error *error) {
    char beside[PATH_MAX];
    struct stat facts;
    file_bytes bytes;
    npz_file *file = NULL;
    *text = NULL;
    if (cli_is_npz(path)) {
        lull_status status = npz_open(path, &file, error);
        if (status != LULL_OK) return status;
        const size_t at = npz_find(file, "convention");
        if (at < npz_count(file)) status = npz_text(file, at, text, error);
        npz_close(file);
        return status;
    }
    if (snprintf(beside, sizeof beside, "%s.json", path) >= (int)sizeof beside) return LULL_OK;
    if (stat(beside, &facts) != 0 || !S_ISREG(facts.st_mode)) return LULL_OK;
    lull_status status = file_bytes_read_regular(beside, &bytes, error);
    if (status != LULL_OK) return status;
    *text = base_alloc(bytes.size + 1, 1);
    if (*text != NULL) memcpy(*text, bytes.data, bytes.size);
    file_bytes_free(&bytes);
    return *text != NULL ? LULL_OK : base_no_memory(error);
}

lull_status cli_convention_beside(const char *path, mel_convention *convention, bool *found,
                                  lull_error *error) {
    char *text = NULL, name[PATH_MAX + 8];
    *found = false;
    lull_status status = text_beside(path, &text, error);
    if (status != LULL_OK || text == NULL) return status;
    snprintf(name, sizeof name, "%s%s", path, cli_is_npz(path) ? "" : ".json");
    status = mel_convention_named("hifigan-22k", 0, convention, error);
    if (status == LULL_OK) status = model_convention_parse(text, name, convention, error);
    base_free(text);
    *found = status == LULL_OK;
    return status;
}

/* What is written beside the array must be what it is read as. */
static lull_status compare_beside(const char *path, const cli_reading *reading, lull_error *error) {
    mel_convention beside;
    bool found = false;
    if (reading->options.force) return LULL_OK;
    lull_status status = cli_convention_beside(path, &beside, &found, error);
    if (status != LULL_OK || !found) return status;
    const char *difference = mel_convention_difference(&beside, &reading->base);
    /* Who says what the values are is believed; the frames must still be the same ones. */
    if ((reading->options.from || reading->options.statistics) &&
        mel_convention_same_frames(&beside, &reading->base))
        difference = NULL;
    if (difference == NULL) return LULL_OK;
    return base_fail(error, LULL_MISMATCH,
                     "%s: %s says that its convention is '%s' (%d Hz, hop %d), but it is read as "
                     "'%s' (%d Hz, hop %d): they differ in %s; leave out -c, which stands above "
                     "that file, or --force",
                     path, cli_is_npz(path) ? "its member 'convention'" : "the .json beside it",
                     beside.name, beside.sample_rate, beside.hop, reading->base.name,
                     reading->base.sample_rate, reading->base.hop, difference);
}

/* ---- recordings --------------------------------------------------------------------------- */

/* What lies below the lowest band cannot be told from what a mel says of the lowest one: a constant
 * offset would come back as rumble. It is no sound, so it is taken off. */
static void take_off_offset(const char *path, bool quiet, float *samples, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (double)samples[i];
    const double mean = count ? sum / (double)count : 0;
    if (fabs(mean) < 2e-3) return;
    for (size_t i = 0; i < count; i++) samples[i] -= (float)mean;
    if (!quiet) cli_note("%s: an offset of %.3g was taken off", path, mean);
}

/* Remarks what was done to the recording. */
static void remark_recording(const char *path, int rate, bool quiet, recording_info info,
                             float *samples, size_t count) {
    if (!quiet && info.truncated)
        cli_note("%s: ends early (the header promises more): read as far as it goes, %.2f s", path,
                 (double)info.frames / info.rate);
    take_off_offset(path, quiet, samples, count);
    if (!quiet && info.channels > 1 && info.rate != rate)
        cli_note("%s: %d channels mixed to one, %d Hz resampled to %d Hz", path, info.channels,
                 info.rate, rate);
    else if (!quiet && info.channels > 1)
        cli_note("%s: %d channels mixed to one", path, info.channels);
    else if (!quiet && info.rate != rate)
        cli_note("%s: resampled from %d Hz to %d Hz", path, info.rate, rate);
}

static bool is_pipe(const char *path) {
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISFIFO(facts.st_mode);
}

lull_status cli_read_recording(const char *path, int rate, bool quiet, float **samples,
                               size_t *count, lull_error *error) {
    recording_info info = {0};
    unsigned char *bytes = NULL;
    size_t size = 0;
    lull_status status = LULL_OK;
    bool piped = strcmp(path, "-") == 0;
    *samples = NULL;
    *count = 0;
    if (piped) path = cli_standard_input;
    if (piped) status = cli_input_all(-1, NULL, 0, &bytes, &size, error);
    if (status == LULL_OK)
        status = piped ? recording_file_parse(bytes, size, path, rate, samples, count, &info, error)
                       : recording_file_read(path, rate, samples, count, &info, error);
    base_free(bytes);
    if (status == LULL_FORMAT && is_pipe(path))
        status = base_fail(error, LULL_FORMAT,
                           "%s: a pipe, and what comes out of it is no recording; arrays come from "
                           "files, or from standard input: lull synth - < %s",
                           path, path);
    if (status == LULL_OK) remark_recording(path, rate, quiet, info, *samples, *count);
    return status;
}

/* Frames that lie between hops leave out what is no whole hop: silence fills it, so that a copy is
 * not shorter than its original. */
static lull_status pad_to_hop(const mel_convention *convention, float **samples, size_t *count,
                              lull_error *error) {
    const size_t hop = (size_t)convention->hop, rest = *count % hop;
    if (convention->centred || rest == 0) return LULL_OK;
    float *longer = base_alloc(*count + hop - rest, sizeof *longer);
    if (longer == NULL) return base_no_memory(error);
    memcpy(longer, *samples, *count * sizeof *longer);
    base_free(*samples);
    *samples = longer;
    *count += hop - rest;
    return LULL_OK;
}

/* Frames of samples, which may be made longer. */
static lull_status analyse(const char *path, const mel_convention *convention, float **samples,
                           size_t *count, float **frames, size_t *n, lull_error *error) {
    const size_t given = *count;
    lull_status status = pad_to_hop(convention, samples, count, error);
    if (status == LULL_OK)
        status = mel_from_samples(convention, *samples, *count, frames, n, error);
    if (status != LULL_OK || *n > 0) return status;
    base_free(*frames);
    *frames = NULL;
    return base_fail(error, LULL_MISMATCH, "%s: %zu samples are too short for one mel frame of %d",
                     path, given, convention->hop);
}

lull_status cli_parse_recording(const void *bytes, size_t size, const cli_reading *reading,
                                float **frames, size_t *n, lull_error *error) {
    float *samples = NULL;
    size_t count = 0;
    recording_info info = {0};
    const mel_convention *convention = &reading->target;
    int rate = convention->sample_rate;
    const char *name = cli_standard_input;
    lull_status status =
        recording_file_parse(bytes, size, name, rate, &samples, &count, &info, error);
    if (status != LULL_OK) return status;
    remark_recording(name, rate, reading->options.quiet, info, samples, count);
    status = analyse(name, convention, &samples, &count, frames, n, error);
    base_free(samples);
    return status;
}

/* Files of the trade that hold arrays, but in a way that is not read, and the line that converts.
 */
static lull_status refuse_by_name(const char *path, lull_error *error) {
    static const struct {
        const char *ending, *what, *convert;
    } kinds[] = {
        {".pt", "PyTorch file", "numpy.save(\"mel.npy\", torch.load(\"%s\").cpu().numpy())"},
        {".pth", "PyTorch file", "numpy.save(\"mel.npy\", torch.load(\"%s\").cpu().numpy())"},
        {".pkl", "pickle", "numpy.save(\"mel.npy\", pickle.load(open(\"%s\", \"rb\")))"},
        {".mat", "MATLAB file", "numpy.save(\"mel.npy\", scipy.io.loadmat(\"%s\")[\"mel\"])"},
        {".csv", "text table", "numpy.save(\"mel.npy\", numpy.loadtxt(\"%s\", delimiter=\",\"))"},
        {".txt", "text file", "numpy.save(\"mel.npy\", numpy.loadtxt(\"%s\"))"},
        {".tsv", "text table", "numpy.save(\"mel.npy\", numpy.loadtxt(\"%s\"))"},
        {".json", "JSON text", "numpy.save(\"mel.npy\", numpy.array(json.load(open(\"%s\"))))"},
        {".h5", "HDF5 file", "numpy.save(\"mel.npy\", h5py.File(\"%s\")[\"feats\"][()])"},
        {".hdf5", "HDF5 file", "numpy.save(\"mel.npy\", h5py.File(\"%s\")[\"feats\"][()])"},
        {".safetensors", "safetensors file",
         "numpy.save(\"mel.npy\", safetensors.numpy.load_file(\"%s\")[\"mel\"])"},
        {".f32", "file of raw numbers", "lull synth - < %s (frame after frame, float32)"},
        {".raw", "file of raw numbers", "lull synth - < %s (frame after frame, float32)"},
        {".bin", "file of raw numbers", "lull synth - < %s (frame after frame, float32)"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char line[PATH_MAX + 128] = "";
        if (!has_ending(path, kinds[i].ending)) continue;
        const char *convert = kinds[i].convert, *at = strstr(convert, "%s");
        snprintf(line, sizeof line, "%.*s%s%s", (int)(at - convert), convert, path, at + 2);
        return base_fail(error, LULL_FORMAT,
                         "%s: a %s, expected a .npy or .npz array or a recording; convert it with "
                         "%s",
                         path, kinds[i].what, line);
    }
    return LULL_OK;
}

static lull_status check_file(const char *path, lull_error *error) {
    struct stat facts;
    if (stat(path, &facts) != 0) return base_fail(error, LULL_IO, "%s: %s", path, strerror(errno));
    if (S_ISDIR(facts.st_mode))
        return base_fail(error, LULL_IO, "%s: is a folder, expected a file", path);
    if (S_ISREG(facts.st_mode) && facts.st_size == 0)
        return base_fail(error, LULL_FORMAT, "%s: the file is empty", path);
    return LULL_OK;
}

lull_status cli_analyse_recording(const char *path, const mel_convention *convention, bool quiet,
                                  float **samples, size_t *count, float **frames, size_t *n,
                                  lull_error *error) {
    *samples = *frames = NULL;
    *count = *n = 0;
    lull_status status = check_file(path, error);
    if (status == LULL_OK) status = refuse_by_name(path, error);
    if (status == LULL_OK)
        status = cli_read_recording(path, convention->sample_rate, quiet, samples, count, error);
    if (status == LULL_OK) status = analyse(path, convention, samples, count, frames, n, error);
    if (status == LULL_OK) return status;
    base_free(*samples);
    *samples = NULL;
    return status;
}

lull_status cli_read_input(const char *path, const cli_reading *reading, float **frames, size_t *n,
                           lull_error *error) {
    if (!cli_is_array(path)) {
        float *samples;
        size_t count;
        lull_status status = cli_analyse_recording(path, &reading->target, reading->options.quiet,
                                                   &samples, &count, frames, n, error);
        base_free(samples);
        return status;
    }
    *frames = NULL;
    *n = 0;
    npy_array array = {0};
    lull_status status = check_file(path, error);
    if (status == LULL_OK) status = compare_beside(path, reading, error);
    if (status == LULL_OK) status = read_array(path, &array, error);
    if (status == LULL_OK) status = cli_arrange_array(&array, path, reading, frames, n, error);
    npy_free(&array);
    return status;
}

lull_status cli_read_numbers(const char *path, const cli_reading *reading, float **frames,
                             size_t *n, lull_error *error) {
    npy_array array = {0};
    *frames = NULL;
    *n = 0;
    lull_status status = check_file(path, error);
    if (status == LULL_OK && !cli_is_array(path))
        status = base_fail(error, LULL_FORMAT, "%s: expected a .npy or .npz array", path);
    if (status == LULL_OK) status = read_array(path, &array, error);
    if (status == LULL_OK)
        status = arrange(&array, path, &reading->input, reading->options.layout, frames, n, error);
    npy_free(&array);
    for (size_t i = 0; status == LULL_OK && i < *n * (size_t)reading->input.bands; i++)
        if (!isfinite((*frames)[i]))
            status = base_fail(error, LULL_NOT_FINITE, "%s: a value is not finite", path);
    return status;
}
