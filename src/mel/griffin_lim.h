/* Fast Griffin-Lim (Perraudin, Balazs & Søndergaard 2013): the classical baseline. */
#ifndef MEL_GRIFFIN_LIM_H
#define MEL_GRIFFIN_LIM_H

#include "mel/convention.h"

/* Magnitudes from the pseudo-inverse of the filterbank clamped at 1e-5, random start from `seed`,
 * momentum 0.99. out: n × hop samples. */
lull_status mel_griffin_lim(const mel_convention *convention, const float *frames, size_t n,
                            int iterations, uint64_t seed, float *out, lull_error *error);

/* The same; go_on is asked before every iteration, and false ends it with LULL_FINISHED. */
lull_status mel_griffin_lim_while(const mel_convention *convention, const float *frames, size_t n,
                                  int iterations, uint64_t seed, bool (*go_on)(void *context),
                                  void *context, float *out, lull_error *error);

#endif
