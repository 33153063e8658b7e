/* Forward and backward of the pitch network on a batch of crops, for training (lull train --part
 * pitch). A crop is an utterance of its own: zeros around it, as in synthesis. Results do not
 * depend on the thread count. */
#ifndef GRADIENT_PITCH_NETWORK_H
#define GRADIENT_PITCH_NETWORK_H

#include "base/thread_pool.h"
#include "gradient/engine.h"

typedef struct gradient_pitch_network gradient_pitch_network;

/* For batches of at most `crops` crops of `frames` mel frames. The pool is borrowed. */
lull_status gradient_pitch_network_new(const model_config *config, int crops, int frames,
                                       thread_pool *pool, gradient_pitch_network **engine,
                                       lull_error *error);
void gradient_pitch_network_free(gradient_pitch_network *engine);

/* features: crops × frames × MEL_FEATURES. The loss gets the frames × PITCH_OUTPUTS that the
 * network made of a crop. gradient as gradient_engine_run's: overwritten, 0 outside the pitch
 * network; NULL: loss only. */
void gradient_pitch_network_run(gradient_pitch_network *engine, const model_parameters *parameters,
                                int crops, const float *features, gradient_engine_loss loss,
                                void *context, double *losses, float *gradient);

/* Floating-point operations of one crop's forward and backward, and bytes held. */
double gradient_pitch_network_flops(const gradient_pitch_network *engine);
size_t gradient_pitch_network_bytes(const gradient_pitch_network *engine);

#endif
