/* One step of training: see step.h. */
#include "train/step.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "train/adamw.h"
#include "train/optimizers.h"

enum { MOST_SKIPPED_IN_A_ROW = 10, COMPARE_EVERY = 20 };

struct train_stepper {
    train_stepper_parts with;
    const train_part *part;
    void *engine;
    train_optimizers *optimizers;
    train_exchange *exchange; /* NULL when alone */
    size_t size;              /* of the flat vectors */
    float *sum, *gradient;    /* of a step; of one of its batches when there are several */
};

lull_status train_stepper_new(const train_stepper_parts *parts, train_stepper **result,
                              lull_error *error) {
    const train_settings *s = parts->settings;
    train_stepper *p = base_alloc(1, sizeof *p);
    *result = NULL;
    if (p == NULL) return base_no_memory(error);
    p->with = *parts;
    p->part = train_part_of(s);
    p->size = parts->state->weights->size;
    p->sum = base_alloc(p->size, sizeof(float));
    p->gradient = base_alloc(s->accumulate > 1 ? p->size : 0, sizeof(float));
    lull_status status = p->sum && p->gradient ? LULL_OK : base_no_memory(error);
    if (!status) status = p->part->create(parts->config, s, parts->pool, &p->engine, error);
    if (!status)
        status = train_optimizers_new(s, p->part->part, parts->state->weights, parts->pool,
                                      &p->optimizers, error);
    if (!status && parts->ranks != NULL)
        status = train_exchange_new(parts->ranks, parts->state->weights, &p->exchange, error);
    if (status)
        train_stepper_free(p);
    else
        *result = p;
    return status;
}

void train_stepper_free(train_stepper *p) {
    if (p == NULL) return;
    p->part->destroy(p->engine);
    train_optimizers_free(p->optimizers);
    train_exchange_free(p->exchange);
    base_free(p->sum);
    base_free(p->gradient);
    base_free(p);
}

double train_stepper_crops(const train_stepper *p) {
    const train_settings *s = p->with.settings;
    return (double)s->batch * s->accumulate * ranks_count(p->with.ranks);
}

double train_stepper_audio(const train_stepper *p) {
    return train_stepper_crops(p) * p->part->crop_seconds(p->with.config, p->with.settings);
}

double train_stepper_flops(const train_stepper *p) {
    const train_settings *s = p->with.settings;
    return s->batch * s->accumulate * p->part->flops(p->engine);
}

size_t train_stepper_bytes(const train_stepper *p) {
    return p->part->bytes(p->engine) + 5 * p->size * sizeof(float);
}

bool train_stepper_exchanged(const train_stepper *p, train_exchange_times *times) {
    if (p->exchange == NULL) return false;
    *times = train_exchange_get_times(p->exchange);
    return true;
}

/* ---- loss and gradient -------------------------------------------------------------------- */

/* Sum of the losses of a batch; the gradient of their mean over the whole step. */
static double run_batch(train_stepper *p, const train_batch *batch, const model_parameters *weights,
                        float *gradient) {
    return p->part->run(p->engine, weights, batch, (float)(1.0 / train_stepper_crops(p)), gradient);
}

/* A number that stands for the weights: 42 bits of a hash (FNV-1a on 32-bit words), so that up to
 * 2048 of them add up exactly in a double. Ranks with equal weights get the sum count × mark. */
static double weights_mark(const train_stepper *p) {
    uint64_t hash = 0xcbf29ce484222325u;
    const float *weights = p->with.state->weights->data;
    for (size_t i = 0; i < p->size; i++) {
        uint32_t word;
        memcpy(&word, &weights[i], sizeof word);
        hash = (hash ^ word) * 0x100000001b3u;
        hash ^= hash >> 29;
    }
    return (double)(hash >> 22);
}

/* What all ranks learn of each other with every step. */
enum {
    SHARED_LOSS,
    SHARED_FAILED,
    SHARED_MARK,
    SHARED_CLOCK,
    SHARED = SHARED_CLOCK + TRAIN_CLOCK_VALUES
};

/* The mean over all ranks of loss and gradient; `status` is this rank's so far, and becomes that of
 * all. */
static lull_status exchange(train_stepper *p, lull_status status, double *loss, bool *whole,
                            lull_error *error) {
    ranks *ranks = p->with.ranks;
    bool compare = p->with.state->progress.step % COMPARE_EVERY == 0;
    double mark = compare ? weights_mark(p) : 0.0, values[SHARED] = {0};
    if (status) train_exchange_begin(p->exchange, p->sum, NULL);
    values[SHARED_LOSS] = status ? 0.0 : *loss;
    values[SHARED_FAILED] = status != LULL_OK;
    values[SHARED_MARK] = mark;
    train_clock_tell(p->with.clock, values + SHARED_CLOCK);
    lull_status problem =
        train_exchange_finish(p->exchange, status != LULL_OK, p->sum, values, SHARED, error);
    if (problem) {
        *whole = false;
        return problem;
    }
    *loss = values[SHARED_LOSS];
    train_clock_hear(p->with.clock, values + SHARED_CLOCK);
    if (values[SHARED_FAILED] > 0.0) return ranks_agree(ranks, status, error);
    if (!compare) return LULL_OK;
    if (values[SHARED_MARK] != mark * ranks_count(ranks))
        status = base_fail(error, LULL_MISMATCH,
                           "before step %llu its weights are not those of the other ranks; "
                           "continue from the last checkpoint with --resume",
                           (unsigned long long)p->with.state->progress.step + 1);
    status = ranks_agree(ranks, status, error);
    *whole = !status;
    return status;
}

