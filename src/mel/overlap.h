/* Weighted overlap-add of a whole signal: frames cut out, and added up again. */
#ifndef MEL_OVERLAP_H
#define MEL_OVERLAP_H

#include "mel/convention.h"

typedef struct mel_overlap mel_overlap;

/* count: samples of the signal. */
lull_status mel_overlap_new(const mel_convention *convention, size_t count, mel_overlap **overlap,
                            lull_error *error);
void mel_overlap_free(mel_overlap *overlap);

/* Does frame f begin before the end of the signal? */
bool mel_overlap_reaches(const mel_overlap *overlap, size_t f);
/* n_fft samples of frame f (not windowed), zeros outside the signal. */
void mel_overlap_segment(const mel_overlap *overlap, const float *signal, size_t f, float *segment);
/* Adds the windowed synthesis frame f, and its window's square to the weights. */
void mel_overlap_add(mel_overlap *overlap, size_t f, const float *synthesis);
/* Writes Σ frames / max(Σ window², 0.01), 0 where no frame reaches, and starts from zero again. */
void mel_overlap_take(mel_overlap *overlap, float *signal);

#endif
