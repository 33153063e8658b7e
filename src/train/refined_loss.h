/* How far a refined low band is from the recording's, as an ear would have it. */
#ifndef TRAIN_REFINED_LOSS_H
#define TRAIN_REFINED_LOSS_H

#include "mel/convention.h"

typedef struct train_refined_loss train_refined_loss;

/* For signals of at most `samples` samples of the low band's rate, which is sample_rate/decimation,
 * of which the part below `edge` Hz counts. */
lull_status train_refined_loss_new(int sample_rate, int decimation, double edge, size_t samples,
                                   train_refined_loss **loss, lull_error *error);
void train_refined_loss_free(train_refined_loss *loss);
size_t train_refined_loss_bytes(const train_refined_loss *loss);

/* made: samples of the low band; target: decimation as many of the recording, from the same moment
 * on. The mean, over windows of 46, 32 and 17 ms (a quarter apart) and weighted as equivalent
 * rectangular bandwidths have it (Glasberg & Moore 1990), of | |Y|^0.4 − |X|^0.4 |, both relative
 * to the recording's level: about loudness (Stevens' law). Windows that do not fit do not count.
 * gradient by `made`: overwritten. */
double train_refined_loss_run(train_refined_loss *loss, const float *made, const float *target,
                              size_t samples, float *gradient);

#endif
