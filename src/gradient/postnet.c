/* The postnet's gradient: see gradient_postnet.h.
 *
 * A crop's arrays have bands + 2 rows a frame. Inputs x of a convolution have a zero row on either
 * side of the bands and zero frames around the crop; gradients d by its sums have both zero rows
 * behind the bands. So, counting rows through all frames, row r of the sums is
 *
 *     s[r] = bias + Σ_tap Σ_band W[tap, band]·x[r + offset(tap)·(bands + 2) + band],
 *     dx[r] = Σ_tap Σ_band Wᵀ[tap, 2 − band]·d[r − offset(tap)·(bands + 2) + band − 1],
 *
 * offset(tap) = tap − 2 + ahead: one product over all rows each, of which those that are no band
 * are dropped. */
#include "gradient/postnet.h"

#include "base/error.h"
#include "base/memory.h"
#include "model/postnet.h"
#include "nn/kernels.h"

#include <string.h>

enum { AROUND = 2 }; /* zero frames on either side of a crop */

typedef struct operand {
    float *forward, *backward; /* packed */
    const float *bias;
} operand;

typedef struct workspace {
    float **x;      /* input of every convolution */
    float **active; /* output of its LeakyReLU, frames × bands × channels */
    float *sums, *d, *dx;
    float *out, *dout; /* frames × bands */
    float *weights;    /* gradient of a convolution, as its operand lies */
    void *scratch;
} workspace;

struct gradient_postnet {
    const nn_kernels *kernels;
    model_config config;
    model_parameters *shape;
    thread_pool *pool;
    int crops, frames, bands, channels, count, rows; /* rows: from the first band to the last */
    size_t first, size;                              /* of the postnet in the flat arrays */
    operand *operands;
    float *arranged; /* one convolution's weights on their way */
    workspace *work;
    float *gradients; /* crops × size */
    size_t bytes;
    /* of the run at hand */
    const float *mel;
    gradient_engine_loss loss;
    void *context;
    double *losses;
    bool backward;
};

static void *take(gradient_postnet *e, size_t count, size_t size, bool *ok) {
    void *memory = base_alloc(count, size);
    if (!memory) *ok = false;
    e->bytes += count * size;
    return memory;
}

/* Values of an array with `width` channels in every row, and where its crop begins. */
static size_t padded(const gradient_postnet *e, int width) {
    return (size_t)(e->frames + 2 * AROUND) * (size_t)(e->bands + 2) * (size_t)width;
}

static size_t start(const gradient_postnet *e, int width) {
    return (size_t)AROUND * (size_t)(e->bands + 2) * (size_t)width;
}

static size_t weight_offset(const gradient_postnet *e, int i) {
    return model_parameters_weight_tensor(e->shape, MODEL_POSTNET_CONVOLUTION, i)->offset;
}

static size_t bias_offset(const gradient_postnet *e, int i) {
    return model_parameters_bias_tensor(e->shape, MODEL_POSTNET_CONVOLUTION, i)->offset;
}

static void workspace_new(gradient_postnet *e, workspace *w, bool *ok) {
    size_t points = (size_t)e->frames * (size_t)e->bands, scratch = 0;
    w->x = take(e, (size_t)e->count, sizeof *w->x, ok);
    w->active = take(e, (size_t)e->count, sizeof *w->active, ok);
    for (int i = 0; i < e->count; i++) {
        int in = postnet_in(&e->config, i), out = postnet_out(&e->config, i);
        if (w->x) w->x[i] = take(e, padded(e, in), sizeof(float), ok);
        if (w->active) w->active[i] = take(e, points * (size_t)out, sizeof(float), ok);
        size_t bytes = e->kernels->outer_scratch(POSTNET_BANDS * in, out, e->rows);
        if (bytes > scratch) scratch = bytes;
    }
    w->sums = take(e, padded(e, e->channels), sizeof(float), ok);
    w->d = take(e, padded(e, e->channels), sizeof(float), ok);
    w->dx = take(e, points * (size_t)e->channels, sizeof(float), ok);
    w->out = take(e, points, sizeof(float), ok);
    w->dout = take(e, points, sizeof(float), ok);
    size_t most = (size_t)POSTNET_TAPS * POSTNET_BANDS * (size_t)e->channels * (size_t)e->channels;
    w->weights = take(e, most, sizeof(float), ok);
    w->scratch = take(e, scratch, 1, ok);
}

