/* The gradient of a stack of convolutions over bands and frames: see frame_stack.h.
 *
 * A crop's arrays have rows of channels, one a band; a frame has bands + 2·edge of them, edge = 1
 * where a convolution sees neighbouring bands and 0 where not. Inputs x of a convolution have the
 * zero rows on either side of the bands and zero frames around the crop; gradients d by its sums
 * have all zero rows behind the bands. So, counting rows through all frames, row r of the sums is
 *
 *     s[r] = bias + Σ_tap Σ_band W[tap, band]·x[r + offset(tap)·(bands + 2·edge) + band],
 *     dx[r] = Σ_tap Σ_band Wᵀ[tap, across − 1 − band]
 *                          · d[r − offset(tap)·(bands + 2·edge) + band − edge],
 *
 * offset(tap) = tap − 2 + ahead: one product over all rows each, of which those that are no band
 * are dropped. */
#include "gradient/frame_stack.h"

#include "base/error.h"
#include "base/memory.h"
#include "gradient/passes.h"
#include "nn/kernels.h"

#include <string.h>

enum { AROUND = 2 /* zero frames on either side of a crop */, TAPS = MODEL_FRAME_STACK_TAPS };

typedef struct operand {
    float *forward, *backward; /* packed */
    const float *bias;
} operand;

typedef struct crop_arrays {
    float **x;      /* input of every convolution, padded */
    float **before; /* sums of every convolution but the last, frames × bands × channels */
    float *sums;    /* of the convolution at hand, or the gradient by its input; rows as above */
    float *d;       /* gradient by its sums, padded */
    float *dx;      /* gradient by what it gave to the next, frames × bands × channels */
    float *out, *dout;
    float *weights; /* gradient of its weights, as the operand lies */
    void *scratch;
} crop_arrays;

struct gradient_frame_stack {
    const nn_kernels *kernels;
    model_frame_stack_shape shape;
    model_parameters *layout;
    thread_pool *pool;
    int crops, frames;
    int edge, frame_rows, rows; /* of a frame; from the first band of all to the last */
    size_t first, size;         /* of the stack in the flat arrays */
    operand *operands;
    float *arranged; /* one convolution's weights on their way */
    crop_arrays *work;
    float *gradients; /* crops × size */
    size_t bytes;
    /* of the run at hand */
    const float *input;
    gradient_engine_loss loss;
    void *context;
    double *losses;
    bool backward;
};

static int in_of(const gradient_frame_stack *e, int i) {
    return model_frame_stack_in(&e->shape, i);
}

static int out_of(const gradient_frame_stack *e, int i) {
    return model_frame_stack_out(&e->shape, i);
}

static int widest(const gradient_frame_stack *e) {
    return e->shape.inner > e->shape.last ? e->shape.inner : e->shape.last;
}

static bool is_last(const gradient_frame_stack *e, int i) {
    return i == e->shape.count - 1;
}

/* Rows of a convolution's operand. */
static int depth(const gradient_frame_stack *e, int channels) {
    return TAPS * e->shape.across * channels;
}

/* Values of an array with `width` channels in every row, and where its crop begins. */
static size_t padded(const gradient_frame_stack *e, int width) {
    return (size_t)(e->frames + 2 * AROUND) * (size_t)e->frame_rows * (size_t)width;
}

static size_t start(const gradient_frame_stack *e, int width) {
    return (size_t)AROUND * (size_t)e->frame_rows * (size_t)width;
}

/* Values of all bands of a frame. */
static size_t values(const gradient_frame_stack *e, int width) {
    return (size_t)e->shape.bands * (size_t)width;
}

static size_t weight_offset(const gradient_frame_stack *e, int i) {
    return model_parameters_weight_tensor(e->layout, e->shape.role, i)->offset;
}

static size_t bias_offset(const gradient_frame_stack *e, int i) {
    return model_parameters_bias_tensor(e->layout, e->shape.role, i)->offset;
}

static size_t most_weights(const gradient_frame_stack *e) {
    size_t most = 0;
    for (int i = 0; i < e->shape.count; i++) {
        const size_t weights = (size_t)depth(e, in_of(e, i)) * (size_t)out_of(e, i);
        if (weights > most) most = weights;
    }
    return most;
}

/* ---- creation ---- */

