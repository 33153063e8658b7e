/* Mel-cepstral distortion (Kubichek 1993, "Mel-cepstral distance measure for objective speech
 * quality assessment"): (10/ln 10)·√(2·Σ_{i=1…13} (c_i − c'_i)²), mean over frames, in dB. The c_i
 * are the cosine coefficients of the ln magnitudes m_b of 80 mel bands (hifigan analysis),
 * ln m_b = c_0/2 + Σ c_i·cos(πi(b+½)/80), as in Fukada et al. 1992; c_0, the level, is left out.
 * With this scale a difference of spectra that 13 coefficients can describe counts with its root
 * mean square in dB over the bands (Parseval). */
#ifndef EVAL_CEPSTRAL_H
#define EVAL_CEPSTRAL_H

#include "lull.h"

enum { EVAL_CEPSTRAL_ORDER = 13 };

lull_status eval_cepstral_distortion(const float *a, const float *b, size_t count, int rate,
                                     double *db, lull_error *error);

#endif
