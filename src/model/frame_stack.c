/* Convolutions over bands and frames as a stream. A frame of a convolution's input lies in a ring of
 * three, as rows of its channels, one a band, with a zero row on either side where neighbours are
 * seen, so that all bands of a tap are one piece of memory and the whole convolution is one
 * product. */
#include "model/frame_stack.h"

#include "base/error.h"
#include "base/memory.h"
#include "nn/kernels.h"

#include <math.h>
#include <string.h>

enum { TAPS = MODEL_FRAME_STACK_TAPS };

typedef struct convolution {
    int in, out, ahead;
    float *weight, *bias; /* packed; out */
    float *ring;          /* 3 × rows × in */
    uint64_t received;    /* frames of input, zeros behind the end included */
} convolution;

struct model_frame_stack {
    model_frame_stack_shape shape;
    const nn_kernels *kernels;
    convolution *convolutions;
    float *raw;  /* ring of look_ahead + 1 frames as they came, where they are added */
    float *sums; /* bands × channels */
    uint64_t received, total, given;
};

int model_frame_stack_in(const model_frame_stack_shape *shape, int i) {
    return i == 0 ? shape->first : shape->inner;
}

int model_frame_stack_out(const model_frame_stack_shape *shape, int i) {
    return i == shape->count - 1 ? shape->last : shape->inner;
}

int model_frame_stack_ahead(const model_frame_stack_shape *shape, int i) {
    return i < shape->look_ahead;
}

double model_frame_stack_products(const model_frame_stack_shape *shape) {
    double products = 0;
    for (int i = 0; i < shape->count; i++)
        products += (double)model_frame_stack_in(shape, i) * model_frame_stack_out(shape, i);
    return products * TAPS * shape->across * shape->bands;
}

void model_frame_stack_arrange(const model_frame_stack_shape *shape, int i, const float *weight,
                               float *operand) {
    const int inputs = model_frame_stack_in(shape, i), outputs = model_frame_stack_out(shape, i);
    const int across = shape->across;
    for (int o = 0; o < outputs; o++)
        for (int in = 0; in < inputs; in++)
            for (int band = 0; band < across; band++)
                for (int tap = 0; tap < TAPS; tap++)
                    operand[((tap * across + band) * inputs + in) * outputs + o] =
                        weight[((o * inputs + in) * across + band) * TAPS + tap];
}

/* Zero rows before the first band. */
static int edge(const model_frame_stack_shape *shape) {
    return shape->across / 2;
}

/* Values of one frame of an input of `width` channels, zero rows included. */
static size_t slot_size(const model_frame_stack_shape *shape, int width) {
    return (size_t)(shape->bands + 2 * edge(shape)) * (size_t)width;
}

static size_t raw_size(const model_frame_stack_shape *shape) {
    return shape->added ? (size_t)(shape->look_ahead + 1) * (size_t)(shape->bands * shape->first)
                        : 0;
}

static size_t sums_size(const model_frame_stack_shape *shape) {
    return (size_t)shape->bands * (size_t)(shape->inner > shape->last ? shape->inner : shape->last);
}

static lull_status convolution_new(const model_frame_stack *s, const model_parameters *parameters,
                                   int i, lull_error *error) {
    convolution *c = &s->convolutions[i];
    c->in = model_frame_stack_in(&s->shape, i);
    c->out = model_frame_stack_out(&s->shape, i);
    c->ahead = model_frame_stack_ahead(&s->shape, i);
    const int k = TAPS * s->shape.across * c->in;
    float *operand = base_alloc((size_t)k * (size_t)c->out, sizeof *operand);
    c->weight = base_alloc(s->kernels->packed_f32(k, c->out), sizeof(float));
    c->bias = base_alloc((size_t)c->out, sizeof(float));
    c->ring = base_alloc(TAPS * slot_size(&s->shape, c->in), sizeof(float));
    if (operand && c->weight && c->bias && c->ring) {
        model_frame_stack_arrange(&s->shape, i,
                                  model_parameters_weight(parameters, s->shape.role, i), operand);
        s->kernels->pack_f32(k, c->out, operand, c->out, 1, c->weight);
        memcpy(c->bias, model_parameters_bias(parameters, s->shape.role, i),
               (size_t)c->out * sizeof(float));
    }
    base_free(operand);
    return operand && c->weight && c->bias && c->ring ? LULL_OK : base_no_memory(error);
}

lull_status model_frame_stack_new(const model_frame_stack_shape *shape,
                                  const model_parameters *parameters, model_frame_stack **result,
                                  lull_error *error) {
    *result = NULL;
    model_frame_stack *s = base_alloc(1, sizeof *s);
    if (!s) return base_no_memory(error);
    s->shape = *shape;
    s->kernels = nn_kernels_get();
    s->convolutions = base_alloc((size_t)shape->count, sizeof *s->convolutions);
    s->raw = base_alloc(raw_size(shape), sizeof *s->raw);
    s->sums = base_alloc(sums_size(shape), sizeof *s->sums);
    lull_status status = s->convolutions && s->raw && s->sums ? LULL_OK : base_no_memory(error);
    for (int i = 0; i < shape->count && !status; i++)
        status = convolution_new(s, parameters, i, error);
    if (status) {
        model_frame_stack_free(s);
        return status;
    }
    model_frame_stack_reset(s);
    *result = s;
    return LULL_OK;
}