static void crop_arrays_new(gradient_frame_stack *e, crop_arrays *w, bool *ok) {
    const size_t frames = (size_t)e->frames, count = (size_t)e->shape.count;
    const size_t wide = values(e, widest(e)), out = frames * values(e, e->shape.last);
    size_t scratch = 0;
    w->x = gradient_take(&e->bytes, count, sizeof *w->x, ok);
    w->before = gradient_take(&e->bytes, count, sizeof *w->before, ok);
    for (int i = 0; i < e->shape.count; i++) {
        const int in = in_of(e, i);
        const size_t need = e->kernels->outer_scratch(e->shape.across * in, out_of(e, i), e->rows);
        if (need > scratch) scratch = need;
        if (w->x) w->x[i] = gradient_take(&e->bytes, padded(e, in), sizeof(float), ok);
        if (w->before && !is_last(e, i))
            w->before[i] =
                gradient_take(&e->bytes, frames * values(e, e->shape.inner), sizeof(float), ok);
    }
    w->sums = gradient_take(&e->bytes, padded(e, widest(e)), sizeof(float), ok);
    w->d = gradient_take(&e->bytes, padded(e, widest(e)), sizeof(float), ok);
    w->dx = gradient_take(&e->bytes, frames * wide, sizeof(float), ok);
    w->out = gradient_take(&e->bytes, out, sizeof(float), ok);
    w->dout = gradient_take(&e->bytes, out, sizeof(float), ok);
    w->weights = gradient_take(&e->bytes, most_weights(e), sizeof(float), ok);
    w->scratch = gradient_take(&e->bytes, scratch, 1, ok);
}

static void crop_arrays_free(const gradient_frame_stack *e, crop_arrays *w) {
    for (int i = 0; i < e->shape.count; i++) {
        if (w->x) base_free(w->x[i]);
        if (w->before) base_free(w->before[i]);
    }
    void *owned[] = {w->x,   w->before, w->sums,    w->d,      w->dx,
                     w->out, w->dout,   w->weights, w->scratch};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) base_free(owned[i]);
}

static void new_arrays(gradient_frame_stack *e, bool *ok) {
    const int workers = thread_pool_size(e->pool);
    e->arranged = gradient_take(&e->bytes, most_weights(e), sizeof(float), ok);
    e->operands = gradient_take(&e->bytes, (size_t)e->shape.count, sizeof *e->operands, ok);
    for (int i = 0; e->operands && i < e->shape.count; i++) {
        const int in = in_of(e, i), out = out_of(e, i);
        e->operands[i].forward =
            gradient_take(&e->bytes, e->kernels->packed_f32(depth(e, in), out), sizeof(float), ok);
        e->operands[i].backward =
            gradient_take(&e->bytes, e->kernels->packed_f32(depth(e, out), in), sizeof(float), ok);
    }
    e->work = gradient_take(&e->bytes, (size_t)workers, sizeof *e->work, ok);
    for (int i = 0; e->work && i < workers; i++) crop_arrays_new(e, &e->work[i], ok);
    e->gradients = gradient_take(&e->bytes, (size_t)e->crops * e->size, sizeof(float), ok);
}

lull_status gradient_frame_stack_new(const model_frame_stack_shape *shape,
                                     const model_config *config, int crops, int frames,
                                     thread_pool *pool, gradient_frame_stack **stack,
                                     lull_error *error) {
    *stack = NULL;
    gradient_frame_stack *e = base_alloc(1, sizeof *e);
    if (!e) return base_no_memory(error);
    e->kernels = nn_kernels_get();
    e->shape = *shape;
    e->pool = pool;
    e->crops = crops;
    e->frames = frames;
    e->edge = shape->across / 2;
    e->frame_rows = shape->bands + 2 * e->edge;
    e->rows = frames * e->frame_rows - 2 * e->edge;
    lull_status status = model_parameters_new(config, &e->layout, error);
    if (!status) {
        bool ok = true;
        e->first = weight_offset(e, 0);
        e->size = bias_offset(e, shape->count - 1) + (size_t)shape->last - e->first;
        new_arrays(e, &ok);
        if (!ok) status = base_no_memory(error);
    }
    if (status) {
        gradient_frame_stack_free(e);
        return status;
    }
    *stack = e;
    return LULL_OK;
}

void gradient_frame_stack_free(gradient_frame_stack *e) {
    if (!e) return;
    for (int i = 0; e->operands && i < e->shape.count; i++) {
        base_free(e->operands[i].forward);
        base_free(e->operands[i].backward);
    }
    for (int i = 0; e->work && i < thread_pool_size(e->pool); i++) crop_arrays_free(e, &e->work[i]);
    model_parameters_free(e->layout);
    base_free(e->arranged);
    base_free(e->operands);
    base_free(e->work);
    base_free(e->gradients);
    base_free(e);
}

/* ---- weights ---- */

