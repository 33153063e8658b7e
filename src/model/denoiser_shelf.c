/* Packed weights, kept with the model. */
#include "model/denoiser_shelf.h"

#include "base/error.h"
#include "base/memory.h"

#include <pthread.h>

struct denoiser_shelf {
    pthread_mutex_t lock;
    denoiser_weights *weights[2]; /* float32, bfloat16 */
};

lull_status denoiser_shelf_new(denoiser_shelf **shelf, lull_error *error) {
    *shelf = base_alloc(1, sizeof **shelf);
    if (!*shelf) return base_no_memory(error);
    pthread_mutex_init(&(*shelf)->lock, NULL);
    return LULL_OK;
}

void denoiser_shelf_free(denoiser_shelf *shelf) {
    if (!shelf) return;
    denoiser_weights_free(shelf->weights[0]);
    denoiser_weights_free(shelf->weights[1]);
    pthread_mutex_destroy(&shelf->lock);
    base_free(shelf);
}

lull_status denoiser_shelf_get(denoiser_shelf *shelf, const model_config *config,
                               const model_parameters *parameters, bool bf16,
                               const denoiser_weights **weights, lull_error *error) {
    lull_status status = LULL_OK;
    pthread_mutex_lock(&shelf->lock);
    denoiser_weights **place = &shelf->weights[bf16];
    if (!*place) status = denoiser_weights_new(config, parameters, bf16, place, error);
    *weights = *place;
    pthread_mutex_unlock(&shelf->lock);
    return status;
}
