/* Training the spectrum network: through the refinement that it guides, and on the magnitudes that
 * stood behind the mel. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"
#include "gradient/frame_stack.h"
#include "gradient/refinement.h"
#include "mel/envelope.h"
#include "mel/low_band.h"
#include "mel/stft.h"
#include "mel/window.h"
#include "model/spectrum.h"
#include "train/part_stack.h"
#include "train/refined_loss.h"
#include "train/spectrum_loss.h"

enum { STREAM_OPEN = 0x4c000100 };

/* Refinements that a crop goes through in turn: few iterations, as it is there that a guide tells;
 * with the window and the momentum that low latency and live have. */
static const gradient_refinement_way ways[] = {{8, 1, 0.7}, {6, 3, 0.9}, {10, 3, 0.9}};
enum { WAYS = sizeof ways / sizeof *ways, MOST_ITERATIONS = 10, MOST_WINDOW = 3 };
/* Turns until a crop, which begins in the middle of speech with nothing behind it, is as in
 * synthesis. */
enum { SETTLED = 6 };
/* Of the loss on magnitudes, beside that on what refinement makes of them. */
static const double SHARE = 0.1;
/* How the gradient through the iterations is kept in bounds (gradient/refinement.h). */
static const double KEEP = 0.5, LONGEST = 0.5;

/* What belongs to one crop of a batch at a time. */
typedef struct room {
    gradient_refinement *refinement;
    train_refined_loss *loss;
    mel_stft *stft;                            /* of the recording */
    float *samples, *by_samples;               /* refined, and the loss's gradient by them */
    float *log_envelope, *target, *by_outputs; /* of a frame */
} room;

typedef struct spectrum_part {
    const model_config *config;
    const train_settings *settings;
    int decimation, bins, frames, low_hop;
    double silent; /* a magnitude below which nothing is learned of a bin */
    mel_envelope *envelope;
    gradient_frame_stack *stack;
    room *rooms; /* one a crop */
    double *losses;
    /* The run at hand. */
    const train_batch *batch;
    float scale;
} spectrum_part;

/* The recording from the first sample of the crop's first frame to the last of its last. */
static size_t recorded(const mel_convention *mel, int frames) {
    return (size_t)((frames - 1) * mel->hop + mel->n_fft);
}

static train_batch_sizes sizes(const model_config *config, const train_settings *settings) {
    const mel_convention *mel = &config->mel;
    const size_t frames = (size_t)settings->crop_frames;
    return (train_batch_sizes){
        .x = frames * (size_t)(mel->n_fft / mel_low_band_decimation(mel)),
        .target = recorded(mel, settings->crop_frames),
        .mel = frames * (size_t)mel->bands,
    };
}

/* What frames open with: noise that one hardly hears, seen through the window twice. */
static void fill_open(const float *window, size_t size, uint64_t seed, uint64_t index, float *open,
                      size_t n) {
    static const float LEVEL = 1e-3f;
    random_normal(seed, STREAM_OPEN, index * n, open, n);
    for (size_t i = 0; i < n; i++) open[i] *= LEVEL * window[i % size] * window[i % size];
}

static lull_status fill(train_crops *crops, const model_config *config,
                        const train_settings *settings, const train_place *place,
                        train_batch *batch, lull_error *error) {
    const int size = config->mel.n_fft / mel_low_band_decimation(&config->mel);
    float *window = base_alloc((size_t)size, sizeof *window);
    lull_status status = window ? LULL_OK : base_no_memory(error);
    if (window) mel_window_hann(size, window);
    for (size_t i = 0; i < (size_t)batch->crops && !status; i++) {
        const uint64_t index = place->first + i;
        train_crop crop;
        train_crops_choose(crops, index, &crop);
        status = train_crops_recorded(crops, &crop, batch->mel + i * batch->sizes.mel,
                                      batch->target + i * batch->sizes.target, error);
        fill_open(window, (size_t)size, settings->seed, index, batch->x + i * batch->sizes.x,
                  batch->sizes.x);
        batch->t[i] = (double)(index % WAYS);
    }
    base_free(window);
    return status;
}

/* ---- loss --------------------------------------------------------------------------------- */

