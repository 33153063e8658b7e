/* Forward and backward of the denoiser on crops. One crop runs start to end on one thread, so that
 * its activations stay in that core's cache; crops are summed in groups of fixed membership, so
 * that the result does not depend on the thread count. Shapes are (rows, channels), row-major; a
 * row is one network frame.
 *
 * Names, layer by layer (Kong et al. 2021, figure 2):
 *     y = x + d                     d: projection of the step embedding
 *     p = dilated_conv(y) + c       c: projection of the conditioner
 *     z = σ(p_gate) · tanh(p_filter)
 *     [r | s] = output_projection(z)
 *     x' = (x + r) / √2,  skip += s
 * and dx, dy, dp, dz are the gradients of the loss by them. */
#include "model/gradient.h"

#include <cblas.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/progress.h"
#include "model/embedding.h"
#include "model/upsampler.h"
#include "nn/kernels.h"

enum { TILE = 96, GROUP_CROPS = 2 };

static const float INV_SQRT2 = 0.70710678118654752f;

/* A weight matrix packed for products: as it stands (forward) and transposed (backward). */
typedef struct packed_pair {
    void *forward, *backward;
} packed_pair;

typedef struct layer_weights {
    packed_pair dilated, output,
        conditioner; /* conditioner: DiffWave only, products at the sample rate */
    float *bias;     /* dilated_conv's, plus the conditioner's for DiffWave */
} layer_weights;

/* What one worker thread needs to run a crop. */
typedef struct workspace {
    void *y;     /* layers × padded rows × C: input of every dilated convolution */
    void *z;     /* layers × rows × C */
    void *saved; /* layers × rows × 2C: σ and tanh */
    void *dp;    /* padded rows × 2C */
    void *dres;  /* rows × C: gradient of r; in float32 it lies in x */
    void *dskip; /* rows × C: gradient of s, the same in every layer; in float32 it lies in skip */
    void *skip_act;
    void *dhidden_act;
    float *x, *skip, *hidden, *dhidden, *u, *du; /* rows × C, …, rows × patch */
    float *tile, *tile2;                         /* TILE × 2C */
    float *cond[16]; /* conditioner, after each convolution (pre-SiLU in cond_pre) */
    float *cond_pre[16];
    float *dcond, *dcond2;
    float *cond_rows, *dcond_rows;      /* (frames + 2) × layers × 2C */
    float *up_mid, *up, *dup, *dup_mid; /* DiffWave: the upsampler's two stages, (time, bands) */
    void *up_act;
    void *scratch;
    float *gather;        /* a weight matrix on its way into packed form */
    float *step_gradient; /* layers × C of the crop at hand */
    float *dskip_sum;     /* C: over the rows */
    model_gradient_times times;
} workspace;

struct model_gradient {
    model_config config;
    const nn_kernels *nn;
    thread_pool *pool;
    bool bf16;
    size_t act; /* bytes of an activation */
    int crops, crop_frames, margin, rows, pad_left, pad_right, padded;
    int c, c2, groups;
    int cond_left, cond_right; /* reach of one conditioner convolution */
    model_parameters *shape;   /* tensor table */
    layer_weights *layers;
    packed_pair input, skip, output, cond_conv[16], cond_projection;
    float *cond_projection_matrix;
    workspace *work; /* one a pool thread */
    float **group_gradient;
    /* Step embedding, batch-wide: crops × … */
    float *embedding_input, *pre1, *act1, *pre2, *act2, *steps, *dsteps, *dact2, *dact1;
    size_t bytes;
    bool timed;
    model_gradient_times times; /* of the calling thread's parts */
    /* The run at hand. */
    const model_parameters *parameters;
    const model_gradient_batch *batch;
    model_gradient_loss loss;
    void *loss_context;
    double *losses;
    bool backward;
    atomic_int *layer_groups; /* per layer: groups whose sums are complete */
    model_gradient_ready ready;
    void *ready_context;
    float *gradient;
};

/* ---- set-up ------------------------------------------------------------------------------- */

int model_gradient_margin(const model_config *config) {
    if (config->family == MODEL_DIFFWAVE) return 0;
    int right = config->conditioner_look_ahead, left = config->conditioner_kernel - 1 - right;
    return config->conditioner_layers * (left > right ? left : right) + 1;
}

static void *take(model_gradient *e, size_t count, size_t size, bool *ok) {
    void *memory = base_alloc(count, size);
    if (!memory) *ok = false;
    e->bytes += count * size;
    return memory;
}

static size_t packed_bytes(const model_gradient *e, int k, int n, bool bf16_wanted) {
    return bf16_wanted ? e->nn->packed_bf16(k, n) * sizeof(bf16)
                       : e->nn->packed_f32(k, n) * sizeof(float);
}

static packed_pair pair_new(model_gradient *e, int k, int n, int taps, bool bf16_wanted, bool *ok) {
    packed_pair pair = {take(e, packed_bytes(e, taps * k, n, bf16_wanted), 1, ok),
                        take(e, packed_bytes(e, taps * n, k, bf16_wanted), 1, ok)};
    return pair;
}

static void pair_free(packed_pair *pair) {
    base_free(pair->forward);
    base_free(pair->backward);
}

/* Rows of the conditioner after convolution i (i = 0: its input), all crops: the last one has
 * frames + 2. */
static int cond_rows(const model_gradient *e, int i) {
    int reach = e->cond_left + e->cond_right;
    return e->crop_frames + 2 + (e->config.conditioner_layers - i) * reach;
}

static int cond_width(const model_gradient *e, int i) {
    return i == 0 ? e->config.mel.bands : e->config.conditioner_channels;
}

static size_t largest(size_t a, size_t b) {
    return a > b ? a : b;
}

static size_t scratch_bytes(const model_gradient *e) {
    const nn_kernels *nn = e->nn;
    size_t bytes = nn->outer_scratch(e->c2, e->c, e->rows);
    bytes = largest(bytes, nn->outer_scratch(e->c, e->c, e->rows));
    bytes = largest(bytes, nn->outer_scratch(e->c, e->config.patch, e->rows));
    bytes = largest(bytes, nn->outer_scratch(e->config.patch, e->c, e->rows));
    bytes = largest(bytes, nn->outer_scratch(e->c2, e->config.mel.bands, e->rows));
    if (e->config.family == MODEL_LULL) {
        int width = e->config.conditioner_channels, rows = cond_rows(e, 0);
        bytes = largest(bytes, nn->outer_scratch(e->c2, width, rows));
        bytes = largest(bytes, nn->outer_scratch(width, width, rows));
        bytes = largest(bytes, nn->outer_scratch(width, e->config.mel.bands, rows));
    }
    return bytes + 64;
}

static size_t gather_floats(const model_gradient *e) {
    const model_config *config = &e->config;
    size_t c = (size_t)e->c, c2 = (size_t)e->c2, bands = (size_t)config->mel.bands;
    size_t floats = largest(c * c2 * (size_t)config->kernel, c * (size_t)config->patch);
    if (config->family == MODEL_DIFFWAVE) return largest(floats, bands * c2);
    size_t width = (size_t)config->conditioner_channels;
    floats = largest(floats, largest(bands, width) * width * (size_t)config->conditioner_kernel);
    return largest(floats, width * c2 * (size_t)config->layers);
}

