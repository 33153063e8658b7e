/* Forward and backward of the denoiser on crops. One crop runs start to end on one thread, so that
 * its activations stay in that core's cache; crops are summed in groups of fixed membership, so
 * that the result does not depend on the thread count. internal.h has the names. */
#include "gradient/engine.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "model/embedding.h"
#include "gradient/internal.h"
#include "nn/openblas.h"

enum { GROUP_CROPS = 2 };

/* ---- set-up ------------------------------------------------------------------------------- */

int gradient_engine_margin(const model_config *config) {
    if (config->family == MODEL_DIFFWAVE) return 0;
    int right = config->conditioner_look_ahead, left = config->conditioner_kernel - 1 - right;
    return config->conditioner_layers * (left > right ? left : right) + 1;
}

static void *take(gradient_engine *e, size_t count, size_t size, bool *ok) {
    void *memory = base_alloc(count, size);
    if (!memory) *ok = false;
    e->bytes += count * size;
    return memory;
}

static size_t packed_bytes(const gradient_engine *e, int k, int n, bool bf16_wanted) {
    return bf16_wanted ? e->nn->packed_bf16(k, n) * sizeof(bf16)
                       : e->nn->packed_f32(k, n) * sizeof(float);
}

static packed_pair pair_new(gradient_engine *e, int k, int n, int taps, bool bf16_wanted,
                            bool *ok) {
    packed_pair pair = {take(e, packed_bytes(e, taps * k, n, bf16_wanted), 1, ok),
                        take(e, packed_bytes(e, taps * n, k, bf16_wanted), 1, ok)};
    return pair;
}

static void pair_free(packed_pair *pair) {
    base_free(pair->forward);
    base_free(pair->backward);
}

static size_t largest(size_t a, size_t b) {
    return a > b ? a : b;
}

static size_t scratch_bytes(const gradient_engine *e) {
    const nn_kernels *nn = e->nn;
    size_t bytes = nn->outer_scratch(e->c2, e->c, e->rows);
    bytes = largest(bytes, nn->outer_scratch(e->c, e->c, e->rows));
    bytes = largest(bytes, nn->outer_scratch(e->c, model_config_input(&e->config), e->rows));
    bytes = largest(bytes, nn->outer_scratch(e->config.patch, e->c, e->rows));
    bytes = largest(bytes, nn->outer_scratch(e->c2, e->config.mel.bands, e->rows));
    if (e->config.family == MODEL_LULL) {
        int width = e->config.conditioner_channels, rows = gradient_cond_rows(e, 0);
        bytes = largest(bytes, nn->outer_scratch(e->c2, width, rows));
        bytes = largest(bytes, nn->outer_scratch(width, width, rows));
        bytes = largest(bytes, nn->outer_scratch(width, e->config.mel.bands, rows));
    }
    return bytes + 64;
}

static size_t gather_floats(const gradient_engine *e) {
    const model_config *config = &e->config;
    size_t c = (size_t)e->c, c2 = (size_t)e->c2, bands = (size_t)config->mel.bands;
    size_t floats =
        largest(c * c2 * (size_t)config->kernel, c * (size_t)model_config_input(config));
    if (config->family == MODEL_DIFFWAVE) return largest(floats, bands * c2);
    size_t width = (size_t)config->conditioner_channels;
    floats = largest(floats, largest(bands, width) * width * (size_t)config->conditioner_kernel);
    return largest(floats, width * c2 * (size_t)config->layers);
}

/* Plain layers keep their inputs, rows padded with zeros on both sides; paired ones keep what they
 * make of them, and take turns with two. */
