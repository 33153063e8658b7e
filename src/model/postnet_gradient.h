/* Forward and backward of the postnet on a batch of crops, for training (lull train --part
 * postnet). A crop is an utterance of its own: zeros around it, as in synthesis. Results do not
 * depend on the thread count. */
#ifndef MODEL_POSTNET_GRADIENT_H
#define MODEL_POSTNET_GRADIENT_H

#include "base/thread_pool.h"
#include "model/gradient.h"

typedef struct postnet_gradient postnet_gradient;

/* For batches of at most `crops` crops of `frames` mel frames. The pool is borrowed. */
lull_status postnet_gradient_new(const model_config *config, int crops, int frames,
                                 thread_pool *pool, postnet_gradient **engine, lull_error *error);
void postnet_gradient_free(postnet_gradient *engine);

/* mel: crops × frames × bands, convention units. The loss gets the frames × bands that the postnet
 * made of a crop. gradient as model_gradient_run's: overwritten, 0 outside the postnet; NULL: loss
 * only. */
void postnet_gradient_run(postnet_gradient *engine, const model_parameters *parameters, int crops,
                          const float *mel, model_gradient_loss loss, void *context, double *losses,
                          float *gradient);

/* Floating-point operations of one crop's forward and backward, and bytes held. */
double postnet_gradient_flops(const postnet_gradient *engine);
size_t postnet_gradient_bytes(const postnet_gradient *engine);

#endif
