/* One mel frame of the samples that lie under its window. */
#ifndef MEL_ANALYSIS_H
#define MEL_ANALYSIS_H

#include "mel/stft.h"

typedef struct mel_analysis mel_analysis;

/* One thread at a time. */
lull_status mel_analysis_new(const mel_convention *convention, mel_analysis **analysis,
                             lull_error *error);
void mel_analysis_free(mel_analysis *analysis);

/* The grid of the convention's frames. Owned by the analysis. */
const mel_stft *mel_analysis_stft(const mel_analysis *analysis);

/* segment: n_fft samples from mel_stft_begin on; frame: bands floats in the convention's units. */
void mel_analysis_frame(mel_analysis *analysis, const float *segment, float *frame);

#endif