/* On the magnitudes themselves: adds its gradient to that of the outputs. */
static double on_magnitudes(const spectrum_part *p, room *w, const float *mel,
                            const float *recording, const float *made, float *gradient) {
    const mel_convention *convention = &p->config->mel;
    const size_t bins = (size_t)p->bins;
    double sum = 0;
    for (size_t f = 0; f < (size_t)p->frames; f++) {
        const size_t at = 2 * f * bins;
        mel_envelope_log(p->envelope, mel + f * (size_t)convention->bands, w->log_envelope);
        mel_stft_analyse(w->stft, recording + f * (size_t)convention->hop);
        train_spectrum_target(w->stft->spectrum, w->log_envelope, p->bins, p->silent, w->target);
        sum += train_spectrum_loss(made + at, w->target, bins, w->by_outputs);
        for (size_t k = 0; k < bins; k++)
            gradient[at + k] += (float)(SHARE / p->frames) * w->by_outputs[k];
    }
    return SHARE * sum / p->frames;
}

/* On what refinement makes of them; the gradient of the outputs is overwritten. */
static double through_refinement(const spectrum_part *p, room *w, int crop, const float *made,
                                 float *gradient) {
    const train_batch *batch = p->batch;
    const float *mel = batch->mel + (size_t)crop * batch->sizes.mel;
    const float *recording = batch->target + (size_t)crop * batch->sizes.target;
    const gradient_refinement_way *way = &ways[(int)batch->t[crop] % WAYS];
    gradient_refinement_forward(w->refinement, way, p->frames, mel, made,
                                batch->x + (size_t)crop * batch->sizes.x, w->samples);
    const size_t all = gradient_refinement_samples(w->refinement, p->frames, way->window);
    const size_t early = (size_t)(SETTLED * p->low_hop);
    memset(w->by_samples, 0, early * sizeof *w->by_samples);
    const double loss = train_refined_loss_run(w->loss, w->samples + early,
                                               recording + early * (size_t)p->decimation,
                                               all - early, w->by_samples + early);
    gradient_refinement_backward(w->refinement, w->by_samples, KEEP, LONGEST, gradient);
    return loss;
}

static double crop_loss(void *context, int crop, const float *made, float *gradient) {
    spectrum_part *p = context;
    room *w = &p->rooms[crop];
    const train_batch *batch = p->batch;
    const float *mel = batch->mel + (size_t)crop * batch->sizes.mel;
    const float *recording = batch->target + (size_t)crop * batch->sizes.target;
    const size_t n = 2 * (size_t)p->bins * (size_t)p->frames;
    double loss = 0;
    if (batch->step > 0 && batch->step <= (uint64_t)p->settings->magnitudes)
        memset(gradient, 0, n * sizeof *gradient);
    else
        loss = through_refinement(p, w, crop, made, gradient);
    loss += on_magnitudes(p, w, mel, recording, made, gradient);
    for (size_t i = 0; i < n; i++) gradient[i] *= p->scale;
    return loss;
}

static double run(void *engine, const model_parameters *weights, const train_batch *batch,
                  float scale, float *gradient) {
    spectrum_part *p = engine;
    double sum = 0.0;
    p->batch = batch;
    p->scale = scale;
    gradient_frame_stack_run(p->stack, weights, batch->crops, batch->mel, crop_loss, p, p->losses,
                             gradient);
    for (int i = 0; i < batch->crops; i++) sum += p->losses[i];
    return sum;
}

/* ---- engine ------------------------------------------------------------------------------- */

static void destroy(void *engine) {
    spectrum_part *p = engine;
    if (p == NULL) return;
    gradient_frame_stack_free(p->stack);
    mel_envelope_free(p->envelope);
    for (int i = 0; p->rooms && i < p->settings->batch; i++) {
        room *w = &p->rooms[i];
        gradient_refinement_free(w->refinement);
        train_refined_loss_free(w->loss);
        mel_stft_free(w->stft);
        base_free(w->samples);
        base_free(w->by_samples);
        base_free(w->log_envelope);
        base_free(w->target);
        base_free(w->by_outputs);
    }
    base_free(p->rooms);
    base_free(p->losses);
    base_free(p);
}