static void workspace_free(const gradient_postnet *e, workspace *w) {
    for (int i = 0; i < e->count; i++) {
        if (w->x) base_free(w->x[i]);
        if (w->active) base_free(w->active[i]);
    }
    void *owned[] = {w->x,   w->active, w->sums,    w->d,      w->dx,
                     w->out, w->dout,   w->weights, w->scratch};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) base_free(owned[i]);
}

lull_status gradient_postnet_new(const model_config *config, int crops, int frames,
                                 thread_pool *pool, gradient_postnet **engine, lull_error *error) {
    bool ok = true;
    *engine = NULL;
    gradient_postnet *e = base_alloc(1, sizeof *e);
    if (!e) return base_no_memory(error);
    e->kernels = nn_kernels_get();
    e->config = *config;
    e->pool = pool;
    e->crops = crops;
    e->frames = frames;
    e->bands = config->mel.bands;
    e->channels = config->postnet_channels;
    e->count = model_config_postnet_convolutions(config);
    e->rows = frames * (e->bands + 2) - 2;
    lull_status status = model_parameters_new(config, &e->shape, error);
    if (status) {
        gradient_postnet_free(e);
        return status;
    }
    e->first = weight_offset(e, 0);
    e->size = e->shape->size - e->first;
    size_t most = (size_t)POSTNET_TAPS * POSTNET_BANDS * (size_t)e->channels * (size_t)e->channels;
    e->arranged = take(e, most, sizeof(float), &ok);
    e->operands = take(e, (size_t)e->count, sizeof *e->operands, &ok);
    for (int i = 0; e->operands && i < e->count; i++) {
        int in = postnet_in(config, i), out = postnet_out(config, i);
        const int taps = POSTNET_TAPS * POSTNET_BANDS;
        e->operands[i].forward =
            take(e, e->kernels->packed_f32(taps * in, out), sizeof(float), &ok);
        e->operands[i].backward =
            take(e, e->kernels->packed_f32(taps * out, in), sizeof(float), &ok);
    }
    e->work = take(e, (size_t)thread_pool_size(pool), sizeof *e->work, &ok);
    for (int i = 0; e->work && i < thread_pool_size(pool); i++) workspace_new(e, &e->work[i], &ok);
    e->gradients = take(e, (size_t)crops * e->size, sizeof(float), &ok);
    if (!ok) {
        gradient_postnet_free(e);
        return base_no_memory(error);
    }
    *engine = e;
    return LULL_OK;
}

void gradient_postnet_free(gradient_postnet *e) {
    if (!e) return;
    for (int i = 0; e->operands && i < e->count; i++) {
        base_free(e->operands[i].forward);
        base_free(e->operands[i].backward);
    }
    for (int i = 0; e->work && i < thread_pool_size(e->pool); i++) workspace_free(e, &e->work[i]);
    model_parameters_free(e->shape);
    base_free(e->arranged);
    base_free(e->operands);
    base_free(e->work);
    base_free(e->gradients);
    base_free(e);
}

/* ---- weights ---- */

/* [tap, 2 − band, out] × in, for the gradient by the input. */
static void arrange_backward(const float *weight, int out, int in, float *operand) {
    for (int o = 0; o < out; o++)
        for (int i = 0; i < in; i++)
            for (int band = 0; band < POSTNET_BANDS; band++)
                for (int tap = 0; tap < POSTNET_TAPS; tap++)
                    operand[((tap * POSTNET_BANDS + (2 - band)) * out + o) * in + i] =
                        weight[((o * in + i) * POSTNET_BANDS + band) * POSTNET_TAPS + tap];
}

