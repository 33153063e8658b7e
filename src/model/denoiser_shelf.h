/* Where a model keeps its weights packed for synthesis: made when first wanted, then shared by all
 * its vocoders. */
#ifndef MODEL_DENOISER_SHELF_H
#define MODEL_DENOISER_SHELF_H

#include "model/denoiser_weights.h"

typedef struct denoiser_shelf denoiser_shelf;

lull_status denoiser_shelf_new(denoiser_shelf **shelf, lull_error *error);
void denoiser_shelf_free(denoiser_shelf *shelf);

/* The weights in the wanted precision, packed at the first call. Owned by the shelf. Any thread. */
lull_status denoiser_shelf_get(denoiser_shelf *shelf, const model_config *config,
                               const model_parameters *parameters, bool bf16,
                               const denoiser_weights **weights, lull_error *error);

#endif
