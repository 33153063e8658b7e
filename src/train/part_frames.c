/* Training the networks over frames, of the pitch and of the bandwidth: crops seen in many mel
 * conventions, and what is true of their voice or of the sound above them. */
#include <math.h>
#include <stdio.h>

#include "base/error.h"
#include "base/memory.h"
#include "gradient/frame_network.h"
#include "mel/frame_features.h"
#include "train/bandwidth_target.h"
#include "train/part.h"
#include "train/pitch_target.h"

/* Its crops are labelled at this rate, which reaches as far as the bands of its features, and in the
 * mean their frames are about so far apart. */
enum { RATE = 24000 };
static const double HOP_SECONDS = 0.010;

/* What the two differ in. */
typedef struct frames_kind {
    train_frame_target target;
    frame_shape (*shape)(const model_config *config);
    model_role role;
    double (*loss)(const float *outputs, const float *targets, int frames, float *gradient);
} frames_kind;

static const frames_kind *kind_of(const train_settings *settings) {
    static const frames_kind pitch = {TRAIN_FRAME_PITCH, frame_shape_pitch, MODEL_PITCH_CONVOLUTION,
                                      train_pitch_loss};
    static const frames_kind above = {TRAIN_FRAME_BANDWIDTH, frame_shape_bandwidth,
                                      MODEL_BANDWIDTH_CONVOLUTION, train_bandwidth_loss};
    return settings->part == TRAIN_BANDWIDTH ? &above : &pitch;
}

typedef struct frames_part {
    const train_settings *settings;
    const frames_kind *kind;
    gradient_frame_network *engine;
    double *losses;
    /* The run at hand. */
    const train_batch *batch;
    float scale;
} frames_part;

static int rate(const model_config *config) {
    (void)config;
    return RATE;
}

/* A crop that is longer than its recording has silence beside it. */
static size_t least_samples(const model_config *config, const train_settings *settings) {
    (void)config;
    (void)settings;
    return RATE / 4;
}

static double crop_seconds(const model_config *config, const train_settings *settings) {
    (void)config;
    return HOP_SECONDS * settings->crop_frames;
}

static lull_status new_crops(const model_config *config, const train_settings *settings,
                             train_corpus *corpus, const train_crops_options *options,
                             train_crops **crops, lull_error *error) {
    (void)config;
    const train_frame_options of_frames = {
        .target = kind_of(settings)->target,
        .seed = options->seed,
        .frames = options->frames,
        .drawn = settings->conventions,
        .level = options->gain_db * log(10) / 20,
        .speed = options->gain_db > 0 ? settings->speed : 0, /* validation: as they are */
        .degrade = options->degrade,
    };
    return train_crops_new_frames(corpus, &of_frames, crops, error);
}

static int margin(const model_config *config) {
    (void)config;
    return 0;
}

static train_batch_sizes sizes(const model_config *config, const train_settings *settings) {
    (void)config;
    const size_t frames = (size_t)settings->crop_frames;
    const size_t outputs = (size_t)train_frame_outputs(kind_of(settings)->target);
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

static double crop_loss(void *context, int crop, const float *outputs, float *gradient) {
    const frames_part *p = context;
    const size_t n = p->batch->sizes.target;
    const double loss = p->kind->loss(outputs, p->batch->target + (size_t)crop * n,
                                      p->settings->crop_frames, gradient);
    for (size_t i = 0; i < n; i++) gradient[i] *= p->scale;
    return loss;
}

static void destroy(void *engine) {
    frames_part *p = engine;
    if (p == NULL) return;
    gradient_frame_network_free(p->engine);
    base_free(p->losses);
    base_free(p);
}

static lull_status create(const model_config *config, const train_settings *settings,
                          thread_pool *pool, void **engine, lull_error *error) {
    frames_part *p = base_alloc(1, sizeof *p);
    *engine = p;
    if (p == NULL) return base_no_memory(error);
    p->settings = settings;
    p->kind = kind_of(settings);
    p->losses = base_alloc((size_t)settings->batch, sizeof *p->losses);
    if (!p->losses) return base_no_memory(error);
    const frame_shape shape = p->kind->shape(config);
    return gradient_frame_network_new(config, &shape, p->kind->role, settings->batch,
                                      settings->crop_frames, pool, &p->engine, error);
}

static double run(void *engine, const model_parameters *weights, const train_batch *batch,
                  float scale, float *gradient) {
    frames_part *p = engine;
    double sum = 0.0;
    p->batch = batch;
    p->scale = scale;
    gradient_frame_network_run(p->engine, weights, batch->crops, batch->mel, crop_loss, p,
                               p->losses, gradient);
    for (int i = 0; i < batch->crops; i++) sum += p->losses[i];
    return sum;
}

static double flops(const void *engine) {
    return gradient_frame_network_flops(((const frames_part *)engine)->engine);
}

static size_t bytes(const void *engine) {
    return gradient_frame_network_bytes(((const frames_part *)engine)->engine);
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
        .part = which, .rate = rate, .least_samples = least_samples, .crop_seconds = crop_seconds, \
        .new_crops = new_crops, .margin = margin, .sizes = sizes, .fill = fill, .create = create,  \
        .destroy = destroy, .run = run, .flops = flops, .bytes = bytes, .describe = describes      \
    }

const train_part train_part_pitch = OF_FRAMES(MODEL_PITCH, describe_pitch);
const train_part train_part_bandwidth = OF_FRAMES(MODEL_BANDWIDTH, describe_bandwidth);