static void workspace_new(model_gradient *e, workspace *w, bool *ok) {
    const model_config *config = &e->config;
    size_t rows = (size_t)e->rows, layers = (size_t)config->layers, c = (size_t)e->c,
           c2 = (size_t)e->c2;
    w->y = take(e, layers * (size_t)e->padded * c, e->act, ok);
    w->z = take(e, layers * rows * c, e->act, ok);
    w->saved = take(e, layers * rows * c2, e->act, ok);
    w->dp = take(e, (size_t)e->padded * c2, e->act, ok);
    w->skip_act = take(e, rows * c, e->act, ok);
    w->dhidden_act = take(e, rows * c, e->act, ok);
    w->x = take(e, rows * c, sizeof(float), ok);
    w->skip = take(e, rows * c, sizeof(float), ok);
    w->dres = e->bf16 ? take(e, rows * c, sizeof(bf16), ok) : w->x;
    w->dskip = e->bf16 ? take(e, rows * c, sizeof(bf16), ok) : w->skip;
    w->dskip_sum = take(e, c, sizeof(float), ok);
    w->hidden = take(e, rows * c, sizeof(float), ok);
    w->dhidden = take(e, rows * c, sizeof(float), ok);
    w->u = take(e, rows * (size_t)config->patch, sizeof(float), ok);
    w->du = take(e, rows * (size_t)config->patch, sizeof(float), ok);
    w->tile = take(e, TILE * c2, sizeof(float), ok);
    w->tile2 = take(e, TILE * c2, sizeof(float), ok);
    w->step_gradient = take(e, layers * c, sizeof(float), ok);
    w->scratch = take(e, scratch_bytes(e), 1, ok);
    w->gather = take(e, gather_floats(e), sizeof(float), ok);
    if (config->family == MODEL_LULL) {
        for (int i = 0; i <= config->conditioner_layers; i++) {
            w->cond[i] =
                take(e, (size_t)cond_rows(e, i) * (size_t)cond_width(e, i), sizeof(float), ok);
            w->cond_pre[i] =
                take(e, (size_t)cond_rows(e, i) * (size_t)cond_width(e, i), sizeof(float), ok);
        }
        size_t most = ((size_t)cond_rows(e, 0) + 2 * (size_t)config->conditioner_kernel) *
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
    }
}

static void workspace_free(workspace *w, bool bf16_used) {
    void *owned[] = {w->y,          w->z,
                     w->saved,      w->dp,
                     w->skip_act,   w->dhidden_act,
                     w->dskip_sum,  w->x,
                     w->skip,       w->hidden,
                     w->dhidden,    w->u,
                     w->du,         w->tile,
                     w->tile2,      w->dcond,
                     w->dcond2,     w->cond_rows,
                     w->dcond_rows, w->up_mid,
                     w->up,         w->dup,
                     w->dup_mid,    w->up_act,
                     w->scratch,    w->step_gradient,
                     w->gather};
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

static void weights_new(model_gradient *e, bool *ok) {
    const model_config *config = &e->config;
    int c = e->c, c2 = e->c2, taps = config->kernel;
    e->layers = take(e, (size_t)config->layers, sizeof(layer_weights), ok);
    if (!e->layers) return;
    for (int i = 0; i < config->layers; i++) {
        e->layers[i].dilated = pair_new(e, c, c2, taps, e->bf16, ok);
        e->layers[i].output = pair_new(e, c, c2, 1, e->bf16, ok);
        e->layers[i].bias = take(e, (size_t)c2, sizeof(float), ok);
        if (config->family == MODEL_DIFFWAVE)
            e->layers[i].conditioner = pair_new(e, config->mel.bands, c2, 1, e->bf16, ok);
    }
    e->input = pair_new(e, config->patch, c, 1, false, ok);
    e->output = pair_new(e, c, config->patch, 1, false, ok);
    e->skip = pair_new(e, c, c, 1, e->bf16, ok);
    if (config->family == MODEL_LULL) {
        int width = config->conditioner_channels, all = config->layers * c2;
        for (int i = 0; i < config->conditioner_layers; i++)
            e->cond_conv[i] =
                pair_new(e, cond_width(e, i), width, config->conditioner_kernel, false, ok);
        e->cond_projection = pair_new(e, width, all, 1, false, ok);
        e->cond_projection_matrix = take(e, (size_t)all * (size_t)width, sizeof(float), ok);
    }
}

static void embedding_new(model_gradient *e, bool *ok) {
    size_t crops = (size_t)e->crops, hidden = (size_t)e->config.embedding_hidden;
    size_t steps = (size_t)e->config.layers * (size_t)e->c;
    e->embedding_input =
        take(e, crops * (size_t)model_embedding_inputs(&e->config), sizeof(float), ok);
    float **wide[] = {&e->pre1, &e->act1, &e->pre2, &e->act2, &e->dact2, &e->dact1};
    for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++)
        *wide[i] = take(e, crops * hidden, sizeof(float), ok);
    e->steps = take(e, crops * steps, sizeof(float), ok);
    e->dsteps = take(e, crops * steps, sizeof(float), ok);
}

lull_status model_gradient_new(const model_config *config, int crops, int crop_frames,
                               bool bf16_wanted, thread_pool *pool, model_gradient **engine,
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
    model_gradient *e = base_alloc(1, sizeof(*e));
    if (!e) return base_no_memory(error);
    bool ok = true;
    e->config = *config;
    e->nn = nn_kernels_get();
    e->pool = pool;
    openblas_set_num_threads(1); /* the pool's threads are the only ones */
    e->bf16 = bf16_wanted;
    e->act = bf16_wanted ? sizeof(bf16) : sizeof(float);
    e->crops = crops;
    e->crop_frames = crop_frames;
    e->margin = model_gradient_margin(config);
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
        model_gradient_free(e);
        return error ? error->status : LULL_NO_MEMORY;
    }
    weights_new(e, &ok);
    embedding_new(e, &ok);
    e->layer_groups = take(e, (size_t)config->layers, sizeof(*e->layer_groups), &ok);
    e->work = take(e, (size_t)thread_pool_size(pool), sizeof(workspace), &ok);
    for (int i = 0; ok && i < thread_pool_size(pool); i++) workspace_new(e, &e->work[i], &ok);
    e->group_gradient = take(e, (size_t)e->groups, sizeof(float *), &ok);
    for (int i = 0; ok && i < e->groups; i++)
        e->group_gradient[i] = take(e, e->shape->size, sizeof(float), &ok);
    if (!ok) {
        model_gradient_free(e);
        return base_no_memory(error);
    }
    *engine = e;
    return LULL_OK;
}

