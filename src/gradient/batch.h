/* What a gradient is made of, and whom it tells: batches of crops, their loss, what is final when,
 * and where the time goes. */
#ifndef GRADIENT_BATCH_H
#define GRADIENT_BATCH_H

#include "model/tensors.h"

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

/* Called from any thread of the pool, as soon as a part of the gradient (count floats from offset)
 * is final while the backward pass goes on: what several machines exchange meanwhile. Parts not
 * announced are final when gradient_engine_run returns. NULL switches it off. */
typedef void (*gradient_engine_ready)(void *context, size_t offset, size_t count);
/* Whether a tensor's gradient is final, and announced, with its layer's backward pass. */
static inline bool gradient_engine_is_early(const model_tensor *tensor) {
    return tensor->role == MODEL_DILATED_CONVOLUTION || tensor->role == MODEL_RESIDUAL_PROJECTION;
}

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

#endif
