/* HF modulation: does the high band pulse with the pitch? The correlation of the envelope of 3 to
 * 7.5 kHz with itself one period later, mean over the voiced frames of the reference. Voiced speech
 * pulses there once a period (0.45 to 0.6 in recordings); shaped noise does not (0.12 to 0.19), and
 * sounds hoarse; harmonics in phase do too much (0.8), and buzz. Near the reference is right.
 *
 * Both signals at 16 kHz. Filters: Butterworth's, forwards and backwards (their squared magnitudes,
 * no phase). Frames of 40 ms every 10 ms; voiced where, below 900 Hz, the normalised correlation
 * with a window 40 to 229 samples later exceeds 0.85 at its best lag, which is the period, and the
 * energy is above the median of all frames. */
#ifndef EVAL_MODULATION_H
#define EVAL_MODULATION_H

#include "lull.h"

/* NaN where fewer than 20 frames of the reference are voiced. Two signals of one rate and length.
 */
lull_status eval_modulation(const float *reference, const float *output, size_t count, int rate,
                            double *of_reference, double *of_output, lull_error *error);

#endif
