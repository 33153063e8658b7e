/* Forward and backward of a network over frames (model/frame_network.h) on a batch of crops, for
 * training (lull train --part pitch, bandwidth). A crop is an utterance of its own: zeros around it, as in synthesis. Results do not
 * depend on the thread count. */
#ifndef GRADIENT_FRAME_NETWORK_H
#define GRADIENT_FRAME_NETWORK_H

#include "base/thread_pool.h"
#include "gradient/engine.h"
#include "model/frame_shape.h"
#include "model/parameters.h"

typedef struct gradient_frame_network gradient_frame_network;

/* For batches of at most `crops` crops of `frames` mel frames. shape and role: of
 * one of the configuration's networks. The pool is borrowed. */
lull_status gradient_frame_network_new(const model_config *config, const frame_shape *shape,
                                       model_role role, int crops, int frames, thread_pool *pool,
                                       gradient_frame_network **engine, lull_error *error);
void gradient_frame_network_free(gradient_frame_network *engine);

/* features: crops × frames × MEL_FEATURES. The loss gets the frames × outputs that the network
 * made of a crop. gradient as gradient_engine_run's: overwritten, 0 outside the
 * network; NULL: loss only. */
void gradient_frame_network_run(gradient_frame_network *engine, const model_parameters *parameters,
                                int crops, const float *features, gradient_engine_loss loss,
                                void *context, double *losses, float *gradient);

/* Floating-point operations of one crop's forward and backward, and bytes held. */
double gradient_frame_network_flops(const gradient_frame_network *engine);
size_t gradient_frame_network_bytes(const gradient_frame_network *engine);

#endif
