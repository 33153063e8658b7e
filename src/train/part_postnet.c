/* Training the postnet: crops of mels that were blurred as acoustic models blur them, and what they
 * were. */
#include <stdio.h>

#include "model/postnet.h"
#include "train/part_stack.h"

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

static lull_status create(const model_config *config, const train_settings *settings,
                          thread_pool *pool, void **engine, lull_error *error) {
    const model_frame_stack_shape shape = postnet_shape(config);
    return train_part_stack_new(&shape, config, settings, pool, train_part_loss, engine, error);
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
    .margin = train_part_stack_margin,
    .sizes = sizes,
    .fill = fill,
    .create = create,
    .destroy = train_part_stack_free,
    .run = train_part_stack_run,
    .flops = train_part_stack_flops,
    .bytes = train_part_stack_bytes,
    .describe = describe,
};
