/* What a run is judged by: losses of its averaged weights on fixed crops, and sound. */
#ifndef TRAIN_VALIDATION_H
#define TRAIN_VALIDATION_H

#include "train/samples.h"
#include "train/step.h"

typedef struct train_validation {
    train_batch *exact, *degraded; /* NULL when there is nothing to validate on */
    train_samples *samples;        /* NULL = none */
} train_validation;

/* Crops of `corpus` (NULL = none), the same for every run, so that runs can be compared; samples of
 * it, or of `other` where it is NULL. Both corpora are free to go afterwards. */
lull_status train_validation_new(train_validation *validation, const model_config *config,
                                 const train_settings *settings, const char *run,
                                 train_corpus *corpus, train_corpus *other, lull_error *error);
void train_validation_free(train_validation *validation);

/* NaN where there is nothing to measure on. */
typedef struct train_validation_result {
    double exact, degraded;
} train_validation_result;
train_validation_result train_validation_run(const train_validation *validation,
                                             train_stepper *stepper);

#endif
