/* Forward and backward of a stack of convolutions over bands and frames (model/frame_stack.h) on a
 * batch of crops, for training. A crop is an utterance of its own: zeros around it, as in synthesis.
 * Results do not depend on the thread count. */
#ifndef GRADIENT_FRAME_STACK_H
#define GRADIENT_FRAME_STACK_H

#include "base/thread_pool.h"
#include "gradient/engine.h"
#include "model/frame_stack.h"

typedef struct gradient_frame_stack gradient_frame_stack;

/* For batches of at most `crops` crops of `frames` frames; config: whose weights they are. The pool
 * is borrowed. */
lull_status gradient_frame_stack_new(const model_frame_stack_shape *shape,
                                     const model_config *config, int crops, int frames,
                                     thread_pool *pool, gradient_frame_stack **stack,
                                     lull_error *error);
void gradient_frame_stack_free(gradient_frame_stack *stack);

/* input: crops × frames × bands × first. The loss gets the frames × bands × last that the stack made
 * of a crop. gradient as gradient_engine_run's: overwritten, 0 outside the stack; NULL: loss only. */
void gradient_frame_stack_run(gradient_frame_stack *stack, const model_parameters *parameters,
                              int crops, const float *input, gradient_engine_loss loss,
                              void *context, double *losses, float *gradient);

/* Floating-point operations of one crop's forward and backward, and bytes held. */
double gradient_frame_stack_flops(const gradient_frame_stack *stack);
size_t gradient_frame_stack_bytes(const gradient_frame_stack *stack);

#endif
