/* Training the denoiser: crops of sound at a random diffusion time, the network's objective and the
 * multi-resolution STFT loss of the speech that a prediction stands for. */
#include <math.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"
#include "train/loss.h"
#include "train/part.h"
#include "train/streams.h"

typedef struct denoiser_part {
    const model_config *config;
    const train_settings *settings;
    gradient_engine *engine;
    size_t samples;         /* of a crop */
    train_stft_loss **stft; /* one a crop of the batch, or NULL */
    train_band_loss **band; /* the same */
    float *room;            /* crops × 3 × samples: two signals and a gradient */
    double *losses;
    /* The run at hand. */
    const train_batch *batch;
    float scale;
} denoiser_part;

/* ---- crops -------------------------------------------------------------------------------- */

double train_time(const diffusion_schedule *schedule, train_density density, double q) {
    if (schedule->kind == DIFFUSION_BETAS) {
        double step = floor(q * schedule->training_steps);
        return step < schedule->training_steps - 1 ? step : schedule->training_steps - 1;
    }
    switch (density) {
    case TRAIN_DENSITY_SINE: /* its distribution function: (1 − cos πt)/2 */
        return acos(1.0 - 2.0 * q) / M_PI;
    case TRAIN_DENSITY_START: /* t^(1/3) */
        return q * q * q;
    case TRAIN_DENSITY_UNIFORM:
        break;
    }
    return q;
}

/* x0 is in `x` and ε in `target`: both become what they are named after, in place. */
static void mix(const model_config *config, double t, float *x, float *target, size_t n) {
    diffusion_levels levels = diffusion_schedule_levels(&config->schedule, t);
    double target_x0, target_eps;
    diffusion_target(config->objective, levels, &target_x0, &target_eps);
    float a = (float)levels.a, s = (float)levels.s, p = (float)target_x0, q = (float)target_eps;
    for (size_t i = 0; i < n; i++) {
        float x0 = x[i], eps = target[i];
        x[i] = a * x0 + s * eps;
        target[i] = p * x0 + q * eps;
    }
}

static train_batch_sizes sizes(const model_config *config, const train_settings *settings) {
    size_t frames = (size_t)(settings->crop_frames + 2 * gradient_engine_margin(config));
    size_t samples = train_part_crop_samples(config, settings);
    return (train_batch_sizes){.x = samples,
                               .target = samples,
                               .mel = frames * (size_t)config->mel.bands,
                               .source = config->source ? samples : 0};
}

static lull_status fill(train_crops *crops, const model_config *config,
                        const train_settings *settings, const train_place *place,
                        train_batch *batch, lull_error *error) {
    size_t samples = batch->sizes.x;
    for (int i = 0; i < batch->crops; i++) {
        uint64_t index = place->first + (uint64_t)i;
        float *x = batch->x + (size_t)i * samples, *target = batch->target + (size_t)i * samples;
        train_crop crop;
        train_crops_choose(crops, index, &crop);
        float *mel = batch->mel + (size_t)i * batch->sizes.mel;
        lull_status status = train_crops_render(crops, &crop, x, mel, error);
        if (!status && config->source)
            status = train_crops_source(crops, &crop, mel, x,
                                        batch->source + (size_t)i * batch->sizes.source, error);
        if (status) return status;
        double q = (place->offset + i + random_uniform(settings->seed, TRAIN_STREAM_TIME, index)) /
                   place->strata;
        batch->t[i] = train_time(&config->schedule, (train_density)settings->density, q);
        random_normal(settings->seed, TRAIN_STREAM_NOISE, index * samples, target, samples);
        mix(config, batch->t[i], x, target, samples);
    }
    return LULL_OK;
}

/* ---- loss --------------------------------------------------------------------------------- */

/* The multi-resolution STFT loss of the speech that a prediction stands for, x0 = p·x + q·u. */
static double stft_term(const denoiser_part *p, int crop, const float *u, const float *target,
                        float *du) {
    size_t n = p->samples;
    const float *x = p->batch->x + (size_t)crop * n;
    float *guess = p->room + (size_t)crop * 3 * n, *truth = guess + n, *gradient = truth + n;
    double x0_x, x0_u, eps_x, eps_u;
    diffusion_recover(p->config->objective,
                      diffusion_schedule_levels(&p->config->schedule, p->batch->t[crop]), &x0_x,
                      &x0_u, &eps_x, &eps_u);
    float of_x = (float)x0_x, of_u = (float)x0_u;
    for (size_t i = 0; i < n; i++) {
        guess[i] = of_x * x[i] + of_u * u[i];
        truth[i] = of_x * x[i] + of_u * target[i];
        gradient[i] = 0.0f;
    }
    double loss = train_stft_loss_run(p->stft[crop], guess, truth, p->settings->stft, gradient);
    for (size_t i = 0; i < n; i++) du[i] += of_u * gradient[i];
    return loss;
}

