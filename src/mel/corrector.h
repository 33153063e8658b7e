/* One iteration of a frame: its spectrum pulled to the wanted mel, two frames at a time. */
#ifndef MEL_CORRECTOR_H
#define MEL_CORRECTOR_H

#include "mel/envelope.h"
#include "mel/guide.h"
#include "mel/stft.h"

typedef struct mel_corrector {
    mel_envelope *envelope;
    mel_stft *stft; /* two frames at a time */
    float *magnitude[2], *gain[2], *pull[2];
    float epsilon;
} mel_corrector;

/* The convention's frames at 1/decimation of the rate. */
mel_stft_grid mel_corrector_grid(const mel_convention *convention, int decimation);

/* decimation: 1, or that of the band below MEL_LOW_HZ (mel/low_band.h), whose frames have n_fft /
 * decimation samples. After a failure, too, mel_corrector_clear frees what there is. */
lull_status mel_corrector_init(mel_corrector *corrector, const mel_convention *convention,
                               int decimation, lull_error *error);
void mel_corrector_clear(mel_corrector *corrector);

/* irfft(S'·E(wanted)/E(mel(S'))) of S = rfft(window·segment), n_fft times too large and not yet
 * windowed, for two frames at once: of the first in the real parts of stft->pair->frames, of the
 * second in the imaginary ones. wanted: as mel_envelope_wanted makes it. S' is S, or with a guide
 * (NULL: none) S pulled towards its magnitudes (mel_kernels.pull). */
void mel_corrector_run(mel_corrector *corrector, const float *const wanted[2],
                       const mel_guide *const guide[2], const float *const segment[2]);

#endif
