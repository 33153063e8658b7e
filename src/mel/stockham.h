/* Fourier transforms of any size: Stockham's autosort algorithm in float32, with vectors over
 * neighbouring points. Factors 8, 4, 2, 3 and 5 have butterflies; another prime p costs p
 * operations a point, so that every size works and the usual ones are fast. The order of operations
 * does not depend on the instruction set: the bits are the same on every machine. */
#ifndef MEL_STOCKHAM_H
#define MEL_STOCKHAM_H

#include "lull.h"

typedef struct mel_stockham mel_stockham;

/* A transform of `size` complex numbers, from 1; or of `size` real ones, an even number from 2. One
 * thread at a time. most_lanes: widest vectors in floats, 1, 4, 8 or 16, of those that the CPU has;
 * 0 for all of them. */
lull_status mel_stockham_new(int size, bool real, int most_lanes, mel_stockham **transform,
                             lull_error *error);
void mel_stockham_free(mel_stockham *transform);

/* Complex: out[k] = Σ in[j]·exp(∓2πi·jk/size), un-normalised; forward has the minus. in, out: pairs
 * (re, im), which may be the same array. */
void mel_stockham_run(mel_stockham *transform, bool forward, const float *in, float *out);

/* Real: size samples to size/2 + 1 pairs and back; inverse(forward(x)) is size·x. inverse destroys
 * the spectrum. */
void mel_stockham_forward(mel_stockham *transform, const float *real, float *spectrum);
void mel_stockham_inverse(mel_stockham *transform, float *spectrum, float *real);

#endif