/* [tap, across − 1 − band, out] × in, for the gradient by the input. */
static void arrange_backward(const gradient_frame_stack *e, int i, const float *weight) {
    const int across = e->shape.across, in = in_of(e, i), out = out_of(e, i);
    for (int o = 0; o < out; o++)
        for (int c = 0; c < in; c++)
            for (int band = 0; band < across; band++)
                for (int tap = 0; tap < TAPS; tap++)
                    e->arranged[((tap * across + (across - 1 - band)) * out + o) * in + c] =
                        weight[((o * in + c) * across + band) * TAPS + tap];
}

static void pack(gradient_frame_stack *e, const model_parameters *parameters, bool backward) {
    for (int i = 0; i < e->shape.count; i++) {
        const int in = in_of(e, i), out = out_of(e, i);
        const float *weight = parameters->data + weight_offset(e, i);
        model_frame_stack_arrange(&e->shape, i, weight, e->arranged);
        e->kernels->pack_f32(depth(e, in), out, e->arranged, out, 1, e->operands[i].forward);
        e->operands[i].bias = parameters->data + bias_offset(e, i);
        if (!backward || i == 0) continue;
        arrange_backward(e, i, weight);
        e->kernels->pack_f32(depth(e, out), in, e->arranged, in, 1, e->operands[i].backward);
    }
}

/* ---- one crop ---- */

/* Rows from where tap k of convolution i reads to the row that it is for. */
static ptrdiff_t tap_rows(const gradient_frame_stack *e, int i, int k) {
    return (ptrdiff_t)(k - 2 + model_frame_stack_ahead(&e->shape, i)) * e->frame_rows;
}

/* Where tap k of convolution i reads its input's row 0. */
static const float *tap_of_input(const gradient_frame_stack *e, const crop_arrays *w, int i,
                                 int k) {
    const int in = in_of(e, i);
    return w->x[i] + start(e, in) + tap_rows(e, i, k) * in;
}

/* The first band of frame f in an input of `width` channels. */
static float *bands_of(const gradient_frame_stack *e, float *x, int width, int f) {
    return x + start(e, width) + (size_t)(f * e->frame_rows + e->edge) * (size_t)width;
}

static void first_input(const gradient_frame_stack *e, crop_arrays *w, const float *input) {
    const size_t n = values(e, e->shape.first);
    for (int f = 0; f < e->frames; f++) {
        float *x = bands_of(e, w->x[0], e->shape.first, f);
        for (size_t j = 0; j < n; j++)
            x[j] = (input[(size_t)f * n + j] + e->shape.offset) * e->shape.scale;
    }
}

/* What convolution i gives to the next one in frame f, from its sums there. */
static void activate(const gradient_frame_stack *e, crop_arrays *w, int i, int f,
                     const float *sums) {
    const int in = in_of(e, i), out = out_of(e, i);
    const size_t n = values(e, out);
    float *next = bands_of(e, w->x[i + 1], out, f);
    memcpy(w->before[i] + (size_t)f * n, sums, n * sizeof *sums);
    if (e->shape.silu)
        e->kernels->silu(sums, next, n);
    else
        for (size_t j = 0; j < n; j++)
            next[j] = sums[j] > 0 ? sums[j] : MODEL_FRAME_STACK_SLOPE * sums[j];
    if (i == 0) return;
    const float *x = bands_of(e, w->x[i], in, f);
    for (size_t j = 0; j < n; j++) next[j] += x[j];
}

static void forward(const gradient_frame_stack *e, crop_arrays *w, const float *input) {
    first_input(e, w, input);
    for (int i = 0; i < e->shape.count; i++) {
        const int in = in_of(e, i), out = out_of(e, i);
        const size_t n = values(e, out);
        const float *taps[TAPS];
        for (int k = 0; k < TAPS; k++) taps[k] = tap_of_input(e, w, i, k);
        e->kernels->product_f32(e->rows, out, e->shape.across * in, TAPS, taps, (size_t)in,
                                e->operands[i].forward, e->operands[i].bias, false, w->sums,
                                (size_t)out);
        for (int f = 0; f < e->frames; f++) {
            const float *sums = w->sums + (size_t)(f * e->frame_rows) * (size_t)out;
            const size_t row = (size_t)f * n;
            if (!is_last(e, i))
                activate(e, w, i, f, sums);
            else
                for (size_t j = 0; j < n; j++)
                    w->out[row + j] = e->shape.added ? input[row + j] + sums[j] : sums[j];
        }
    }
}

