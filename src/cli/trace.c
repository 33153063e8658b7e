/* The signal at every step of the reverse process. */
#include "cli/trace.h"

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/memory.h"
#include "mel/whiten.h"

#include <cjson/cJSON.h>
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

static lull_status write_signal(const trace *t, const char *path, const float *signal,
                                float *coloured, audio_format format, lull_error *error) {
    const model_config *config = &t->model->config;
    audio_writer *writer = NULL;
    lull_status status = LULL_OK;
    if (config->whitened)
        status = mel_filter_whole(&config->mel, config->tilt_hz, t->frames, t->n, signal, coloured,
                                  t->samples, true, error);
    if (status == LULL_OK)
        status = audio_writer_open(path, config->mel.sample_rate, format, &writer, error);
    if (status != LULL_OK) return status;
    status = audio_writer_write(writer, config->whitened ? coloured : signal, t->samples, error);
    if (status == LULL_OK) return audio_writer_commit(writer, error);
    audio_writer_abandon(writer);
    return status;
}

static lull_status write_text(const char *path, const char *text, lull_error *error) {
    atomic_file *file = NULL;
    lull_status status = atomic_file_open(path, &file, error);
    if (status != LULL_OK) return status;
    status = atomic_file_write(file, text, strlen(text), error);
    if (status == LULL_OK) return atomic_file_commit(file, error);
    atomic_file_abandon(file);
    return status;
}

/* steps.json: what each pair of recordings is. */
static lull_status write_list(const trace *t, const char *folder, lull_error *error) {
    char path[PATH_MAX], name[64];
    const model_config *config = &t->model->config;
    cJSON *root = cJSON_CreateObject(), *steps = cJSON_AddArrayToObject(root, "steps");
    cJSON_AddStringToObject(root, "model", config->name);
    cJSON_AddStringToObject(root, "objective", diffusion_objective_name(config->objective));
    for (int i = 0; i <= t->stages; i++) {
        cJSON *step = cJSON_CreateObject();
        bool last = i == t->stages;
        diffusion_levels levels = diffusion_schedule_levels(&config->schedule, t->time[i]);
        cJSON_AddNumberToObject(step, "step", i);
        if (!last) {
            cJSON_AddNumberToObject(step, "time", t->time[i]);
            cJSON_AddNumberToObject(step, "speech_level", levels.a);
            cJSON_AddNumberToObject(step, "noise_level", levels.s);
        }
        snprintf(name, sizeof name, "step-%02d-x.wav", i);
        cJSON_AddStringToObject(step, "x", name);
        snprintf(name, sizeof name, "step-%02d-x0.wav", i);
        if (!last) cJSON_AddStringToObject(step, "x0", name);
        cJSON_AddItemToArray(steps, step);
    }
    char *text = cJSON_Print(root);
    cJSON_Delete(root);
    if (text == NULL) return base_no_memory(error);
    snprintf(path, sizeof path, "%s/steps.json", folder);
    lull_status status = write_text(path, text, error);
    cJSON_free(text);
    return status;
}

lull_status trace_write(const trace *t, const char *folder, audio_format format,
                        lull_error *error) {
    char path[PATH_MAX];
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return base_fail(error, LULL_IO, "%s: %s", folder, strerror(errno));
    if (strlen(folder) + 32 > sizeof path)
        return base_fail(error, LULL_INVALID, "%s: the name is too long", folder);
    float *coloured = base_alloc(t->samples, sizeof *coloured);
    lull_status status = coloured != NULL ? LULL_OK : base_no_memory(error);
    for (int i = 0; i <= t->stages && status == LULL_OK; i++) {
        size_t at = (size_t)i * t->samples;
        snprintf(path, sizeof path, "%s/step-%02d-x.wav", folder, i);
        status = write_signal(t, path, t->x + at, coloured, format, error);
        if (status != LULL_OK || i == t->stages) continue;
        snprintf(path, sizeof path, "%s/step-%02d-x0.wav", folder, i);
        status = write_signal(t, path, t->x0 + at, coloured, format, error);
    }
    base_free(coloured);
    return status != LULL_OK ? status : write_list(t, folder, error);
}
