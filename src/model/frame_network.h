/* Networks over mel frames: a few convolutions turn the features of frames (mel/frame_features.h),
 * whatever their convention, into numbers for each frame: the voice's pitch
 * (model/pitch_network.h), the envelope above the mel (model/bandwidth.h). As a stream, frame by
 * frame; gradient/frame_network.h trains them. */
#ifndef MODEL_FRAME_NETWORK_H
#define MODEL_FRAME_NETWORK_H

#include "model/frame_shape.h"
#include "model/parameters.h"

typedef struct frame_network frame_network;

/* role: of its weights, which the parameters must have. Nothing is borrowed after the call. */
lull_status frame_network_new(const frame_shape *shape, model_role role,
                              const model_parameters *parameters, frame_network **result,
                              lull_error *error);
/* Bytes that frame_network_new takes, at most. */
uint64_t frame_network_bytes(const frame_shape *shape);
void frame_network_free(frame_network *n);
void frame_network_reset(frame_network *n);

/* Frames by which the output runs behind the input. */
int frame_network_look_ahead(const frame_network *n);

/* One frame's MEL_FEATURES in; NULL behind the last, as often as frames are still to come. The
 * outputs of a frame where one came out, until the next push; or NULL. */
const float *frame_network_push(frame_network *n, const float *features);

/* PyTorch's weight [out, in, 3] as the operand of a product: row tap·in + i, column o. */
void frame_network_arrange(const float *weight, int out, int in, float *operand);

#endif
