/* What drives the reverse process in place of white noise: harmonics of the pitch and noise, band
 * by band as much of each as the voice has (a harmonic and stochastic source: Stylianou 2001; its
 * bands: McCree & Barnwell 1995). White and of unit variance whatever the voice is, because it
 * lives in the whitened domain: the colouring gives it the envelope of the mel. Where the
 * fundamental's phase is 0 those of all harmonics are: pulses. */
#ifndef VOCODER_SOURCE_H
#define VOCODER_SOURCE_H

#include "pitch/pitch.h"
#include "vocoder/noise.h"

#include "lull.h"

typedef struct vocoder_source vocoder_source;

/* Between the middles of two frames, at first_centre + f·hop, the pitch moves linearly in its
 * logarithm and all gains linearly; before the first and behind the last frame they are held.
 * 0 ≤ first_centre ≤ hop. noise_row: of the noise source that vocoder_source_push is given. */
lull_status vocoder_source_new(int rate, int hop, int first_centre, int noise_row,
                               vocoder_source **result, lull_error *error);
void vocoder_source_free(vocoder_source *s);
/* Bytes that vocoder_source_new takes, at most. */
uint64_t vocoder_source_bytes(int rate, int hop);
void vocoder_source_reset(vocoder_source *s);

/* The next frame's voice. Writes the samples from the middle of the frame before to the middle of
 * this one (the first frame: those before its middle) and returns their number, at most hop. noise:
 * samples behind those that are written are used too (it can be read anywhere). Where neither
 * frame is voiced the samples are that noise, bit for bit. `turn` is added to the phase of the
 * fundamental, in cycles, linear between the frames like the rest (0 where nothing is to be met).
 */
int vocoder_source_push(vocoder_source *s, const pitch_values *voice, double turn,
                        const vocoder_noise_source *noise, float *out);
/* Behind the last frame: the n ≤ hop samples that follow its middle. */
void vocoder_source_finish(vocoder_source *s, const vocoder_noise_source *noise, float *out, int n);

/* The pitch at `share` (0 … 1) of the way from the middle of frame a to that of frame b: beside a
 * frame that has no voice it is the other's. */
double vocoder_source_f0(const vocoder_source *s, const pitch_values *a, const pitch_values *b,
                         double share);

/* The same by its definition, slowly, for the tests: n samples of the whole signal from `frames`
 * frames. */
lull_status vocoder_source_plain(int rate, int hop, int first_centre, const pitch_values *voices,
                                 size_t frames, const vocoder_noise_source *noise, float *out,
                                 size_t n, lull_error *error);

#endif
