/* Forward and backward of the whole denoiser on a batch of crops: what training runs (src/train),
 * sharing the kernels of synthesis. Results do not depend on the thread count. */
#ifndef GRADIENT_ENGINE_H
#define GRADIENT_ENGINE_H

#include "base/thread_pool.h"
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

/* Loss of one crop: gets the prediction u (crop_frames × hop floats), writes du = ∂loss/∂u and
 * returns the loss. Called once a crop, from any thread of the pool. */
typedef double (*gradient_engine_loss)(void *context, int crop, const float *u, float *du);

typedef struct gradient_engine_batch {
    int crops;
    const float *x;      /* crops × (crop_frames·hop): network input */
    const double *t;     /* crops: network time */
    const float *mel;    /* crops × (crop_frames + 2·margin) × bands, convention units */
    const float *source; /* crops × (crop_frames·hop): where the network takes it, else not read */
} gradient_engine_batch;

/* parameters, gradient: flat arrays laid out as model_parameters->data; gradient is overwritten
 * (padding 0). NULL gradient: forward and loss only. losses: one a crop. */
void gradient_engine_run(gradient_engine *engine, const model_parameters *parameters,
                         const gradient_engine_batch *batch, gradient_engine_loss loss,
                         void *context, double *losses, float *gradient);

/* Called from any thread of the pool, as soon as a part of the gradient (count floats from offset)
 * is final while the backward pass goes on: what several machines exchange meanwhile. Parts not
 * announced are final when gradient_engine_run returns. NULL switches it off. */
typedef void (*gradient_engine_ready)(void *context, size_t offset, size_t count);
/* Whether a tensor's gradient is final, and announced, with its layer's backward pass. */
bool gradient_engine_is_early(const model_tensor *tensor);
void gradient_engine_on_ready(gradient_engine *engine, gradient_engine_ready ready, void *context);

/* Where the time goes, in seconds summed over threads since gradient_engine_time was switched on.
 */
typedef struct gradient_engine_times {
    double products; /* forward and backward by the inputs */
    double outers;   /* gradients of the weights */
    double gates;
    double pairs; /* sums and differences around the convolutions in pairs of rows */
    double packing, embedding, gathering;
    double total; /* of the crops, everything included; the rest is passes over memory */
} gradient_engine_times;
void gradient_engine_time(gradient_engine *engine, bool on); /* also sets all to 0 */
gradient_engine_times gradient_engine_get_times(const gradient_engine *engine);

/* Floating-point operations of one crop's forward and backward, and bytes held. */
double gradient_engine_flops(const gradient_engine *engine);
size_t gradient_engine_bytes(const gradient_engine *engine);

#endif
