/* The envelope of a recording above a mel, for training the bandwidth network, and the loss that
 * goes with it. */
#ifndef TRAIN_BANDWIDTH_TARGET_H
#define TRAIN_BANDWIDTH_TARGET_H

#include "model/bandwidth.h"
#include "train/corpus.h"

/* Measures what a convention leaves open: with its window, at the corpus's rate. */
typedef struct train_bandwidth_target train_bandwidth_target;

lull_status train_bandwidth_target_new(const mel_convention *seen, int rate,
                                       train_bandwidth_target **target, lull_error *error);
void train_bandwidth_target_free(train_bandwidth_target *target);

/* Whether a recording shows anything where mels may leave something open. */
bool train_bandwidth_shows(const train_recording *recording);

/* BANDWIDTH_POINTS numbers at the sample `centre` of a recording that is louder by a factor: the
 * features' values there, NaN where the convention shows them or the recording does not. */
lull_status train_bandwidth_target_at(train_bandwidth_target *target, train_corpus *corpus,
                                      size_t recording, int64_t centre, double level, float *out,
                                      lull_error *error);

/* Loss of a crop's `frames` outputs: mean over the frames of the mean over the points that are known
 * (not NaN) of |difference|. gradient: its derivative by the outputs. */
double train_bandwidth_loss(const float *outputs, const float *targets, int frames,
                            float *gradient);

#endif
