/* What the pitch network gives for a frame: the numbers before they are read as a pitch. */
#ifndef MODEL_PITCH_OUTPUTS_H
#define MODEL_PITCH_OUTPUTS_H

#include "pitch/pitch.h"

enum {
    PITCH_OUT_F0 = 0,               /* log2(F0 / 200 Hz) */
    PITCH_OUT_VOICING = 1,          /* logit */
    PITCH_OUT_APERIODICITY = 2,     /* logits, one a band */
    PITCH_OUTPUTS = 2 + PITCH_BANDS /* of a frame */
};

#endif
