/* The short-time Fourier transform: a grid of frames over a signal, the window that they are seen
 * through, analysis and synthesis. Everything in the project that cuts a signal into frames does it
 * here: the mel front end, whitening and colouring, mel consistency, Griffin-Lim, training's crops
 * and losses, scores and pictures. Frames become a signal again in mel/overlap.h. */
#ifndef MEL_STFT_H
#define MEL_STFT_H

#include "mel/convention.h"
#include "mel/fft.h"
#include "mel/kernels.h"

#include <stdint.h>

/* Frame f covers the samples f·hop − lead … f·hop − lead + size − 1; the Hann window of `window`
 * samples lies in its middle, zeros around it. size: even, 2…MEL_MAX_FFT; window: 1…size. */
typedef struct mel_stft_grid {
    int size, window, hop, lead;
} mel_stft_grid;

mel_stft_grid mel_stft_grid_of(const mel_convention *convention);

typedef enum mel_stft_kind {
    MEL_STFT_FAST,  /* one frame at a time */
    MEL_STFT_EXACT, /* the same, with bits that are the same on every machine */
    MEL_STFT_PAIRS  /* two frames at a time, in one complex transform */
} mel_stft_kind;

/* One thread at a time. */
typedef struct mel_stft {
    mel_stft_grid grid;
    int bins; /* size/2 + 1 */
    const mel_kernels *kernels;
    float *window;    /* [size] */
    float *synthesis; /* [size] the window divided by size, which un-does the transforms' scale */
    float *power;     /* [size] window² */
    float *spectrum;  /* FAST, EXACT: [bins] pairs (re, im) */
    mel_fft *transform;
    mel_fft_pair *pair;
} mel_stft;

lull_status mel_stft_new(const mel_stft_grid *grid, mel_stft_kind kind, mel_stft **stft,
                         lull_error *error);
void mel_stft_free(mel_stft *stft);

/* First sample of frame f. */
int64_t mel_stft_begin(const mel_stft *stft, int64_t f);

/* Frames of a signal of `count` samples that is mirrored by `lead` samples at both ends: those that
 * lie wholly inside. */
size_t mel_stft_frames(const mel_stft *stft, size_t count);

/* Index of the sample that stands for number `index` of a signal of `count` > 0 samples, which is
 * mirrored at its ends without repeating them, as often as a short signal needs it. */
size_t mel_stft_mirrored(int64_t index, size_t count);

/* The grid.size samples of a signal from `begin` on (not windowed); outside it zeros, or with
 * `mirror` its reflection. segment and signal do not overlap. */
void mel_stft_cut(const mel_stft *stft, const float *signal, size_t count, int64_t begin,
                  bool mirror, float *segment);

/* spectrum = rfft(window·segment); FAST and EXACT. */
void mel_stft_analyse(mel_stft *stft, const float *segment);
/* synthesis = window·irfft(spectrum), the frame that mel_overlap_add takes; the spectrum is
 * destroyed. FAST and EXACT. */
void mel_stft_synthesise(mel_stft *stft, float *synthesis);

/* PAIRS. The spectra of two segments, one in the real parts of pair->frames and one in the
 * imaginary ones, as kernels->pair_magnitude and pair_gain take them; back, as pair_momentum takes
 * them. */
void mel_stft_analyse_pair(mel_stft *stft, const float *first, const float *second);
void mel_stft_invert_pair(mel_stft *stft);

#endif
