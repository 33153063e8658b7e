/* The signal at every step of the reverse process. */
#include "cli/trace.h"

#include "base/error.h"
#include "base/memory.h"
#include "cli/mel_picture.h"
#include "cli/trace_page.h"
#include "io/audio_file.h"
#include "mel/front_end.h"
#include "mel/whiten.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct trace {
    const lull_model *model;
    lull_vocoder *vocoder;
    const float *frames;
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
    if (made->time == NULL || made->x == NULL || made->x0 == NULL) {
        trace_free(made);
        return base_no_memory(error);
    }
    vocoder_set_trace(vocoder, &(vocoder_trace){take_piece, made});
    *t = made;
    return LULL_OK;
}

void trace_free(trace *t) {
    if (t == NULL) return;
    vocoder_set_trace(t->vocoder, NULL);
    base_free(t->time);
    base_free(t->x);
    base_free(t->x0);
    base_free(t);
}

/* ---- one signal --------------------------------------------------------------------------- */

static lull_status write_recording(const char *path, int rate, const float *samples, size_t count,
                                   lull_error *error) {
    audio_writer *writer = NULL;
    lull_status status = audio_writer_open(path, rate, AUDIO_PCM16, &writer, error);
    if (status != LULL_OK) return status;
    status = audio_writer_write(writer, samples, count, error);
    if (status == LULL_OK) return audio_writer_commit(writer, error);
    audio_writer_abandon(writer);
    return status;
}

/* All pictures share the wanted mel's scale, so that they can be compared. */
static lull_status write_picture(const trace *t, const char *path, const float *samples,
                                 lull_error *error) {
    const mel_convention *mel = &t->model->config.mel;
    size_t values = t->n * (size_t)mel->bands, n = 0;
    float lowest = t->frames[0], highest = t->frames[0], *frames = NULL;
    for (size_t i = 0; i < values; i++) {
        if (t->frames[i] < lowest) lowest = t->frames[i];
        if (t->frames[i] > highest) highest = t->frames[i];
    }
    lull_status status = mel_from_samples(mel, samples, t->samples, &frames, &n, error);
    if (status == LULL_OK)
        status = mel_picture_write(path, frames, n, (size_t)mel->bands, lowest, highest, error);
    base_free(frames);
    return status;
}

/* FOLDER/step-NN-KIND.wav and .png. `coloured` is room for a signal. */
static lull_status write_signal(const trace *t, const char *folder, int step, const char *kind,
                                const float *signal, float *coloured, lull_error *error) {
    char path[PATH_MAX];
    const model_config *config = &t->model->config;
    if (config->whitened) {
        lull_status status = mel_filter_whole(&config->mel, config->tilt_hz, t->frames, t->n,
                                              signal, coloured, t->samples, true, error);
        if (status != LULL_OK) return status;
        signal = coloured;
    }
    snprintf(path, sizeof path, "%s/step-%02d-%s.wav", folder, step, kind);
    lull_status status = write_recording(path, config->mel.sample_rate, signal, t->samples, error);
    if (status != LULL_OK) return status;
    snprintf(path, sizeof path, "%s/step-%02d-%s.png", folder, step, kind);
    return write_picture(t, path, signal, error);
}

/* ---- all of them -------------------------------------------------------------------------- */

/* x = a·x0 + s·ε (Ho et al. 2020, eq. 4, and its relatives) with the end result and the start
 * noise. */
static void mix_forward(const trace *t, diffusion_levels levels, float *mixed) {
    const float *end = t->x + (size_t)t->stages * t->samples;
    for (size_t i = 0; i < t->samples; i++)
        mixed[i] = (float)(levels.a * end[i] + levels.s * t->x[i]);
}

static lull_status write_step(const trace *t, const char *folder, int step, trace_row *row,
                              float *mixed, float *coloured, lull_error *error) {
    size_t at = (size_t)step * t->samples;
    row->last = step == t->stages;
    row->time = t->time[step];
    row->levels = diffusion_schedule_levels(&t->model->config.schedule, row->time);
    lull_status status = write_signal(t, folder, step, "x", t->x + at, coloured, error);
    if (status != LULL_OK || row->last) return status;
    status = write_signal(t, folder, step, "x0", t->x0 + at, coloured, error);
    if (status != LULL_OK) return status;
    mix_forward(t, row->levels, mixed);
    return write_signal(t, folder, step, "forward", mixed, coloured, error);
}

lull_status trace_write(const trace *t, const char *folder, const char *title, lull_error *error) {
    int signals = t->stages + 1;
    if (strlen(folder) + 64 > PATH_MAX)
        return base_fail(error, LULL_INVALID, "%s: the name is too long", folder);
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return base_fail(error, LULL_IO, "%s: %s", folder, strerror(errno));
    trace_row *rows = base_alloc((size_t)signals, sizeof *rows);
    float *mixed = base_alloc(t->samples, sizeof *mixed);
    float *coloured = base_alloc(t->samples, sizeof *coloured);
    lull_status status = LULL_OK;
    if (rows == NULL || mixed == NULL || coloured == NULL) status = base_no_memory(error);
    for (int i = 0; i < signals && status == LULL_OK; i++)
        status = write_step(t, folder, i, &rows[i], mixed, coloured, error);
    if (status == LULL_OK) status = trace_page_write(folder, title, t->model, rows, signals, error);
    if (status == LULL_OK) status = trace_list_write(folder, t->model, rows, signals, error);
    base_free(rows);
    base_free(mixed);
    base_free(coloured);
    return status;
}