static void pack(gradient_postnet *e, const model_parameters *parameters, bool backward) {
    const int taps = POSTNET_TAPS * POSTNET_BANDS;
    for (int i = 0; i < e->count; i++) {
        int in = postnet_in(&e->config, i), out = postnet_out(&e->config, i);
        const float *weight = parameters->data + weight_offset(e, i);
        postnet_arrange(weight, out, in, e->arranged);
        e->kernels->pack_f32(taps * in, out, e->arranged, out, 1, e->operands[i].forward);
        e->operands[i].bias = parameters->data + bias_offset(e, i);
        if (!backward || i == 0) continue;
        arrange_backward(weight, out, in, e->arranged);
        e->kernels->pack_f32(taps * out, in, e->arranged, in, 1, e->operands[i].backward);
    }
}

/* ---- one crop ---- */

/* Where tap k of convolution i reads its input's row 0. */
static const float *tap_of_input(const gradient_postnet *e, const workspace *w, int i, int k) {
    int in = postnet_in(&e->config, i), offset = k - 2 + postnet_ahead(&e->config, i);
    return w->x[i] + start(e, in) + (ptrdiff_t)(offset * (e->bands + 2) * in);
}

static void forward(const gradient_postnet *e, workspace *w, const float *mel) {
    int bands = e->bands;
    float *x0 = w->x[0] + start(e, 1);
    for (int f = 0; f < e->frames; f++)
        for (int b = 0; b < bands; b++)
            x0[f * (bands + 2) + 1 + b] =
                (mel[f * bands + b] + (float)e->config.mel_offset) * (float)e->config.mel_scale;
    for (int i = 0; i < e->count; i++) {
        int in = postnet_in(&e->config, i), out = postnet_out(&e->config, i);
        const float *taps[POSTNET_TAPS];
        for (int k = 0; k < POSTNET_TAPS; k++) taps[k] = tap_of_input(e, w, i, k);
        e->kernels->product_f32(e->rows, out, POSTNET_BANDS * in, POSTNET_TAPS, taps, (size_t)in,
                                e->operands[i].forward, e->operands[i].bias, false, w->sums,
                                (size_t)out);
        for (int f = 0; f < e->frames; f++) {
            const float *sums = w->sums + (size_t)f * (size_t)(bands + 2) * (size_t)out;
            size_t n = (size_t)bands * (size_t)out, row = (size_t)f * n;
            if (i == e->count - 1) {
                for (size_t j = 0; j < n; j++) w->out[row + j] = mel[row + j] + sums[j];
                continue;
            }
            size_t inner = ((size_t)f * (size_t)(bands + 2) + 1) * (size_t)out;
            const float *x = i > 0 ? w->x[i] + start(e, in) + inner : NULL;
            float *next = w->x[i + 1] + start(e, out) + inner, *active = w->active[i] + row;
            for (size_t j = 0; j < n; j++) {
                active[j] = sums[j] > 0 ? sums[j] : POSTNET_SLOPE * sums[j];
                next[j] = x ? x[j] + active[j] : active[j];
            }
        }
    }
}

/* Gradient of convolution i's weights and bias from w->d, joining `gradient` (of the postnet). */
static void weight_gradient(const gradient_postnet *e, workspace *w, int i, float *gradient) {
    int in = postnet_in(&e->config, i), out = postnet_out(&e->config, i);
    const float *d = w->d + start(e, out);
    size_t tap = (size_t)POSTNET_BANDS * (size_t)in * (size_t)out;
    memset(w->weights, 0, POSTNET_TAPS * tap * sizeof(float));
    for (int k = 0; k < POSTNET_TAPS; k++)
        e->kernels->outer_f32(e->rows, POSTNET_BANDS * in, out, tap_of_input(e, w, i, k),
                              (size_t)in, d, (size_t)out, w->weights + (size_t)k * tap, (size_t)out,
                              w->scratch);
    float *weight = gradient + weight_offset(e, i) - e->first;
    float *bias = gradient + bias_offset(e, i) - e->first;
    for (int o = 0; o < out; o++)
        for (int c = 0; c < in; c++)
            for (int band = 0; band < POSTNET_BANDS; band++)
                for (int k = 0; k < POSTNET_TAPS; k++)
                    weight[((o * in + c) * POSTNET_BANDS + band) * POSTNET_TAPS + k] =
                        w->weights[((k * POSTNET_BANDS + band) * in + c) * out + o];
    for (int o = 0; o < out; o++) bias[o] = 0;
    for (int r = 0; r < e->rows; r++)
        for (int o = 0; o < out; o++) bias[o] += d[(size_t)r * (size_t)out + (size_t)o];
}