void model_gradient_free(model_gradient *e) {
    if (!e) return;
    for (int i = 0; e->layers && i < e->config.layers; i++) {
        pair_free(&e->layers[i].dilated);
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
    for (int i = 0; e->group_gradient && i < e->groups; i++) base_free(e->group_gradient[i]);
    base_free(e->group_gradient);
    base_free(e->layer_groups);
    float *embedding[] = {e->embedding_input, e->pre1,   e->act1,  e->pre2, e->act2,
                          e->steps,           e->dsteps, e->dact2, e->dact1};
    for (size_t i = 0; i < sizeof(embedding) / sizeof(embedding[0]); i++) base_free(embedding[i]);
    model_parameters_free(e->shape);
    base_free(e);
}

size_t model_gradient_bytes(const model_gradient *e) {
    return e->bytes;
}

double model_gradient_flops(const model_gradient *e) {
    const model_config *config = &e->config;
    double c = e->c, layer = c * 2 * c * (config->kernel + 1);
    if (config->family == MODEL_DIFFWAVE) layer += 2 * c * config->mel.bands;
    double row = layer * config->layers + c * c + 2 * c * config->patch;
    double frame = 0;
    if (config->family == MODEL_LULL) {
        double width = config->conditioner_channels;
        frame = width * 2 * c * config->layers;
        for (int i = 0; i < config->conditioner_layers; i++)
            frame += cond_width(e, i) * width * config->conditioner_kernel;
    }
    return 3 * 2 * (row * e->rows + frame * e->crop_frames);
}

/* ---- weights of this step ----------------------------------------------------------------- */

/* Packs W[k][n] = w[i·row + j·column] (element (i, j) of tap t at + t·tap) as taps·k × n, and its
 * transpose as taps·n × k. */
static void pack_pair(const model_gradient *e, packed_pair *pair, bool bf16_wanted, int k, int n,
                      int taps, const float *w, ptrdiff_t row, ptrdiff_t column, ptrdiff_t tap,
                      float *gather) {
    const nn_kernels *nn = e->nn;
    for (int t = 0; t < taps; t++)
        for (int i = 0; i < k; i++)
            for (int j = 0; j < n; j++)
                gather[((size_t)t * (size_t)k + (size_t)i) * (size_t)n + (size_t)j] =
                    w[t * tap + i * row + j * column];
    if (bf16_wanted)
        nn->pack_bf16(taps * k, n, gather, n, 1, pair->forward);
    else
        nn->pack_f32(taps * k, n, gather, n, 1, pair->forward);
    for (int t = 0; t < taps; t++)
        for (int j = 0; j < n; j++)
            for (int i = 0; i < k; i++)
                gather[((size_t)t * (size_t)n + (size_t)j) * (size_t)k + (size_t)i] =
                    w[t * tap + i * row + j * column];
    if (bf16_wanted)
        nn->pack_bf16(taps * n, k, gather, k, 1, pair->backward);
    else
        nn->pack_f32(taps * n, k, gather, k, 1, pair->backward);
}

/* Task i: residual layer i; task `layers`: everything else. */
static void pack_task(void *context, int i, int worker) {
    model_gradient *e = context;
    const model_config *config = &e->config;
    const model_parameters *p = e->parameters;
    float *gather = e->work[worker].gather;
    int c = e->c, c2 = e->c2, taps = config->kernel;
    if (i < config->layers) {
        layer_weights *layer = &e->layers[i];
        pack_pair(e, &layer->dilated, e->bf16, c, c2, taps,
                  model_parameters_get(p, "residual_layers.%d.dilated_conv.weight", i), taps,
                  (ptrdiff_t)c * taps, 1, gather);
        pack_pair(e, &layer->output, e->bf16, c, c2, 1,
                  model_parameters_get(p, "residual_layers.%d.output_projection.weight", i), 1, c,
                  0, gather);
        const float *bias = model_parameters_get(p, "residual_layers.%d.dilated_conv.bias", i);
        const float *cond_bias =
            model_parameters_get(p, "residual_layers.%d.conditioner_projection.bias", i);
        if (config->family == MODEL_DIFFWAVE)
            pack_pair(
                e, &layer->conditioner, e->bf16, config->mel.bands, c2, 1,
                model_parameters_get(p, "residual_layers.%d.conditioner_projection.weight", i), 1,
                config->mel.bands, 0, gather);
        for (int j = 0; j < c2; j++) layer->bias[j] = bias[j] + cond_bias[j];
        return;
    }
    pack_pair(e, &e->input, false, config->patch, c, 1,
              model_parameters_get(p, "input_projection.weight"), 1, config->patch, 0, gather);
    pack_pair(e, &e->skip, e->bf16, c, c, 1, model_parameters_get(p, "skip_projection.weight"), 1,
              c, 0, gather);
    pack_pair(e, &e->output, false, c, config->patch, 1,
              model_parameters_get(p, "output_projection.weight"), 1, c, 0, gather);
    if (config->family == MODEL_DIFFWAVE) return;
    int kernel = config->conditioner_kernel, width = config->conditioner_channels;
    for (int j = 0; j < config->conditioner_layers; j++) {
        int in = cond_width(e, j);
        pack_pair(e, &e->cond_conv[j], false, in, width, kernel,
                  model_parameters_get(p, "conditioner.conv%d.weight", j + 1), kernel,
                  (ptrdiff_t)in * kernel, 1, gather);
    }
    /* Every layer's projection side by side: one product at the mel rate. */
    size_t block = (size_t)c2 * (size_t)width;
    for (int j = 0; j < config->layers; j++)
        memcpy(e->cond_projection_matrix + (size_t)j * block,
               model_parameters_get(p, "residual_layers.%d.conditioner_projection.weight", j),
               block * sizeof(float));
    pack_pair(e, &e->cond_projection, false, width, config->layers * c2, 1,
              e->cond_projection_matrix, 1, width, 0, gather);
}

/* ---- step embedding, batch-wide ----------------------------------------------------------- */

/* out[n][o] = bias[o] + Σ_i in[n][i]·w[o][i] (PyTorch's linear layer). */
static void linear_forward(int n, int outputs, int inputs, const float *in, const float *w,
                           const float *bias, float *out, int ld_out) {
    for (int r = 0; r < n; r++)
        memcpy(out + (size_t)r * (size_t)ld_out, bias, (size_t)outputs * sizeof(float));
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, outputs, inputs, 1, in, inputs, w,
                inputs, 1, out, ld_out);
}

/* dw and dbias are overwritten; din (NULL: not wanted) is added to. */
static void linear_backward(int n, int outputs, int inputs, const float *in, const float *w,
                            const float *dout, int ld_out, float *dw, float *dbias, float *din) {
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, outputs, inputs, n, 1, dout, ld_out, in,
                inputs, 0, dw, inputs);
    for (int o = 0; o < outputs; o++) {
        float sum = 0;
        for (int r = 0; r < n; r++) sum += dout[(size_t)r * (size_t)ld_out + (size_t)o];
        dbias[o] = sum;
    }
    if (din)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, inputs, outputs, 1, dout, ld_out,
                    w, inputs, 1, din, inputs);
}

