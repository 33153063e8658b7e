/* Forward and backward of the denoiser on crops. One crop runs start to end on one thread, so that
 * its activations stay in that core's cache; crops are summed in groups of fixed membership, so
 * that the result does not depend on the thread count. state.h has the names. */
#include "gradient/engine.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "gradient/conditioner.h"
#include "gradient/crop.h"
#include "gradient/embedding.h"
#include "gradient/gather.h"
#include "gradient/openblas.h"
#include "gradient/passes.h"
#include "gradient/state.h"
#include "gradient/weights.h"
#include "gradient/workspace.h"

int gradient_engine_margin(const model_config *config) {
    if (config->family == MODEL_DIFFWAVE) return 0;
    int right = config->conditioner_look_ahead, left = config->conditioner_kernel - 1 - right;
    return config->conditioner_layers * (left > right ? left : right) + 1;
}

/* Sizes of everything, from the configuration and the batch. */
static void lay_out(gradient_engine *e, const model_config *config, int crops, int crop_frames,
                    bool bf16_wanted) {
    e->config = *config;
    e->nn = nn_kernels_get();
    e->bf16 = bf16_wanted;
    e->act = bf16_wanted ? sizeof(bf16) : sizeof(float);
    e->crops = crops;
    e->crop_frames = crop_frames;
    e->margin = gradient_engine_margin(config);
    e->rows = crop_frames * model_config_frames_per_hop(config);
    e->c = config->channels;
    e->c2 = 2 * config->channels;
    e->groups = (crops + GRADIENT_GROUP_CROPS - 1) / GRADIENT_GROUP_CROPS;
    e->cond_right = config->conditioner_look_ahead;
    e->cond_left = config->conditioner_kernel - 1 - config->conditioner_look_ahead;
    for (int i = 0; i < config->layers; i++) {
        int left = (config->kernel - 1) * config->dilation[i] - config->look_ahead[i];
        if (left > e->pad_left) e->pad_left = left;
        if (config->look_ahead[i] > e->pad_right) e->pad_right = config->look_ahead[i];
    }
    e->padded = e->pad_left + e->rows + e->pad_right;
}

lull_status gradient_engine_new(const model_config *config, int crops, int crop_frames,
                                bool bf16_wanted, thread_pool *pool, gradient_engine **engine,
                                lull_error *error) {
    *engine = NULL;
    if (crops < 1 || crop_frames < 1)
        return base_fail(error, LULL_INVALID,
                         "a batch needs at least one crop of one frame (got %d of %d)", crops,
                         crop_frames);
    if (bf16_wanted && (config->channels % 2 || config->mel.bands % 2))
        return base_fail(
            error, LULL_INVALID,
            "bfloat16 training needs an even number of channels and bands (got %d and %d): "
            "use --precision f32",
            config->channels, config->mel.bands);
    if (config->conditioner_layers > 15)
        return base_fail(error, LULL_INVALID,
                         "the conditioner has %d layers; training takes at most 15",
                         config->conditioner_layers);
    lull_status blas = gradient_openblas_open(error);
    if (blas) return blas;
    gradient_engine *e = base_alloc(1, sizeof(*e));
    if (!e) return base_no_memory(error);
    bool ok = true;
    e->pool = pool;
    lay_out(e, config, crops, crop_frames, bf16_wanted);
    if (model_parameters_new(config, &e->shape, error)) {
        gradient_engine_free(e);
        return error ? error->status : LULL_NO_MEMORY;
    }
    gradient_weights_new(e, &ok);
    gradient_embedding_new(e, &ok);
    gradient_sums_new(e, &ok);
    e->work =
        gradient_take(&e->bytes, (size_t)thread_pool_size(pool), sizeof(gradient_workspace), &ok);
    for (int i = 0; ok && i < thread_pool_size(pool); i++)
        gradient_workspace_new(e, &e->work[i], &ok);
    if (!ok) {
        gradient_engine_free(e);
        return base_no_memory(error);
    }
    *engine = e;
    return LULL_OK;
}

void gradient_engine_free(gradient_engine *e) {
    if (!e) return;
    for (int i = 0; e->work && i < thread_pool_size(e->pool); i++)
        gradient_workspace_free(e, &e->work[i]);
    base_free(e->work);
    gradient_weights_free(e);
    gradient_embedding_free(e);
    gradient_sums_free(e);
    model_parameters_free(e->shape);
    base_free(e);
}

size_t gradient_engine_bytes(const gradient_engine *e) {
    return e->bytes;
}

