/* The shapes of networks over frames: what each of their convolutions reads and writes. */
#ifndef MODEL_FRAME_SHAPE_H
#define MODEL_FRAME_SHAPE_H

#include "mel/frame_features.h"
#include "model/config.h"
#include "pitch/pitch.h"

/* `layers` convolutions of 3 frames, `channels` between them; the first look_ahead of them see
 * frames t−1 … t+1, the others t−2 … t. Every one but the last ends in a SiLU; those that are
 * neither first nor last are added to their input. */
typedef struct frame_shape {
    int layers, channels, look_ahead, outputs;
} frame_shape;

enum { FRAME_TAPS = 3 };

/* Inputs and outputs of convolution i (0 is the first). */
int frame_shape_in(const frame_shape *shape, int i);
int frame_shape_out(const frame_shape *shape, int i);
/* Multiplications for one frame. */
double frame_shape_macs(const frame_shape *shape);

/* ---- the pitch network ---- */

enum {
    PITCH_OUT_F0 = 0,               /* log2(F0 / 200 Hz) */
    PITCH_OUT_VOICING = 1,          /* logit */
    PITCH_OUT_APERIODICITY = 2,     /* logits, one a band */
    PITCH_OUTPUTS = 2 + PITCH_BANDS /* of a frame */
};
frame_shape frame_shape_pitch(const model_config *config);

/* ---- the bandwidth network ---- */

/* Its outputs stand for points of the features (mel/frame_features.h): those that a mel may leave
 * open. */
enum {
    BANDWIDTH_FIRST = 105, /* 6.5 kHz */
    BANDWIDTH_POINTS = MEL_FEATURE_POINTS - BANDWIDTH_FIRST
};
frame_shape frame_shape_bandwidth(const model_config *config);

#endif
