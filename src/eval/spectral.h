/* Distances between magnitude spectra. */
#ifndef EVAL_SPECTRAL_H
#define EVAL_SPECTRAL_H

#include "lull.h"

/* Mean over frames and bins of |ln max(|A|, floor) − ln max(|B|, floor)|, Hann window of n_fft
 * samples, hop n_fft/4; |·| is divided by Σwindow/2, so that a full-scale sine has 1, and floor is
 * 1e-5 (−100 dB). */
lull_status eval_spectral_log_distance(const float *a, const float *b, size_t count, int n_fft,
                                       double *distance, lull_error *error);

/* Yamamoto, Song & Kim 2020 (arXiv:1910.11480), eqs. 4–6: spectral convergence + mean |Δ ln
 * magnitude|, mean of the resolutions 512/50/240, 1024/120/600 and 2048/240/1200 (FFT size, hop,
 * Hann window). a is the reference. */
lull_status eval_spectral_multi_resolution(const float *a, const float *b, size_t count,
                                           double *distance, lull_error *error);

/* Mean |Δ| of the hifigan mels at this rate. */
lull_status eval_spectral_mel_distance(const float *a, const float *b, size_t count, int rate,
                                       double *distance, lull_error *error);

#endif
