/* Forward and backward of the whole denoiser on a batch of crops: what training runs (src/train),
 * sharing the kernels of synthesis. Results do not depend on the thread count. */
#ifndef GRADIENT_ENGINE_H
#define GRADIENT_ENGINE_H

#include "base/thread_pool.h"
#include "gradient/batch.h"
#include "model/parameters.h"

typedef struct gradient_engine gradient_engine;

/* Sizes every buffer for batches of at most `crops` crops of `crop_frames` mel frames. bf16:
 * products with bfloat16 operands (float32 accumulation, master weights and reductions). The pool
 * is borrowed. */
lull_status gradient_engine_new(const model_config *config, int crops, int crop_frames, bool bf16,
                                thread_pool *pool, gradient_engine **engine, lull_error *error);
void gradient_engine_free(gradient_engine *engine);

/* Mel frames of context that a crop needs on each side: a crop's mel is crop_frames + 2 × margin
 * frames. */
int gradient_engine_margin(const model_config *config);

/* parameters, gradient: flat arrays laid out as model_parameters->data; gradient is overwritten
 * (padding 0). NULL gradient: forward and loss only. losses: one a crop. */
void gradient_engine_run(gradient_engine *engine, const model_parameters *parameters,
                         const gradient_engine_batch *batch, gradient_engine_loss loss,
                         void *context, double *losses, float *gradient);

void gradient_engine_on_ready(gradient_engine *engine, gradient_engine_ready ready, void *context);

void gradient_engine_time(gradient_engine *engine, bool on); /* also sets all to 0 */
gradient_engine_times gradient_engine_get_times(const gradient_engine *engine);

/* Floating-point operations of one crop's forward and backward, and bytes held. */
double gradient_engine_flops(const gradient_engine *engine);
size_t gradient_engine_bytes(const gradient_engine *engine);

#endif
