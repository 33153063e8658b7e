/* Mel-cepstral distortion (Kubichek 1993, "Mel-cepstral distance measure for objective speech
 * quality assessment"): (10/ln 10)·√(2·Σ_{i=1…13} (c_i − c'_i)²), mean over frames, in dB. The
 * cepstrum is the orthonormal DCT-II of the natural logarithm of an 80-band mel power spectrum
 * (hifigan analysis); c_0 is left out. */
#ifndef EVAL_CEPSTRAL_H
#define EVAL_CEPSTRAL_H

#include "lull.h"

enum { CEPSTRAL_ORDER = 13 };

lull_status cepstral_distortion(const float *a, const float *b, size_t count, int rate, double *db,
                                lull_error *error);

#endif
