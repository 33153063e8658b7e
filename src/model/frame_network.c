/* Networks over mel frames as streams: see frame_network.h. Every convolution keeps its last three
 * frames of input in a ring. */
#include "model/frame_network.h"

#include "base/error.h"
#include "base/memory.h"
#include "mel/frame_features.h"
#include "nn/kernels.h"

#include <string.h>

typedef struct convolution {
    int in, out, ahead;
    float *weight, *bias; /* packed; out */
    float *ring;          /* 3 × in */
    uint64_t received;    /* frames of input, zeros behind the end included */
} convolution;

struct frame_network {
    const nn_kernels *kernels;
    frame_shape shape;
    convolution *convolutions;
    float *sums; /* of a frame: channels, or outputs where that is more */
    uint64_t received, total;
};

void frame_network_arrange(const float *weight, int out, int in, float *operand) {
    for (int o = 0; o < out; o++)
        for (int i = 0; i < in; i++)
            for (int tap = 0; tap < FRAME_TAPS; tap++)
                operand[(tap * in + i) * out + o] = weight[(o * in + i) * FRAME_TAPS + tap];
}

static int widest(const frame_shape *shape) {
    return shape->channels > shape->outputs ? shape->channels : shape->outputs;
}

static lull_status convolution_new(const frame_network *n, model_role role,
                                   const model_parameters *parameters, int i, lull_error *error) {
    convolution *c = &n->convolutions[i];
    c->in = frame_shape_in(&n->shape, i);
    c->out = frame_shape_out(&n->shape, i);
    c->ahead = i < n->shape.look_ahead;
    const int k = FRAME_TAPS * c->in;
    float *operand = base_alloc((size_t)k * (size_t)c->out, sizeof *operand);
    c->weight = base_alloc(n->kernels->packed_f32(k, c->out), sizeof(float));
    c->bias = base_alloc((size_t)c->out, sizeof(float));
    c->ring = base_alloc(FRAME_TAPS * (size_t)c->in, sizeof(float));
    if (operand && c->weight && c->bias && c->ring) {
        frame_network_arrange(model_parameters_weight(parameters, role, i), c->out, c->in, operand);
        n->kernels->pack_f32(k, c->out, operand, c->out, 1, c->weight);
        memcpy(c->bias, model_parameters_bias(parameters, role, i), (size_t)c->out * sizeof(float));
    }
    base_free(operand);
    return operand && c->weight && c->bias && c->ring ? LULL_OK : base_no_memory(error);
}

uint64_t frame_network_bytes(const frame_shape *shape) {
    uint64_t sum = base_memory_add(0, 1, sizeof(frame_network)), largest = 0;
    sum = base_memory_add(sum, (uint64_t)shape->layers, sizeof(convolution));
    sum = base_memory_add(sum, (uint64_t)widest(shape), sizeof(float));
    for (int i = 0; i < shape->layers; i++) {
        const uint64_t in = (uint64_t)frame_shape_in(shape, i);
        const uint64_t out = (uint64_t)frame_shape_out(shape, i);
        /* Packed for vectors of 16 floats, whatever the kernels are. */
        const uint64_t packed = FRAME_TAPS * in * ((out + 63) / 64 * 64);
        if (packed > largest) largest = packed;
        sum = base_memory_add(sum, packed + out + FRAME_TAPS * in + 64, sizeof(float));
    }
    return base_memory_add(sum, largest, sizeof(float)); /* while it is packed */
}

lull_status frame_network_new(const frame_shape *shape, model_role role,
                              const model_parameters *parameters, frame_network **result,
                              lull_error *error) {
    *result = NULL;
    frame_network *n = base_alloc(1, sizeof *n);
    if (!n) return base_no_memory(error);
    n->kernels = nn_kernels_get();
    n->shape = *shape;
    n->convolutions = base_alloc((size_t)shape->layers, sizeof *n->convolutions);
    n->sums = base_alloc((size_t)widest(shape), sizeof *n->sums);
    lull_status status = n->convolutions && n->sums ? LULL_OK : base_no_memory(error);
    for (int i = 0; i < shape->layers && !status; i++)
        status = convolution_new(n, role, parameters, i, error);
    if (status) {
        frame_network_free(n);
        return status;
    }
    frame_network_reset(n);
    *result = n;
    return LULL_OK;
}

void frame_network_free(frame_network *n) {
    if (!n) return;
    for (int i = 0; n->convolutions && i < n->shape.layers; i++) {
        base_free(n->convolutions[i].weight);
        base_free(n->convolutions[i].bias);
        base_free(n->convolutions[i].ring);
    }
    base_free(n->convolutions);
    base_free(n->sums);
    base_free(n);
}

void frame_network_reset(frame_network *n) {
    for (int i = 0; i < n->shape.layers; i++) {
        convolution *c = &n->convolutions[i];
        memset(c->ring, 0, FRAME_TAPS * (size_t)c->in * sizeof(float));
        c->received = 0;
    }
    n->received = 0;
    n->total = UINT64_MAX;
}

int frame_network_look_ahead(const frame_network *n) {
    return n->shape.look_ahead;
}

/* Frame f of a convolution's input. */
static float *slot(const convolution *c, uint64_t f) {
    return c->ring + (f % FRAME_TAPS) * (size_t)c->in;
}

/* What convolution i makes of frame f, given to the next one; of the last one, left in n->sums. */
static void convolve(frame_network *n, int i, uint64_t f) {
    const convolution *c = &n->convolutions[i];
    const uint64_t newest = f + (uint64_t)c->ahead;
    /* Before the first frame the ring is zero. */
    const float *taps[FRAME_TAPS] = {slot(c, newest + 1), slot(c, newest + 2), slot(c, newest)};
    n->kernels->product_f32(1, c->out, c->in, FRAME_TAPS, taps, (size_t)c->in, c->weight, c->bias,
                            false, n->sums, (size_t)c->out);
    if (i == n->shape.layers - 1) return;
    const convolution *next = &n->convolutions[i + 1];
    float *out = slot(next, next->received);
    n->kernels->silu(n->sums, out, (size_t)c->out);
    if (i == 0) return;
    const float *in = slot(c, f);
    for (int j = 0; j < c->out; j++) out[j] += in[j];
}

/* The newest input of convolution 0 lies in its ring: runs what thereby becomes possible. True when
 * the last convolution made a frame. */
static bool run(frame_network *n) {
    for (int i = 0; i < n->shape.layers; i++) {
        convolution *c = &n->convolutions[i];
        const uint64_t received = ++c->received;
        if (received <= (uint64_t)c->ahead) return false;
        const uint64_t f = received - 1 - (uint64_t)c->ahead;
        if (f < n->total) {
            convolve(n, i, f);
        } else if (i + 1 < n->shape.layers) { /* behind the end every convolution sees zeros */
            const convolution *next = &n->convolutions[i + 1];
            memset(slot(next, next->received), 0, (size_t)next->in * sizeof(float));
        } else {
            return false;
        }
    }
    return true;
}

const float *frame_network_push(frame_network *n, const float *features) {
    convolution *first = &n->convolutions[0];
    float *in = slot(first, first->received);
    if (features) {
        memcpy(in, features, MEL_FEATURES * sizeof *in);
        n->received++;
    } else {
        n->total = n->received;
        memset(in, 0, MEL_FEATURES * sizeof *in);
    }
    return run(n) ? n->sums : NULL;
}
