/* What the spectrum network is trained on. */
#ifndef TRAIN_SPECTRUM_LOSS_H
#define TRAIN_SPECTRUM_LOSS_H

#include <stddef.h>

/* What the network should say of a frame: ln of the magnitudes of its first `bins` bins (spectrum:
 * pairs) relative to the envelope, which is given as ln; within what can be told apart, and NaN
 * where the envelope is fainter than `silent`. */
void train_spectrum_target(const float *spectrum, const float *log_envelope, int bins,
                           double silent, float *target);

/* Mean over the points whose target is a number of (e^(0.4·output) − e^(0.4·target))²: magnitudes
 * relative to the envelope of the mel, compressed about as loudness is. gradient: of it, 0 where the
 * target is NaN. 0 where all are. */
double train_spectrum_loss(const float *outputs, const float *targets, size_t n, float *gradient);

#endif
