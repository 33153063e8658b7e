/* The reader thread: see reader.h. */
#include "train/reader.h"

#include <math.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/clock.h"
#include "base/random.h"

enum { RING = 4, STREAM_TIME = 0x4c000010, STREAM_NOISE };

/* ---- one batch ---------------------------------------------------------------------------- */

size_t train_batch_target(const model_config *config, const train_settings *settings) {
    int of_a_frame = settings->part == TRAIN_POSTNET ? config->mel.bands : config->mel.hop;
    return (size_t)settings->crop_frames * (size_t)of_a_frame;
}

lull_status train_batch_new(const model_config *config, const train_settings *settings, int crops,
                            int margin, train_batch **result, lull_error *error) {
    int frames = settings->crop_frames;
    size_t samples = (size_t)frames * (size_t)config->mel.hop, n = (size_t)crops;
    train_batch *batch = base_alloc(1, sizeof *batch);
    *result = NULL;
    if (batch == NULL) return base_no_memory(error);
    batch->crops = crops;
    batch->t = base_alloc(n, sizeof(double));
    batch->x = base_alloc(settings->part == TRAIN_POSTNET ? 0 : n * samples, sizeof(float));
    batch->target = base_alloc(n * train_batch_target(config, settings), sizeof(float));
    batch->mel =
        base_alloc(n * (size_t)(frames + 2 * margin) * (size_t)config->mel.bands, sizeof(float));
    if (!batch->t || !batch->x || !batch->target || !batch->mel) {
        train_batch_free(batch);
        return base_no_memory(error);
    }
    *result = batch;
    return LULL_OK;
}

void train_batch_free(train_batch *batch) {
    if (batch == NULL) return;
    base_free(batch->t);
    base_free(batch->x);
    base_free(batch->target);
    base_free(batch->mel);
    base_free(batch);
}

double train_time(const diffusion_schedule *schedule, train_density density, double q) {
    if (schedule->kind == SCHEDULE_BETAS) {
        double step = floor(q * schedule->training_steps);
        return step < schedule->training_steps - 1 ? step : schedule->training_steps - 1;
    }
    switch (density) {
    case TRAIN_DENSITY_SINE: /* its distribution function: (1 − cos πt)/2 */
        return acos(1.0 - 2.0 * q) / 3.14159265358979323846;
    case TRAIN_DENSITY_START: /* t^(1/3) */
        return q * q * q;
    case TRAIN_DENSITY_UNIFORM:
        break;
    }
    return q;
}

/* x0 is in `x` and ε in `target`: both become what they are named after, in place. */
static void mix(const model_config *config, double t, float *x, float *target, size_t n) {
    diffusion_levels levels = diffusion_schedule_levels(&config->schedule, t);
    double target_x0, target_eps;
    diffusion_target(config->objective, levels, &target_x0, &target_eps);
    float a = (float)levels.a, s = (float)levels.s, p = (float)target_x0, q = (float)target_eps;
    for (size_t i = 0; i < n; i++) {
        float x0 = x[i], eps = target[i];
        x[i] = a * x0 + s * eps;
        target[i] = p * x0 + q * eps;
    }
}

/* Degraded mels and what they were. */
static lull_status fill_mels(train_crops *crops, const model_config *config,
                             const train_settings *settings, uint64_t first, train_batch *batch,
                             lull_error *error) {
    size_t size = train_batch_target(config, settings);
    lull_status status = LULL_OK;
    for (size_t i = 0; i < (size_t)batch->crops && !status; i++) {
        train_crop crop;
        train_crops_choose(crops, first + i, &crop);
        status =
            train_crops_mels(crops, &crop, batch->target + i * size, batch->mel + i * size, error);
    }
    return status;
}

lull_status train_batch_fill(train_crops *crops, const model_config *config,
                             const train_settings *settings, uint64_t first, int offset, int strata,
                             train_batch *batch, lull_error *error) {
    if (settings->part == TRAIN_POSTNET)
        return fill_mels(crops, config, settings, first, batch, error);
    size_t samples = (size_t)settings->crop_frames * (size_t)config->mel.hop;
    int margin = train_crops_margin(crops);
    size_t mel_size = (size_t)(settings->crop_frames + 2 * margin) * (size_t)config->mel.bands;
    for (int i = 0; i < batch->crops; i++) {
        uint64_t index = first + (uint64_t)i;
        float *x = batch->x + (size_t)i * samples, *target = batch->target + (size_t)i * samples;
        train_crop crop;
        train_crops_choose(crops, index, &crop);
        lull_status status =
            train_crops_render(crops, &crop, x, batch->mel + (size_t)i * mel_size, error);
        if (status) return status;
        double q = (offset + i + random_uniform(settings->seed, STREAM_TIME, index)) / strata;
        batch->t[i] = train_time(&config->schedule, (train_density)settings->density, q);
        random_normal(settings->seed, STREAM_NOISE, index * samples, target, samples);
        mix(config, batch->t[i], x, target, samples);
    }
    return LULL_OK;
}

/* ---- the thread --------------------------------------------------------------------------- */

struct train_reader {
    train_crops *crops;
    const model_config *config;
    const train_settings *settings;
    int rank, ranks;
    train_batch *ring[RING];
    uint64_t first_step, drawn; /* crops drawn before the first step */
    uint64_t filled, taken;     /* batches put in and given out since the start */
    bool stopping, started;
    lull_status status; /* of the thread: it ends at the first failure */
    lull_error error;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t bytes;
    double busy;
};