static double crop_loss(void *context, int crop, const float *u, float *du) {
    const denoiser_part *p = context;
    const float *target = p->batch->target + (size_t)crop * p->samples;
    double loss = p->band != NULL ? train_band_loss_run(p->band[crop], u, target, du)
                                  : train_part_loss(p->settings, u, target, p->samples, du);
    if (p->stft != NULL) loss += stft_term(p, crop, u, target, du);
    for (size_t i = 0; i < p->samples; i++) du[i] *= p->scale;
    return loss;
}

/* ---- engine ------------------------------------------------------------------------------- */

static void destroy(void *engine) {
    denoiser_part *p = engine;
    if (p == NULL) return;
    gradient_engine_free(p->engine);
    for (int i = 0; p->stft != NULL && i < p->settings->batch; i++)
        train_stft_loss_free(p->stft[i]);
    for (int i = 0; p->band != NULL && i < p->settings->batch; i++)
        train_band_loss_free(p->band[i]);
    base_free(p->stft);
    base_free(p->band);
    base_free(p->room);
    base_free(p->losses);
    base_free(p);
}

static lull_status stft_losses_new(denoiser_part *p, lull_error *error) {
    size_t crops = (size_t)p->settings->batch;
    p->stft = base_alloc(crops, sizeof(train_stft_loss *));
    p->room = base_alloc(crops * 3 * p->samples, sizeof(float));
    lull_status status = p->stft && p->room ? LULL_OK : base_no_memory(error);
    for (size_t i = 0; i < crops && !status; i++)
        status = train_stft_loss_new(p->config->mel.sample_rate, p->samples, &p->stft[i], error);
    return status;
}

static lull_status band_losses_new(denoiser_part *p, lull_error *error) {
    size_t crops = (size_t)p->settings->batch;
    p->band = base_alloc(crops, sizeof(train_band_loss *));
    lull_status status = p->band ? LULL_OK : base_no_memory(error);
    for (size_t i = 0; i < crops && !status; i++)
        status = train_band_loss_new(p->config->mel.sample_rate, p->config->below_hz, p->samples,
                                     &p->band[i], error);
    return status;
}

static lull_status create(const model_config *config, const train_settings *settings,
                          thread_pool *pool, void **engine, lull_error *error) {
    denoiser_part *p = base_alloc(1, sizeof *p);
    *engine = p;
    if (p == NULL) return base_no_memory(error);
    p->config = config;
    p->settings = settings;
    p->samples = train_part_crop_samples(config, settings);
    p->losses = base_alloc((size_t)settings->batch, sizeof *p->losses);
    lull_status status = p->losses ? LULL_OK : base_no_memory(error);
    if (!status)
        status = gradient_engine_new(config, settings->batch, settings->crop_frames, settings->bf16,
                                     pool, &p->engine, error);
    if (!status && settings->stft > 0.0) status = stft_losses_new(p, error);
    if (!status && config->below_hz > 0.0) status = band_losses_new(p, error);
    return status;
}

static double run(void *engine, const model_parameters *weights, const train_batch *batch,
                  float scale, float *gradient) {
    denoiser_part *p = engine;
    const gradient_engine_batch given = {batch->crops, batch->x, batch->t, batch->mel,
                                         batch->source};
    double sum = 0.0;
    p->batch = batch;
    p->scale = scale;
    gradient_engine_run(p->engine, weights, &given, crop_loss, p, p->losses, gradient);
    for (int i = 0; i < batch->crops; i++) sum += p->losses[i];
    return sum;
}

static void on_ready(void *engine, gradient_engine_ready ready, void *context) {
    gradient_engine_on_ready(((denoiser_part *)engine)->engine, ready, context);
}

static double flops(const void *engine) {
    return gradient_engine_flops(((const denoiser_part *)engine)->engine);
}

static size_t bytes(const void *engine) {
    return gradient_engine_bytes(((const denoiser_part *)engine)->engine);
}

static void describe(const model_config *config, char *line, size_t size) {
    (void)config;
    if (size > 0) line[0] = '\0';
}

const train_part train_part_denoiser = {
    .part = MODEL_DENOISER,
    .rate = train_part_model_rate,
    .least_samples = train_part_crop_samples,
    .crop_seconds = train_part_crop_seconds,
    .new_crops = train_part_crops,
    .margin = gradient_engine_margin,
    .sizes = sizes,
    .fill = fill,
    .create = create,
    .destroy = destroy,
    .run = run,
    .on_ready = on_ready,
    .flops = flops,
    .bytes = bytes,
    .describe = describe,
};
