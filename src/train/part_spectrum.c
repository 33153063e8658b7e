/* Training the spectrum network: through the refinement that it guides, and on the magnitudes that
 * stood behind the mel, in many mel conventions. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"
#include "gradient/frame_stack.h"
#include "gradient/refinement.h"
#include "mel/envelope.h"
#include "mel/frame_features.h"
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
/* Of full scale: of bins whose envelope is fainter nothing is learned. */
static const double SILENT = 1e-5;

/* What is needed for crops of one convention, one at a time. */
typedef struct room {
    mel_convention convention;
    spectrum_points points;
    gradient_refinement *refinement;
    train_refined_loss *loss;
    mel_envelope *envelope;
    mel_stft *stft;                    /* of the recording */
    float *window, *open;              /* of frames of the low band; what they open with */
    float *samples, *by_samples;       /* refined, and the loss's gradient by them */
    float *said, *by_said;             /* at the bins of every frame, and the gradient by them */
    float *log_envelope, *target, *by; /* of a frame */
} room;

typedef struct spectrum_part {
    const train_settings *settings;
    int frames;
    gradient_frame_stack *stack;
    room *rooms; /* crop i of a run has number i modulo their count */
    int room_count;
    double *losses;
    /* The run at hand. */
    const train_batch *batch;
    float scale;
} spectrum_part;

/* ---- crops -------------------------------------------------------------------------------- */

/* The recording from the first sample of the crop's first frame to the last of its last; in a batch
 * its mel is behind it. */
static size_t recorded(const mel_convention *mel, int frames) {
    return (size_t)((frames - 1) * mel->hop + mel->n_fft);
}

static train_batch_sizes sizes(const model_config *config, const train_settings *settings) {
    const size_t frames = (size_t)settings->crop_frames;
    train_convention_pool pool = train_frame_recorded_pool(&config->mel, settings->conventions);
    train_batch_sizes most = {.mel = frames * MEL_FEATURES};
    mel_convention c;
    while (train_convention_pool_next(&pool, &c)) {
        const size_t target = recorded(&c, settings->crop_frames) + frames * (size_t)c.bands;
        if (target > most.target) most.target = target;
    }
    return most;
}

static lull_status fill(train_crops *crops, const model_config *config,
                        const train_settings *settings, const train_place *place,
                        train_batch *batch, lull_error *error) {
    train_frame_crops *frames = train_crops_frames(crops);
    lull_status status = LULL_OK;
    (void)config;
    for (size_t i = 0; i < (size_t)batch->crops && !status; i++) {
        const uint64_t index = place->first + i;
        const mel_convention *c = train_frame_crops_convention(frames, index);
        float *samples = batch->target + i * batch->sizes.target;
        batch->t[i] = (double)index;
        status = train_frame_crops_recorded(frames, index, batch->mel + i * batch->sizes.mel,
                                            samples + recorded(c, settings->crop_frames), samples,
                                            error);
    }
    return status;
}

/* The number of a crop in its run: those of a batch are in a row. */
static uint64_t index_of(const spectrum_part *p, int crop) {
    return (uint64_t)p->batch->t[0] + (uint64_t)crop;
}

/* ---- loss --------------------------------------------------------------------------------- */

/* On the magnitudes themselves: adds its gradient to that of what was said. */
static double on_magnitudes(const spectrum_part *p, room *w, const float *mel,
                            const float *recording) {
    const mel_convention *c = &w->convention;
    const size_t bins = (size_t)w->points.bins;
    const double silent = SILENT * c->window / 4; /* half of the window's sum is 1 */
    double sum = 0;
    for (size_t f = 0; f < (size_t)p->frames; f++) {
        const size_t at = 2 * f * bins;
        mel_envelope_log(w->envelope, mel + f * (size_t)c->bands, w->log_envelope);
        mel_stft_analyse(w->stft, recording + f * (size_t)c->hop);
        train_spectrum_target(w->stft->spectrum, w->log_envelope, w->points.bins, silent,
                              w->target);
        sum += train_spectrum_loss(w->said + at, w->target, bins, w->by);
        for (size_t k = 0; k < bins; k++)
            w->by_said[at + k] += (float)(SHARE / p->frames) * w->by[k];
    }
    return SHARE * sum / p->frames;
}

/* What frames open with: noise that one hardly hears, seen through the window twice. */
static void fill_open(const spectrum_part *p, room *w, uint64_t index) {
    static const float LEVEL = 1e-3f;
    const size_t size = (size_t)(w->convention.n_fft / mel_low_band_decimation(&w->convention));
    const size_t n = (size_t)p->frames * size;
    random_normal(p->settings->seed, STREAM_OPEN, index << 26, w->open, n);
    for (size_t i = 0; i < n; i++) w->open[i] *= LEVEL * w->window[i % size] * w->window[i % size];
}

