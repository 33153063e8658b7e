/* Forward and backward of the whole denoiser on a batch of crops: what training runs (src/train),
 * sharing the kernels of synthesis. Results do not depend on the thread count. */
#ifndef MODEL_GRADIENT_H
#define MODEL_GRADIENT_H

#include "base/thread_pool.h"
#include "model/parameters.h"

typedef struct model_gradient model_gradient;

/* Sizes every buffer for batches of at most `crops` crops of `crop_frames` mel frames. bf16:
 * products with bfloat16 operands (float32 accumulation, master weights and reductions). The pool
 * is borrowed. */
lull_status model_gradient_new(const model_config *config, int crops, int crop_frames, bool bf16,
                               thread_pool *pool, model_gradient **engine, lull_error *error);
void model_gradient_free(model_gradient *engine);

/* Mel frames of context that a crop needs on each side: a crop's mel is crop_frames + 2 × margin
 * frames. */
int model_gradient_margin(const model_config *config);

/* Loss of one crop: gets the prediction u (crop_frames × hop floats), writes du = ∂loss/∂u and
 * returns the loss. Called once a crop, from any thread of the pool. */
typedef double (*model_gradient_loss)(void *context, int crop, const float *u, float *du);

typedef struct model_gradient_batch {
    int crops;
    const float *x;   /* crops × (crop_frames·hop): network input */
    const double *t;  /* crops: network time */
    const float *mel; /* crops × (crop_frames + 2·margin) × bands, convention units */
} model_gradient_batch;

/* parameters, gradient: flat arrays laid out as model_parameters->data; gradient is overwritten
 * (padding 0). NULL gradient: forward and loss only. losses: one a crop. */
void model_gradient_run(model_gradient *engine, const model_parameters *parameters,
                        const model_gradient_batch *batch, model_gradient_loss loss, void *context,
                        double *losses, float *gradient);

/* Called from any thread of the pool, as soon as a part of the gradient (count floats from offset)
 * is final while the backward pass goes on: what several machines exchange meanwhile. Parts not
 * announced are final when model_gradient_run returns. NULL switches it off. */
typedef void (*model_gradient_ready)(void *context, size_t offset, size_t count);
void model_gradient_on_ready(model_gradient *engine, model_gradient_ready ready, void *context);

/* Where the time goes, in seconds summed over threads since model_gradient_time was switched on. */
typedef struct model_gradient_times {
    double products; /* forward and backward by the inputs */
    double outers;   /* gradients of the weights */
    double gates;
    double pairs; /* sums and differences around the convolutions in pairs of rows */
    double packing, embedding, gathering;
    double total; /* of the crops, everything included; the rest is passes over memory */
} model_gradient_times;
void model_gradient_time(model_gradient *engine, bool on); /* also sets all to 0 */
model_gradient_times model_gradient_get_times(const model_gradient *engine);

/* Floating-point operations of one crop's forward and backward, and bytes held. */
double model_gradient_flops(const model_gradient *engine);
size_t model_gradient_bytes(const model_gradient *engine);

#endif
