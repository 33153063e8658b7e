/* The shape of the pitch network: what each of its convolutions reads and writes. */
#ifndef MODEL_PITCH_SHAPE_H
#define MODEL_PITCH_SHAPE_H

#include "model/config.h"
#include "pitch/pitch.h"

enum {
    PITCH_TAPS = 3,                 /* frames that a convolution sees */
    PITCH_OUT_F0 = 0,               /* log2(F0 / 200 Hz) */
    PITCH_OUT_VOICING = 1,          /* logit */
    PITCH_OUT_APERIODICITY = 2,     /* logits, one a band */
    PITCH_OUTPUTS = 2 + PITCH_BANDS /* of a frame */
};

/* Inputs and outputs of convolution i (0 is the first). Every one but the last ends in a SiLU;
 * those that are neither first nor last are added to their input. */
int pitch_network_in(const model_config *config, int i);
int pitch_network_out(const model_config *config, int i);
/* Whether convolution i sees one frame ahead. */
int pitch_network_ahead(const model_config *config, int i);

#endif
