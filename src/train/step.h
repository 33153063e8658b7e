/* One step of training: batches to a loss and a gradient, on all ranks together, and the
 * optimizers' step by it. */
#ifndef TRAIN_STEP_H
#define TRAIN_STEP_H

#include "train/checkpoint.h"
#include "train/clock.h"
#include "train/exchange.h"
#include "train/part.h"
#include "train/reader.h"
#include "train/voice.h"

typedef struct train_stepper train_stepper;

typedef struct train_stepper_parts {
    const model_config *config;
    const train_settings *settings;
    const train_voice *voice;
    thread_pool *pool;
    ranks *ranks;
    train_clock *clock;
    train_state *state;
} train_stepper_parts;

typedef struct train_step_result {
    double loss, norm, rate;
    double waited; /* seconds for the reader, added to */
    bool skipped;  /* the numbers were not finite: nothing moved */
} train_step_result;

/* Everything is borrowed. */
lull_status train_stepper_new(const train_stepper_parts *parts, train_stepper **stepper,
                              lull_error *error);
void train_stepper_free(train_stepper *stepper);

/* The next step. *whole: whether the state is that of a step on failure too, so that it can be
 * kept (a batch could not be read), or is not to be trusted. */
lull_status train_stepper_take(train_stepper *stepper, train_reader *reader,
                               train_step_result *result, bool *whole, lull_error *error);

/* Mean loss of the averaged weights on crops of any number. */
double train_stepper_evaluate(train_stepper *stepper, const train_batch *crops);
/* Seconds that a step takes, measured on batches of zeros; nothing moves. 0: out of memory. */
double train_stepper_measure(train_stepper *stepper);

/* Crops and seconds of audio of a step, on all ranks together. */
double train_stepper_crops(const train_stepper *stepper);
double train_stepper_audio(const train_stepper *stepper);
double train_stepper_flops(const train_stepper *stepper); /* of this rank's share */
size_t train_stepper_bytes(const train_stepper *stepper);
/* False when alone. */
bool train_stepper_exchanged(const train_stepper *stepper, train_exchange_times *times);

#endif
