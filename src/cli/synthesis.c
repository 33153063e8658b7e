/* One utterance at a time. */
#include "cli/synthesis.h"

#include "base/error.h"
#include "base/memory.h"
#include "cli/convention_options.h"
#include "cli/frame_source.h"
#include "cli/options.h"
#include "cli/standard_input.h"
#include "cli/trace.h"
#include "picture/picture.h"
#include "recording/resample.h"
#include "mel/griffin_lim.h"
#include "model/model.h"
#include "vocoder/vocoder.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { PULL = 4096, STREAM_FRAMES = 64 };

struct synthesis_worker {
    const synthesis_settings *settings;
    bool opened; /* for frames of reading.base */
    cli_reading reading;
    lull_vocoder *vocoder;                     /* NULL for Griffin-Lim */
    const char *input, *output, *trace_folder; /* of the job at hand */
    cli_sink *sink;
    size_t total, produced;
    float *kept; /* what comes out of a whole utterance, for its picture and trace; or NULL */
    recording_resampler *resampler; /* of the job at hand; NULL: the output has the mel's rate */
    float pulled[PULL], resampled[PULL];
};

/* What frames of `base` are read with, in place of what was there. */
static lull_status open_for(synthesis_worker *worker, const mel_convention *base,
                            lull_error *error) {
    const synthesis_settings *settings = worker->settings;
    const lull_model *model = settings->model;
    worker->opened = false;
    lull_vocoder_free(worker->vocoder);
    worker->vocoder = NULL;
    cli_reading_clear(&worker->reading);
    lull_status status =
        cli_reading_init(&worker->reading, &settings->input, base,
                         cli_model_shares_frames(model, base) ? &model->config.mel : NULL, error);
    if (status == LULL_OK && settings->griffin_lim == 0)
        status = cli_new_vocoder(model, &worker->reading.target, &settings->options,
                                 &worker->vocoder, error);
    worker->opened = status == LULL_OK;
    return status;
}

lull_status synthesis_worker_new(const synthesis_settings *settings, synthesis_worker **worker,
                                 lull_error *error) {
    synthesis_worker *made = base_alloc(1, sizeof *made);
    if (made == NULL) return base_no_memory(error);
    made->settings = settings;
    const lull_status status = open_for(made, &settings->first, error);
    if (status != LULL_OK)
        synthesis_worker_free(made);
    else
        *worker = made;
    return status;
}

void synthesis_worker_free(synthesis_worker *worker) {
    if (worker == NULL) return;
    lull_vocoder_free(worker->vocoder);
    cli_reading_clear(&worker->reading);
    base_free(worker);
}

/* Another convention than the last input's wants another vocoder. */
static lull_status prepare(synthesis_worker *worker, const char *path, lull_error *error) {
    const synthesis_settings *settings = worker->settings;
    const mel_convention *before = &worker->reading.base;
    mel_convention base = settings->unsaid;
    bool said;
    lull_status status = settings->said ? LULL_OK
                                        : cli_convention_of(path, settings->model,
                                                            &settings->unsaid, &base, &said, error);
    if (status == LULL_OK && settings->trace != NULL &&
        !cli_model_shares_frames(settings->model, &base))
        /* The steps are shown in the model's own convention. */
        status = base_fail(error, LULL_MISMATCH,
                           "%s: --trace wants mels of the model's own convention (%s): these are "
                           "'%s'",
                           worker->input, settings->model->config.mel.name, base.name);
    if (status != LULL_OK) return status;
    if (worker->opened && mel_convention_difference(&base, before) == NULL) return LULL_OK;
    return open_for(worker, &base, error);
}

/* ---- samples out -------------------------------------------------------------------------- */

/* Files are begun before the work, so that a bad path is known at once; standard output when there
 * is something to write, so that nothing comes out of bad input. */
static lull_status open_sink(synthesis_worker *worker, lull_error *error) {
    const synthesis_settings *settings = worker->settings;
    const int from = worker->reading.target.sample_rate;
    const int rate = settings->rate > 0 ? settings->rate : from;
    recording_resampler_free(worker->resampler);
    worker->resampler = NULL;
    lull_status status =
        rate != from ? recording_resampler_new(from, rate, &worker->resampler, error) : LULL_OK;
    return status != LULL_OK
               ? status
               : cli_sink_open(worker->output, rate, settings->format, settings->wav,
                               rate == from ? worker->total : 0, &worker->sink, error);
}

