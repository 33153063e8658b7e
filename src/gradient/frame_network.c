/* The gradient of networks over frames: see frame_network.h.
 *
 * A crop's inputs x of a convolution and gradients d by its sums have zero frames around them, so
 * that, for every frame f of the crop,
 *
 *     s[f] = bias + Σ_tap W[tap]·x[f + offset(tap)],   dx[f] = Σ_tap Wᵀ[tap]·d[f − offset(tap)],
 *
 * offset(tap) = tap − 2 + ahead: one product over all frames each. */
#include "gradient/frame_network.h"

#include "base/error.h"
#include "base/memory.h"
#include "gradient/internal.h"
#include "mel/frame_features.h"
#include "model/frame_network.h"
#include "nn/kernels.h"

#include <string.h>

enum { AROUND = 2 }; /* zero frames on either side of a crop */

typedef struct operand {
    float *forward, *backward; /* packed */
    const float *bias;
} operand;

typedef struct crop_arrays {
    float **x;    /* input of every convolution, padded */
    float **sums; /* of every convolution but the last, frames × channels */
    float *out, *dout;
    float *d;       /* padded */
    float *dx;      /* frames × channels: gradient by the input of the convolution at hand */
    float *back;    /* frames × channels */
    float *weights; /* gradient of a convolution, as its operand lies */
    void *scratch;
} crop_arrays;

struct gradient_frame_network {
    const nn_kernels *kernels;
    frame_shape net;
    model_role role;
    model_parameters *shape;
    thread_pool *pool;
    int crops, frames, channels, count;
    size_t first, size; /* of the network in the flat arrays */
    operand *operands;
    float *arranged; /* one convolution's weights on their way */
    crop_arrays *work;
    float *gradients; /* crops × size */
    size_t bytes;
    /* of the run at hand */
    const float *features;
    gradient_engine_loss loss;
    void *context;
    double *losses;
    bool backward;
};

static void *take(gradient_frame_network *e, size_t count, size_t size, bool *ok) {
    void *memory = base_alloc(count, size);
    if (!memory) *ok = false;
    e->bytes += count * size;
    return memory;
}

static int inputs(const gradient_frame_network *e, int i) {
    return frame_shape_in(&e->net, i);
}

static int outputs(const gradient_frame_network *e, int i) {
    return frame_shape_out(&e->net, i);
}

/* Values of an array with `width` of them in every frame, the zeros around the crop included. */
static size_t padded(const gradient_frame_network *e, int width) {
    return (size_t)(e->frames + 2 * AROUND) * (size_t)width;
}

static size_t weight_offset(const gradient_frame_network *e, int i) {
    return model_parameters_weight_tensor(e->shape, e->role, i)->offset;
}

static size_t bias_offset(const gradient_frame_network *e, int i) {
    return model_parameters_bias_tensor(e->shape, e->role, i)->offset;
}

/* Weights of the largest convolution, and the widest row of sums. */
static size_t most_weights(const gradient_frame_network *e) {
    size_t most = 0;
    for (int i = 0; i < e->count; i++) {
        const size_t weights = FRAME_TAPS * (size_t)inputs(e, i) * (size_t)outputs(e, i);
        if (weights > most) most = weights;
    }
    return most;
}

static int widest(const gradient_frame_network *e) {
    return e->channels > e->net.outputs ? e->channels : e->net.outputs;
}

static void crop_arrays_new(gradient_frame_network *e, crop_arrays *w, bool *ok) {
    const size_t frames = (size_t)e->frames, wide = (size_t)widest(e);
    size_t scratch = 0;
    w->x = take(e, (size_t)e->count, sizeof *w->x, ok);
    w->sums = take(e, (size_t)e->count, sizeof *w->sums, ok);
    for (int i = 0; i < e->count; i++) {
        const size_t need = e->kernels->outer_scratch(inputs(e, i), outputs(e, i), e->frames);
        if (need > scratch) scratch = need;
        if (w->x) w->x[i] = take(e, padded(e, inputs(e, i)), sizeof(float), ok);
        if (w->sums && i < e->count - 1)
            w->sums[i] = take(e, frames * (size_t)e->channels, sizeof(float), ok);
    }
    w->out = take(e, frames * (size_t)e->net.outputs, sizeof(float), ok);
    w->dout = take(e, frames * (size_t)e->net.outputs, sizeof(float), ok);
    w->d = take(e, padded(e, (int)wide), sizeof(float), ok);
    w->dx = take(e, frames * wide, sizeof(float), ok);
    w->back = take(e, frames * wide, sizeof(float), ok);
    w->weights = take(e, most_weights(e), sizeof(float), ok);
    w->scratch = take(e, scratch, 1, ok);
}