/* d/dx of x·σ(x) */
static void silu_backward(const float *x, float *gradient, size_t n) {
    for (size_t i = 0; i < n; i++) {
        float s = 1 / (1 + expf(-x[i]));
        gradient[i] *= s * (1 + x[i] * (1 - s));
    }
}

static void embedding_forward(model_gradient *e) {
    const model_parameters *p = e->parameters;
    int crops = e->batch->crops, hidden = e->config.embedding_hidden,
        inputs = model_embedding_inputs(&e->config);
    int all = e->config.layers * e->c;
    for (int i = 0; i < crops; i++)
        model_embedding_input(&e->config, e->batch->t[i],
                              e->embedding_input + (size_t)i * (size_t)inputs);
    linear_forward(crops, hidden, inputs, e->embedding_input,
                   model_parameters_get(p, "diffusion_embedding.projection1.weight"),
                   model_parameters_get(p, "diffusion_embedding.projection1.bias"), e->pre1,
                   hidden);
    e->nn->silu(e->pre1, e->act1, (size_t)crops * (size_t)hidden);
    linear_forward(crops, hidden, hidden, e->act1,
                   model_parameters_get(p, "diffusion_embedding.projection2.weight"),
                   model_parameters_get(p, "diffusion_embedding.projection2.bias"), e->pre2,
                   hidden);
    e->nn->silu(e->pre2, e->act2, (size_t)crops * (size_t)hidden);
    for (int i = 0; i < e->config.layers; i++)
        linear_forward(crops, e->c, hidden, e->act2,
                       model_parameters_get(p, "residual_layers.%d.diffusion_projection.weight", i),
                       model_parameters_get(p, "residual_layers.%d.diffusion_projection.bias", i),
                       e->steps + (size_t)i * (size_t)e->c, all);
}

/* Where a tensor of the parameters lies in a flat array laid out like them. */
static float *tensor_in(const model_gradient *e, float *flat, const float *tensor) {
    return flat + (tensor - e->parameters->data);
}

static void embedding_backward(model_gradient *e) {
    const model_parameters *p = e->parameters;
    int crops = e->batch->crops, hidden = e->config.embedding_hidden,
        inputs = model_embedding_inputs(&e->config);
    int all = e->config.layers * e->c;
    size_t wide = (size_t)crops * (size_t)hidden;
    memset(e->dact2, 0, wide * sizeof(float));
    memset(e->dact1, 0, wide * sizeof(float));
    for (int i = 0; i < e->config.layers; i++) {
        const float *w =
            model_parameters_get(p, "residual_layers.%d.diffusion_projection.weight", i);
        const float *b = model_parameters_get(p, "residual_layers.%d.diffusion_projection.bias", i);
        linear_backward(crops, e->c, hidden, e->act2, w, e->dsteps + (size_t)i * (size_t)e->c, all,
                        tensor_in(e, e->gradient, w), tensor_in(e, e->gradient, b), e->dact2);
    }
    const float *w2 = model_parameters_get(p, "diffusion_embedding.projection2.weight");
    const float *b2 = model_parameters_get(p, "diffusion_embedding.projection2.bias");
    silu_backward(e->pre2, e->dact2, wide);
    linear_backward(crops, hidden, hidden, e->act1, w2, e->dact2, hidden,
                    tensor_in(e, e->gradient, w2), tensor_in(e, e->gradient, b2), e->dact1);
    const float *w1 = model_parameters_get(p, "diffusion_embedding.projection1.weight");
    const float *b1 = model_parameters_get(p, "diffusion_embedding.projection1.bias");
    silu_backward(e->pre1, e->dact1, wide);
    linear_backward(crops, hidden, inputs, e->embedding_input, w1, e->dact1, hidden,
                    tensor_in(e, e->gradient, w1), tensor_in(e, e->gradient, b1), NULL);
}

/* ---- activations: float32 or bfloat16 ----------------------------------------------------- */

static void *act_at(const model_gradient *e, void *base, size_t index) {
    return (char *)base + index * e->act;
}

static void store(const model_gradient *e, const float *in, void *out, size_t n) {
    if (e->bf16)
        e->nn->to_bf16(in, out, n);
    else
        memcpy(out, in, n * sizeof(float));
}

static double clock_start(const model_gradient *e) {
    return e->timed ? progress_now() : 0;
}

static void clock_stop(const model_gradient *e, double start, double *part) {
    if (e->timed) *part += progress_now() - start;
}

static void product(const model_gradient *e, workspace *w, int rows, int n, int k, int taps,
                    const void *const *a, size_t lda, const void *packed, const float *bias,
                    bool accumulate, float *c, size_t ldc) {
    const nn_kernels *nn = e->nn;
    double start = clock_start(e);
    if (e->bf16)
        nn->product_bf16(rows, n, k, taps, (const bf16 *const *)a, lda, packed, bias, accumulate, c,
                         ldc);
    else
        nn->product_f32(rows, n, k, taps, (const float *const *)a, lda, packed, bias, accumulate, c,
                        ldc);
    clock_stop(e, start, &w->times.products);
}

static void outer(const model_gradient *e, workspace *w, int rows, int m, int n, const void *a,
                  size_t lda, const void *b, size_t ldb, float *c, size_t ldc) {
    double start = clock_start(e);
    if (e->bf16)
        e->nn->outer_bf16(rows, m, n, a, lda, b, ldb, c, ldc, w->scratch);
    else
        e->nn->outer_f32(rows, m, n, a, lda, b, ldb, c, ldc, w->scratch);
    clock_stop(e, start, &w->times.outers);
}

static void add_columns(float *sum, const float *rows, int n, int width, size_t ld) {
    for (int r = 0; r < n; r++)
        for (int j = 0; j < width; j++) sum[j] += rows[(size_t)r * ld + (size_t)j];
}

/* ---- conditioner -------------------------------------------------------------------------- */

/* Taps of a valid convolution over rows: output row r reads input rows r … r + kernel − 1. */
static void conv_taps(const float **taps, const float *in, int width, int kernel) {
    for (int k = 0; k < kernel; k++) taps[k] = in + (ptrdiff_t)k * width;
}

static void conditioner_forward(model_gradient *e, workspace *w, const float *mel) {
    const model_config *config = &e->config;
    int width = config->conditioner_channels, bands = config->mel.bands,
        n = config->conditioner_layers;
    /* The margin may be wider than what the convolutions reach: start where the first one does. */
    int skip = e->margin - 1 - n * e->cond_left;
    const float *in = mel + (ptrdiff_t)skip * bands;
    for (int i = 0; i < cond_rows(e, 0) * bands; i++)
        w->cond[0][i] = (in[i] + (float)config->mel_offset) * (float)config->mel_scale;
    for (int i = 1; i <= n; i++) {
        const float *taps[64];
        int in_width = cond_width(e, i - 1);
        conv_taps(taps, w->cond[i - 1], in_width, config->conditioner_kernel);
        e->nn->product_f32(cond_rows(e, i), width, in_width, config->conditioner_kernel, taps,
                           (size_t)in_width, e->cond_conv[i - 1].forward,
                           model_parameters_get(e->parameters, "conditioner.conv%d.bias", i), false,
                           w->cond_pre[i], (size_t)width);
        e->nn->silu(w->cond_pre[i], w->cond[i], (size_t)cond_rows(e, i) * (size_t)width);
    }
    int all = config->layers * e->c2;
    const float *a = w->cond[n];
    e->nn->product_f32(e->crop_frames + 2, all, width, 1, &a, (size_t)width,
                       e->cond_projection.forward, NULL, false, w->cond_rows, (size_t)all);
}