/* w->sums = the gradient by convolution i's input, from w->d. */
static void input_gradient(const gradient_postnet *e, workspace *w, int i) {
    int in = postnet_in(&e->config, i), out = postnet_out(&e->config, i);
    const float *taps[POSTNET_TAPS];
    for (int k = 0; k < POSTNET_TAPS; k++) {
        int offset = k - 2 + postnet_ahead(&e->config, i);
        taps[k] = w->d + start(e, out) - (ptrdiff_t)((offset * (e->bands + 2) + 1) * out);
    }
    e->kernels->product_f32(e->rows, in, POSTNET_BANDS * out, POSTNET_TAPS, taps, (size_t)out,
                            e->operands[i].backward, NULL, false, w->sums, (size_t)in);
}

static void backward(const gradient_postnet *e, workspace *w, float *gradient) {
    int bands = e->bands;
    for (int i = e->count - 1; i >= 0; i--) {
        int in = postnet_in(&e->config, i), out = postnet_out(&e->config, i);
        memset(w->d, 0, padded(e, out) * sizeof(float));
        for (int f = 0; f < e->frames; f++) {
            float *d = w->d + start(e, out) + (size_t)f * (size_t)(bands + 2) * (size_t)out;
            size_t n = (size_t)bands * (size_t)out, row = (size_t)f * n;
            if (i == e->count - 1) {
                memcpy(d, w->dout + row, n * sizeof *d);
                continue;
            }
            for (size_t j = 0; j < n; j++)
                d[j] = w->dx[row + j] * (w->active[i][row + j] > 0 ? 1 : POSTNET_SLOPE);
        }
        weight_gradient(e, w, i, gradient);
        if (i == 0) break;
        input_gradient(e, w, i);
        bool residual = i < e->count - 1;
        for (int f = 0; f < e->frames; f++) {
            const float *sums = w->sums + (size_t)f * (size_t)(bands + 2) * (size_t)in;
            float *dx = w->dx + (size_t)f * (size_t)bands * (size_t)in;
            for (int j = 0; j < bands * in; j++) dx[j] = residual ? dx[j] + sums[j] : sums[j];
        }
    }
}

static void crop_task(void *context, int crop, int worker) {
    gradient_postnet *e = context;
    workspace *w = &e->work[worker];
    size_t points = (size_t)e->frames * (size_t)e->bands;
    forward(e, w, e->mel + (size_t)crop * points);
    e->losses[crop] = e->loss(e->context, crop, w->out, w->dout);
    if (e->backward) backward(e, w, e->gradients + (size_t)crop * e->size);
}

void gradient_postnet_run(gradient_postnet *e, const model_parameters *parameters, int crops,
                          const float *mel, gradient_engine_loss loss, void *context,
                          double *losses, float *gradient) {
    pack(e, parameters, gradient != NULL);
    e->mel = mel;
    e->loss = loss;
    e->context = context;
    e->losses = losses;
    e->backward = gradient != NULL;
    thread_pool_run(e->pool, crops, crop_task, e);
    if (!gradient) return;
    memset(gradient, 0, e->shape->size * sizeof *gradient);
    for (int crop = 0; crop < crops; crop++)
        for (size_t i = 0; i < e->size; i++)
            gradient[e->first + i] += e->gradients[(size_t)crop * e->size + i];
}

double gradient_postnet_flops(const gradient_postnet *e) {
    double products = 0; /* multiplications of a forward pass at one band of one frame */
    for (int i = 0; i < e->count; i++)
        products += (double)POSTNET_TAPS * POSTNET_BANDS * postnet_in(&e->config, i) *
                    postnet_out(&e->config, i);
    return 6 * products * e->frames * e->bands;
}

size_t gradient_postnet_bytes(const gradient_postnet *e) {
    return e->bytes;
}