uint64_t model_frame_stack_bytes(const model_frame_stack_shape *shape) {
    uint64_t sum = base_memory_add(0, 1, sizeof(model_frame_stack));
    sum = base_memory_add(sum, (uint64_t)shape->count, sizeof(convolution));
    sum = base_memory_add(sum, raw_size(shape), sizeof(float));
    sum = base_memory_add(sum, sums_size(shape), sizeof(float));
    for (int i = 0; i < shape->count; i++) {
        const int in = model_frame_stack_in(shape, i), out = model_frame_stack_out(shape, i);
        const int k = TAPS * shape->across * in;
        sum = base_memory_add(sum, (uint64_t)k * (uint64_t)out, sizeof(float)); /* the operand */
        sum = base_memory_add(sum, nn_kernels_get()->packed_f32(k, out), sizeof(float));
        sum = base_memory_add(sum, (uint64_t)out, sizeof(float));
        sum = base_memory_add(sum, TAPS * slot_size(shape, in), sizeof(float));
    }
    return sum;
}

void model_frame_stack_free(model_frame_stack *s) {
    if (!s) return;
    for (int i = 0; s->convolutions && i < s->shape.count; i++) {
        base_free(s->convolutions[i].weight);
        base_free(s->convolutions[i].bias);
        base_free(s->convolutions[i].ring);
    }
    base_free(s->convolutions);
    base_free(s->raw);
    base_free(s->sums);
    base_free(s);
}

void model_frame_stack_reset(model_frame_stack *s) {
    for (int i = 0; i < s->shape.count; i++) {
        convolution *c = &s->convolutions[i];
        memset(c->ring, 0, TAPS * slot_size(&s->shape, c->in) * sizeof(float));
        c->received = 0;
    }
    s->received = s->given = 0;
    s->total = UINT64_MAX;
}

/* Frame f of a convolution's input: its rows, zero ones included; and the first band's. */
static float *slot(const model_frame_stack *s, const convolution *c, uint64_t f) {
    return c->ring + (f % TAPS) * slot_size(&s->shape, c->in);
}

static float *slot_bands(const model_frame_stack *s, const convolution *c, uint64_t f) {
    return slot(s, c, f) + edge(&s->shape) * c->in;
}

/* What convolution i makes of frame f, given to the next one; of the last one, left in s->sums. */
static void convolve(model_frame_stack *s, int i, uint64_t f) {
    const convolution *c = &s->convolutions[i];
    const uint64_t newest = f + (uint64_t)c->ahead;
    const int values = s->shape.bands * c->out;
    /* Before the first frame the ring is zero. */
    const float *taps[TAPS] = {slot(s, c, newest + 1), slot(s, c, newest + 2), slot(s, c, newest)};
    s->kernels->product_f32(s->shape.bands, c->out, s->shape.across * c->in, TAPS, taps,
                            (size_t)c->in, c->weight, c->bias, false, s->sums, (size_t)c->out);
    if (i == s->shape.count - 1) return;
    const convolution *next = &s->convolutions[i + 1];
    float *out = slot_bands(s, next, next->received);
    if (s->shape.silu)
        s->kernels->silu(s->sums, out, (size_t)values);
    else
        for (int j = 0; j < values; j++)
            out[j] = s->sums[j] > 0 ? s->sums[j] : MODEL_FRAME_STACK_SLOPE * s->sums[j];
    if (i == 0) return;
    const float *in = slot_bands(s, c, f);
    for (int j = 0; j < values; j++) out[j] += in[j];
}

/* The newest input of convolution 0 lies in its ring: runs what thereby becomes possible. True when
 * the last convolution made a frame. */
static bool run(model_frame_stack *s) {
    for (int i = 0; i < s->shape.count; i++) {
        convolution *c = &s->convolutions[i];
        const uint64_t received = ++c->received;
        if (received <= (uint64_t)c->ahead) return false;
        const uint64_t f = received - 1 - (uint64_t)c->ahead;
        if (f < s->total) {
            convolve(s, i, f);
        } else if (i + 1 < s->shape.count) { /* behind the end every convolution sees zeros */
            const convolution *next = &s->convolutions[i + 1];
            memset(slot(s, next, next->received), 0,
                   slot_size(&s->shape, next->in) * sizeof(float));
        } else {
            return false;
        }
    }
    return true;
}

/* The share of n added values that is made: see threshold. */
static float share_made(float threshold, const float *made, size_t n) {
    if (threshold <= 0) return 1;
    double power = 0;
    for (size_t i = 0; i < n; i++) power += (double)made[i] * made[i];
    const double above = sqrt(power / (double)n) / threshold - 1;
    return above < 0 ? 0 : above < 1 ? (float)above : 1;
}

bool model_frame_stack_push(model_frame_stack *s, const float *frame, float *out) {
    const model_frame_stack_shape *shape = &s->shape;
    const convolution *first = &s->convolutions[0];
    float *in = slot_bands(s, first, first->received);
    const size_t values = (size_t)(shape->bands * shape->first),
                 outputs = (size_t)(shape->bands * shape->last);
    const uint64_t kept = (uint64_t)shape->look_ahead + 1;
    if (frame) {
        if (shape->added)
            memcpy(s->raw + (size_t)(s->received % kept) * values, frame, values * sizeof *frame);
        for (size_t j = 0; j < values; j++) in[j] = (frame[j] + shape->offset) * shape->scale;
        s->received++;
    } else {
        s->total = s->received;
        memset(in, 0, values * sizeof *in);
    }
    if (!run(s)) return false;
    memcpy(out, s->sums, outputs * sizeof *out);
    if (!shape->added) return true;
    const float *raw = s->raw + (size_t)(s->given++ % kept) * values;
    const float share = share_made(shape->threshold, out, outputs);
    for (size_t j = 0; j < outputs; j++) out[j] = raw[j] + share * out[j];
    return true;
}