static void convolution_inputs_new(gradient_engine *e, workspace *w, bool *ok) {
    size_t layers = (size_t)e->config.layers, c = (size_t)e->c, plain = 0;
    size_t rows = (size_t)e->padded * c, pairs = (size_t)(e->rows / 2) * MATRICES;
    for (int i = 0; i < e->config.layers; i++) plain += !e->layers[i].paired;
    w->y = take(e, layers, sizeof(*w->y), ok);
    w->pair_input = take(e, layers, sizeof(*w->pair_input), ok);
    w->y_memory = take(e, (plain + (plain < layers ? 2 : 0)) * rows, e->act, ok);
    if (plain > 0) w->dp = take(e, (size_t)e->padded * 2 * c, e->act, ok);
    if (plain < layers) {
        w->pair_memory = take(e, (layers - plain) * pairs * c, sizeof(float), ok);
        w->pair_dp = take(e, pairs * 2 * c, sizeof(float), ok);
        w->pair_dy = take(e, pairs * c, sizeof(float), ok);
    }
    if (!*ok) return;
    for (size_t i = 0, next = 2, paired = 0; i < layers; i++) {
        bool own = !e->layers[i].paired;
        size_t place = !own ? i % 2 : plain == layers ? i : next;
        next += own;
        w->y[i] = gradient_act_at(e, w->y_memory, place * rows);
        if (!own) w->pair_input[i] = w->pair_memory + paired++ * pairs * c;
    }
}

static void workspace_new(gradient_engine *e, workspace *w, bool *ok) {
    const model_config *config = &e->config;
    size_t rows = (size_t)e->rows, layers = (size_t)config->layers, c = (size_t)e->c,
           c2 = (size_t)e->c2;
    convolution_inputs_new(e, w, ok);
    w->z = take(e, layers * rows * c, e->act, ok);
    w->saved = take(e, layers * rows * c2, e->act, ok);
    w->dz = take(e, rows * c, sizeof(float), ok);
    w->skip_act = take(e, rows * c, e->act, ok);
    w->dhidden_act = take(e, rows * c, e->act, ok);
    w->x = take(e, rows * c, sizeof(float), ok);
    w->skip = take(e, rows * c, sizeof(float), ok);
    w->dres = e->bf16 ? take(e, rows * c, sizeof(bf16), ok) : w->x;
    w->dskip = e->bf16 ? take(e, rows * c, sizeof(bf16), ok) : w->skip;
    w->dskip_sum = take(e, c, sizeof(float), ok);
    w->hidden = take(e, rows * c, sizeof(float), ok);
    w->dhidden = take(e, rows * c, sizeof(float), ok);
    if (config->source)
        w->input = take(e, rows * (size_t)model_config_input(config), sizeof(float), ok);
    w->u = take(e, rows * (size_t)config->patch, sizeof(float), ok);
    w->du = take(e, rows * (size_t)config->patch, sizeof(float), ok);
    w->tile = take(e, largest(TILE * c2, PAIRS * (size_t)config->mel.bands), sizeof(float), ok);
    w->step_gradient = take(e, layers * c, sizeof(float), ok);
    w->scratch = take(e, scratch_bytes(e), 1, ok);
    w->gather = take(e, gather_floats(e), sizeof(float), ok);
    if (config->family == MODEL_LULL) {
        for (int i = 0; i <= config->conditioner_layers; i++) {
            w->cond[i] =
                take(e, (size_t)gradient_cond_rows(e, i) * (size_t)gradient_cond_width(e, i),
                     sizeof(float), ok);
            w->cond_pre[i] =
                take(e, (size_t)gradient_cond_rows(e, i) * (size_t)gradient_cond_width(e, i),
                     sizeof(float), ok);
        }
        size_t most = ((size_t)gradient_cond_rows(e, 0) + 2 * (size_t)config->conditioner_kernel) *
                      (size_t)config->conditioner_channels;
        w->dcond = take(e, most, sizeof(float), ok);
        w->dcond2 = take(e, most, sizeof(float), ok);
        size_t projected = (size_t)(e->crop_frames + 2) * layers * c2;
        w->cond_rows = take(e, projected, sizeof(float), ok);
        w->dcond_rows = take(e, projected, sizeof(float), ok);
    } else {
        size_t bands = (size_t)config->mel.bands, middle = (size_t)e->crop_frames * 16;
        w->up_mid = take(e, middle * bands, sizeof(float), ok);
        w->dup_mid = take(e, middle * bands, sizeof(float), ok);
        w->up = take(e, rows * bands, sizeof(float), ok);
        w->dup = take(e, rows * bands, sizeof(float), ok);
        w->up_act = take(e, rows * bands, e->act, ok);
        w->up_tile = take(e, TILE * bands, sizeof(float), ok);
    }
}

