/* Training the postnet: crops of mels that were blurred as acoustic models blur them, and what they
 * were. */
#include <stdio.h>

#include "base/error.h"
#include "base/memory.h"
#include "gradient/postnet.h"
#include "train/part.h"

typedef struct postnet_part {
    const train_settings *settings;
    gradient_postnet *engine;
    double *losses;
    /* The run at hand. */
    const train_batch *batch;
    float scale;
} postnet_part;

static int margin(const model_config *config) {
    (void)config;
    return 0;
}

static train_batch_sizes sizes(const model_config *config, const train_settings *settings) {
    size_t points = (size_t)settings->crop_frames * (size_t)config->mel.bands;
    return (train_batch_sizes){.target = points, .mel = points};
}

static lull_status fill(train_crops *crops, const model_config *config,
                        const train_settings *settings, const train_place *place,
                        train_batch *batch, lull_error *error) {
    (void)config;
    (void)settings;
    size_t points = batch->sizes.mel;
    lull_status status = LULL_OK;
    for (size_t i = 0; i < (size_t)batch->crops && !status; i++) {
        train_crop crop;
        train_crops_choose(crops, place->first + i, &crop);
        status = train_crops_mels(crops, &crop, batch->target + i * points, batch->mel + i * points,
                                  error);
    }
    return status;
}

static double crop_loss(void *context, int crop, const float *mended, float *gradient) {
    const postnet_part *p = context;
    size_t n = p->batch->sizes.target;
    double loss =
        train_part_loss(p->settings, mended, p->batch->target + (size_t)crop * n, n, gradient);
    for (size_t i = 0; i < n; i++) gradient[i] *= p->scale;
    return loss;
}

static void destroy(void *engine) {
    postnet_part *p = engine;
    if (p == NULL) return;
    gradient_postnet_free(p->engine);
    base_free(p->losses);
    base_free(p);
}

static lull_status create(const model_config *config, const train_settings *settings,
                          thread_pool *pool, void **engine, lull_error *error) {
    postnet_part *p = base_alloc(1, sizeof *p);
    *engine = p;
    if (p == NULL) return base_no_memory(error);
    p->settings = settings;
    p->losses = base_alloc((size_t)settings->batch, sizeof *p->losses);
    if (!p->losses) return base_no_memory(error);
    return gradient_postnet_new(config, settings->batch, settings->crop_frames, pool, &p->engine,
                                error);
}

static double run(void *engine, const model_parameters *weights, const train_batch *batch,
                  float scale, float *gradient) {
    postnet_part *p = engine;
    double sum = 0.0;
    p->batch = batch;
    p->scale = scale;
    gradient_postnet_run(p->engine, weights, batch->crops, batch->mel, crop_loss, p, p->losses,
                         gradient);
    for (int i = 0; i < batch->crops; i++) sum += p->losses[i];
    return sum;
}

static double flops(const void *engine) {
    return gradient_postnet_flops(((const postnet_part *)engine)->engine);
}

static size_t bytes(const void *engine) {
    return gradient_postnet_bytes(((const postnet_part *)engine)->engine);
}

static void describe(const model_config *config, char *line, size_t size) {
    snprintf(line, size,
             "training the postnet alone: %d convolutions of %d channels, %d frames of look-ahead",
             model_config_postnet_convolutions(config), config->postnet_channels,
             config->postnet_look_ahead);
}

const train_part train_part_postnet = {
    .part = MODEL_POSTNET,
    .rate = train_part_model_rate,
    .least_samples = train_part_crop_samples,
    .crop_seconds = train_part_crop_seconds,
    .new_crops = train_part_crops,
    .margin = margin,
    .sizes = sizes,
    .fill = fill,
    .create = create,
    .destroy = destroy,
    .run = run,
    .flops = flops,
    .bytes = bytes,
    .describe = describe,
};