/* Gradient of convolution i's weights and bias from w->d, into `gradient` (of the stack). */
static void weight_gradient(const gradient_frame_stack *e, crop_arrays *w, int i, float *gradient) {
    const int across = e->shape.across, in = in_of(e, i), out = out_of(e, i);
    const float *d = w->d + start(e, out);
    const size_t tap = (size_t)across * (size_t)in * (size_t)out;
    memset(w->weights, 0, TAPS * tap * sizeof(float));
    for (int k = 0; k < TAPS; k++)
        e->kernels->outer_f32(e->rows, across * in, out, tap_of_input(e, w, i, k), (size_t)in, d,
                              (size_t)out, w->weights + (size_t)k * tap, (size_t)out, w->scratch);
    float *weight = gradient + weight_offset(e, i) - e->first;
    float *bias = gradient + bias_offset(e, i) - e->first;
    for (int o = 0; o < out; o++)
        for (int c = 0; c < in; c++)
            for (int band = 0; band < across; band++)
                for (int k = 0; k < TAPS; k++)
                    weight[((o * in + c) * across + band) * TAPS + k] =
                        w->weights[((k * across + band) * in + c) * out + o];
    memset(bias, 0, (size_t)out * sizeof *bias);
    gradient_add_columns(bias, d, e->rows, out, (size_t)out);
}

/* w->sums = the gradient by convolution i's input, from w->d. */
static void input_gradient(const gradient_frame_stack *e, crop_arrays *w, int i) {
    const int in = in_of(e, i), out = out_of(e, i);
    const float *taps[TAPS];
    for (int k = 0; k < TAPS; k++)
        taps[k] = w->d + start(e, out) - (tap_rows(e, i, k) + e->edge) * out;
    e->kernels->product_f32(e->rows, in, e->shape.across * out, TAPS, taps, (size_t)out,
                            e->operands[i].backward, NULL, false, w->sums, (size_t)in);
}

/* w->d of convolution i, from the gradient by what it gave on. */
static void sums_gradient(const gradient_frame_stack *e, crop_arrays *w, int i) {
    const int out = out_of(e, i);
    const size_t n = values(e, out);
    memset(w->d, 0, padded(e, out) * sizeof(float));
    for (int f = 0; f < e->frames; f++) {
        float *d = w->d + start(e, out) + (size_t)(f * e->frame_rows) * (size_t)out;
        const size_t row = (size_t)f * n;
        memcpy(d, (is_last(e, i) ? w->dout : w->dx) + row, n * sizeof *d);
        if (is_last(e, i)) continue;
        const float *before = w->before[i] + row;
        if (e->shape.silu)
            gradient_silu_backward(before, d, n);
        else
            for (size_t j = 0; j < n; j++) d[j] *= before[j] > 0 ? 1 : MODEL_FRAME_STACK_SLOPE;
    }
}

static void backward(const gradient_frame_stack *e, crop_arrays *w, float *gradient) {
    for (int i = e->shape.count - 1; i >= 0; i--) {
        const int in = in_of(e, i);
        const size_t n = values(e, in);
        sums_gradient(e, w, i);
        weight_gradient(e, w, i, gradient);
        if (i == 0) return;
        input_gradient(e, w, i);
        for (int f = 0; f < e->frames; f++) {
            const float *sums = w->sums + (size_t)(f * e->frame_rows) * (size_t)in;
            float *dx = w->dx + (size_t)f * n;
            for (size_t j = 0; j < n; j++) dx[j] = is_last(e, i) ? sums[j] : dx[j] + sums[j];
        }
    }
}

static void crop_task(void *context, int crop, int worker) {
    gradient_frame_stack *e = context;
    crop_arrays *w = &e->work[worker];
    forward(e, w, e->input + (size_t)crop * (size_t)e->frames * values(e, e->shape.first));
    e->losses[crop] = e->loss(e->context, crop, w->out, w->dout);
    if (e->backward) backward(e, w, e->gradients + (size_t)crop * e->size);
}

void gradient_frame_stack_run(gradient_frame_stack *e, const model_parameters *parameters,
                              int crops, const float *input, gradient_engine_loss loss,
                              void *context, double *losses, float *gradient) {
    pack(e, parameters, gradient != NULL);
    e->input = input;
    e->loss = loss;
    e->context = context;
    e->losses = losses;
    e->backward = gradient != NULL;
    thread_pool_run(e->pool, crops, crop_task, e);
    if (!gradient) return;
    memset(gradient, 0, e->layout->size * sizeof *gradient);
    for (int crop = 0; crop < crops; crop++)
        for (size_t i = 0; i < e->size; i++)
            gradient[e->first + i] += e->gradients[(size_t)crop * e->size + i];
}

double gradient_frame_stack_flops(const gradient_frame_stack *e) {
    return 6 * model_frame_stack_products(&e->shape) * e->frames;
}

size_t gradient_frame_stack_bytes(const gradient_frame_stack *e) {
    return e->bytes;
}
