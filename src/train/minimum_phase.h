/* The phase that comes with a magnitude when energy arrives as early as it can: what a vocal tract
 * does to pulses. By the cepstrum, whose negative times are folded onto the positive ones
 * (Oppenheim & Schafer 1989, Discrete-Time Signal Processing, section 12.3). */
#ifndef TRAIN_MINIMUM_PHASE_H
#define TRAIN_MINIMUM_PHASE_H

#include "mel/fft.h"

/* log_magnitude: natural logarithms at transform->bins bins; phase: radians there, continuous, 0 at
 * 0 Hz and at half the rate. */
void train_minimum_phase(mel_fft *transform, const float *log_magnitude, float *phase);

#endif