static void workspace_free(workspace *w, bool bf16_used) {
    void *owned[] = {w->y,      w->pair_input, w->y_memory,     w->pair_memory, w->z,
                     w->saved,  w->dp,         w->pair_dp,      w->pair_dy,     w->skip_act,
                     w->x,      w->skip,       w->hidden,       w->dhidden,     w->dhidden_act,
                     w->dz,     w->u,          w->du,           w->tile,        w->dcond,
                     w->dcond2, w->cond_rows,  w->up_mid,       w->dcond_rows,  w->up,
                     w->dup,    w->dup_mid,    w->up_act,       w->up_tile,     w->scratch,
                     w->gather, w->dskip_sum,  w->step_gradient};
    for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++) base_free(owned[i]);
    if (bf16_used) {
        base_free(w->dres);
        base_free(w->dskip);
    }
    for (int i = 0; i < 16; i++) {
        base_free(w->cond[i]);
        base_free(w->cond_pre[i]);
    }
}

static void weights_new(gradient_engine *e, bool *ok) {
    const model_config *config = &e->config;
    int c = e->c, c2 = e->c2, taps = config->kernel;
    e->layers = take(e, (size_t)config->layers, sizeof(layer_weights), ok);
    if (!e->layers) return;
    for (int i = 0; i < config->layers; i++) {
        e->layers[i].paired = gradient_can_pair(e, i);
        for (int m = 0; m < (e->layers[i].paired ? MATRICES : 1); m++)
            e->layers[i].dilated[m] =
                pair_new(e, c, c2, e->layers[i].paired ? 1 : taps, e->bf16, ok);
        e->layers[i].output = pair_new(e, c, c2, 1, e->bf16, ok);
        e->layers[i].bias = take(e, (size_t)c2, sizeof(float), ok);
        if (config->family == MODEL_DIFFWAVE)
            e->layers[i].conditioner = pair_new(e, config->mel.bands, c2, 1, e->bf16, ok);
    }
    e->input = pair_new(e, model_config_input(config), c, 1, false, ok);
    e->output = pair_new(e, c, config->patch, 1, false, ok);
    e->skip = pair_new(e, c, c, 1, e->bf16, ok);
    if (config->family == MODEL_LULL) {
        int width = config->conditioner_channels, all = config->layers * c2;
        for (int i = 0; i < config->conditioner_layers; i++)
            e->cond_conv[i] = pair_new(e, gradient_cond_width(e, i), width,
                                       config->conditioner_kernel, false, ok);
        e->cond_projection = pair_new(e, width, all, 1, false, ok);
        e->cond_projection_matrix = take(e, (size_t)all * (size_t)width, sizeof(float), ok);
    }
}

static size_t fourth_floats(const gradient_engine *e) {
    bool any = false;
    for (int i = 0; i < e->config.layers; i++) any |= e->layers[i].paired;
    return any ? (size_t)e->config.layers * (size_t)e->c2 * (size_t)e->c : 0;
}

