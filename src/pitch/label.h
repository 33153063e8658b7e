/* What is known of the voice in a recording, frame by frame: its pitch (tracker.h) and how periodic
 * each band is at that pitch. */
#ifndef PITCH_LABEL_H
#define PITCH_LABEL_H

#include "lull.h"
#include "pitch/pitch.h"

/* The voice at samples first, first + hop, … of signal (count samples at `rate` Hz): n values into
 * `values`, which is the caller's. Where nothing is voiced f0 is interpolated in its logarithm
 * between the voiced frames on both sides, held before the first and behind the last (150 Hz where
 * nothing is voiced at all), and every aperiodicity is 1; so is that of a band above half the rate.
 *
 * Aperiodicity is 1 − the correlation of the band with itself one period later: of the analytic
 * signal, whose phase a slightly wrong period does not turn, less what noise of the band's width
 * correlates by chance; above 1 kHz also of the envelope (McCree & Barnwell 1995, "A mixed
 * excitation LPC vocoder model for low bit rate speech coding"), where jitter destroys phases but
 * not pulses: the more periodic of the two counts.
 *
 * rate 8000…96000. Errors: LULL_INVALID, LULL_NO_MEMORY. */
lull_status pitch_label(const float *signal, size_t count, int rate, double first, double hop,
                        pitch_values *values, size_t n, lull_error *error);

#endif