static lull_status room_new(const spectrum_part *p, room *w, lull_error *error) {
    const mel_convention *mel = &p->config->mel;
    const mel_stft_grid grid = mel_stft_grid_of(mel);
    const size_t bins = (size_t)p->bins;
    const double edge = mel_low_band_edge(mel) - MEL_LOW_RAMP_HZ;
    lull_status status = gradient_refinement_new(mel, p->frames, MOST_ITERATIONS, MOST_WINDOW,
                                                 &w->refinement, error);
    if (status) return status;
    const size_t samples = gradient_refinement_samples(w->refinement, p->frames, 0);
    status =
        train_refined_loss_new(mel->sample_rate, p->decimation, edge, samples, &w->loss, error);
    if (!status) status = mel_stft_new(&grid, MEL_STFT_FAST, &w->stft, error);
    if (status) return status;
    w->samples = base_alloc(samples, sizeof(float));
    w->by_samples = base_alloc(samples, sizeof(float));
    w->log_envelope = base_alloc((size_t)mel->n_fft / 2 + 1, sizeof(float));
    w->target = base_alloc(bins, sizeof(float));
    w->by_outputs = base_alloc(bins, sizeof(float));
    const bool whole = w->samples && w->by_samples && w->log_envelope && w->target && w->by_outputs;
    return whole ? LULL_OK : base_no_memory(error);
}

/* The longest window of the loss must find room behind what does not count yet. */
static lull_status check_crops(const spectrum_part *p, lull_error *error) {
    const mel_convention *mel = &p->config->mel;
    const int least = MOST_WINDOW + SETTLED + 1 + (int)ceil(0.05 * mel->sample_rate / mel->hop);
    if (p->frames >= least) return LULL_OK;
    return base_fail(error, LULL_INVALID,
                     "crops of %d frames are too short for the spectrum network, which needs %d: "
                     "raise --crop-frames",
                     p->frames, least);
}

static lull_status create(const model_config *config, const train_settings *settings,
                          thread_pool *pool, void **engine, lull_error *error) {
    const mel_convention *mel = &config->mel;
    const model_frame_stack_shape shape = spectrum_shape(config);
    spectrum_part *p = base_alloc(1, sizeof *p);
    *engine = p;
    if (p == NULL) return base_no_memory(error);
    p->config = config;
    p->settings = settings;
    p->decimation = mel_low_band_decimation(mel);
    p->bins = mel_low_band_bins(mel);
    p->frames = settings->crop_frames;
    p->low_hop = mel->hop / p->decimation;
    p->silent = 1e-5 * mel->window / 4; /* of full scale: half of the window's sum is 1 */
    p->losses = base_alloc((size_t)settings->batch, sizeof *p->losses);
    p->rooms = base_alloc((size_t)settings->batch, sizeof *p->rooms);
    if (!p->losses || !p->rooms) return base_no_memory(error);
    lull_status status = check_crops(p, error);
    if (!status) status = mel_envelope_new(mel, 0, &p->envelope, error);
    for (int i = 0; i < settings->batch && !status; i++) status = room_new(p, &p->rooms[i], error);
    if (status) return status;
    return gradient_frame_stack_new(&shape, config, settings->batch, settings->crop_frames, pool,
                                    &p->stack, error);
}

static double flops(const void *engine) {
    return gradient_frame_stack_flops(((const spectrum_part *)engine)->stack);
}

static size_t bytes(const void *engine) {
    const spectrum_part *p = engine;
    const room *w = &p->rooms[0];
    return gradient_frame_stack_bytes(p->stack) +
           (size_t)p->settings->batch *
               (gradient_refinement_bytes(w->refinement) + train_refined_loss_bytes(w->loss));
}

static void describe(const model_config *config, char *line, size_t size) {
    snprintf(line, size,
             "training the spectrum network: %d convolutions of %d channels, through the "
             "iterations that it guides",
             config->spectrum_layers, config->spectrum_channels);
}

const train_part train_part_spectrum = {
    .part = MODEL_SPECTRUM,
    .rate = train_part_model_rate,
    .least_samples = train_part_crop_samples,
    .crop_seconds = train_part_crop_seconds,
    .new_crops = train_part_crops,
    .margin = train_part_stack_margin,
    .sizes = sizes,
    .fill = fill,
    .create = create,
    .destroy = destroy,
    .run = run,
    .flops = flops,
    .bytes = bytes,
    .describe = describe,
};
