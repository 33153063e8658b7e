/* Fundamental frequency of a recording: several candidates a frame from the normalised
 * cross-correlation of a low-passed copy, and the path through them that costs least (Talkin 1995,
 * "A robust algorithm for pitch tracking"; costs of the path as in Boersma 1993, "Accurate
 * short-term analysis of the fundamental frequency"). */
#ifndef PITCH_TRACKER_H
#define PITCH_TRACKER_H

#include "lull.h"

typedef struct pitch_estimate {
    float f0;         /* Hz, 0 = unvoiced */
    float confidence; /* correlation of the chosen period, of the best one where unvoiced: [0, 1] */
} pitch_estimate;

/* Frequencies looked for, Hz. */
enum { PITCH_LOWEST = 60, PITCH_HIGHEST = 650 };

/* The pitch at samples first, first + hop, first + 2·hop, … of signal (count samples at `rate` Hz):
 * n estimates into `estimates`, which is the caller's. Times outside the signal are unvoiced. rate
 * 8000…96000, hop above 0; neither `first` nor `hop` need be whole. The signal's level is of no
 * consequence. Errors: LULL_INVALID, LULL_NO_MEMORY. */
lull_status pitch_track(const float *signal, size_t count, int rate, double first, double hop,
                        pitch_estimate *estimates, size_t n, lull_error *error);

#endif
