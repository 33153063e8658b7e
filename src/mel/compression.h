/* Between linear mel magnitudes and the numbers that a convention writes. "Linear" is
 * Σ weight·|S|^power of the un-normalised transform of the windowed samples. */
#ifndef MEL_COMPRESSION_H
#define MEL_COMPRESSION_H

#include "mel/convention.h"

/* Bounds between which a convention tells linear mels apart; beyond them it clamps. */
void mel_linear_range(const mel_convention *convention, double *lowest, double *highest);

/* bands linear mels → one frame of the convention. */
void mel_compress(const mel_convention *convention, const float *linear, float *frame);

/* One frame of the convention → natural logarithm of the linear mels, held within −70 and 16 (times
 * power). */
void mel_to_natural_log(const mel_convention *convention, const float *frame, float *natural_log);

#endif