static void conditioner_backward(model_gradient *e, workspace *w, float *gradient) {
    const model_config *config = &e->config;
    const model_parameters *p = e->parameters;
    const nn_kernels *nn = e->nn;
    int width = config->conditioner_channels, n = config->conditioner_layers,
        kernel = config->conditioner_kernel;
    int all = config->layers * e->c2;
    for (int i = 0; i < config->layers; i++)
        nn->outer_f32(e->crop_frames + 2, e->c2, width, w->dcond_rows + (size_t)i * (size_t)e->c2,
                      (size_t)all, w->cond[n], (size_t)width,
                      tensor_in(e, gradient,
                                model_parameters_get(
                                    p, "residual_layers.%d.conditioner_projection.weight", i)),
                      (size_t)width, w->scratch);
    const float *a = w->dcond_rows;
    size_t pad = (size_t)(kernel - 1) * (size_t)width;
    float *d = w->dcond + pad, *other = w->dcond2 + pad;
    nn->product_f32(e->crop_frames + 2, width, all, 1, &a, (size_t)all, e->cond_projection.backward,
                    NULL, false, d, (size_t)width);
    for (int i = n; i >= 1; i--) {
        int rows = cond_rows(e, i), in_width = cond_width(e, i - 1);
        silu_backward(w->cond_pre[i], d, (size_t)rows * (size_t)width);
        add_columns(tensor_in(e, gradient, model_parameters_get(p, "conditioner.conv%d.bias", i)),
                    d, rows, width, (size_t)width);
        /* Tap-major here, as the dilated convolutions; gather_gradient puts it in PyTorch's order.
         */
        float *dw = tensor_in(e, gradient, model_parameters_get(p, "conditioner.conv%d.weight", i));
        for (int k = 0; k < kernel; k++)
            nn->outer_f32(rows, width, in_width, d, (size_t)width,
                          w->cond[i - 1] + (ptrdiff_t)k * in_width, (size_t)in_width,
                          dw + (size_t)k * (size_t)width * (size_t)in_width, (size_t)in_width,
                          w->scratch);
        if (i == 1) break;
        /* d_in[r] = Σ_k d[r − k]·W_k; d has kernel − 1 rows of zeros on both sides. */
        memset(d + (size_t)rows * (size_t)width, 0,
               (size_t)(kernel - 1) * (size_t)width * sizeof(float));
        const float *taps[64];
        for (int k = 0; k < kernel; k++) taps[k] = d - (ptrdiff_t)k * width;
        nn->product_f32(cond_rows(e, i - 1), in_width, width, kernel, taps, (size_t)width,
                        e->cond_conv[i - 1].backward, NULL, false, other, (size_t)in_width);
        float *swap = d;
        d = other;
        other = swap;
    }
}

/* DiffWave: two upsampling stages; w->up is n·256 × bands. */
static void upsampler_forward(model_gradient *e, workspace *w, const float *mel) {
    const model_parameters *p = e->parameters;
    int bands = e->config.mel.bands, n = e->crop_frames;
    model_upsampler_forward(
        mel, n, bands, model_parameters_get(p, "spectrogram_upsampler.conv1.weight"),
        *model_parameters_get(p, "spectrogram_upsampler.conv1.bias"), w->up_mid);
    model_upsampler_forward(w->up_mid, UPSAMPLER_STRIDE * n, bands,
                            model_parameters_get(p, "spectrogram_upsampler.conv2.weight"),
                            *model_parameters_get(p, "spectrogram_upsampler.conv2.bias"), w->up);
    store(e, w->up, w->up_act, (size_t)e->rows * (size_t)bands);
}

static void upsampler_backward(model_gradient *e, workspace *w, const float *mel, float *gradient) {
    const model_parameters *p = e->parameters;
    int bands = e->config.mel.bands, n = e->crop_frames;
    const float *w1 = model_parameters_get(p, "spectrogram_upsampler.conv1.weight");
    const float *b1 = model_parameters_get(p, "spectrogram_upsampler.conv1.bias");
    const float *w2 = model_parameters_get(p, "spectrogram_upsampler.conv2.weight");
    const float *b2 = model_parameters_get(p, "spectrogram_upsampler.conv2.bias");
    model_upsampler_backward(w->up_mid, UPSAMPLER_STRIDE * n, bands, w2, w->up, w->dup, w->dup_mid,
                             tensor_in(e, gradient, w2), tensor_in(e, gradient, b2));
    model_upsampler_backward(mel, n, bands, w1, w->up_mid, w->dup_mid, NULL,
                             tensor_in(e, gradient, w1), tensor_in(e, gradient, b1));
}

/* ---- residual layers ---------------------------------------------------------------------- */

/* Where row r of the network lies between conditioner rows: row `*low` of cond_rows (which begins
 * at frame −1) with weight 1 − *weight, the next with *weight. */
static void conditioner_position(const model_gradient *e, int r, int *low, float *weight) {
    const model_config *config = &e->config;
    double centre = (r + 0.5) * config->patch - mel_convention_first_centre(&config->mel);
    double position = centre / config->mel.hop, floor_position = floor(position);
    *low = (int)floor_position + 1;
    *weight = (float)(position - floor_position);
}

static void *y_row(const model_gradient *e, workspace *w, int layer, int row) {
    return act_at(e, w->y,
                  ((size_t)layer * (size_t)e->padded + (size_t)(e->pad_left + row)) * (size_t)e->c);
}

/* A crop's step embedding as a layer sees it. */
static const float *step_of(const model_gradient *e, int crop, int layer) {
    return e->steps + ((size_t)crop * (size_t)e->config.layers + (size_t)layer) * (size_t)e->c;
}

/* y = x + d of the first layer, stored as activation; the others' is written by the layer before.
 */
static void store_y(model_gradient *e, workspace *w, int crop) {
    size_t c = (size_t)e->c;
    const float *d = step_of(e, crop, 0);
    for (int r = 0; r < e->rows; r++) {
        const float *x = w->x + (size_t)r * c;
        float *sum = w->tile;
        for (size_t j = 0; j < c; j++) sum[j] = x[j] + d[j];
        store(e, sum, y_row(e, w, 0, r), c);
    }
}

static int tap_offset(const model_config *config, int layer, int k) {
    return (k - (config->kernel - 1)) * config->dilation[layer] + config->look_ahead[layer];
}

