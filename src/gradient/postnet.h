/* Forward and backward of the postnet on a batch of crops, for training (lull train --part
 * postnet). A crop is an utterance of its own: zeros around it, as in synthesis. Results do not
 * depend on the thread count. */
#ifndef GRADIENT_POSTNET_H
#define GRADIENT_POSTNET_H

#include "base/thread_pool.h"
#include "gradient/engine.h"

typedef struct gradient_postnet gradient_postnet;

/* For batches of at most `crops` crops of `frames` mel frames. The pool is borrowed. */
lull_status gradient_postnet_new(const model_config *config, int crops, int frames,
                                 thread_pool *pool, gradient_postnet **engine, lull_error *error);
void gradient_postnet_free(gradient_postnet *engine);

/* mel: crops × frames × bands, convention units. The loss gets the frames × bands that the postnet
 * made of a crop. gradient as gradient_engine_run's: overwritten, 0 outside the postnet; NULL: loss
 * only. */
void gradient_postnet_run(gradient_postnet *engine, const model_parameters *parameters, int crops,
                          const float *mel, gradient_engine_loss loss, void *context, double *losses,
                          float *gradient);

/* Floating-point operations of one crop's forward and backward, and bytes held. */
double gradient_postnet_flops(const gradient_postnet *engine);
size_t gradient_postnet_bytes(const gradient_postnet *engine);

#endif
