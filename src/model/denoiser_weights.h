/* The denoiser's weights, packed for this CPU: once for every step and every vocoder. */
#ifndef MODEL_DENOISER_WEIGHTS_H
#define MODEL_DENOISER_WEIGHTS_H

#include "model/parameters.h"

typedef struct denoiser_weights denoiser_weights;

/* bf16: the large matrices in bfloat16. The configuration is copied, the parameters are borrowed. */
lull_status denoiser_weights_new(const model_config *config, const model_parameters *parameters,
                                 bool bf16, denoiser_weights **weights, lull_error *error);
void denoiser_weights_free(denoiser_weights *weights);
size_t denoiser_weights_bytes(const denoiser_weights *weights);

#endif
