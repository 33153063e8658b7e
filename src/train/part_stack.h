/* Training a stack of convolutions over frames (gradient/frame_stack.h): what the parts of the model
 * that are stacks share. */
#ifndef TRAIN_PART_STACK_H
#define TRAIN_PART_STACK_H

#include "gradient/frame_stack.h"
#include "train/part.h"

/* Loss of one crop's n outputs, and its gradient by them. */
typedef double (*train_part_stack_loss)(const train_settings *settings, const float *made,
                                        const float *target, size_t n, float *gradient);

/* An engine for train_part's `create`; the others take it. settings and pool are borrowed. */
lull_status train_part_stack_new(const model_frame_stack_shape *shape, const model_config *config,
                                 const train_settings *settings, thread_pool *pool,
                                 train_part_stack_loss loss, void **engine, lull_error *error);
void train_part_stack_free(void *engine);
double train_part_stack_run(void *engine, const model_parameters *weights, const train_batch *batch,
                            float scale, float *gradient);
/* One step of any stack: the sum of crop_loss over the crops. losses has room for them; gradient as
 * gradient_frame_stack_run's. */
double train_part_stack_step(gradient_frame_stack *stack, const model_parameters *weights,
                             const train_batch *batch, gradient_engine_loss crop_loss,
                             void *context, double *losses, float *gradient);
double train_part_stack_flops(const void *engine);
size_t train_part_stack_bytes(const void *engine);

/* A crop is an utterance of its own: 0. */
int train_part_stack_margin(const model_config *config);

#endif
