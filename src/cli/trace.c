/* The signal at every step of the reverse process. */
#include "cli/trace.h"

#include "base/error.h"
#include "base/memory.h"
#include "cli/trace_page.h"
#include "picture/picture.h"
#include "recording/audio_file.h"
#include "mel/whiten.h"
#include "model/postnet.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct trace {
    const lull_model *model;
    lull_vocoder *vocoder;
    const float *frames;
    float *mended; /* frames behind the postnet, where they go through it */
    size_t n, samples;
    int stages;    /* network evaluations; signals are stages + 1 */
    double *time;  /* network time of each signal */
    float *x, *x0; /* (stages + 1) × samples */
};

/* One stage's pieces come from one thread at a time, and stages do not share memory. */
static void take_piece(void *context, int stage, double t, uint64_t first, const float *x,
                       const float *x0, size_t n) {
    trace *made = context;
    if (stage < 0 || stage > made->stages || first >= made->samples) return;
    if (n > made->samples - first) n = made->samples - (size_t)first;
    size_t at = (size_t)stage * made->samples + (size_t)first;
    made->time[stage] = t;
    memcpy(made->x + at, x, n * sizeof *x);
    memcpy(made->x0 + at, x0, n * sizeof *x0);
}

/* What the vocoder colours with. */
static lull_status mend(trace *made, lull_error *error) {
    const lull_model *model = made->model;
    made->mended = base_alloc(made->n * (size_t)model->config.mel.bands, sizeof *made->mended);
    if (made->mended == NULL) return base_no_memory(error);
    lull_status status = postnet_whole(&model->config, model->parameters, made->frames, made->n,
                                       made->mended, error);
    made->frames = made->mended;
    return status;
}

lull_status trace_new(const lull_model *model, lull_vocoder *vocoder, const float *frames, size_t n,
                      trace **t, lull_error *error) {
    trace *made = base_alloc(1, sizeof *made);
    if (made == NULL) return base_no_memory(error);
    made->model = model;
    made->vocoder = vocoder;
    made->frames = frames;
    made->n = n;
    made->samples = n * (size_t)model->config.mel.hop;
    made->stages = vocoder_stages(vocoder);
    size_t signals = (size_t)made->stages + 1;
    made->time = base_alloc(signals, sizeof *made->time);
    made->x = base_alloc(made->samples, signals * sizeof *made->x);
    made->x0 = base_alloc(made->samples, signals * sizeof *made->x0);
    bool fine = made->time != NULL && made->x != NULL && made->x0 != NULL;
    lull_status status = fine ? LULL_OK : base_no_memory(error);
    if (!status && vocoder_options(vocoder)->postnet) status = mend(made, error);
    if (status) {
        trace_free(made);
        return status;
    }
    vocoder_set_trace(vocoder, &(vocoder_trace){take_piece, made});
    *t = made;
    return LULL_OK;
}

void trace_free(trace *t) {
    if (t == NULL) return;
    vocoder_set_trace(t->vocoder, NULL);
    base_free(t->mended);
    base_free(t->time);
    base_free(t->x);
    base_free(t->x0);
    base_free(t);
}

/* ---- one signal --------------------------------------------------------------------------- */

static lull_status write_recording(const char *path, int rate, const float *samples, size_t count,
                                   lull_error *error) {
    recording_writer *writer = NULL;
    lull_status status = recording_writer_open(path, rate, RECORDING_PCM16, &writer, error);
    if (status != LULL_OK) return status;
    recording_writer_expect(writer, count);
    status = recording_writer_write(writer, samples, count, error);
    if (status == LULL_OK) return recording_writer_commit(writer, error);
    recording_writer_abandon(writer);
    return status;
}

/* The same for all pictures, so that they can be compared. */
typedef struct scene {
    const trace *t;
    const char *folder;
    double top_db;           /* the output's */
    size_t first, count;     /* the loudest moment */
    float *coloured, *mixed; /* room for a signal each */
} scene;

static const double MOMENT = 0.025; /* seconds: a few periods of a voice */

/* Where a voice has its harmonics. */
static const picture_options PICTURE = {.width = 600, .panel_height = 190, .max_hz = 4000};

static picture_source source_of(const scene *s, const float *samples) {
    return (picture_source){
        .samples = samples, .count = s->t->samples, .rate = s->t->model->config.mel.sample_rate};
}

/* FOLDER/NAME.wav and .png, of a signal as it is. */
static lull_status write_plain(const scene *s, const char *name, const float *signal,
                               lull_error *error) {
    char path[PATH_MAX];
    picture_options options = PICTURE;
    picture_source source = source_of(s, signal);
    options.top_db = &s->top_db;
    snprintf(path, sizeof path, "%s/%s.wav", s->folder, name);
    lull_status status = write_recording(path, source.rate, signal, s->t->samples, error);
    if (status != LULL_OK) return status;
    snprintf(path, sizeof path, "%s/%s.png", s->folder, name);
    return picture_write(path, &source, 1, &options, error);
}

/* The same of a signal of the process, coloured where the model is whitened; its loudest moment is
 * copied to *moment. */