static void crop_arrays_free(const gradient_frame_network *e, crop_arrays *w) {
    for (int i = 0; i < e->count; i++) {
        if (w->x) base_free(w->x[i]);
        if (w->sums) base_free(w->sums[i]);
    }
    void *owned[] = {w->x, w->sums, w->out, w->dout, w->d, w->dx, w->back, w->weights, w->scratch};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) base_free(owned[i]);
}

static void new_arrays(gradient_frame_network *e, bool *ok) {
    e->arranged = take(e, most_weights(e), sizeof(float), ok);
    e->operands = take(e, (size_t)e->count, sizeof *e->operands, ok);
    for (int i = 0; e->operands && i < e->count; i++) {
        const int in = inputs(e, i), out = outputs(e, i);
        e->operands[i].forward =
            take(e, e->kernels->packed_f32(FRAME_TAPS * in, out), sizeof(float), ok);
        e->operands[i].backward =
            take(e, e->kernels->packed_f32(FRAME_TAPS * out, in), sizeof(float), ok);
    }
    const int workers = thread_pool_size(e->pool);
    e->work = take(e, (size_t)workers, sizeof *e->work, ok);
    for (int i = 0; e->work && i < workers; i++) crop_arrays_new(e, &e->work[i], ok);
    e->gradients = take(e, (size_t)e->crops * e->size, sizeof(float), ok);
}

lull_status gradient_frame_network_new(const model_config *config, const frame_shape *shape,
                                       model_role role, int crops, int frames, thread_pool *pool,
                                       gradient_frame_network **engine, lull_error *error) {
    *engine = NULL;
    gradient_frame_network *e = base_alloc(1, sizeof *e);
    if (!e) return base_no_memory(error);
    e->kernels = nn_kernels_get();
    e->net = *shape;
    e->role = role;
    e->pool = pool;
    e->crops = crops;
    e->frames = frames;
    e->channels = shape->channels;
    e->count = shape->layers;
    lull_status status = model_parameters_new(config, &e->shape, error);
    if (!status) {
        bool ok = true;
        const int last = e->count - 1;
        e->first = weight_offset(e, 0);
        e->size = bias_offset(e, last) + (size_t)outputs(e, last) - e->first;
        new_arrays(e, &ok);
        if (!ok) status = base_no_memory(error);
    }
    if (status) {
        gradient_frame_network_free(e);
        return status;
    }
    *engine = e;
    return LULL_OK;
}

void gradient_frame_network_free(gradient_frame_network *e) {
    if (!e) return;
    for (int i = 0; e->operands && i < e->count; i++) {
        base_free(e->operands[i].forward);
        base_free(e->operands[i].backward);
    }
    for (int i = 0; e->work && i < thread_pool_size(e->pool); i++) crop_arrays_free(e, &e->work[i]);
    model_parameters_free(e->shape);
    base_free(e->arranged);
    base_free(e->operands);
    base_free(e->work);
    base_free(e->gradients);
    base_free(e);
}

/* ---- weights ---- */

/* Row tap·out + o, column i, for the gradient by the input. */
static void arrange_backward(const float *weight, int out, int in, float *operand) {
    for (int o = 0; o < out; o++)
        for (int i = 0; i < in; i++)
            for (int tap = 0; tap < FRAME_TAPS; tap++)
                operand[(tap * out + o) * in + i] = weight[(o * in + i) * FRAME_TAPS + tap];
}

static void pack(gradient_frame_network *e, const model_parameters *parameters, bool backward) {
    for (int i = 0; i < e->count; i++) {
        const int in = inputs(e, i), out = outputs(e, i);
        const float *weight = parameters->data + weight_offset(e, i);
        frame_network_arrange(weight, out, in, e->arranged);
        e->kernels->pack_f32(FRAME_TAPS * in, out, e->arranged, out, 1, e->operands[i].forward);
        e->operands[i].bias = parameters->data + bias_offset(e, i);
        if (!backward || i == 0) continue;
        arrange_backward(weight, out, in, e->arranged);
        e->kernels->pack_f32(FRAME_TAPS * out, in, e->arranged, in, 1, e->operands[i].backward);
    }
}

/* ---- one crop ---- */

static int offset_of(const gradient_frame_network *e, int i, int tap) {
    return tap - 2 + (i < e->net.look_ahead);
}

/* Frame 0 of the crop moved by `frames`, in an array with zeros around it. */
static float *moved(float *array, int frames, int width) {
    return array + (AROUND + frames) * width;
}

static bool is_residual(const gradient_frame_network *e, int i) {
    return i > 0 && i < e->count - 1;
}

