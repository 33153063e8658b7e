/* A batch of crops, as a part of the model wants them (part.h). */
#ifndef TRAIN_BATCH_H
#define TRAIN_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "lull.h"

/* Floats of one crop in each array of a batch; 0 = the part has no use for it. */
typedef struct train_batch_sizes {
    size_t x;      /* the denoiser's input: a·x0 + s·ε, samples */
    size_t target; /* what the network should say */
    size_t mel;    /* what it sees of the recording */
    size_t source; /* the pitch source beside x, samples */
} train_batch_sizes;

typedef struct train_batch {
    uint64_t step; /* number of the step, 1 is the first */
    int part;      /* 0 … accumulate-1 */
    int crops;
    train_batch_sizes sizes;
    double *t; /* network time of each crop; of the spectrum network its number in the run */
    float *x, *target, *mel, *source;
} train_batch;

lull_status train_batch_new(train_batch_sizes sizes, int crops, train_batch **batch,
                            lull_error *error);
void train_batch_free(train_batch *batch);
size_t train_batch_bytes(train_batch_sizes sizes, int crops);

/* At most `count` crops from `first` on, within the batch's arrays. */
train_batch train_batch_slice(const train_batch *batch, int first, int count);

#endif