/* On what refinement makes of them; the gradient of what was said is overwritten. */
static double through_refinement(const spectrum_part *p, room *w, uint64_t index, const float *mel,
                                 const float *recording) {
    const gradient_refinement_way *way = &ways[index / (uint64_t)p->room_count % WAYS];
    const int decimation = mel_low_band_decimation(&w->convention);
    const size_t all = gradient_refinement_samples(w->refinement, p->frames, way->window);
    const size_t early = (size_t)(SETTLED * w->convention.hop / decimation);
    fill_open(p, w, index);
    gradient_refinement_forward(w->refinement, way, p->frames, mel, w->said, w->open, w->samples);
    memset(w->by_samples, 0, early * sizeof *w->by_samples);
    const double loss =
        train_refined_loss_run(w->loss, w->samples + early, recording + early * (size_t)decimation,
                               all - early, w->by_samples + early);
    gradient_refinement_backward(w->refinement, w->by_samples, KEEP, LONGEST, w->by_said);
    return loss;
}

static double crop_loss(void *context, int crop, const float *made, float *gradient) {
    spectrum_part *p = context;
    const uint64_t index = index_of(p, crop);
    room *w = &p->rooms[index % (uint64_t)p->room_count];
    const train_batch *batch = p->batch;
    const float *recording = batch->target + (size_t)crop * batch->sizes.target;
    const float *mel = recording + recorded(&w->convention, p->frames);
    const size_t frames = (size_t)p->frames, width = 2 * (size_t)w->points.bins;
    double loss = 0;
    for (size_t f = 0; f < frames; f++)
        spectrum_points_to_bins(&w->points, made + f * SPECTRUM_OUTPUTS, w->said + f * width);
    if (batch->step > 0 && batch->step <= (uint64_t)p->settings->magnitudes)
        memset(w->by_said, 0, frames * width * sizeof *w->by_said);
    else
        loss = through_refinement(p, w, index, mel, recording);
    loss += on_magnitudes(p, w, mel, recording);
    for (size_t i = 0; i < frames * width; i++) w->by_said[i] *= p->scale;
    for (size_t f = 0; f < frames; f++)
        spectrum_points_gather(&w->points, w->by_said + f * width, gradient + f * SPECTRUM_OUTPUTS);
    return loss;
}

static double run(void *engine, const model_parameters *weights, const train_batch *batch,
                  float scale, float *gradient) {
    spectrum_part *p = engine;
    p->batch = batch;
    p->scale = scale;
    return train_part_stack_step(p->stack, weights, batch, crop_loss, p, p->losses, gradient);
}

/* ---- engine ------------------------------------------------------------------------------- */

/* The arrays of a room, which has its convention, and their floats. */
enum { ROOM_ARRAYS = 9 };
typedef struct room_array {
    float **at;
    size_t n;
} room_array;

static void room_arrays(const spectrum_part *p, room *w, room_array arrays[ROOM_ARRAYS]) {
    const mel_convention *c = &w->convention;
    const size_t frames = (size_t)p->frames, bins = (size_t)mel_low_band_bins(c);
    const size_t low = (size_t)(c->n_fft / mel_low_band_decimation(c));
    const size_t samples = frames * (size_t)(c->hop / mel_low_band_decimation(c));
    const room_array all[ROOM_ARRAYS] = {{&w->window, low},
                                         {&w->open, frames * low},
                                         {&w->samples, samples},
                                         {&w->by_samples, samples},
                                         {&w->said, 2 * frames * bins},
                                         {&w->by_said, 2 * frames * bins},
                                         {&w->log_envelope, (size_t)c->n_fft / 2 + 1},
                                         {&w->target, bins},
                                         {&w->by, bins}};
    memcpy(arrays, all, sizeof all);
}

static void room_clear(const spectrum_part *p, room *w) {
    room_array arrays[ROOM_ARRAYS];
    room_arrays(p, w, arrays);
    for (int i = 0; i < ROOM_ARRAYS; i++) base_free(*arrays[i].at);
    spectrum_points_clear(&w->points);
    gradient_refinement_free(w->refinement);
    train_refined_loss_free(w->loss);
    mel_envelope_free(w->envelope);
    mel_stft_free(w->stft);
}

static void destroy(void *engine) {
    spectrum_part *p = engine;
    if (p == NULL) return;
    gradient_frame_stack_free(p->stack);
    for (int i = 0; p->rooms && i < p->room_count; i++) room_clear(p, &p->rooms[i]);
    base_free(p->rooms);
    base_free(p->losses);
    base_free(p);
}

