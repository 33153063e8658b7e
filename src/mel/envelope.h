/* The spectral envelope that a mel frame implies, and the gains made of it (docs/how-diffusion-works.md: the
 * whitened domain). E(f) = exp(linear interpolation over frequency of (ln mel − ln Σ filter
 * weights)/power between band centroids, held at the ends); above fmax and below fmin a mel says
 * nothing: every gain is 0 there (cosine ramps from fmax − 100 Hz to fmax + 300 Hz, only where fmax
 * lies below Nyquist, and from 1.1·fmin to 0.9·fmin). */
#ifndef MEL_ENVELOPE_H
#define MEL_ENVELOPE_H

#include "mel/convention.h"

typedef struct mel_envelope mel_envelope;

/* tilt_hz: TL(f)² ∝ 1/(1+f/tilt_hz) with mean 1 over the bins; 0 = none. */
lull_status mel_envelope_new(const mel_convention *convention, double tilt_hz,
                             mel_envelope **envelope, lull_error *error);
/* Of the band below half of 1/decimation of the rate: n_fft/decimation/2 bins, the bands that lie
 * wholly below, magnitudes of transforms of n_fft/decimation samples. What takes a frame takes one
 * of all bands. For mel consistency alone. */
lull_status mel_envelope_new_low(const mel_convention *convention, int decimation,
                                 mel_envelope **envelope, lull_error *error);
void mel_envelope_free(mel_envelope *envelope);
int mel_envelope_bins(const mel_envelope *envelope); /* n_fft/2 + 1, or those of the low band */
/* From this bin on no mel band reaches and every gain is 0. */
int mel_envelope_reach(const mel_envelope *envelope);
/* 1 up to fmax − 100 Hz, 0 from fmax + 300 Hz, a cosine between; 1 throughout when the mel reaches
 * Nyquist. */
double mel_envelope_below_fmax(const mel_convention *convention, double hz);

/* ln E at every bin from one mel frame (convention units; converted to natural log inside). */
void mel_envelope_log(const mel_envelope *envelope, const float *frame, float *log_envelope);
/* Gain that whitens (TL·K/E, K = √Σwindow²) and the one that colours (its reciprocal), per bin. */
void mel_envelope_whitening_gain(const mel_envelope *envelope, const float *frame, float *gain);
void mel_envelope_colouring_gain(const mel_envelope *envelope, const float *frame, float *gain);
/* Mel consistency. What a frame wants: ln of its linear mels (bands floats), within what the
 * convention can tell apart. Then for a STFT frame of the signal exp(lnE(wanted) − lnE(mel of the
 * magnitudes)) per bin below mel_envelope_reach. magnitude: as many |S| (un-normalised rFFT of the
 * windowed signal). */
void mel_envelope_wanted(const mel_envelope *envelope, const float *frame, float *wanted);
void mel_envelope_correction(const mel_envelope *envelope, const float *wanted,
                             const float *magnitude, float *gain);

#endif
