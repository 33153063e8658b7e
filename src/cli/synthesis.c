/* One utterance at a time. */
#include "cli/synthesis.h"

#include "base/error.h"
#include "base/memory.h"
#include "mel/opening.h"
#include "cli/options.h"
#include "cli/trace.h"
#include "picture/picture.h"
#include "mel/griffin_lim.h"
#include "vocoder/vocoder.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PULL = 4096, STREAM_FRAMES = 64 };

struct synthesis_worker {
    const synthesis_settings *settings;
    lull_vocoder *vocoder;             /* NULL for Griffin-Lim */
    const char *output, *trace_folder; /* of the job at hand */
    cli_sink *sink;
    size_t total, produced;
    float *kept; /* what comes out of a whole utterance, for its picture and trace; or NULL */
    float pulled[PULL];
};

static const char *const stream_name = "standard input";

lull_status synthesis_worker_new(const synthesis_settings *settings, synthesis_worker **worker,
                                 lull_error *error) {
    synthesis_worker *made = base_alloc(1, sizeof *made);
    if (made == NULL) return base_no_memory(error);
    made->settings = settings;
    lull_status status = LULL_OK;
    if (settings->griffin_lim == 0 && settings->model != NULL)
        status = lull_vocoder_new(settings->model, &settings->options, &made->vocoder, error);
    else if (settings->griffin_lim == 0)
        status =
            vocoder_new_noise(&settings->convention, &settings->options, &made->vocoder, error);
    if (status != LULL_OK) {
        base_free(made);
        return status;
    }
    *worker = made;
    return LULL_OK;
}

void synthesis_worker_free(synthesis_worker *worker) {
    if (worker == NULL) return;
    lull_vocoder_free(worker->vocoder);
    base_free(worker);
}

/* ---- samples out -------------------------------------------------------------------------- */

/* Files are begun before the work, so that a bad path is known at once; standard output when there
 * is something to write, so that nothing comes out of bad input. */
static lull_status open_sink(synthesis_worker *worker, lull_error *error) {
    const synthesis_settings *settings = worker->settings;
    return cli_sink_open(worker->output, settings->convention.sample_rate, settings->format,
                         settings->wav, &worker->sink, error);
}

static lull_status emit(synthesis_worker *worker, const float *samples, size_t n,
                        lull_error *error) {
    const synthesis_settings *settings = worker->settings;
    lull_status status = worker->sink != NULL ? LULL_OK : open_sink(worker, error);
    if (status == LULL_OK) status = cli_sink_write(worker->sink, samples, n, error);
    if (status != LULL_OK) return status;
    if (worker->kept != NULL && n <= worker->total - worker->produced)
        memcpy(worker->kept + worker->produced, samples, n * sizeof *samples);
    worker->produced += n;
    if (!settings->progress(settings->context, n, worker->total))
        return base_fail(error, LULL_FINISHED, "interrupted");
    return LULL_OK;
}

/* Takes out everything that is ready. */
static lull_status drain(synthesis_worker *worker, lull_error *error) {
    size_t produced = 0;
    do {
        lull_status status =
            lull_vocoder_pull(worker->vocoder, worker->pulled, PULL, &produced, error);
        if (status != LULL_OK) return status;
        if (produced > 0) status = emit(worker, worker->pulled, produced, error);
        if (status != LULL_OK) return status;
    } while (produced > 0);
    return LULL_OK;
}

static lull_status push(synthesis_worker *worker, const float *frames, size_t n,
                        lull_error *error) {
    size_t bands = (size_t)worker->settings->convention.bands;
    while (n > 0) {
        size_t accepted = 0;
        lull_status status = lull_vocoder_push(worker->vocoder, frames, n, &accepted, error);
        if (status != LULL_OK) return status;
        frames += accepted * bands;
        n -= accepted;
        status = drain(worker, error);
        if (status != LULL_OK) return status;
    }
    return LULL_OK;
}

static lull_status finish(synthesis_worker *worker, lull_error *error) {
    lull_status status = lull_vocoder_finish(worker->vocoder);
    if (status != LULL_OK) return base_fail(error, status, "%s", lull_strerror(status));
    return drain(worker, error);
}