static void gate_forward(model_gradient *e, workspace *w, int layer, int from, int n) {
    size_t c = (size_t)e->c, c2 = (size_t)e->c2, all = (size_t)e->config.layers * c2;
    for (int r = 0; r < n; r++) {
        size_t index = (size_t)layer * (size_t)e->rows + (size_t)(from + r);
        void *z = act_at(e, w->z, index * c), *saved = act_at(e, w->saved, index * c2);
        const float *c0 = NULL, *c1 = NULL;
        float w1 = 0;
        if (e->config.family == MODEL_LULL) {
            int low;
            conditioner_position(e, from + r, &low, &w1);
            c0 = w->cond_rows + (size_t)low * all + (size_t)layer * c2;
            c1 = c0 + all;
        }
        e->nn->gate(e->c, w->tile + (size_t)r * c2, c0, 1 - w1, c1, w1, e->bf16 ? NULL : z,
                    e->bf16 ? z : NULL, e->bf16 ? NULL : saved, e->bf16 ? saved : NULL);
    }
}

static void layer_forward(model_gradient *e, workspace *w, int crop, int layer) {
    const model_config *config = &e->config;
    int c = e->c, c2 = e->c2;
    const float *output_bias =
        model_parameters_get(e->parameters, "residual_layers.%d.output_projection.bias", layer);
    for (int from = 0; from < e->rows; from += TILE) {
        int n = e->rows - from < TILE ? e->rows - from : TILE;
        const void *taps[64];
        for (int k = 0; k < config->kernel; k++)
            taps[k] = y_row(e, w, layer, from + tap_offset(config, layer, k));
        product(e, w, n, c2, c, config->kernel, taps, (size_t)c, e->layers[layer].dilated.forward,
                e->layers[layer].bias, false, w->tile, (size_t)c2);
        if (config->family == MODEL_DIFFWAVE) {
            const void *up = act_at(e, w->up_act, (size_t)from * (size_t)config->mel.bands);
            product(e, w, n, c2, config->mel.bands, 1, &up, (size_t)config->mel.bands,
                    e->layers[layer].conditioner.forward, NULL, true, w->tile, (size_t)c2);
        }
        double start = clock_start(e);
        gate_forward(e, w, layer, from, n);
        clock_stop(e, start, &w->times.gates);
        const void *z =
            act_at(e, w->z, ((size_t)layer * (size_t)e->rows + (size_t)from) * (size_t)c);
        product(e, w, n, c2, c, 1, &z, (size_t)c, e->layers[layer].output.forward, output_bias,
                false, w->tile, (size_t)c2);
        const float *step = layer + 1 < config->layers ? step_of(e, crop, layer + 1) : NULL;
        for (int r = 0; r < n; r++) {
            size_t at = (size_t)(from + r) * (size_t)c;
            void *y = step ? y_row(e, w, layer + 1, from + r) : NULL;
            e->nn->residual(c, w->tile + (size_t)r * (size_t)c2, w->x + at, w->skip + at, step,
                            e->bf16 ? NULL : y, e->bf16 ? y : NULL);
        }
    }
}

/* The first half of a layer's backward pass: dp of all rows, and from it the gradients of the
 * biases and of the conditioner's rows. */
static void gate_backward(model_gradient *e, workspace *w, int layer, float *dbias) {
    const model_config *config = &e->config;
    size_t c = (size_t)e->c, c2 = 2 * c, all = (size_t)config->layers * c2;
    for (int from = 0; from < e->rows; from += TILE) {
        int n = e->rows - from < TILE ? e->rows - from : TILE;
        const void *dout[2] = {act_at(e, w->dres, (size_t)from * c),
                               act_at(e, w->dskip, (size_t)from * c)};
        product(e, w, n, e->c, e->c, 2, dout, c, e->layers[layer].output.backward, NULL, false,
                w->tile, c);
        double start = clock_start(e);
        for (int r = 0; r < n; r++) {
            size_t row = (size_t)layer * (size_t)e->rows + (size_t)(from + r);
            const void *saved = act_at(e, w->saved, row * c2);
            void *dp = act_at(e, w->dp, (size_t)(e->pad_right + from + r) * c2);
            float *dc0 = dbias, *dc1 = NULL, w0 = 1, w1 = 0;
            if (config->family == MODEL_LULL) {
                int low;
                conditioner_position(e, from + r, &low, &w1);
                w0 = 1 - w1;
                dc0 = w->dcond_rows + (size_t)low * all + (size_t)layer * c2;
                dc1 = dc0 + all;
            }
            e->nn->gate_backward(e->c, w->tile + (size_t)r * c, e->bf16 ? NULL : saved,
                                 e->bf16 ? saved : NULL, e->bf16 ? NULL : dp, e->bf16 ? dp : NULL,
                                 dc0, w0, dc1, w1);
        }
        clock_stop(e, start, &w->times.gates);
    }
    /* The two weights of a row add up to 1, so the bias's gradient is the conditioner rows' sum. */
    if (config->family == MODEL_LULL)
        add_columns(dbias, w->dcond_rows + (size_t)layer * c2, e->crop_frames + 2, e->c2, all);
}

/* The second half: dy from dp, and the gradient by the layer before's residual in place of this
 * one's. */
static void input_gradient(model_gradient *e, workspace *w, int layer, float *gradient) {
    const model_config *config = &e->config;
    size_t c = (size_t)e->c, c2 = 2 * c;
    float *step = w->step_gradient + (size_t)layer * c, *dres_sum = NULL, scale = 1;
    memset(step, 0, c * sizeof(float));
    if (layer > 0) {
        scale = INV_SQRT2;
        dres_sum =
            tensor_in(e, gradient,
                      model_parameters_get(e->parameters,
                                           "residual_layers.%d.output_projection.bias", layer - 1));
    }
    for (int from = 0; from < e->rows; from += TILE) {
        int n = e->rows - from < TILE ? e->rows - from : TILE;
        const void *taps[64];
        for (int k = 0; k < config->kernel; k++)
            taps[k] =
                act_at(e, w->dp, (size_t)(e->pad_right + from - tap_offset(config, layer, k)) * c2);
        product(e, w, n, e->c, e->c2, config->kernel, taps, c2, e->layers[layer].dilated.backward,
                NULL, false, w->tile, c);
        for (int r = 0; r < n; r++) {
            size_t at = (size_t)(from + r) * c;
            e->nn->residual_backward(e->c, w->tile + (size_t)r * c, scale, w->x + at,
                                     e->bf16 ? act_at(e, w->dres, at) : NULL, step, dres_sum);
        }
    }
}

/* w->dres (in float32: w->x) holds the gradient by the layer's residual r and becomes that of the
 * layer before (of the first one: the gradient by its input); dskip is the same for every layer. */
