/* What a part of the model (lull train --part) is to training: which weights move, what its crops
 * are, and how a batch becomes losses and a gradient. A part is a row of the table in part.c and a
 * file part_NAME.c. */
#ifndef TRAIN_PART_H
#define TRAIN_PART_H

#include "base/thread_pool.h"
#include "gradient/engine.h"
#include "train/batch.h"
#include "train/crops.h"
#include "train/settings.h"

/* A crop's number and its place among the strata of a step's times. */
typedef struct train_place {
    uint64_t first; /* number of the batch's first crop in the run */
    int offset;     /* stratum of the first crop; crop i is in stratum offset + i … */
    int strata;     /* … of so many */
} train_place;

typedef struct train_part {
    model_part part; /* whose tensors move; the others stay as --init had them */

    /* Rate that the corpus is read at, shortest recording (samples) that is taken, and seconds of a
     * crop. */
    int (*rate)(const model_config *config);
    size_t (*least_samples)(const model_config *config, const train_settings *settings);
    double (*crop_seconds)(const model_config *config, const train_settings *settings);
    /* Crops of a corpus (at that rate), which is borrowed, as is config. */
    lull_status (*new_crops)(const model_config *config, const train_settings *settings,
                             train_corpus *corpus, const train_crops_options *options,
                             train_crops **crops, lull_error *error);

    /* Mel frames of context on each side of a crop. */
    int (*margin)(const model_config *config);
    train_batch_sizes (*sizes)(const model_config *config, const train_settings *settings);
    /* Fills a batch of batch->crops crops; a pure function of the settings' seed and the place. */
    lull_status (*fill)(train_crops *crops, const model_config *config,
                        const train_settings *settings, const train_place *place,
                        train_batch *batch, lull_error *error);

    /* The engine for batches of at most settings->batch crops; config, settings and pool are
     * borrowed. */
    lull_status (*create)(const model_config *config, const train_settings *settings,
                          thread_pool *pool, void **engine, lull_error *error);
    void (*destroy)(void *engine);
    /* Sum of the losses of a batch's crops; gradient (laid out like weights->data, overwritten,
     * 0 outside the part) is that of scale × the sum. NULL: evaluates alone. */
    double (*run)(void *engine, const model_parameters *weights, const train_batch *batch,
                  float scale, float *gradient);
    /* Parts of the gradient are told as they become final (NULL switches it off). May be NULL:
     * never told. */
    void (*on_ready)(void *engine, gradient_engine_ready ready, void *context);

    /* Floating-point operations of one crop's forward and backward; bytes held. */
    double (*flops)(const void *engine);
    size_t (*bytes)(const void *engine);
    /* What is said of it beside the network's own line; "" = nothing. */
    void (*describe)(const model_config *config, char *line, size_t size);
} train_part;

/* The part that settings->part names. */
const train_part *train_part_of(const train_settings *settings);

extern const train_part train_part_denoiser, train_part_postnet, train_part_pitch,
    train_part_bandwidth, train_part_spectrum;

/* Of parts whose crops are in the model's own convention. */
int train_part_model_rate(const model_config *config);
size_t train_part_crop_samples(const model_config *config, const train_settings *settings);
double train_part_crop_seconds(const model_config *config, const train_settings *settings);
lull_status train_part_crops(const model_config *config, const train_settings *settings,
                             train_corpus *corpus, const train_crops_options *options,
                             train_crops **crops, lull_error *error);

/* Of parts whose crops are in many conventions. */
int train_part_frames_rate(const model_config *config);
size_t train_part_frames_samples(const model_config *config, const train_settings *settings);
double train_part_frames_seconds(const model_config *config, const train_settings *settings);
lull_status train_part_frames_crops(const model_config *config, const train_settings *settings,
                                    train_corpus *corpus, const train_crops_options *options,
                                    train_crops **crops, lull_error *error);

/* L1 or L2 (settings->loss) between a prediction of n values and what it should be, and its
 * gradient. */
double train_part_loss(const train_settings *settings, const float *predicted, const float *target,
                       size_t n, float *gradient);

/* Network time from a place q in [0, 1): uniform, with density ∝ sin πt, or ∝ t^(-2/3) (start: half
 * of the times are below 1/8); a DDPM schedule's times are its steps. */
double train_time(const diffusion_schedule *schedule, train_density density, double q);

#endif
