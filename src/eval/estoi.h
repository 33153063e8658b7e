/* Extended short-time objective intelligibility (Jensen & Taal 2016, "An algorithm for predicting
 * the intelligibility of speech masked by modulated noise maskers", §II): 10 kHz, frames of 256
 * with 50 % overlap, 15 third-octave bands from 150 Hz, frames of the reference more than 40 dB
 * under its loudest left out, segments of 30 frames normalised by rows, then columns; the mean
 * correlation. */
#ifndef EVAL_ESTOI_H
#define EVAL_ESTOI_H

#include "lull.h"

/* NaN when fewer than 30 frames remain. */
lull_status eval_estoi(const float *reference, const float *output, size_t count, int rate,
                       double *score, lull_error *error);

#endif
