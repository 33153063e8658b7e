/* A stack of small convolutions over frames, or over bands and frames: what the postnet, the
 * pitch, the bandwidth and the spectrum network are. Here as a stream; gradient/frame_stack.h trains
 * it.
 *
 * Convolution i sees three frames: frame f and the two before it, or the one before and the one
 * ahead; and of each the same band, or that and its neighbours. Outside bands and frames all is
 * zero. Every convolution but the last ends in an activation; those that are neither first nor last
 * are added to their input. */
#ifndef MODEL_FRAME_STACK_H
#define MODEL_FRAME_STACK_H

#include "model/parameters.h"

enum {
    MODEL_FRAME_STACK_TAPS = 3, /* frames that a convolution sees */
    MODEL_FRAME_STACK_MOST = 12 /* frames at once */
};
#define MODEL_FRAME_STACK_SLOPE 0.1f /* of the LeakyReLU below 0 */

typedef struct model_frame_stack_shape {
    model_role role;   /* of its weights, [out, in, 3 frames] or [out, in, 3 bands, 3 frames] */
    int count;         /* convolutions, at least 1 */
    int bands, across; /* bands of a frame, and how many of them a convolution sees: 1 or 3 */
    int first, inner, last; /* channels of a band: of the input, between, of the output */
    int look_ahead;         /* so many convolutions, from the first on, see one frame ahead */
    bool silu;              /* the activation; false: LeakyReLU */
    float offset, scale;    /* what goes into the first convolution is (input + offset)·scale */
    bool added;             /* the output is what the stack makes, added to its input, … */
    float threshold; /* … where its root mean square over a frame is above it, wholly from twice */
} model_frame_stack_shape;

/* Channels of convolution i, and whether it sees one frame ahead. */
int model_frame_stack_in(const model_frame_stack_shape *shape, int i);
int model_frame_stack_out(const model_frame_stack_shape *shape, int i);
int model_frame_stack_ahead(const model_frame_stack_shape *shape, int i);
/* Multiplications for one frame. */
double model_frame_stack_products(const model_frame_stack_shape *shape);

/* PyTorch's weight [out, in, across, 3] as the operand of a product: row (tap·across + band)·in + i,
 * column o. */
void model_frame_stack_arrange(const model_frame_stack_shape *shape, int i, const float *weight,
                               float *operand);

typedef struct model_frame_stack model_frame_stack;

/* Nothing is borrowed after the call. */
lull_status model_frame_stack_new(const model_frame_stack_shape *shape,
                                  const model_parameters *parameters, model_frame_stack **result,
                                  lull_error *error);
void model_frame_stack_free(model_frame_stack *s);
void model_frame_stack_reset(model_frame_stack *s);

/* Bytes that a stack takes, with what is needed while it is made. */
uint64_t model_frame_stack_bytes(const model_frame_stack_shape *shape);

/* n frames of bands × first values in, at most MODEL_FRAME_STACK_MOST; NULL behind the last, as
 * often as frames are still to come: the output runs look_ahead frames behind. Returns how many frames,
 * of bands × last values each, were written to `out`, at most n: the same bits however many are
 * pushed at a time. */
int model_frame_stack_push(model_frame_stack *s, const float *const *frames, int n, float *out);

#endif
