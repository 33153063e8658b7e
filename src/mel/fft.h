/* Fourier transforms of one size, on buffers of their own. Two kinds: FAST ones, by what the build
 * chose with -Dfft (FFTW, or `plain`: mel/stockham.h), and EXACT ones, always by mel/stockham.h,
 * whose bits are the same on every machine: bands that hold almost nothing show the rounding of the
 * transform, so mel frames are made with them. */
#ifndef MEL_FFT_H
#define MEL_FFT_H

#include "lull.h"

typedef enum mel_fft_kind { MEL_FFT_FAST, MEL_FFT_EXACT } mel_fft_kind;

/* Who makes the fast ones: "fftw" or "plain". */
const char *mel_fft_backend(void);

/* One transform and its buffers; one thread at a time. Both directions are un-normalised:
 * inverse(forward(x)) is size·x. */
typedef struct mel_fft {
    int size, bins;  /* bins = size/2 + 1 */
    float *real;     /* size samples */
    float *spectrum; /* bins pairs (re, im) */
    struct mel_stockham *own;
    void *forward_plan, *inverse_plan; /* FFTW's, where own is NULL */
} mel_fft;

/* size: even, 2…MEL_MAX_FFT. */
lull_status mel_fft_new(int size, mel_fft_kind kind, mel_fft **transform, lull_error *error);
void mel_fft_free(mel_fft *transform);

/* real → spectrum; real keeps its contents. */
void mel_fft_forward(mel_fft *transform);
/* spectrum → real; the spectrum is destroyed. */
void mel_fft_inverse(mel_fft *transform);

/* Complex transforms of one size, fast ones: two real frames at once, one as the real parts, one as
 * the imaginary ones, which is far cheaper than two real transforms. */
typedef struct mel_fft_pair {
    int size;
    float *frames;   /* size pairs (first frame, second frame) */
    float *spectrum; /* size + 8 complex numbers; those behind the end are scratch of the kernels */
    struct mel_stockham *own;
    void *forward_plan, *inverse_plan;
} mel_fft_pair;

lull_status mel_fft_pair_new(int size, mel_fft_pair **transform, lull_error *error);
void mel_fft_pair_free(mel_fft_pair *transform);
void mel_fft_pair_forward(mel_fft_pair *transform); /* frames → spectrum */
void mel_fft_pair_inverse(mel_fft_pair *transform); /* spectrum → frames, size times too large */

#endif