/* ---- whole utterances --------------------------------------------------------------------- */

static bool not_interrupted(void *context) {
    const synthesis_settings *settings = context;
    return settings->progress(settings->context, 0, 0);
}

static lull_status run_griffin_lim(synthesis_worker *worker, const float *frames, size_t n,
                                   lull_error *error) {
    const synthesis_settings *settings = worker->settings;
    size_t count = n * (size_t)settings->convention.hop;
    float *samples = base_alloc(count, sizeof *samples);
    if (samples == NULL) return base_no_memory(error);
    lull_status status = griffin_lim_while(&settings->convention, frames, n, settings->griffin_lim,
                                           settings->options.seed, not_interrupted,
                                           (void *)settings, samples, error);
    if (status == LULL_OK) status = emit(worker, samples, count, error);
    base_free(samples);
    return status;
}

/* NAME.wav's picture is NAME.png: the mel that went in above what came out. */
static lull_status plot(const synthesis_worker *worker, const char *name, const float *frames,
                        size_t n, lull_error *error) {
    const mel_convention *mel = &worker->settings->convention;
    char path[PATH_MAX], title[256];
    const char *output = worker->output, *dot = strrchr(output, '.'), *slash = strrchr(output, '/');
    int stem = dot != NULL && (slash == NULL || dot > slash + 1) ? (int)(dot - output)
                                                                 : (int)strlen(output);
    if (snprintf(path, sizeof path, "%.*s.png", stem, output) >= (int)sizeof path)
        return base_fail(error, LULL_INVALID, "%s: the name is too long", output);
    snprintf(title, sizeof title, "%.200s: the mel that went in", name);
    const picture_source sources[2] = {
        {.title = title, .frames = frames, .n = n, .convention = mel},
        {.title = slash != NULL ? slash + 1 : output,
         .samples = worker->kept,
         .count = worker->produced,
         .rate = mel->sample_rate}};
    return picture_write(path, sources, 2, NULL, error);
}

static lull_status run_vocoder(synthesis_worker *worker, const char *name, const float *frames,
                               size_t n, lull_error *error) {
    const synthesis_settings *settings = worker->settings;
    lull_status status = LULL_OK;
    if (settings->noise.data != NULL)
        status = vocoder_set_noise(worker->vocoder, settings->noise.data, settings->noise.shape[0],
                                   settings->noise.shape[1], error);
    trace *steps = NULL;
    if (status == LULL_OK && settings->trace != NULL)
        status = trace_new(settings->model, worker->vocoder, frames, n, &steps, error);
    if (status == LULL_OK) status = push(worker, frames, n, error);
    if (status == LULL_OK) status = finish(worker, error);
    if (status == LULL_OK && steps != NULL)
        status = trace_write(steps, worker->kept, worker->trace_folder, name, error);
    trace_free(steps);
    return status;
}

static lull_status run_frames(synthesis_worker *worker, const char *path, const float *frames,
                              size_t n, lull_error *error) {
    const synthesis_settings *settings = worker->settings;
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    worker->total = n * (size_t)settings->convention.hop;
    if (settings->noise.data != NULL && settings->noise.shape[1] < worker->total)
        return base_fail(error, LULL_MISMATCH,
                         "%s: %zu frames want %zu samples of noise, the noise file has %zu", path,
                         n, worker->total, settings->noise.shape[1]);
    if (settings->plot || settings->trace != NULL) {
        worker->kept = base_alloc(worker->total, sizeof *worker->kept);
        if (worker->kept == NULL) return base_no_memory(error);
    }
    lull_status status = settings->griffin_lim > 0 ? run_griffin_lim(worker, frames, n, error)
                                                   : run_vocoder(worker, name, frames, n, error);
    if (status == LULL_OK && settings->plot) status = plot(worker, name, frames, n, error);
    base_free(worker->kept);
    worker->kept = NULL;
    return status;
}

/* ---- frames on standard input ------------------------------------------------------------- */