static void layer_backward(model_gradient *e, workspace *w, int layer, float *gradient) {
    const model_config *config = &e->config;
    const model_parameters *p = e->parameters;
    int c = e->c, c2 = e->c2;
    float *dbias = tensor_in(
        e, gradient, model_parameters_get(p, "residual_layers.%d.dilated_conv.bias", layer));
    float *dbias_out = tensor_in(
        e, gradient, model_parameters_get(p, "residual_layers.%d.output_projection.bias", layer));
    float *dw_out = tensor_in(
        e, gradient, model_parameters_get(p, "residual_layers.%d.output_projection.weight", layer));
    float *dw = tensor_in(e, gradient,
                          model_parameters_get(p, "residual_layers.%d.dilated_conv.weight", layer));
    gate_backward(e, w, layer, dbias);
    memcpy(
        tensor_in(e, gradient,
                  model_parameters_get(p, "residual_layers.%d.conditioner_projection.bias", layer)),
        dbias, (size_t)c2 * sizeof(float));
    add_columns(dbias_out + c, w->dskip_sum, 1, c, (size_t)c);
    const void *z = act_at(e, w->z, (size_t)layer * (size_t)e->rows * (size_t)c);
    if (layer + 1 < config->layers) /* nothing reads the last layer's residual */
        outer(e, w, e->rows, c, c, w->dres, (size_t)c, z, (size_t)c, dw_out, (size_t)c);
    outer(e, w, e->rows, c, c, w->dskip, (size_t)c, z, (size_t)c, dw_out + (size_t)c * (size_t)c,
          (size_t)c);
    const void *dp = act_at(e, w->dp, (size_t)e->pad_right * (size_t)c2);
    for (int k = 0; k < config->kernel; k++)
        outer(e, w, e->rows, c2, c, dp, (size_t)c2,
              y_row(e, w, layer, tap_offset(config, layer, k)), (size_t)c,
              dw + (size_t)k * (size_t)c2 * (size_t)c, (size_t)c);
    if (config->family == MODEL_DIFFWAVE) {
        int bands = config->mel.bands;
        outer(e, w, e->rows, c2, bands, dp, (size_t)c2, w->up_act, (size_t)bands,
              tensor_in(e, gradient,
                        model_parameters_get(p, "residual_layers.%d.conditioner_projection.weight",
                                             layer)),
              (size_t)bands);
        product(e, w, e->rows, bands, c2, 1, &dp, (size_t)c2, e->layers[layer].conditioner.backward,
                NULL, true, w->dup, (size_t)bands);
    }
    input_gradient(e, w, layer, gradient);
}

/* ---- one crop ----------------------------------------------------------------------------- */

static void crop_forward(model_gradient *e, workspace *w, int crop, const float *x_in,
                         const float *mel) {
    const model_config *config = &e->config;
    const model_parameters *p = e->parameters;
    const nn_kernels *nn = e->nn;
    int c = e->c, rows = e->rows, patch = config->patch;
    size_t values = (size_t)rows * (size_t)c;
    if (config->family == MODEL_LULL)
        conditioner_forward(e, w, mel);
    else
        upsampler_forward(e, w, mel);
    nn->product_f32(rows, c, patch, 1, &x_in, (size_t)patch, e->input.forward,
                    model_parameters_get(p, "input_projection.bias"), false, w->x, (size_t)c);
    if (config->input_relu)
        for (size_t i = 0; i < values; i++) w->x[i] = w->x[i] > 0 ? w->x[i] : 0;
    memset(w->skip, 0, values * sizeof(float));
    store_y(e, w, crop);
    for (int i = 0; i < config->layers; i++) layer_forward(e, w, crop, i);
    float scale = (float)(1 / sqrt((double)config->layers));
    for (size_t i = 0; i < values; i++) w->skip[i] *= scale;
    store(e, w->skip, w->skip_act, values);
    const void *skip = w->skip_act;
    product(e, w, rows, c, c, 1, &skip, (size_t)c, e->skip.forward,
            model_parameters_get(p, "skip_projection.bias"), false, w->hidden, (size_t)c);
    for (size_t i = 0; i < values; i++) w->hidden[i] = w->hidden[i] > 0 ? w->hidden[i] : 0;
    const float *hidden = w->hidden;
    nn->product_f32(rows, patch, c, 1, &hidden, (size_t)c, e->output.forward,
                    model_parameters_get(p, "output_projection.bias"), false, w->u, (size_t)patch);
}

/* w->x holds the gradient by now. Where the DiffWave input projection was above zero (its ReLU) is
 * computed again from the input. */
static void input_backward(model_gradient *e, workspace *w, const float *x_in, float *gradient) {
    const model_parameters *p = e->parameters;
    int c = e->c, rows = e->rows, patch = e->config.patch;
    float *dx = w->x;
    if (e->config.input_relu) {
        e->nn->product_f32(rows, c, patch, 1, &x_in, (size_t)patch, e->input.forward,
                           model_parameters_get(p, "input_projection.bias"), false, w->hidden,
                           (size_t)c);
        for (size_t i = 0; i < (size_t)rows * (size_t)c; i++)
            if (w->hidden[i] <= 0) dx[i] = 0;
    }
    add_columns(tensor_in(e, gradient, model_parameters_get(p, "input_projection.bias")), dx, rows,
                c, (size_t)c);
    e->nn->outer_f32(rows, c, patch, dx, (size_t)c, x_in, (size_t)patch,
                     tensor_in(e, gradient, model_parameters_get(p, "input_projection.weight")),
                     (size_t)patch, w->scratch);
}

/* Groups of the batch at hand. */
static int group_count(const model_gradient *e) {
    return (e->batch->crops + GROUP_CROPS - 1) / GROUP_CROPS;
}

/* Is this tensor tap-major in the groups' sums? */
static bool tap_major(const model_tensor *tensor) {
    return tensor->dimensions == 3 && tensor->shape[2] > 1;
}

/* Only embedding_backward writes the step embedding's tensors: groups have no part in them. */
static bool is_embedding(const model_tensor *tensor) {
    return strstr(tensor->name, "diffusion_") != NULL;
}

/* Does this tensor's sum need nothing after its layer's backward pass? */
static bool is_early(const model_tensor *tensor, int *layer) {
    char part[32];
    return sscanf(tensor->name, "residual_layers.%d.%31[a-z_]", layer, part) == 2 &&
           (!strcmp(part, "dilated_conv") || !strcmp(part, "output_projection"));
}

/* One tensor of the gradient, summed over the groups in their order, in PyTorch's layout. */
static void gather_tensor(model_gradient *e, const model_tensor *tensor) {
    int groups = group_count(e);
    float *first = e->group_gradient[0] + tensor->offset, *out = e->gradient + tensor->offset;
    for (int g = 1; g < groups; g++) {
        const float *next = e->group_gradient[g] + tensor->offset;
        for (size_t j = 0; j < tensor->count; j++) first[j] += next[j];
    }
    if (!tap_major(tensor)) {
        memcpy(out, first, tensor->count * sizeof(float));
        return;
    }
    size_t taps = tensor->shape[2], matrix = tensor->count / taps;
    for (size_t k = 0; k < taps; k++)
        for (size_t j = 0; j < matrix; j++) out[j * taps + k] = first[k * matrix + j];
}

/* Counts a group that is through with a layer; the last one gathers the layer's early tensors. */
static void layer_finished(model_gradient *e, int layer) {
    if (atomic_fetch_add(&e->layer_groups[layer], 1) + 1 < group_count(e)) return;
    for (size_t i = 0; i < e->shape->tensor_count; i++) {
        const model_tensor *tensor = &e->shape->tensors[i];
        int of;
        if (!is_early(tensor, &of) || of != layer) continue;
        gather_tensor(e, tensor);
        if (e->ready) e->ready(e->ready_context, tensor->offset, tensor->count);
    }
}