static lull_status write_signal(scene *s, int step, const char *kind, const float *signal,
                                float **moment, lull_error *error) {
    char name[64];
    const model_config *config = &s->t->model->config;
    if (config->whitened) {
        lull_status status = mel_filter_whole(&config->mel, config->tilt_hz, s->t->frames, s->t->n,
                                              signal, s->coloured, s->t->samples, true, error);
        if (status != LULL_OK) return status;
        signal = s->coloured;
    }
    if (moment != NULL) {
        *moment = base_alloc(s->count, sizeof **moment);
        if (*moment == NULL) return base_no_memory(error);
        memcpy(*moment, signal + s->first, s->count * sizeof **moment);
    }
    snprintf(name, sizeof name, "step-%02d-%s", step, kind);
    return write_plain(s, name, signal, error);
}

/* ---- all of them -------------------------------------------------------------------------- */

/* x = a·x0 + s·ε (Ho et al. 2020, eq. 4, and its relatives) with the end result and the start
 * noise. */
static void mix_forward(const trace *t, diffusion_levels levels, float *mixed) {
    const float *end = t->x + (size_t)t->stages * t->samples;
    for (size_t i = 0; i < t->samples; i++)
        mixed[i] = (float)(levels.a * end[i] + levels.s * t->x[i]);
}

/* 10·log10(|end|² / |end − belief|²). */
static double agreement(const trace *t, int step) {
    const float *end = t->x + (size_t)t->stages * t->samples,
                *belief = t->x0 + (size_t)step * t->samples;
    double power = 0, difference = 0;
    for (size_t i = 0; i < t->samples; i++) {
        double d = (double)end[i] - belief[i];
        power += (double)end[i] * end[i];
        difference += d * d;
    }
    return 10 * log10((power + 1e-20) / (difference + 1e-20));
}

static lull_status write_step(scene *s, int step, trace_row *row, lull_error *error) {
    const trace *t = s->t;
    size_t at = (size_t)step * t->samples;
    bool last = step == t->stages;
    row->stage = last ? NULL : &vocoder_plan(t->vocoder)->stages[step];
    row->time = t->time[step];
    row->levels = last ? (diffusion_levels){1, 0}
                       : diffusion_schedule_levels(&t->model->config.schedule, row->time);
    lull_status status = write_signal(s, step, "x", t->x + at, &row->x, error);
    if (status != LULL_OK || last) return status;
    row->agreement_db = agreement(t, step);
    status = write_signal(s, step, "x0", t->x0 + at, &row->x0, error);
    if (status != LULL_OK) return status;
    mix_forward(t, row->levels, s->mixed);
    return write_signal(s, step, "forward", s->mixed, NULL, error);
}

/* The moment of the highest power, and the scale of the pictures. */
static lull_status look_at_output(scene *s, const float *output, lull_error *error) {
    const trace *t = s->t;
    picture_source source = source_of(s, output);
    size_t length = (size_t)(MOMENT * source.rate);
    double power = 0, most = -1;
    s->count = length < t->samples ? length : t->samples;
    for (size_t i = 0; i < t->samples; i++) {
        power += (double)output[i] * output[i];
        if (i >= s->count) power -= (double)output[i - s->count] * output[i - s->count];
        if (i + 1 >= s->count && power > most) most = power, s->first = i + 1 - s->count;
    }
    return picture_top(&source, 1, &PICTURE, &s->top_db, error);
}

static lull_status write_all(scene *s, const float *output, const char *title, trace_row *rows,
                             lull_error *error) {
    const trace *t = s->t;
    lull_status status = look_at_output(s, output, error);
    if (status == LULL_OK) status = write_plain(s, "output", output, error);
    for (int i = 0; i <= t->stages && status == LULL_OK; i++)
        status = write_step(s, i, &rows[i], error);
    if (status != LULL_OK) return status;
    const trace_story story = {.title = title,
                               .config = &t->model->config,
                               .options = vocoder_options(t->vocoder),
                               .plan = vocoder_plan(t->vocoder),
                               .rows = rows,
                               .output = output + s->first,
                               .moment = s->count,
                               .moment_seconds =
                                   (double)s->first / t->model->config.mel.sample_rate};
    status = trace_page_write(s->folder, &story, error);
    return status == LULL_OK ? trace_list_write(s->folder, &story, error) : status;
}

lull_status trace_write(const trace *t, const float *output, const char *folder, const char *title,
                        lull_error *error) {
    if (strlen(folder) + 64 > PATH_MAX)
        return base_fail(error, LULL_INVALID, "%s: the name is too long", folder);
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return base_fail(error, LULL_IO, "%s: %s", folder, strerror(errno));
    trace_row *rows = base_alloc((size_t)t->stages + 1, sizeof *rows);
    scene s = {.t = t,
               .folder = folder,
               .mixed = base_alloc(t->samples, sizeof *s.mixed),
               .coloured = base_alloc(t->samples, sizeof *s.coloured)};
    lull_status status = LULL_OK;
    if (rows == NULL || s.mixed == NULL || s.coloured == NULL) status = base_no_memory(error);
    if (status == LULL_OK) status = write_all(&s, output, title, rows, error);
    for (int i = 0; rows != NULL && i <= t->stages; i++) {
        base_free(rows[i].x);
        base_free(rows[i].x0);
    }
    base_free(rows);
    base_free(s.mixed);
    base_free(s.coloured);
    return status;
}
