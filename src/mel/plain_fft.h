/* A real transform whose bits are the same on every machine: the textbook radix-4 algorithm in
 * float32, one fixed order of operations. Bands that hold almost nothing show the rounding of the
 * transform: analysis through this one gives the mels of other float32 radix-4 programs to 1e-4,
 * and the same everywhere. Synthesis, where speed matters and rounding does not, uses FFTW. */
#ifndef MEL_PLAIN_FFT_H
#define MEL_PLAIN_FFT_H

#include "lull.h"

typedef struct plain_fft plain_fft;

/* size: a power of two from 4. */
bool plain_fft_can(int size);
lull_status plain_fft_new(int size, plain_fft **transform, lull_error *error);
void plain_fft_free(plain_fft *transform);

/* real: size floats; spectrum: size/2 + 1 pairs (re, im). */
void plain_fft_forward(plain_fft *transform, const float *real, float *spectrum);

#endif
