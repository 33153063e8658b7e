/* Training the networks over frames, of the pitch and of the bandwidth: crops seen in many mel
 * conventions, and what is true of their voice, or of the sound above them. */
#include <math.h>
#include <stdio.h>

#include "mel/frame_features.h"
#include "train/bandwidth_target.h"
#include "train/part_stack.h"
#include "train/pitch_target.h"

/* Targets are measured at this rate, which reaches as far as the features, and in the mean
 * their frames are about so far apart. */
enum { RATE = 24000 };
static const double HOP_SECONDS = 0.010;

static train_frame_target target_of(const train_settings *settings) {
    return settings->part == TRAIN_BANDWIDTH  ? TRAIN_FRAME_BANDWIDTH
           : settings->part == TRAIN_SPECTRUM ? TRAIN_FRAME_RECORDED
                                              : TRAIN_FRAME_PITCH;
}

int train_part_frames_rate(const model_config *config) {
    (void)config;
    return RATE;
}

/* A crop that is longer than its recording has silence beside it. */
size_t train_part_frames_samples(const model_config *config, const train_settings *settings) {
    (void)config;
    (void)settings;
    return RATE / 4;
}

double train_part_frames_seconds(const model_config *config, const train_settings *settings) {
    (void)config;
    return HOP_SECONDS * settings->crop_frames;
}

lull_status train_part_frames_crops(const model_config *config, const train_settings *settings,
                                    train_corpus *corpus, const train_crops_options *options,
                                    train_crops **crops, lull_error *error) {
    const train_frame_options of_frames = {
        .target = target_of(settings),
        .seed = options->seed,
        .frames = options->frames,
        .drawn = settings->conventions,
        .level = options->gain_db * log(10) / 20,
        .speed = options->gain_db > 0 ? settings->speed : 0, /* validation: as they are */
        .degrade = options->degrade,
        .own = &config->mel,
    };
    return train_crops_new_frames(corpus, &of_frames, crops, error);
}

static train_batch_sizes sizes(const model_config *config, const train_settings *settings) {
    (void)config;
    const size_t frames = (size_t)settings->crop_frames;
    const size_t outputs = (size_t)train_frame_outputs(target_of(settings));
    return (train_batch_sizes){.target = frames * outputs, .mel = frames * MEL_FEATURES};
}

static lull_status fill(train_crops *crops, const model_config *config,
                        const train_settings *settings, const train_place *place,
                        train_batch *batch, lull_error *error) {
    (void)config;
    (void)settings;
    lull_status status = LULL_OK;
    for (size_t i = 0; i < (size_t)batch->crops && !status; i++)
        status = train_frame_crops_render(train_crops_frames(crops), place->first + i,
                                          batch->mel + i * batch->sizes.mel,
                                          batch->target + i * batch->sizes.target, error);
    return status;
}

static double pitch_loss(const train_settings *settings, const float *outputs, const float *target,
                         size_t n, float *gradient) {
    (void)n;
    return train_pitch_loss(outputs, target, settings->crop_frames, gradient);
}

static double bandwidth_loss(const train_settings *settings, const float *outputs,
                             const float *target, size_t n, float *gradient) {
    (void)n;
    return train_bandwidth_loss(outputs, target, settings->crop_frames, gradient);
}

static lull_status create(const model_config *config, const train_settings *settings,
                          thread_pool *pool, void **engine, lull_error *error) {
    const bool above = target_of(settings) == TRAIN_FRAME_BANDWIDTH;
    const model_frame_stack_shape shape =
        above ? bandwidth_shape(config) : pitch_network_shape(config);
    return train_part_stack_new(&shape, config, settings, pool, above ? bandwidth_loss : pitch_loss,
                                engine, error);
}

static void describe_pitch(const model_config *config, char *line, size_t size) {
    snprintf(line, size,
             "training the pitch network: %d convolutions of %d channels, %d frames of look-ahead; "
             "for mels of any convention",
             config->pitch_layers, config->pitch_channels, config->pitch_look_ahead);
}

static void describe_bandwidth(const model_config *config, char *line, size_t size) {
    snprintf(line, size,
             "training the bandwidth network: %d convolutions of %d channels; for mels of any "
             "convention that ends below 12 kHz",
             config->bandwidth_layers, config->bandwidth_channels);
}

#define OF_FRAMES(which, describes)                                                                \
    {                                                                                              \
        .part = which, .rate = train_part_frames_rate, .least_samples = train_part_frames_samples, \
        .crop_seconds = train_part_frames_seconds, .new_crops = train_part_frames_crops,           \
        .margin = train_part_stack_margin, .sizes = sizes, .fill = fill, .create = create,         \
        .destroy = train_part_stack_free, .run = train_part_stack_run,                             \
        .flops = train_part_stack_flops, .bytes = train_part_stack_bytes, .describe = describes    \
    }

const train_part train_part_pitch = OF_FRAMES(MODEL_PITCH, describe_pitch);
const train_part train_part_bandwidth = OF_FRAMES(MODEL_BANDWIDTH, describe_bandwidth);
