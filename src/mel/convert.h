/* Frames of one convention as another's, where that is a matter of numbers alone: both see the same
 * frames (place, window, hop, filters), and differ in norm, logarithm, gain, bounds, statistics.
 * Powers become amplitudes (or the other way round) by their common envelope: Σ w·|S| of a flat
 * spectrum whose Σ w·|S|² is known; exact for one, some dB off between the harmonics of a voice. */
#ifndef MEL_CONVERT_H
#define MEL_CONVERT_H

#include "mel/convention.h"

typedef struct mel_conversion mel_conversion;

/* Errors: LULL_MISMATCH when the two see different frames (the message names the member),
 * LULL_NO_MEMORY. */
lull_status mel_conversion_new(const mel_convention *from, const mel_convention *to,
                               mel_conversion **conversion, lull_error *error);
void mel_conversion_free(mel_conversion *conversion);

/* n × bands finite numbers, in place; they stay finite. Allocates nothing. */
void mel_conversion_run(const mel_conversion *conversion, float *frames, size_t n);

#endif