static void forward(const gradient_frame_network *e, crop_arrays *w, const float *features) {
    const size_t values = (size_t)e->frames * (size_t)e->channels;
    memcpy(moved(w->x[0], 0, MEL_FEATURES), features,
           (size_t)e->frames * MEL_FEATURES * sizeof *features);
    for (int i = 0; i < e->count; i++) {
        const int in = inputs(e, i), out = outputs(e, i);
        const bool last = i == e->count - 1;
        const float *taps[FRAME_TAPS];
        for (int k = 0; k < FRAME_TAPS; k++) taps[k] = moved(w->x[i], offset_of(e, i, k), in);
        e->kernels->product_f32(e->frames, out, in, FRAME_TAPS, taps, (size_t)in,
                                e->operands[i].forward, e->operands[i].bias, false,
                                last ? w->out : w->sums[i], (size_t)out);
        if (last) return;
        float *next = moved(w->x[i + 1], 0, out);
        e->kernels->silu(w->sums[i], next, values);
        const float *x = moved(w->x[i], 0, in);
        for (size_t j = 0; is_residual(e, i) && j < values; j++) next[j] += x[j];
    }
}

/* Gradient of convolution i's weights and bias from w->d, into `gradient` (of the network).
 */
static void weight_gradient(const gradient_frame_network *e, crop_arrays *w, int i,
                            float *gradient) {
    const int in = inputs(e, i), out = outputs(e, i);
    const float *d = moved(w->d, 0, out);
    const size_t tap = (size_t)in * (size_t)out;
    memset(w->weights, 0, FRAME_TAPS * tap * sizeof(float));
    for (int k = 0; k < FRAME_TAPS; k++)
        e->kernels->outer_f32(e->frames, in, out, moved(w->x[i], offset_of(e, i, k), in),
                              (size_t)in, d, (size_t)out, w->weights + (size_t)k * tap, (size_t)out,
                              w->scratch);
    float *weight = gradient + weight_offset(e, i) - e->first;
    float *bias = gradient + bias_offset(e, i) - e->first;
    for (int o = 0; o < out; o++)
        for (int c = 0; c < in; c++)
            for (int k = 0; k < FRAME_TAPS; k++)
                weight[(o * in + c) * FRAME_TAPS + k] = w->weights[(k * in + c) * out + o];
    memset(bias, 0, (size_t)out * sizeof *bias);
    gradient_add_columns(bias, d, e->frames, out, (size_t)out);
}

/* w->back = the gradient by convolution i's input, from w->d. */
static void input_gradient(const gradient_frame_network *e, crop_arrays *w, int i) {
    const int in = inputs(e, i), out = outputs(e, i);
    const float *taps[FRAME_TAPS];
    for (int k = 0; k < FRAME_TAPS; k++) taps[k] = moved(w->d, -offset_of(e, i, k), out);
    e->kernels->product_f32(e->frames, in, out, FRAME_TAPS, taps, (size_t)out,
                            e->operands[i].backward, NULL, false, w->back, (size_t)in);
}

static void backward(const gradient_frame_network *e, crop_arrays *w, float *gradient) {
    const size_t values = (size_t)e->frames * (size_t)e->channels;
    for (int i = e->count - 1; i >= 0; i--) {
        const bool last = i == e->count - 1;
        const int out = outputs(e, i);
        float *d = moved(w->d, 0, out);
        memset(w->d, 0, padded(e, out) * sizeof(float));
        if (last) {
            memcpy(d, w->dout, (size_t)e->frames * (size_t)e->net.outputs * sizeof *d);
        } else {
            memcpy(d, w->dx, values * sizeof *d);
            gradient_silu_backward(w->sums[i], d, values);
        }
        weight_gradient(e, w, i, gradient);
        if (i == 0) return;
        input_gradient(e, w, i);
        for (size_t j = 0; j < values; j++)
            w->dx[j] = is_residual(e, i) ? w->dx[j] + w->back[j] : w->back[j];
    }
}

static void crop_task(void *context, int crop, int worker) {
    gradient_frame_network *e = context;
    crop_arrays *w = &e->work[worker];
    forward(e, w, e->features + (size_t)crop * (size_t)e->frames * MEL_FEATURES);
    e->losses[crop] = e->loss(e->context, crop, w->out, w->dout);
    if (e->backward) backward(e, w, e->gradients + (size_t)crop * e->size);
}

void gradient_frame_network_run(gradient_frame_network *e, const model_parameters *parameters,
                                int crops, const float *features, gradient_engine_loss loss,
                                void *context, double *losses, float *gradient) {
    pack(e, parameters, gradient != NULL);
    e->features = features;
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

double gradient_frame_network_flops(const gradient_frame_network *e) {
    double products = 0; /* multiplications of a forward pass in one frame */
    for (int i = 0; i < e->count; i++)
        products += (double)FRAME_TAPS * inputs(e, i) * outputs(e, i);
    return 6 * products * e->frames;
}

size_t gradient_frame_network_bytes(const gradient_frame_network *e) {
    return e->bytes;
}