static void embedding_new(gradient_engine *e, bool *ok) {
    size_t crops = (size_t)e->crops, hidden = (size_t)e->config.embedding_hidden;
    size_t steps = (size_t)e->config.layers * (size_t)e->c;
    e->embedding_input =
        take(e, crops * (size_t)model_config_embedding_inputs(&e->config), sizeof(float), ok);
    float **wide[] = {&e->pre1, &e->act1, &e->pre2, &e->act2, &e->dact2, &e->dact1};
    for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++)
        *wide[i] = take(e, crops * hidden, sizeof(float), ok);
    e->steps = take(e, crops * steps, sizeof(float), ok);
    e->dsteps = take(e, crops * steps, sizeof(float), ok);
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
    lull_status blas = nn_openblas_open(error);
    if (blas) return blas;
    gradient_engine *e = base_alloc(1, sizeof(*e));
    if (!e) return base_no_memory(error);
    bool ok = true;
    e->config = *config;
    e->nn = nn_kernels_get();
    e->pool = pool;
    e->bf16 = bf16_wanted;
    e->act = bf16_wanted ? sizeof(bf16) : sizeof(float);
    e->crops = crops;
    e->crop_frames = crop_frames;
    e->margin = gradient_engine_margin(config);
    e->rows = crop_frames * model_config_frames_per_hop(config);
    e->c = config->channels;
    e->c2 = 2 * config->channels;
    e->groups = (crops + GROUP_CROPS - 1) / GROUP_CROPS;
    e->cond_right = config->conditioner_look_ahead;
    e->cond_left = config->conditioner_kernel - 1 - config->conditioner_look_ahead;
    for (int i = 0; i < config->layers; i++) {
        int left = (config->kernel - 1) * config->dilation[i] - config->look_ahead[i];
        if (left > e->pad_left) e->pad_left = left;
        if (config->look_ahead[i] > e->pad_right) e->pad_right = config->look_ahead[i];
    }
    e->padded = e->pad_left + e->rows + e->pad_right;
    if (model_parameters_new(config, &e->shape, error)) {
        gradient_engine_free(e);
        return error ? error->status : LULL_NO_MEMORY;
    }
    weights_new(e, &ok);
    embedding_new(e, &ok);
    e->layer_groups = take(e, (size_t)config->layers, sizeof(*e->layer_groups), &ok);
    e->work = take(e, (size_t)thread_pool_size(pool), sizeof(workspace), &ok);
    for (int i = 0; ok && i < thread_pool_size(pool); i++) workspace_new(e, &e->work[i], &ok);
    e->group = take(e, (size_t)e->groups, sizeof(*e->group), &ok);
    for (int i = 0; ok && i < e->groups; i++) {
        e->group[i].gradient = take(e, e->shape->size, sizeof(float), &ok);
        e->group[i].fourth = take(e, fourth_floats(e), sizeof(float), &ok);
    }
    if (!ok) {
        gradient_engine_free(e);
        return base_no_memory(error);
    }
    *engine = e;
    return LULL_OK;
}