double gradient_engine_flops(const gradient_engine *e) {
    const model_config *config = &e->config;
    double c = e->c, layer = c * 2 * c * (config->kernel + 1);
    if (config->family == MODEL_DIFFWAVE) layer += 2 * c * config->mel.bands;
    double row = layer * config->layers + c * c + c * (config->patch + model_config_input(config));
    double frame = 0;
    if (config->family == MODEL_LULL) {
        double width = config->conditioner_channels;
        frame = width * 2 * c * config->layers;
        for (int i = 0; i < config->conditioner_layers; i++)
            frame += gradient_cond_width(e, i) * width * config->conditioner_kernel;
    }
    return 3 * 2 * (row * e->rows + frame * e->crop_frames);
}

/* Rows of the network's input: a patch of x, then the same patch of the source. */
static void lay_input(const gradient_engine *e, const float *x, const float *source, float *input) {
    size_t patch = (size_t)e->config.patch;
    for (size_t r = 0; r < (size_t)e->rows; r++, input += 2 * patch) {
        memcpy(input, x + r * patch, patch * sizeof *input);
        memcpy(input + patch, source + r * patch, patch * sizeof *input);
    }
}

/* Crops group·GRADIENT_GROUP_CROPS …, summed into the group's gradient. */
static void group_task(void *context, int group, int worker) {
    gradient_engine *e = context;
    gradient_workspace *w = &e->work[worker];
    const gradient_engine_batch *batch = e->batch;
    size_t samples = (size_t)e->rows * (size_t)e->config.patch;
    size_t mel_size = (size_t)(e->crop_frames + 2 * e->margin) * (size_t)e->config.mel.bands;
    size_t steps = (size_t)e->config.layers * (size_t)e->c;
    if (e->backward) gradient_sums_clear(e, &e->group[group]);
    int first = group * GRADIENT_GROUP_CROPS, end = first + GRADIENT_GROUP_CROPS;
    if (end > batch->crops) end = batch->crops;
    double start = gradient_clock_start(e);
    for (int crop = first; crop < end; crop++) {
        const float *x = batch->x + (size_t)crop * samples,
                    *mel = batch->mel + (size_t)crop * mel_size;
        if (e->config.source) {
            lay_input(e, x, batch->source + (size_t)crop * samples, w->input);
            x = w->input;
        }
        gradient_crop_forward(e, w, crop, x, mel);
        e->losses[crop] = e->loss(e->loss_context, crop, w->u, w->du);
        if (!e->backward) continue;
        gradient_crop_backward(e, w, x, mel, &e->group[group], crop == end - 1);
        memcpy(e->dsteps + (size_t)crop * steps, w->step_gradient, steps * sizeof(float));
    }
    gradient_clock_stop(e, start, &w->times.total);
}

void gradient_engine_run(gradient_engine *e, const model_parameters *parameters,
                         const gradient_engine_batch *batch, gradient_engine_loss loss,
                         void *context, double *losses, float *gradient) {
    e->parameters = parameters;
    e->batch = batch;
    e->loss = loss;
    e->loss_context = context;
    e->losses = losses;
    e->backward = gradient != NULL;
    e->gradient = gradient;
    if (gradient) memset(gradient, 0, e->shape->size * sizeof(float));
    for (int i = 0; i < e->config.layers; i++) atomic_store(&e->layer_groups[i], 0);
    double start = gradient_clock_start(e);
    thread_pool_run(e->pool, e->config.layers + 1, gradient_pack_task, e);
    gradient_clock_stop(e, start, &e->times.packing);
    start = gradient_clock_start(e);
    gradient_embedding_forward(e);
    gradient_clock_stop(e, start, &e->times.embedding);
    thread_pool_run(e->pool, gradient_group_count(e), group_task, e);
    if (!gradient) return;
    start = gradient_clock_start(e);
    gradient_embedding_backward(e);
    gradient_clock_stop(e, start, &e->times.embedding);
    start = gradient_clock_start(e);
    thread_pool_run(e->pool, (int)e->shape->tensor_count, gradient_gather_task, e);
    gradient_clock_stop(e, start, &e->times.gathering);
}

void gradient_engine_time(gradient_engine *e, bool on) {
    const gradient_engine_times none = {0};
    e->timed = on;
    e->times = none;
    for (int i = 0; i < thread_pool_size(e->pool); i++) e->work[i].times = none;
}

gradient_engine_times gradient_engine_get_times(const gradient_engine *e) {
    gradient_engine_times sum = e->times;
    for (int i = 0; i < thread_pool_size(e->pool); i++) {
        const gradient_engine_times *times = &e->work[i].times;
        sum.products += times->products;
        sum.outers += times->outers;
        sum.gates += times->gates;
        sum.pairs += times->pairs;
        sum.total += times->total;
    }
    return sum;
}

void gradient_engine_on_ready(gradient_engine *e, gradient_engine_ready ready, void *context) {
    e->ready = ready;
    e->ready_context = context;
}
