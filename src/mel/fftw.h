/* FFTW, where the build has it (-Dfft=fftw): plans for mel/fft.c alone. */
#ifndef MEL_FFTW_H
#define MEL_FFTW_H

#include "lull.h"

#ifndef MEL_FFTW
#define MEL_FFTW 0
#endif

#if MEL_FFTW
/* A forward and an inverse plan between `real` (size floats) and `spectrum` (size/2 + 1 pairs); the
 * inverse one destroys the spectrum. Plans may be made by any threads at the same time. */
lull_status mel_fftw_plan_real(int size, float *real, float *spectrum, void **forward,
                               void **inverse, lull_error *error);
/* The same between two arrays of size pairs. */
lull_status mel_fftw_plan_complex(int size, float *frames, float *spectrum, void **forward,
                                  void **inverse, lull_error *error);
void mel_fftw_run(void *plan);
void mel_fftw_forget(void *plan); /* NULL is allowed */
#else
/* Never called: there is nothing to call. */
#define mel_fftw_plan_real(size, real, spectrum, forward, inverse, error) LULL_UNSUPPORTED
#define mel_fftw_plan_complex(size, frames, spectrum, forward, inverse, error) LULL_UNSUPPORTED
#define mel_fftw_run(plan) ((void)(plan))
#define mel_fftw_forget(plan) ((void)(plan))
#endif

#endif
