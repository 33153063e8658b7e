/* Real Fourier transforms of one size: FFTW plans on buffers of their own. */
#ifndef MEL_FFT_H
#define MEL_FFT_H

#include "lull.h"

/* One transform and its buffers; one thread at a time. Both transforms are un-normalised:
 * inverse(forward(x)) is size·x. */
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

/* Complex transforms of one size: two real frames at once, one as the real parts, one as the
 * imaginary ones, which is far cheaper than two real transforms. */
typedef struct fft_pair {
    int size;
    float *frames;   /* size pairs (first frame, second frame) */
    float *spectrum; /* size + 8 complex numbers; those behind the end are scratch of the kernels */
    void *forward_plan, *inverse_plan;
} fft_pair;

lull_status fft_pair_new(int size, fft_pair **transform, lull_error *error);
void fft_pair_free(fft_pair *transform);
void fft_pair_forward(fft_pair *transform); /* frames → spectrum */
void fft_pair_inverse(fft_pair *transform); /* spectrum → frames, size times too large */

#endif
