/* What is true of a recording's voice, for training the pitch network, and the loss that goes with
 * it. */
#ifndef TRAIN_PITCH_TARGET_H
#define TRAIN_PITCH_TARGET_H

#include "model/pitch_network.h"
#include "train/corpus.h"

typedef struct train_pitch_target train_pitch_target;

/* The corpus is borrowed; it is labelled at its own rate. */
lull_status train_pitch_target_new(train_corpus *corpus, train_pitch_target **target,
                                   lull_error *error);
void train_pitch_target_free(train_pitch_target *target);
size_t train_pitch_target_bytes(const train_pitch_target *target);

/* Labels a recording, unless it is already. */
lull_status train_pitch_target_measure(train_pitch_target *target, size_t recording,
                                       lull_error *error);

/* PITCH_OUTPUTS numbers of a (measured) recording at a time of its own, when it is played `speed`
 * times as fast: log2(F0 / 200 Hz), 0 where unvoiced; voicing 0 … 1; aperiodicity by bands 0 … 1,
 * below 0 where the recording cannot show it. */
void train_pitch_target_at(const train_pitch_target *target, size_t recording, double seconds,
                           double speed, float *out);

/* Loss of a crop's `frames` outputs, mean over its frames: 4·|difference of log2 F0| · voicing, and
 * cross-entropies of the voicing and, mean over the bands, of the aperiodicity where it is known.
 * gradient: its derivative by the outputs. */
double train_pitch_loss(const float *outputs, const float *targets, int frames, float *gradient);

#endif
