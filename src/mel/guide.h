/* What is known of a frame's spectrum in the low band (mel/low_band.h) beside its mel: a magnitude
 * for each bin, and how far an iteration goes towards it. */
#ifndef MEL_GUIDE_H
#define MEL_GUIDE_H

#include "mel/envelope.h"

/* Of each of `bins` bins: ln of the magnitude it should have, in transforms of the low band's own
 * size; the share of the way there, in ln, that an iteration goes, 0…1; and the square of a
 * magnitude below which the way does not get longer. */
typedef struct mel_guide {
    int bins;
    int count; /* of the arrays: whole vectors; what is beyond the bins pulls nothing */
    float *target, *weight, *floor;
    float *log_envelope; /* scratch */
} mel_guide;

lull_status mel_guide_init(const mel_convention *convention, mel_guide *guide, lull_error *error);
/* After a failure, too. */
void mel_guide_clear(mel_guide *guide);
uint64_t mel_guide_bytes(const mel_convention *convention);

/* Of the weights that the network says, how much counts in a refinement: it learned them where a
 * frame has MEL_GUIDE_ITERATIONS iterations at most; when there are more, smaller ones do, √(that /
 * those) times as large. */
enum { MEL_GUIDE_ITERATIONS = 48 };
float mel_guide_share(int iterations, int window);

/* envelope: the low band's (mel_envelope_new_low). frame: the mel. outputs: 2·bins numbers, what the
 * spectrum network says of it (model/spectrum.h): ln of the magnitudes relative to the mel's
 * envelope, then of each the logit of its weight less MEL_GUIDE_LOGIT. share: as above. */
#define MEL_GUIDE_LOGIT (-2.0f)
void mel_guide_read(mel_guide *guide, const mel_envelope *envelope, const float *frame,
                    const float *outputs, float share);

#endif
