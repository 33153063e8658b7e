/* Weighted overlap-add: frames of a STFT added up to a signal again (Griffin & Lim 1984, eq. 6,
 * with a floor under the weights): Σ frames / max(Σ window², MEL_OVERLAP_FLOOR). The only one in
 * the project: whole signals, training's crops, and the streaming consistency, which moves along.
 */
#ifndef MEL_OVERLAP_H
#define MEL_OVERLAP_H

#include "mel/stft.h"

#define MEL_OVERLAP_FLOOR 0.01f

/* `count` samples of a signal, and their weights. */
typedef struct mel_overlap {
    const mel_stft *stft; /* borrowed */
    size_t count;
    float *sum, *weight; /* [count] */
} mel_overlap;

lull_status mel_overlap_new(const mel_stft *stft, size_t count, mel_overlap **overlap,
                            lull_error *error);
void mel_overlap_free(mel_overlap *overlap);
void mel_overlap_reset(mel_overlap *overlap);

/* Adds the windowed synthesis frame (stft->grid.size floats) that begins at sample `begin`, and its
 * window's square to the weights, as far as they lie inside. */
void mel_overlap_add(mel_overlap *overlap, int64_t begin, const float *synthesis);
/* Samples from … from + n − 1; 0 where no frame reaches. */
void mel_overlap_read(const mel_overlap *overlap, size_t from, size_t n, float *out);
/* Moves on by n samples: forgets the first n, n empty ones come in at the end. */
void mel_overlap_advance(mel_overlap *overlap, size_t n);
/* weight ← 1/max(weight, floor), for what divides more than once. */
void mel_overlap_invert(float *weight, size_t n);

#endif