/* Task i: tensor i, if it is not gathered yet. */
static void gather_task(void *context, int i, int worker) {
    (void)worker;
    model_gradient *e = context;
    const model_tensor *tensor = &e->shape->tensors[i];
    int layer;
    if (is_embedding(tensor) || is_early(tensor, &layer)) return;
    gather_tensor(e, tensor);
}

static void crop_backward(model_gradient *e, workspace *w, const float *x_in, const float *mel,
                          float *gradient, bool last_of_group) {
    const model_config *config = &e->config;
    const model_parameters *p = e->parameters;
    const nn_kernels *nn = e->nn;
    int c = e->c, rows = e->rows, patch = config->patch;
    size_t values = (size_t)rows * (size_t)c;
    const float *du = w->du;
    add_columns(tensor_in(e, gradient, model_parameters_get(p, "output_projection.bias")), du, rows,
                patch, (size_t)patch);
    nn->outer_f32(rows, patch, c, du, (size_t)patch, w->hidden, (size_t)c,
                  tensor_in(e, gradient, model_parameters_get(p, "output_projection.weight")),
                  (size_t)c, w->scratch);
    nn->product_f32(rows, c, patch, 1, &du, (size_t)patch, e->output.backward, NULL, false,
                    w->dhidden, (size_t)c);
    for (size_t i = 0; i < values; i++)
        if (w->hidden[i] <= 0) w->dhidden[i] = 0;
    add_columns(tensor_in(e, gradient, model_parameters_get(p, "skip_projection.bias")), w->dhidden,
                rows, c, (size_t)c);
    store(e, w->dhidden, w->dhidden_act, values);
    outer(e, w, rows, c, c, w->dhidden_act, (size_t)c, w->skip_act, (size_t)c,
          tensor_in(e, gradient, model_parameters_get(p, "skip_projection.weight")), (size_t)c);
    const void *dhidden = w->dhidden_act;
    product(e, w, rows, c, c, 1, &dhidden, (size_t)c, e->skip.backward, NULL, false, w->skip,
            (size_t)c);
    float scale = (float)(1 / sqrt((double)config->layers));
    for (size_t i = 0; i < values; i++) w->skip[i] *= scale;
    memset(w->dskip_sum, 0, (size_t)c * sizeof(float));
    add_columns(w->dskip_sum, w->skip, rows, c, (size_t)c);
    memset(w->x, 0, values * sizeof(float)); /* nothing reads the last layer's residual */
    if (e->bf16) {
        store(e, w->skip, w->dskip, values);
        store(e, w->x, w->dres, values);
    }
    if (config->family == MODEL_LULL)
        memset(w->dcond_rows, 0,
               (size_t)(e->crop_frames + 2) * (size_t)config->layers * (size_t)e->c2 *
                   sizeof(float));
    else
        memset(w->dup, 0, (size_t)rows * (size_t)config->mel.bands * sizeof(float));
    for (int i = config->layers - 1; i >= 0; i--) {
        layer_backward(e, w, i, gradient);
        if (last_of_group) layer_finished(e, i);
    }
    input_backward(e, w, x_in, gradient);
    if (config->family == MODEL_LULL)
        conditioner_backward(e, w, gradient);
    else
        upsampler_backward(e, w, mel, gradient);
}

static void clear_group(const model_gradient *e, float *gradient) {
    for (size_t i = 0; i < e->shape->tensor_count; i++) {
        const model_tensor *tensor = &e->shape->tensors[i];
        if (!is_embedding(tensor))
            memset(gradient + tensor->offset, 0, tensor->count * sizeof(float));
    }
}

/* Crops group·GROUP_CROPS …, summed into the group's gradient. */
static void group_task(void *context, int group, int worker) {
    model_gradient *e = context;
    workspace *w = &e->work[worker];
    const model_gradient_batch *batch = e->batch;
    size_t samples = (size_t)e->rows * (size_t)e->config.patch;
    size_t mel_size = (size_t)(e->crop_frames + 2 * e->margin) * (size_t)e->config.mel.bands;
    size_t steps = (size_t)e->config.layers * (size_t)e->c;
    if (e->backward) clear_group(e, e->group_gradient[group]);
    int first = group * GROUP_CROPS, end = first + GROUP_CROPS;
    if (end > batch->crops) end = batch->crops;
    double start = clock_start(e);
    for (int crop = first; crop < end; crop++) {
        const float *x = batch->x + (size_t)crop * samples,
                    *mel = batch->mel + (size_t)crop * mel_size;
        crop_forward(e, w, crop, x, mel);
        e->losses[crop] = e->loss(e->loss_context, crop, w->u, w->du);
        if (!e->backward) continue;
        crop_backward(e, w, x, mel, e->group_gradient[group], crop == end - 1);
        memcpy(e->dsteps + (size_t)crop * steps, w->step_gradient, steps * sizeof(float));
    }
    clock_stop(e, start, &w->times.total);
}

void model_gradient_run(model_gradient *e, const model_parameters *parameters,
                        const model_gradient_batch *batch, model_gradient_loss loss, void *context,
                        double *losses, float *gradient) {
    e->parameters = parameters;
    e->batch = batch;
    e->loss = loss;
    e->loss_context = context;
    e->losses = losses;
    e->backward = gradient != NULL;
    e->gradient = gradient;
    if (gradient) memset(gradient, 0, e->shape->size * sizeof(float));
    for (int i = 0; i < e->config.layers; i++) atomic_store(&e->layer_groups[i], 0);
    double start = clock_start(e);
    thread_pool_run(e->pool, e->config.layers + 1, pack_task, e);
    clock_stop(e, start, &e->times.packing);
    start = clock_start(e);
    embedding_forward(e);
    clock_stop(e, start, &e->times.embedding);
    thread_pool_run(e->pool, group_count(e), group_task, e);
    if (!gradient) return;
    start = clock_start(e);
    embedding_backward(e);
    clock_stop(e, start, &e->times.embedding);
    start = clock_start(e);
    thread_pool_run(e->pool, (int)e->shape->tensor_count, gather_task, e);
    clock_stop(e, start, &e->times.gathering);
}

void model_gradient_time(model_gradient *e, bool on) {
    const model_gradient_times none = {0};
    e->timed = on;
    e->times = none;
    for (int i = 0; i < thread_pool_size(e->pool); i++) e->work[i].times = none;
}

model_gradient_times model_gradient_get_times(const model_gradient *e) {
    model_gradient_times sum = e->times;
    for (int i = 0; i < thread_pool_size(e->pool); i++) {
        const model_gradient_times *times = &e->work[i].times;
        sum.products += times->products;
        sum.outers += times->outers;
        sum.gates += times->gates;
        sum.total += times->total;
    }
    return sum;
}

void model_gradient_on_ready(model_gradient *e, model_gradient_ready ready, void *context) {
    e->ready = ready;
    e->ready_context = context;
}
