/* Real Fourier transforms of one size: FFTW plans on buffers of their own. */
#ifndef MEL_FFT_H
#define MEL_FFT_H

#include "lull.h"

/* One transform and its buffers; one thread at a time. Both transforms are un-normalised: inverse(forward(x))
 * is size·x. */
typedef struct fft {
    int size, bins;  /* bins = size/2 + 1 */
    float *real;     /* size samples */
    float *spectrum; /* bins pairs (re, im) */
    void *forward_plan, *inverse_plan;
} fft;

/* size: even, 2…MEL_MAX_FFT. */
lull_status fft_new(int size, fft **transform, lull_error *error);
void fft_free(fft *transform);

/* real → spectrum; real keeps its contents. */
void fft_forward(fft *transform);
/* spectrum → real; the spectrum is destroyed. */
void fft_inverse(fft *transform);

#endif