static void announce_parts(train_stepper *p, train_exchange *to) {
    if (p->part->on_ready) p->part->on_ready(p->engine, to ? train_exchange_ready : NULL, to);
}

/* One batch of a step: its gradient joins p->sum; of the last one the parts are sent on their way
 * to the other ranks while the rest is computed. */
static double step_part(train_stepper *p, const train_batch *batch) {
    bool first = batch->part == 0, last = batch->part == p->with.settings->accumulate - 1;
    float *gradient = first ? p->sum : p->gradient;
    if (last && p->exchange != NULL) {
        train_exchange_begin(p->exchange, gradient, first ? NULL : p->sum);
        announce_parts(p, p->exchange);
    }
    double loss = run_batch(p, batch, p->with.state->weights, gradient);
    announce_parts(p, NULL);
    if (!first && !(last && p->exchange != NULL))
        for (size_t i = 0; i < p->size; i++) p->sum[i] += gradient[i];
    return loss;
}

/* All parts of a step: mean loss, gradient in p->sum. */
static lull_status step_gradient(train_stepper *p, train_reader *reader, double *loss,
                                 double *waited, bool *whole, lull_error *error) {
    lull_status status = LULL_OK;
    *loss = 0.0;
    for (int part = 0; part < p->with.settings->accumulate && !status; part++) {
        const train_batch *batch = NULL;
        status = train_reader_next(reader, &batch, waited, error);
        if (!status) *loss += step_part(p, batch);
    }
    if (p->exchange != NULL) status = exchange(p, status, loss, whole, error);
    *loss /= train_stepper_crops(p);
    return status;
}

/* ---- the step ----------------------------------------------------------------------------- */

static void skip(train_stepper *p, const train_step_result *result) {
    train_progress *progress = &p->with.state->progress;
    progress->skipped++;
    progress->skipped_in_a_row++;
    train_say(p->with.voice, TRAIN_LINE_WARNING,
              "step %llu skipped: %s is not finite (%llu skipped so far)",
              (unsigned long long)progress->step,
              isfinite(result->loss) ? "the gradient" : "the loss",
              (unsigned long long)progress->skipped);
}

lull_status train_stepper_take(train_stepper *p, train_reader *reader, train_step_result *result,
                               bool *whole, lull_error *error) {
    const train_settings *s = p->with.settings;
    train_progress *progress = &p->with.state->progress;
    *whole = true;
    result->rate =
        train_rate(s->rate, progress->step + 1, (uint64_t)s->warm_up, s->course == TRAIN_COSINE,
                   s->last_rate, train_clock_progress(p->with.clock, progress->step));
    lull_status status = step_gradient(p, reader, &result->loss, &result->waited, whole, error);
    if (status) return status;
    result->norm = train_optimizers_norm(p->optimizers, p->sum);
    result->skipped = !isfinite(result->loss) || !isfinite(result->norm);
    progress->step++;
    progress->crops += (uint64_t)train_stepper_crops(p);
    progress->audio_seconds += train_stepper_audio(p);
    if (result->skipped) {
        skip(p, result);
    } else {
        progress->skipped_in_a_row = 0;
        train_optimizers_step(p->optimizers, result->rate, result->norm, p->sum, p->with.state);
    }
    if (progress->skipped_in_a_row < MOST_SKIPPED_IN_A_ROW) return LULL_OK;
    *whole = false;
    return base_fail(error, LULL_NOT_FINITE,
                     "%d steps in a row were not finite; the last checkpoint is untouched: resume "
                     "with a lower --rate",
                     MOST_SKIPPED_IN_A_ROW);
}

double train_stepper_evaluate(train_stepper *p, const train_batch *crops) {
    int most = p->with.settings->batch;
    double sum = 0.0;
    for (int first = 0; first < crops->crops; first += most) {
        const train_batch some = train_batch_slice(crops, first, most);
        sum += run_batch(p, &some, p->with.state->average, NULL);
    }
    return sum / crops->crops;
}

double train_stepper_measure(train_stepper *p) {
    const train_settings *s = p->with.settings;
    train_batch *batch = NULL;
    if (train_batch_new(p->part->sizes(p->with.config, s), s->batch, &batch, NULL)) return 0.0;
    run_batch(p, batch, p->with.state->weights, p->sum); /* the first run touches fresh memory */
    double begun = base_now();
    run_batch(p, batch, p->with.state->weights, p->sum);
    double step = (base_now() - begun) * s->accumulate;
    train_batch_free(batch);
    return step;
}