/* n samples at the mel's rate to the sink, at its own; NULL: what the resampler still holds. */
static lull_status write_out(synthesis_worker *worker, const float *samples, size_t n,
                             lull_error *error) {
    lull_status status = LULL_OK;
    if (worker->resampler == NULL)
        return n > 0 ? cli_sink_write(worker->sink, samples, n, error) : LULL_OK;
    for (;;) {
        size_t consumed = 0, produced = 0;
        status =
            recording_resampler_run(worker->resampler, samples, n, &consumed, worker->resampled,
                                    PULL, &produced, samples == NULL, error);
        if (status == LULL_OK && produced > 0)
            status = cli_sink_write(worker->sink, worker->resampled, produced, error);
        if (status != LULL_OK || (consumed == 0 && produced == 0)) return status;
        if (samples != NULL) samples += consumed;
        n -= consumed;
        if (samples != NULL && n == 0) return LULL_OK;
    }
}

static lull_status emit(synthesis_worker *worker, const float *samples, size_t n,
                        lull_error *error) {
    const synthesis_settings *settings = worker->settings;
    lull_status status = worker->sink != NULL ? LULL_OK : open_sink(worker, error);
    if (status == LULL_OK) status = write_out(worker, samples, n, error);
    if (status != LULL_OK) return status;
    if (worker->kept != NULL && n <= worker->total - worker->produced)
        memcpy(worker->kept + worker->produced, samples, n * sizeof *samples);
    worker->produced += n;
    if (worker->vocoder != NULL)
        status = cli_reading_check_limited(&worker->reading, worker->input,
                                           lull_vocoder_limited(worker->vocoder), worker->produced,
                                           error);
    if (status != LULL_OK) return status;
    if (!settings->progress(settings->context, n, worker->total,
                            worker->reading.target.sample_rate))
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

/* f0: a pitch for every frame, or NULL. */
static lull_status push(synthesis_worker *worker, const float *frames, const float *f0, size_t n,
                        lull_error *error) {
    size_t bands = (size_t)worker->reading.target.bands;
    while (n > 0) {
        size_t accepted = 0;
        lull_status status =
            f0 == NULL ? lull_vocoder_push(worker->vocoder, frames, n, &accepted, error)
                       : lull_vocoder_push_pitch(worker->vocoder, frames, f0, n, &accepted, error);
        if (status != LULL_OK) return status;
        frames += accepted * bands;
        if (f0 != NULL) f0 += accepted;
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
    return settings->progress(settings->context, 0, 0, 1);
}

static lull_status run_griffin_lim(synthesis_worker *worker, const float *frames, size_t n,
                                   lull_error *error) {
    const synthesis_settings *settings = worker->settings;
    size_t count = n * (size_t)worker->reading.target.hop;
    float *samples = base_alloc(count, sizeof *samples);
    if (samples == NULL) return base_no_memory(error);
    lull_status status = mel_griffin_lim_while(&worker->reading.target, frames, n,
                                               settings->griffin_lim, settings->options.seed,
                                               not_interrupted, (void *)settings, samples, error);
    if (status == LULL_OK) status = emit(worker, samples, count, error);
    base_free(samples);
    return status;
}

lull_status synthesis_picture(const char *output, char *path, size_t size, lull_error *error) {
    const char *dot = strrchr(output, '.'), *slash = strrchr(output, '/');
    int stem = dot != NULL && (slash == NULL || dot > slash + 1) ? (int)(dot - output)
                                                                 : (int)strlen(output);
    if (snprintf(path, size, "%.*s.png", stem, output) < (int)size) return LULL_OK;
    return base_fail(error, LULL_INVALID, "%s: the name is too long", output);
}

/* The mel that went in above what came out. */
static lull_status plot(const synthesis_worker *worker, const char *name, const float *frames,
                        size_t n, lull_error *error) {
    const mel_convention *mel = &worker->reading.target;
    char path[PATH_MAX], title[256];
    const char *output = worker->output, *slash = strrchr(output, '/');
    lull_status status = synthesis_picture(output, path, sizeof path, error);
    if (status != LULL_OK) return status;
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
    if (status == LULL_OK) status = push(worker, frames, settings->f0.data, n, error);
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
    worker->total = n * (size_t)worker->reading.target.hop;
    if (worker->sink != NULL) cli_sink_expect(worker->sink, worker->total);
    if (settings->noise.data != NULL && settings->noise.shape[1] < worker->total)
        return base_fail(error, LULL_MISMATCH,
                         "%s: %zu frames want %zu samples of noise, the noise file has %zu", path,
                         n, worker->total, settings->noise.shape[1]);
    if (settings->f0.data != NULL && settings->f0.shape[0] != n)
        return base_fail(
            error, LULL_MISMATCH,
            "%s: %zu frames want as many pitches, --f0 has %zu; 'lull mel --f0' writes "
            "one for every frame of its mel",
            path, n, settings->f0.shape[0]);
    if (settings->plot || settings->trace != NULL) {
        worker->kept = base_alloc(worker->total, sizeof *worker->kept);
        if (worker->kept == NULL) return base_no_memory(error);
    }
    lull_status status = settings->griffin_lim > 0 ? run_griffin_lim(worker, frames, n, error)
                                                   : run_vocoder(worker, name, frames, n, error);
    if (status == LULL_NOT_FINITE) {
        const lull_error why = *error;
        base_fail(error, status, "%s: %s; try another model, as this one may be damaged", path,
                  why.message);
    }
    if (status == LULL_OK && settings->plot) status = plot(worker, name, frames, n, error);
    base_free(worker->kept);
    worker->kept = NULL;
    return status;
}

/* ---- frames as they arrive ---------------------------------------------------------------- */

static lull_status run_stream(synthesis_worker *worker, frame_source *source, lull_error *error) {
    const synthesis_settings *settings = worker->settings;
    float *frames =
        base_alloc(STREAM_FRAMES * (size_t)worker->reading.target.bands, sizeof *frames);
    lull_status status = frames != NULL ? LULL_OK : base_no_memory(error);
    size_t n = 1;
    while (status == LULL_OK && n > 0) {
        status = frame_source_next(source, -1, frames, STREAM_FRAMES, &n, error);
        if (status == LULL_OK && n > 0) status = push(worker, frames, NULL, n, error);
    }
    if (status == LULL_OK && !settings->progress(settings->context, 0, 0, 1))
        status = base_fail(error, LULL_FINISHED, "interrupted");
    if (status == LULL_OK) status = finish(worker, error);
    base_free(frames);
    return status;
}

/* ---- one job ------------------------------------------------------------------------------ */

/* whole: what was asked for wants all frames at once. */
static lull_status run_input(synthesis_worker *worker, const char *path, bool whole,
                             lull_error *error) {
    frame_source *source = NULL;
    float *frames = NULL;
    size_t n = 0;
    lull_status status = frame_source_open(path, &worker->reading, &source, error);
    if (status != LULL_OK) return status;
    status = frame_source_begin(source, -1, error);
    if (status == LULL_OK && frame_source_is_live(source) && !whole) {
        status = run_stream(worker, source, error);
        if (status == LULL_OK) frame_source_remark(source);
    } else if (status == LULL_OK) {
        status = frame_source_all(source, -1, &frames, &n, error);
        if (status == LULL_OK) frame_source_remark(source);
        frame_source_free(source); /* its own copy */
        source = NULL;
        if (status == LULL_OK && n == 0) status = base_fail(error, LULL_FINISHED, "interrupted");
        const char *name = strcmp(path, "-") == 0 ? cli_standard_input : path;
        if (status == LULL_OK) status = run_frames(worker, name, frames, n, error);
    }
    base_free(frames);
    frame_source_free(source);
    return status;
}

lull_status synthesis_run(synthesis_worker *worker, const cli_job *job, double *seconds,
                          uint64_t *limited, lull_error *error) {
    const synthesis_settings *settings = worker->settings;
    worker->total = worker->produced = 0;
    *seconds = 0;
    *limited = 0;
    worker->output = job->output;
    worker->input = strcmp(job->input, "-") == 0 ? cli_standard_input : job->input;
    worker->trace_folder = job->trace != NULL ? job->trace : settings->trace;
    worker->sink = NULL;
    lull_status status = prepare(worker, job->input, error);
    if (status == LULL_OK && strcmp(job->output, "-") != 0) status = open_sink(worker, error);
    if (status != LULL_OK) return status;
    if (worker->vocoder != NULL) lull_vocoder_reset(worker->vocoder, settings->options.seed);
    bool whole = settings->griffin_lim > 0 || settings->noise.data != NULL ||
                 settings->trace != NULL || settings->plot;
    status = run_input(worker, job->input, whole, error);
    *seconds = (double)worker->produced / worker->reading.target.sample_rate;
    if (worker->vocoder != NULL) *limited = lull_vocoder_limited(worker->vocoder);
    if (status == LULL_OK && worker->sink != NULL) status = write_out(worker, NULL, 0, error);
    recording_resampler_free(worker->resampler);
    worker->resampler = NULL;
    if (status == LULL_OK) return cli_sink_commit(worker->sink, error);
    cli_sink_abandon(worker->sink);
    return status;
}
