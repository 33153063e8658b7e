/* Training the pitch network: crops seen in many mel conventions, and what is true of their voice. */
#include <math.h>
#include <stdio.h>

#include "base/error.h"
#include "base/memory.h"
#include "gradient/pitch_network.h"
#include "mel/frame_features.h"
#include "train/part.h"

/* Its crops are labelled at this rate, which reaches as far as the bands of its features, and in the
 * mean their frames are about so far apart. */
enum { RATE = 24000 };
static const double HOP_SECONDS = 0.010;

typedef struct pitch_part {
    const train_settings *settings;
    gradient_pitch_network *engine;
    double *losses;
    /* The run at hand. */
    const train_batch *batch;
    float scale;
} pitch_part;

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
    const train_pitch_options pitch = {
        .seed = options->seed,
        .frames = options->frames,
        .drawn = settings->conventions,
        .level = options->gain_db * log(10) / 20,
        .speed = options->gain_db > 0 ? settings->speed : 0, /* validation: as they are */
        .degrade = options->degrade,
    };
    return train_crops_new_pitch(corpus, &pitch, crops, error);
}

static int margin(const model_config *config) {
    (void)config;
    return 0;
}

static train_batch_sizes sizes(const model_config *config, const train_settings *settings) {
    (void)config;
    const size_t frames = (size_t)settings->crop_frames;
    return (train_batch_sizes){.target = frames * PITCH_OUTPUTS, .mel = frames * MEL_FEATURES};
}

static lull_status fill(train_crops *crops, const model_config *config,
                        const train_settings *settings, const train_place *place,
                        train_batch *batch, lull_error *error) {
    (void)config;
    (void)settings;
    lull_status status = LULL_OK;
    for (size_t i = 0; i < (size_t)batch->crops && !status; i++)
        status = train_pitch_crops_render(train_crops_pitch(crops), place->first + i,
                                          batch->mel + i * batch->sizes.mel,
                                          batch->target + i * batch->sizes.target, error);
    return status;
}

static double crop_loss(void *context, int crop, const float *outputs, float *gradient) {
    const pitch_part *p = context;
    const size_t n = p->batch->sizes.target;
    const double loss = train_pitch_loss(outputs, p->batch->target + (size_t)crop * n,
                                         p->settings->crop_frames, gradient);
    for (size_t i = 0; i < n; i++) gradient[i] *= p->scale;
    return loss;
}

static void destroy(void *engine) {
    pitch_part *p = engine;
    if (p == NULL) return;
    gradient_pitch_network_free(p->engine);
    base_free(p->losses);
    base_free(p);
}

static lull_status create(const model_config *config, const train_settings *settings,
                          thread_pool *pool, void **engine, lull_error *error) {
    pitch_part *p = base_alloc(1, sizeof *p);
    *engine = p;
    if (p == NULL) return base_no_memory(error);
    p->settings = settings;
    p->losses = base_alloc((size_t)settings->batch, sizeof *p->losses);
    if (!p->losses) return base_no_memory(error);
    return gradient_pitch_network_new(config, settings->batch, settings->crop_frames, pool,
                                      &p->engine, error);
}

static double run(void *engine, const model_parameters *weights, const train_batch *batch,
                  float scale, float *gradient) {
    pitch_part *p = engine;
    double sum = 0.0;
    p->batch = batch;
    p->scale = scale;
    gradient_pitch_network_run(p->engine, weights, batch->crops, batch->mel, crop_loss, p,
                               p->losses, gradient);
    for (int i = 0; i < batch->crops; i++) sum += p->losses[i];
    return sum;
}

static double flops(const void *engine) {
    return gradient_pitch_network_flops(((const pitch_part *)engine)->engine);
}

static size_t bytes(const void *engine) {
    return gradient_pitch_network_bytes(((const pitch_part *)engine)->engine);
}

static void describe(const model_config *config, char *line, size_t size) {
    snprintf(line, size,
             "training the pitch network: %d convolutions of %d channels, %d frames of look-ahead; "
             "for mels of any convention",
             config->pitch_layers, config->pitch_channels, config->pitch_look_ahead);
}

const train_part train_part_pitch = {
    .part = MODEL_PITCH,
    .rate = rate,
    .least_samples = least_samples,
    .crop_seconds = crop_seconds,
    .new_crops = new_crops,
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