/* Reads some bytes: *got is 0 at the end. */
static lull_status read_some(const synthesis_worker *worker, unsigned char *bytes, size_t room,
                             size_t *got, lull_error *error) {
    const synthesis_settings *settings = worker->settings;
    ssize_t read_now;
    while ((read_now = read(STDIN_FILENO, bytes, room)) < 0) {
        if (errno != EINTR)
            return base_fail(error, LULL_IO, "%s: %s", stream_name, strerror(errno));
        if (!settings->progress(settings->context, 0, 0))
            return base_fail(error, LULL_FINISHED, "interrupted");
    }
    *got = (size_t)read_now;
    return LULL_OK;
}

static bool is_array(const unsigned char *bytes, size_t size) {
    static const char magic[] = "\x93NUMPY";
    return size >= sizeof magic - 1 && memcmp(bytes, magic, sizeof magic - 1) == 0;
}

/* Little-endian float32 to numbers, whatever the machine. */
static void decode(const unsigned char *bytes, size_t count, float *values) {
    for (size_t i = 0; i < count; i++) {
        const unsigned char *b = bytes + 4 * i;
        uint32_t bits =
            (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
        memcpy(&values[i], &bits, sizeof bits);
    }
}

static lull_status fail_inside_frame(const synthesis_worker *worker, size_t frame, size_t have,
                                     lull_error *error) {
    int bands = worker->settings->convention.bands;
    return base_fail(error, LULL_FORMAT,
                     "%s: ended inside frame %zu: %zu of its %d bytes (%d float32 values a frame)",
                     stream_name, frame, have, 4 * bands, bands);
}

/* Everything on standard input, behind the `have` bytes already read. */
static lull_status read_all(const synthesis_worker *worker, const unsigned char *begun,
                            size_t *have, unsigned char **bytes, lull_error *error) {
    size_t capacity = 0, size = *have;
    for (size_t got = 1; got > 0; size += got) {
        if (!base_grow((void **)bytes, &capacity, size + (1 << 16), 1))
            return base_no_memory(error);
        if (begun != NULL) memcpy(*bytes, begun, size);
        begun = NULL;
        lull_status status = read_some(worker, *bytes + size, capacity - size, &got, error);
        if (status != LULL_OK) return status;
    }
    *have = size;
    return LULL_OK;
}

static lull_status decode_all(const synthesis_worker *worker, const unsigned char *bytes,
                              size_t size, float **frames, size_t *n, lull_error *error) {
    const mel_convention *convention = &worker->settings->convention;
    size_t frame_bytes = (size_t)convention->bands * 4;
    *n = size / frame_bytes;
    if (size % frame_bytes != 0) return fail_inside_frame(worker, *n, size % frame_bytes, error);
    if (*n == 0) return base_fail(error, LULL_FORMAT, "%s: no frames in it", stream_name);
    *frames = base_alloc(*n, frame_bytes);
    if (*frames == NULL) return base_no_memory(error);
    decode(bytes, size / 4, *frames);
    return cli_take_frames(convention, &worker->settings->input, stream_name, *frames, *n, error);
}

/* Standard input as a whole: a .npy array, or raw frames for what cannot stream. */
static lull_status run_piped(synthesis_worker *worker, const unsigned char *begun, size_t have,
                             lull_error *error) {
    const synthesis_settings *settings = worker->settings;
    unsigned char *bytes = NULL;
    npy_array array = {0};
    float *frames = NULL;
    size_t n = 0;
    lull_status status = read_all(worker, begun, &have, &bytes, error);
    if (status == LULL_OK && is_array(bytes, have)) {
        status = npy_parse(bytes, have, stream_name, &array, error);
        if (status == LULL_OK)
            status = cli_arrange_array(&array, stream_name, &settings->convention, &settings->input,
                                       &frames, &n, error);
    } else if (status == LULL_OK) {
        status = decode_all(worker, bytes, have, &frames, &n, error);
    }
    if (status == LULL_OK) status = run_frames(worker, stream_name, frames, n, error);
    base_free(frames);
    npy_free(&array);
    base_free(bytes);
    return status;
}

static lull_status take_frames(synthesis_worker *worker, const unsigned char *bytes, size_t n,
                               float *frames, mel_opening *begun, lull_error *error) {
    const synthesis_settings *settings = worker->settings;
    decode(bytes, n * (size_t)settings->convention.bands, frames);
    lull_status status =
        cli_convert_frames(&settings->convention, &settings->input, stream_name, frames, n, error);
    if (status == LULL_OK && settings->input.from == CLI_FROM_MODEL)
        status = mel_opening_check(begun, frames, n, stream_name, error);
    return status != LULL_OK ? status : push(worker, frames, n, error);
}

/* Raw little-endian float32 frames: each is synthesized as it arrives. */
static lull_status run_stream(synthesis_worker *worker, lull_error *error) {
    size_t frame_bytes = (size_t)worker->settings->convention.bands * 4;
    unsigned char *bytes = base_alloc(STREAM_FRAMES, frame_bytes);
    float *frames = base_alloc(STREAM_FRAMES, frame_bytes);
    mel_opening begun;
    bool array = false;
    lull_status status = mel_opening_init(&begun, &worker->settings->convention, error);
    if (status == LULL_OK && (bytes == NULL || frames == NULL)) status = base_no_memory(error);
    size_t have = 0, taken = 0;
    while (status == LULL_OK) {
        size_t got = 0;
        status = read_some(worker, bytes + have, STREAM_FRAMES * frame_bytes - have, &got, error);
        if (status != LULL_OK || got == 0) break;
        have += got;
        if (have < frame_bytes) continue;
        array = taken == 0 && is_array(bytes, have);
        if (array) break;
        size_t n = have / frame_bytes;
        status = take_frames(worker, bytes, n, frames, &begun, error);
        taken += n;
        have -= n * frame_bytes;
        memmove(bytes, bytes + n * frame_bytes, have);
    }
    if (array)
        status = run_piped(worker, bytes, have, error);
    else if (status == LULL_OK && have > 0)
        status = fail_inside_frame(worker, taken, have, error);
    else if (status == LULL_OK && taken == 0)
        status = base_fail(error, LULL_FORMAT, "%s: no frames in it", stream_name);
    else if (status == LULL_OK)
        status = finish(worker, error);
    base_free(bytes);
    base_free(frames);
    mel_opening_clear(&begun);
    return status;
}

/* ---- one job ------------------------------------------------------------------------------ */

static lull_status run_file(synthesis_worker *worker, const char *path, lull_error *error) {
    const synthesis_settings *settings = worker->settings;
    float *frames = NULL;
    size_t n = 0;
    lull_status status =
        cli_read_input(path, &settings->convention, &settings->input, &frames, &n, error);
    if (status == LULL_OK) status = run_frames(worker, path, frames, n, error);
    base_free(frames);
    return status;
}

lull_status synthesis_run(synthesis_worker *worker, const cli_job *job, size_t *samples,
                          uint64_t *limited, lull_error *error) {
    const synthesis_settings *settings = worker->settings;
    bool stream = strcmp(job->input, "-") == 0;
    worker->total = worker->produced = 0;
    *samples = 0;
    *limited = 0;
    if (worker->vocoder != NULL) lull_vocoder_reset(worker->vocoder, settings->options.seed);
    worker->output = job->output;
    worker->trace_folder = job->trace != NULL ? job->trace : settings->trace;
    worker->sink = NULL;
    lull_status status = strcmp(job->output, "-") == 0 ? LULL_OK : open_sink(worker, error);
    if (status != LULL_OK) return status;
    bool whole = settings->griffin_lim > 0 || settings->noise.data != NULL ||
                 settings->trace != NULL || settings->plot;
    status = stream && !whole ? run_stream(worker, error)
             : stream         ? run_piped(worker, NULL, 0, error)
                              : run_file(worker, job->input, error);
    *samples = worker->produced;
    if (worker->vocoder != NULL) *limited = lull_vocoder_limited(worker->vocoder);
    if (status == LULL_OK) return cli_sink_commit(worker->sink, error);
    cli_sink_abandon(worker->sink);
    return status;
}