void gradient_engine_free(gradient_engine *e) {
    if (!e) return;
    for (int i = 0; e->layers && i < e->config.layers; i++) {
        for (int m = 0; m < MATRICES; m++) pair_free(&e->layers[i].dilated[m]);
        pair_free(&e->layers[i].output);
        pair_free(&e->layers[i].conditioner);
        base_free(e->layers[i].bias);
    }
    base_free(e->layers);
    pair_free(&e->input);
    pair_free(&e->output);
    pair_free(&e->skip);
    for (int i = 0; i < 16; i++) pair_free(&e->cond_conv[i]);
    pair_free(&e->cond_projection);
    base_free(e->cond_projection_matrix);
    for (int i = 0; e->work && i < thread_pool_size(e->pool); i++)
        workspace_free(&e->work[i], e->bf16);
    base_free(e->work);
    for (int i = 0; e->group && i < e->groups; i++) {
        base_free(e->group[i].gradient);
        base_free(e->group[i].fourth);
    }
    base_free(e->group);
    base_free(e->layer_groups);
    float *embedding[] = {e->embedding_input, e->pre1,   e->act1,  e->pre2, e->act2,
                          e->steps,           e->dsteps, e->dact2, e->dact1};
    for (size_t i = 0; i < sizeof(embedding) / sizeof(embedding[0]); i++) base_free(embedding[i]);
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

/* ---- one crop ----------------------------------------------------------------------------- */

static void crop_forward(gradient_engine *e, workspace *w, int crop, const float *x_in,
                         const float *mel) {
    const model_config *config = &e->config;
    const nn_kernels *nn = e->nn;
    int c = e->c, rows = e->rows, patch = config->patch, input = model_config_input(config);
    size_t values = (size_t)rows * (size_t)c;
    if (config->family == MODEL_LULL)
        gradient_conditioner_forward(e, w, mel);
    else
        gradient_upsampler_forward(e, w, mel);
    nn->product_f32(rows, c, input, 1, &x_in, (size_t)input, e->input.forward,
                    gradient_bias(e, MODEL_INPUT_PROJECTION, 0), false, w->x, (size_t)c);
    if (config->input_relu)
        for (size_t i = 0; i < values; i++) w->x[i] = w->x[i] > 0 ? w->x[i] : 0;
    memset(w->skip, 0, values * sizeof(float));
    gradient_first_input(e, w, crop);
    for (int i = 0; i < config->layers; i++) gradient_layer_forward(e, w, crop, i);
    float scale = (float)(1 / sqrt((double)config->layers));
    for (size_t i = 0; i < values; i++) w->skip[i] *= scale;
    gradient_store(e, w->skip, w->skip_act, values);
    const void *skip = w->skip_act;
    gradient_product(e, w, rows, c, c, 1, &skip, (size_t)c, e->skip.forward,
                     gradient_bias(e, MODEL_SKIP_PROJECTION, 0), false, w->hidden, (size_t)c);
    for (size_t i = 0; i < values; i++) w->hidden[i] = w->hidden[i] > 0 ? w->hidden[i] : 0;
    const float *hidden = w->hidden;
    nn->product_f32(rows, patch, c, 1, &hidden, (size_t)c, e->output.forward,
                    gradient_bias(e, MODEL_OUTPUT_PROJECTION, 0), false, w->u, (size_t)patch);
}

/* w->x holds the gradient by now. Where the DiffWave input projection was above zero (its ReLU) is
 * computed again from the input. */
static void input_backward(gradient_engine *e, workspace *w, const float *x_in, float *gradient) {
    int c = e->c, rows = e->rows, input = model_config_input(&e->config);
    float *dx = w->x;
    if (e->config.input_relu) {
        e->nn->product_f32(rows, c, input, 1, &x_in, (size_t)input, e->input.forward,
                           gradient_bias(e, MODEL_INPUT_PROJECTION, 0), false, w->hidden,
                           (size_t)c);
        for (size_t i = 0; i < (size_t)rows * (size_t)c; i++)
            if (w->hidden[i] <= 0) dx[i] = 0;
    }
    gradient_add_columns(gradient_bias_in(e, gradient, MODEL_INPUT_PROJECTION, 0), dx, rows, c,
                         (size_t)c);
    e->nn->outer_f32(rows, c, input, dx, (size_t)c, x_in, (size_t)input,
                     gradient_weight_in(e, gradient, MODEL_INPUT_PROJECTION, 0), (size_t)input,
                     w->scratch);
}

/* Groups of the batch at hand. */
static int group_count(const gradient_engine *e) {
    return (e->batch->crops + GROUP_CROPS - 1) / GROUP_CROPS;
}

/* Is this tensor tap-major in the groups' sums? */
static bool tap_major(const model_tensor *tensor) {
    return tensor->dimensions == 3 && tensor->shape[2] > 1;
}

/* Only embedding_backward writes the step embedding's tensors: groups have no part in them. */
static bool is_embedding(const model_tensor *tensor) {
    return tensor->role == MODEL_EMBEDDING_PROJECTION || tensor->role == MODEL_STEP_PROJECTION;
}

bool gradient_engine_is_early(const model_tensor *tensor) {
    return tensor->role == MODEL_DILATED_CONVOLUTION || tensor->role == MODEL_RESIDUAL_PROJECTION;
}

/* The fourth matrix of a paired layer, summed over the groups; the three lie in its place. */
static void gather_pairs(gradient_engine *e, int layer, float *taps) {
    size_t matrix = (size_t)e->c2 * (size_t)e->c, at = (size_t)layer * matrix;
    for (int g = 1; g < group_count(e); g++)
        gradient_add_columns(e->group[0].fourth + at, e->group[g].fourth + at, 1, (int)matrix,
                             matrix);
    gradient_combine_pairs(e, taps, e->group[0].fourth + at);
}

/* One tensor of the gradient, summed over the groups in their order, in PyTorch's layout. */
static void gather_tensor(gradient_engine *e, const model_tensor *tensor) {
    float *first = e->group[0].gradient + tensor->offset, *out = e->gradient + tensor->offset;
    for (int g = 1; g < group_count(e); g++) {
        const float *next = e->group[g].gradient + tensor->offset;
        for (size_t j = 0; j < tensor->count; j++) first[j] += next[j];
    }
    if (tensor->role == MODEL_DILATED_CONVOLUTION && !tensor->bias &&
        e->layers[tensor->index].paired)
        gather_pairs(e, tensor->index, first);
    if (!tap_major(tensor)) {
        memcpy(out, first, tensor->count * sizeof(float));
        return;
    }
    size_t taps = tensor->shape[2], matrix = tensor->count / taps;
    for (size_t k = 0; k < taps; k++)
        for (size_t j = 0; j < matrix; j++) out[j * taps + k] = first[k * matrix + j];
}

/* Counts a group that is through with a layer; the last one gathers the layer's early tensors. */
static void layer_finished(gradient_engine *e, int layer) {
    if (atomic_fetch_add(&e->layer_groups[layer], 1) + 1 < group_count(e)) return;
    for (size_t i = 0; i < e->shape->tensor_count; i++) {
        const model_tensor *tensor = &e->shape->tensors[i];
        if (!gradient_engine_is_early(tensor) || tensor->index != layer) continue;
        gather_tensor(e, tensor);
        if (e->ready) e->ready(e->ready_context, tensor->offset, tensor->count);
    }
}

/* Task i: tensor i, if it is not gathered yet. */
static void gather_task(void *context, int i, int worker) {
    (void)worker;
    gradient_engine *e = context;
    const model_tensor *tensor = &e->shape->tensors[i];
    if (is_embedding(tensor) || gradient_engine_is_early(tensor)) return;
    gather_tensor(e, tensor);
}

static void crop_backward(gradient_engine *e, workspace *w, const float *x_in, const float *mel,
                          const group_sums *group, bool last_of_group) {
    const model_config *config = &e->config;
    const nn_kernels *nn = e->nn;
    int c = e->c, rows = e->rows, patch = config->patch;
    size_t values = (size_t)rows * (size_t)c;
    const float *du = w->du;
    float *gradient = group->gradient;
    gradient_add_columns(gradient_bias_in(e, gradient, MODEL_OUTPUT_PROJECTION, 0), du, rows, patch,
                         (size_t)patch);
    nn->outer_f32(rows, patch, c, du, (size_t)patch, w->hidden, (size_t)c,
                  gradient_weight_in(e, gradient, MODEL_OUTPUT_PROJECTION, 0), (size_t)c,
                  w->scratch);
    nn->product_f32(rows, c, patch, 1, &du, (size_t)patch, e->output.backward, NULL, false,
                    w->dhidden, (size_t)c);
    for (size_t i = 0; i < values; i++)
        if (w->hidden[i] <= 0) w->dhidden[i] = 0;
    gradient_add_columns(gradient_bias_in(e, gradient, MODEL_SKIP_PROJECTION, 0), w->dhidden, rows,
                         c, (size_t)c);
    gradient_store(e, w->dhidden, w->dhidden_act, values);
    gradient_outer(e, w, rows, c, c, w->dhidden_act, (size_t)c, w->skip_act, (size_t)c,
                   gradient_weight_in(e, gradient, MODEL_SKIP_PROJECTION, 0), (size_t)c);
    const void *dhidden = w->dhidden_act;
    gradient_product(e, w, rows, c, c, 1, &dhidden, (size_t)c, e->skip.backward, NULL, false,
                     w->skip, (size_t)c);
    float scale = (float)(1 / sqrt((double)config->layers));
    for (size_t i = 0; i < values; i++) w->skip[i] *= scale;
    memset(w->dskip_sum, 0, (size_t)c * sizeof(float));
    gradient_add_columns(w->dskip_sum, w->skip, rows, c, (size_t)c);
    memset(w->x, 0, values * sizeof(float)); /* nothing reads the last layer's residual */
    if (e->bf16) {
        gradient_store(e, w->skip, w->dskip, values);
        gradient_store(e, w->x, w->dres, values);
    }
    if (config->family == MODEL_LULL)
        memset(w->dcond_rows, 0,
               (size_t)(e->crop_frames + 2) * (size_t)config->layers * (size_t)e->c2 *
                   sizeof(float));
    else
        memset(w->dup, 0, (size_t)rows * (size_t)config->mel.bands * sizeof(float));
    for (int i = config->layers - 1; i >= 0; i--) {
        gradient_layer_backward(e, w, i, group);
        if (last_of_group) layer_finished(e, i);
    }
    input_backward(e, w, x_in, gradient);
    if (config->family == MODEL_LULL)
        gradient_conditioner_backward(e, w, gradient);
    else
        gradient_upsampler_backward(e, w, mel, gradient);
}

static void clear_group(const gradient_engine *e, const group_sums *group) {
    memset(group->fourth, 0, fourth_floats(e) * sizeof(float));
    for (size_t i = 0; i < e->shape->tensor_count; i++) {
        const model_tensor *tensor = &e->shape->tensors[i];
        if (!is_embedding(tensor))
            memset(group->gradient + tensor->offset, 0, tensor->count * sizeof(float));
    }
}

/* Rows of the network's input: a patch of x, then the same patch of the source. */
static void lay_input(const gradient_engine *e, const float *x, const float *source, float *input) {
    size_t patch = (size_t)e->config.patch;
    for (size_t r = 0; r < (size_t)e->rows; r++, input += 2 * patch) {
        memcpy(input, x + r * patch, patch * sizeof *input);
        memcpy(input + patch, source + r * patch, patch * sizeof *input);
    }
}

/* Crops group·GROUP_CROPS …, summed into the group's gradient. */
static void group_task(void *context, int group, int worker) {
    gradient_engine *e = context;
    workspace *w = &e->work[worker];
    const gradient_engine_batch *batch = e->batch;
    size_t samples = (size_t)e->rows * (size_t)e->config.patch;
    size_t mel_size = (size_t)(e->crop_frames + 2 * e->margin) * (size_t)e->config.mel.bands;
    size_t steps = (size_t)e->config.layers * (size_t)e->c;
    if (e->backward) clear_group(e, &e->group[group]);
    int first = group * GROUP_CROPS, end = first + GROUP_CROPS;
    if (end > batch->crops) end = batch->crops;
    double start = gradient_clock_start(e);
    for (int crop = first; crop < end; crop++) {
        const float *x = batch->x + (size_t)crop * samples,
                    *mel = batch->mel + (size_t)crop * mel_size;
        if (e->config.source) {
            lay_input(e, x, batch->source + (size_t)crop * samples, w->input);
            x = w->input;
        }
        crop_forward(e, w, crop, x, mel);
        e->losses[crop] = e->loss(e->loss_context, crop, w->u, w->du);
        if (!e->backward) continue;
        crop_backward(e, w, x, mel, &e->group[group], crop == end - 1);
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
    thread_pool_run(e->pool, group_count(e), group_task, e);
    if (!gradient) return;
    start = gradient_clock_start(e);
    gradient_embedding_backward(e);
    gradient_clock_stop(e, start, &e->times.embedding);
    start = gradient_clock_start(e);
    thread_pool_run(e->pool, (int)e->shape->tensor_count, gather_task, e);
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