static lull_status room_init(const spectrum_part *p, room *w, lull_error *error) {
    const mel_convention *mel = &w->convention;
    const mel_stft_grid grid = mel_stft_grid_of(mel);
    const int decimation = mel_low_band_decimation(mel);
    const double edge = mel_low_band_edge(mel) - MEL_LOW_RAMP_HZ;
    room_array arrays[ROOM_ARRAYS];
    room_arrays(p, w, arrays);
    for (int i = 0; i < ROOM_ARRAYS; i++) {
        *arrays[i].at = base_alloc(arrays[i].n, sizeof(float));
        if (!*arrays[i].at) return base_no_memory(error);
    }
    mel_window_hann(mel->n_fft / decimation, w->window);
    lull_status status = gradient_refinement_new(mel, p->frames, MOST_ITERATIONS, MOST_WINDOW,
                                                 &w->refinement, error);
    if (!status)
        status =
            train_refined_loss_new(mel->sample_rate, decimation, edge,
                                   (size_t)(p->frames * (mel->hop / decimation)), &w->loss, error);
    if (!status) status = spectrum_points_init(mel, &w->points, error);
    if (!status) status = mel_envelope_new(mel, 0, &w->envelope, error);
    if (!status) status = mel_stft_new(&grid, MEL_STFT_FAST, &w->stft, error);
    return status;
}

/* The longest window of the loss must find room behind what does not count yet. */
static lull_status check_crops(const spectrum_part *p, lull_error *error) {
    const int least = MOST_WINDOW + SETTLED + 6;
    if (p->frames >= least) return LULL_OK;
    return base_fail(error, LULL_INVALID,
                     "crops of %d frames are too short for the spectrum network, which needs %d: "
                     "raise --crop-frames",
                     p->frames, least);
}

/* Whole rounds of the pool's conventions, so many that the crops of a batch, whose numbers are in a
 * row, find one each. */
static lull_status new_rooms(spectrum_part *p, const mel_convention *own, lull_error *error) {
    const train_convention_pool all = train_frame_recorded_pool(own, p->settings->conventions);
    train_convention_pool pool = all;
    mel_convention c;
    int conventions = 0;
    lull_status status = LULL_OK;
    while (train_convention_pool_next(&pool, &c)) conventions++;
    const int rounds = (p->settings->batch + conventions - 1) / conventions;
    p->room_count = rounds * conventions;
    p->rooms = base_alloc((size_t)p->room_count, sizeof *p->rooms);
    if (!p->rooms) return base_no_memory(error);
    for (int i = 0; i < p->room_count; i++) {
        if (i % conventions == 0) pool = all;
        train_convention_pool_next(&pool, &p->rooms[i].convention);
    }
    for (int i = 0; i < p->room_count && !status; i++) status = room_init(p, &p->rooms[i], error);
    return status;
}

static lull_status create(const model_config *config, const train_settings *settings,
                          thread_pool *pool, void **engine, lull_error *error) {
    const model_frame_stack_shape shape = spectrum_shape(config);
    spectrum_part *p = base_alloc(1, sizeof *p);
    *engine = p;
    if (p == NULL) return base_no_memory(error);
    p->settings = settings;
    p->frames = settings->crop_frames;
    p->losses = base_alloc((size_t)settings->batch, sizeof *p->losses);
    if (!p->losses) return base_no_memory(error);
    lull_status status = check_crops(p, error);
    if (!status) status = new_rooms(p, &config->mel, error);
    if (status) return status;
    return gradient_frame_stack_new(&shape, config, settings->batch, settings->crop_frames, pool,
                                    &p->stack, error);
}

static double flops(const void *engine) {
    return gradient_frame_stack_flops(((const spectrum_part *)engine)->stack);
}

static size_t bytes(const void *engine) {
    const spectrum_part *p = engine;
    size_t sum = gradient_frame_stack_bytes(p->stack);
    for (int i = 0; i < p->room_count; i++) {
        room_array arrays[ROOM_ARRAYS];
        room_arrays(p, &p->rooms[i], arrays);
        for (int k = 0; k < ROOM_ARRAYS; k++) sum += arrays[k].n * sizeof(float);
        sum += gradient_refinement_bytes(p->rooms[i].refinement) +
               train_refined_loss_bytes(p->rooms[i].loss);
    }
    return sum;
}

static void describe(const model_config *config, char *line, size_t size) {
    snprintf(line, size,
             "training the spectrum network: %d convolutions of %d channels, through the "
             "iterations that it guides; for mels of any convention",
             config->spectrum_layers, config->spectrum_channels);
}

const train_part train_part_spectrum = {
    .part = MODEL_SPECTRUM,
    .rate = train_part_frames_rate,
    .least_samples = train_part_frames_samples,
    .crop_seconds = train_part_frames_seconds,
    .new_crops = train_part_frames_crops,
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
