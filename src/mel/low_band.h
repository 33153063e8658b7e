/* The band of a frame below MEL_LOW_HZ, at a rate of its own: there the ear, and PESQ, hears whether
 * the partials of a voice agree, and there an iteration of mel consistency costs a fraction of one
 * over the whole band. A frame's spectrum below half of the new rate, taken back into time, is the
 * frame of the same place there; the other way its spectrum takes the place of the old one's. */
#ifndef MEL_LOW_BAND_H
#define MEL_LOW_BAND_H

#include "mel/convention.h"

/* What is put back ends here, in a cosine ramp of MEL_LOW_RAMP_HZ before it. */
enum { MEL_LOW_HZ = 1250, MEL_LOW_RAMP_HZ = 200 };

typedef struct mel_low_band mel_low_band;

/* By how much the rate can be divided: into the frame, its hop, its window and its lead, so that
 * half of it stays above MEL_LOW_HZ; 1 where that leaves no cheap band. */
int mel_low_band_decimation(const mel_convention *convention);

/* decimation > 1 */
lull_status mel_low_band_new(const mel_convention *convention, int decimation, mel_low_band **band,
                             lull_error *error);
void mel_low_band_free(mel_low_band *band);
/* Bytes that one takes. */
uint64_t mel_low_band_bytes(const mel_convention *convention);

/* frame (n_fft samples) → low (n_fft / decimation samples) */
void mel_low_band_take(mel_low_band *band, const float *frame, float *low);
/* The frame's band is now that of low. */
void mel_low_band_put(mel_low_band *band, const float *low, float *frame);

#endif