static double thread_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Crop numbers of a step: batch · accumulate · ranks in a row; part by part, and within a part rank
 * by rank, so that N machines with batches of B crops draw what one with N·B draws. They go on
 * where the steps before have ended, of however many crops and ranks those were. */
static lull_status fill(train_reader *reader, uint64_t number, train_batch *batch,
                        lull_error *error) {
    const train_settings *settings = reader->settings;
    uint64_t accumulate = (uint64_t)settings->accumulate;
    int all = settings->batch * settings->accumulate * reader->ranks;
    batch->step = reader->first_step + number / accumulate;
    batch->part = (int)(number % accumulate);
    int offset = (batch->part * reader->ranks + reader->rank) * settings->batch;
    uint64_t first = reader->drawn + number / accumulate * (uint64_t)all + (uint64_t)offset;
    return train_batch_fill(reader->crops, reader->config, settings, first, offset, all, batch,
                            error);
}

static void *work(void *context) {
    train_reader *reader = context;
    pthread_mutex_lock(&reader->lock);
    while (!reader->stopping) {
        /* One of the ring is with the caller until it asks for the next. */
        if (reader->filled - reader->taken >= RING - 1) {
            pthread_cond_wait(&reader->changed, &reader->lock);
            continue;
        }
        uint64_t number = reader->filled;
        pthread_mutex_unlock(&reader->lock);
        lull_error error = {0};
        lull_status status = fill(reader, number, reader->ring[number % RING], &error);
        double busy = thread_seconds();
        pthread_mutex_lock(&reader->lock);
        reader->busy = busy;
        reader->status = status;
        reader->error = error;
        if (!status) reader->filled++;
        pthread_cond_broadcast(&reader->changed);
        if (status) break;
    }
    pthread_mutex_unlock(&reader->lock);
    return NULL;
}

lull_status train_reader_new(train_crops *crops, const model_config *config,
                             const train_settings *settings, int margin, uint64_t step,
                             uint64_t drawn, int rank, int ranks, train_reader **result,
                             lull_error *error) {
    train_reader *reader = base_alloc(1, sizeof *reader);
    *result = NULL;
    if (reader == NULL) return base_no_memory(error);
    reader->crops = crops;
    reader->config = config;
    reader->settings = settings;
    reader->rank = rank;
    reader->ranks = ranks;
    reader->first_step = step;
    reader->drawn = drawn;
    pthread_mutex_init(&reader->lock, NULL);
    pthread_cond_init(&reader->changed, NULL);
    lull_status status = LULL_OK;
    for (int i = 0; i < RING && !status; i++)
        status =
            train_batch_new(config, settings, settings->batch, margin, &reader->ring[i], error);
    size_t samples = (size_t)settings->crop_frames * (size_t)config->mel.hop;
    size_t mel = (size_t)(settings->crop_frames + 2 * margin) * (size_t)config->mel.bands;
    if (settings->part == TRAIN_POSTNET) samples = 0; /* mels in, mels out */
    size_t target = train_batch_target(config, settings);
    reader->bytes = RING * (size_t)settings->batch * (samples + target + mel) * sizeof(float);
    if (!status && pthread_create(&reader->thread, NULL, work, reader) != 0)
        status = base_fail(error, LULL_NO_MEMORY, "the reader's thread could not be started");
    else if (!status)
        reader->started = true;
    if (status) {
        train_reader_free(reader);
        return status;
    }
    *result = reader;
    return LULL_OK;
}

lull_status train_reader_next(train_reader *reader, const train_batch **batch, double *waited,
                              lull_error *error) {
    lull_status status = LULL_OK;
    pthread_mutex_lock(&reader->lock);
    if (reader->filled == reader->taken && !reader->status) {
        double began = base_now();
        while (reader->filled == reader->taken && !reader->status)
            pthread_cond_wait(&reader->changed, &reader->lock);
        *waited += base_now() - began;
    }
    if (reader->filled == reader->taken) {
        status = reader->status;
        if (error != NULL) *error = reader->error;
    } else {
        *batch = reader->ring[reader->taken % RING];
        reader->taken++;
        pthread_cond_broadcast(&reader->changed);
    }
    pthread_mutex_unlock(&reader->lock);
    return status;
}

size_t train_reader_bytes(const train_reader *reader) {
    return reader->bytes;
}

double train_reader_busy(const train_reader *reader) {
    train_reader *r = (train_reader *)reader;
    pthread_mutex_lock(&r->lock);
    double busy = r->busy;
    pthread_mutex_unlock(&r->lock);
    return busy;
}

void train_reader_free(train_reader *reader) {
    if (reader == NULL) return;
    if (reader->started) {
        pthread_mutex_lock(&reader->lock);
        reader->stopping = true;
        pthread_cond_broadcast(&reader->changed);
        pthread_mutex_unlock(&reader->lock);
        pthread_join(reader->thread, NULL);
    }
    for (int i = 0; i < RING; i++) train_batch_free(reader->ring[i]);
    pthread_cond_destroy(&reader->changed);
    pthread_mutex_destroy(&reader->lock);
    base_free(reader);
}
