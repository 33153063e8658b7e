/* The band of a frame below MEL_LOW_HZ, at a rate of its own: there the ear, and PESQ, hears whether
 * the partials of a voice agree, and there an iteration of mel consistency costs a fraction of one
 * over the whole band. A frame's spectrum below half of the new rate, taken back into time, is the
 * frame of the same place there; the other way its spectrum takes the place of the old one's. */
#ifndef MEL_LOW_BAND_H
#define MEL_LOW_BAND_H

#include "mel/convention.h"

/* What is put back ends here, or where half of the lower rate does not leave room for it a little
 * earlier (mel_low_band_edge), in a cosine ramp of MEL_LOW_RAMP_HZ before it. */
enum { MEL_LOW_HZ = 2550, MEL_LOW_RAMP_HZ = 200 };

/* A frame opens with next to nothing there: its first iteration then takes its phases from the
 * frames before it, which reach into it, and not from a start that agrees with none of them (as in
 * real-time spectrogram inversion: Beauregard, Zhu & Wyse 2005; docs/experiments.md measures it). */
#define MEL_LOW_QUIET 0.0078125f

typedef struct mel_low_band mel_low_band;

/* By how much the rate can be divided: into the frame, its hop, its window and its lead, so that
 * half of it stays above MEL_LOW_HZ, or of a low rate above half of that; 1 where that leaves no
 * cheap band. */
int mel_low_band_decimation(const mel_convention *convention);
/* Where the band ends, in Hz, at a decimation above 1. */
double mel_low_band_edge(const mel_convention *convention);
/* Bins of its frames' spectra, from 0 Hz on, that something is put back of. */
int mel_low_band_bins(const mel_convention *convention);

/* decimation > 1 */
lull_status mel_low_band_new(const mel_convention *convention, int decimation, mel_low_band **band,
                             lull_error *error);
void mel_low_band_free(mel_low_band *band);
/* Bytes that one takes. */
uint64_t mel_low_band_bytes(const mel_convention *convention);

/* frame (n_fft samples) → low (n_fft / decimation samples), MEL_LOW_QUIET times as loud */
void mel_low_band_take(mel_low_band *band, const float *frame, float *low);
/* The frame's band is now that of low. */
void mel_low_band_put(mel_low_band *band, const float *low, float *frame);

#endif
