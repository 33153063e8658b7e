/* Convolutions over bands and frames as a stream. Frames of a convolution's input lie one behind the
 * other, as rows of its channels, one a band, so that all bands of all frames at hand are the
 * rows of one product, of which the taps are so many rows apart.
 *
 * Where neighbouring bands are seen, too, two bands are made at a time by minimal filtering F(2, 3)
 * (nn/kernels.h: pair_inputs): of bands y0 … y3 the two in the middle become, with weights g0, g1, g2,
 * (y0 − y2)·g0 + s + d and (y3 − y1)·g2 + s − d, s = (y1 + y2)·(g0 + g1 + g2)/2 and
 * d = (y2 − y1)·(g0 − g1 + g2)/2: four products in place of six. Even bands and odd ones then lie
 * apart. */
#include "model/frame_stack.h"

#include "base/error.h"
#include "base/memory.h"
#include "nn/kernels.h"

#include <math.h>
#include <string.h>

enum {
    TAPS = MODEL_FRAME_STACK_TAPS,
    KEPT = TAPS - 1, /* frames that are seen again */
    SLOTS = KEPT + MODEL_FRAME_STACK_MOST,
    MOST_FILTERS = 4
};

typedef struct convolution {
    int in, out, ahead;
    float *weight[MOST_FILTERS], *bias; /* packed; out */
    float *values;                      /* SLOTS × frame of the input */
    float *filtered[MOST_FILTERS];      /* SLOTS × rows × in: what goes into the products */
    uint64_t received;                  /* frames of input, zeros behind the end included */
} convolution;

struct model_frame_stack {
    model_frame_stack_shape shape;
    const nn_kernels *kernels;
    int parts, filters; /* 1 and 1; with neighbouring bands even and odd ones, and 4 */
    int rows;           /* of a frame in a product: bands of a part */
    convolution *convolutions;
    float *raw;     /* ring of frames as they came, where they are added */
    float *sums[2]; /* of a part: MOST × rows × channels */
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

static int parts_of(const model_frame_stack_shape *shape) {
    return shape->across == 1 ? 1 : 2;
}

static int filters_of(const model_frame_stack_shape *shape) {
    return shape->across == 1 ? 1 : MOST_FILTERS;
}

static size_t rows_of(const model_frame_stack_shape *shape) {
    return (size_t)((shape->bands + parts_of(shape) - 1) / parts_of(shape));
}

/* Rows of an input frame: of two parts a zero row, the odd bands, the even bands, a zero row. */
static size_t frame_rows(const model_frame_stack_shape *shape) {
    return rows_of(shape) * (size_t)parts_of(shape) + 2 * (size_t)(parts_of(shape) - 1);
}

static size_t frame_size(const model_frame_stack *s, int width) {
    return frame_rows(&s->shape) * (size_t)width;
}

/* The first row of a part, and its number of values. */
static float *part_of(const model_frame_stack *s, float *frame, int part, int width) {
    const int row = s->parts == 1 ? 0 : part ? 1 : s->rows + 1;
    return frame + (size_t)row * (size_t)width;
}

static size_t part_size(const model_frame_stack *s, int part, int width) {
    return (size_t)((s->shape.bands - part + s->parts - 1) / s->parts) * (size_t)width;
}

static uint64_t raw_frames(const model_frame_stack_shape *shape) {
    return (uint64_t)shape->look_ahead + MODEL_FRAME_STACK_MOST;
}

static size_t raw_size(const model_frame_stack_shape *shape) {
    return shape->added ? (size_t)raw_frames(shape) * (size_t)(shape->bands * shape->first) : 0;
}

static size_t sums_size(const model_frame_stack_shape *shape) {
    const int widest = shape->inner > shape->last ? shape->inner : shape->last;
    return MODEL_FRAME_STACK_MOST * rows_of(shape) * (size_t)widest;
}

/* The weights of one filter out of those of all bands: rows tap·in + i, columns o. */
static void fill_filter(const model_frame_stack *s, const convolution *c, int filter,
                        const float *operand, float *weight) {
    const size_t band = (size_t)c->in * (size_t)c->out;
    for (int tap = 0; tap < TAPS; tap++, weight += band) {
        const float *g = operand + (size_t)(tap * s->shape.across) * band;
        for (size_t i = 0; i < band; i++, g++)
            weight[i] = s->filters == 1 || filter == 0 ? g[0]
                        : filter == 3                  ? g[2 * band]
                        : filter == 1                  ? 0.5f * (g[0] + g[band] + g[2 * band])
                                                       : 0.5f * (g[0] - g[band] + g[2 * band]);
    }
}

static lull_status allocate_convolution(const model_frame_stack *s, convolution *c,
                                        lull_error *error) {
    const size_t rows = rows_of(&s->shape);
    bool made = true;
    for (int f = 0; f < s->filters; f++) {
        c->weight[f] = base_alloc(s->kernels->packed_f32(TAPS * c->in, c->out), sizeof(float));
        made = made && c->weight[f];
        if (s->filters == 1) continue;
        c->filtered[f] = base_alloc(SLOTS * rows * (size_t)c->in, sizeof(float));
        made = made && c->filtered[f];
    }
    c->bias = base_alloc((size_t)c->out, sizeof(float));
    c->values = base_alloc(SLOTS * frame_size(s, c->in), sizeof(float));
    return made && c->bias && c->values ? LULL_OK : base_no_memory(error);
}

static lull_status convolution_new(const model_frame_stack *s, const model_parameters *parameters,
                                   int i, lull_error *error) {
    convolution *c = &s->convolutions[i];
    c->in = model_frame_stack_in(&s->shape, i);
    c->out = model_frame_stack_out(&s->shape, i);
    c->ahead = model_frame_stack_ahead(&s->shape, i);
    const size_t size = (size_t)TAPS * (size_t)c->in * (size_t)c->out;
    lull_status status = allocate_convolution(s, c, error);
    float *operand = base_alloc(size * (size_t)s->shape.across, sizeof *operand);
    float *weight = base_alloc(size, sizeof *weight);
    if (!operand || !weight) status = base_no_memory(error);
    if (!status) {
        model_frame_stack_arrange(&s->shape, i,
                                  model_parameters_weight(parameters, s->shape.role, i), operand);
        for (int f = 0; f < s->filters; f++) {
            fill_filter(s, c, f, operand, weight);
            s->kernels->pack_f32(TAPS * c->in, c->out, weight, c->out, 1, c->weight[f]);
        }
        memcpy(c->bias, model_parameters_bias(parameters, s->shape.role, i),
               (size_t)c->out * sizeof(float));
    }
    base_free(operand);
    base_free(weight);
    return status;
}

lull_status model_frame_stack_new(const model_frame_stack_shape *shape,
                                  const model_parameters *parameters, model_frame_stack **result,
                                  lull_error *error) {
    *result = NULL;
    model_frame_stack *s = base_alloc(1, sizeof *s);
    if (!s) return base_no_memory(error);
    s->shape = *shape;
    s->kernels = nn_kernels_get();
    s->parts = parts_of(shape);
    s->filters = filters_of(shape);
    s->rows = (int)rows_of(shape);
    s->convolutions = base_alloc((size_t)shape->count, sizeof *s->convolutions);
    s->raw = base_alloc(raw_size(shape), sizeof *s->raw);
    bool made = s->convolutions && s->raw;
    for (int part = 0; part < s->parts; part++) {
        s->sums[part] = base_alloc(sums_size(shape), sizeof(float));
        made = made && s->sums[part];
    }
    lull_status status = made ? LULL_OK : base_no_memory(error);
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
    const uint64_t parts = (uint64_t)parts_of(shape), filters = (uint64_t)filters_of(shape);
    uint64_t sum = base_memory_add(0, 1, sizeof(model_frame_stack));
    sum = base_memory_add(sum, (uint64_t)shape->count, sizeof(convolution));
    sum = base_memory_add(sum, raw_size(shape), sizeof(float));
    for (uint64_t part = 0; part < parts; part++)
        sum = base_memory_add(sum, sums_size(shape), sizeof(float));
    for (int i = 0; i < shape->count; i++) {
        const int in = model_frame_stack_in(shape, i), out = model_frame_stack_out(shape, i);
        const uint64_t size = TAPS * (uint64_t)in * (uint64_t)out;
        /* While it is made: weights as they are and those of a filter. */
        sum = base_memory_add(sum, size * (uint64_t)(shape->across + 1) + 32, sizeof(float));
        for (uint64_t f = 0; f < filters; f++) {
            sum = base_memory_add(sum, nn_kernels_get()->packed_f32(TAPS * in, out), sizeof(float));
            sum = base_memory_add(sum, SLOTS * rows_of(shape) * (uint64_t)in, sizeof(float));
        }
        sum = base_memory_add(sum, (uint64_t)out, sizeof(float));
        sum = base_memory_add(sum, SLOTS * frame_rows(shape) * (uint64_t)in, sizeof(float));
    }
    return sum;
}

void model_frame_stack_free(model_frame_stack *s) {
    if (!s) return;
    for (int i = 0; s->convolutions && i < s->shape.count; i++) {
        convolution *c = &s->convolutions[i];
        for (int f = 0; f < MOST_FILTERS; f++) {
            base_free(c->weight[f]);
            base_free(c->filtered[f]);
        }
        base_free(c->bias);
        base_free(c->values);
    }
    base_free(s->convolutions);
    base_free(s->raw);
    base_free(s->sums[0]);
    base_free(s->sums[1]);
    base_free(s);
}

void model_frame_stack_reset(model_frame_stack *s) {
    for (int i = 0; i < s->shape.count; i++) {
        convolution *c = &s->convolutions[i];
        memset(c->values, 0, SLOTS * frame_size(s, c->in) * sizeof(float));
        for (int f = 0; f < MOST_FILTERS && c->filtered[f]; f++)
            memset(c->filtered[f], 0, KEPT * (size_t)(s->rows * c->in) * sizeof(float));
        c->received = 0;
    }
    s->received = s->given = 0;
    s->total = UINT64_MAX;
}

/* Input frame number `slot` of those that lie in a convolution. */
static float *values_at(const model_frame_stack *s, const convolution *c, int slot) {
    return c->values + (size_t)slot * frame_size(s, c->in);
}

/* The four inputs of the products of pairs of bands, out of n fresh frames. */
static void filter(const model_frame_stack *s, convolution *c, int n) {
    const size_t size = (size_t)(s->rows * c->in), in = (size_t)c->in;
    for (int j = KEPT; j < KEPT + n; j++) {
        const float *even = part_of(s, values_at(s, c, j), 0, c->in),
                    *odd = part_of(s, values_at(s, c, j), 1, c->in);
        const size_t at = (size_t)j * size;
        s->kernels->pair_inputs(size, odd - in, even, odd, even + in, c->filtered[0] + at,
                                c->filtered[1] + at, c->filtered[2] + at, c->filtered[3] + at);
    }
}

/* sums (+)= the product of one filter with n frames, the first of which sees slot `first` and those
 * behind it. */
static void multiply(const model_frame_stack *s, const convolution *c, int filter, int first, int n,
                     const float *bias, bool accumulate, float *sums) {
    const float *x = s->filters == 1 ? c->values : c->filtered[filter];
    const float *taps[TAPS];
    for (int tap = 0; tap < TAPS; tap++) taps[tap] = x + (size_t)((first + tap) * s->rows * c->in);
    s->kernels->product_f32(n * s->rows, c->out, c->in, TAPS, taps, (size_t)c->in,
                            c->weight[filter], bias, accumulate, sums, (size_t)c->out);
}

/* What the convolution makes of n frames, into s->sums. */
static void convolve(const model_frame_stack *s, const convolution *c, int first, int n) {
    if (s->filters == 1) {
        multiply(s, c, 0, first, n, c->bias, false, s->sums[0]);
        return;
    }
    multiply(s, c, 1, first, n, c->bias, false, s->sums[0]);
    multiply(s, c, 2, first, n, NULL, false, s->sums[1]);
    s->kernels->sum_difference((size_t)(n * s->rows * c->out), s->sums[0], s->sums[1], s->sums[0],
                               s->sums[1]);
    multiply(s, c, 0, first, n, NULL, true, s->sums[0]);
    multiply(s, c, 3, first, n, NULL, true, s->sums[1]);
}

/* y = LeakyReLU(x), in the one operation that the slope allows: it is above 0 and below 1. */
static void leaky_relu(const float *restrict x, float *restrict y, size_t n) {
    for (size_t k = 0; k < n; k++) {
        const float below = MODEL_FRAME_STACK_SLOPE * x[k];
        y[k] = x[k] > below ? x[k] : below;
    }
}

static void add(const float *restrict x, float *restrict y, size_t n) {
    for (size_t k = 0; k < n; k++) y[k] += x[k];
}

/* Frame j of the sums, through the activation, as a fresh frame of convolution i + 1. in: the input
 * that it is added to, NULL: none. */
static void activate(const model_frame_stack *s, const convolution *c, int j, float *in,
                     float *out) {
    for (int part = 0; part < s->parts; part++) {
        const size_t n = part_size(s, part, c->out);
        const float *x = s->sums[part] + (size_t)(j * s->rows * c->out);
        float *y = part_of(s, out, part, c->out);
        if (s->shape.silu)
            s->kernels->silu(x, y, n);
        else
            leaky_relu(x, y, n);
        if (in) add(part_of(s, in, part, c->out), y, n);
    }
}

/* Forgets the n oldest frames. */
static void move_on(const model_frame_stack *s, convolution *c, int n) {
    memmove(c->values, values_at(s, c, n), KEPT * frame_size(s, c->in) * sizeof(float));
    const size_t size = (size_t)(s->rows * c->in);
    for (int f = 0; f < MOST_FILTERS && c->filtered[f]; f++)
        memmove(c->filtered[f], c->filtered[f] + (size_t)n * size, KEPT * size * sizeof(float));
}

/* n fresh frames of input lie in convolution 0: runs what thereby becomes possible. Returns how
 * many frames the last convolution made; they are in s->sums. */
static int run(model_frame_stack *s, int n) {
    for (int i = 0; i < s->shape.count; i++) {
        convolution *c = &s->convolutions[i], *next = i + 1 < s->shape.count ? c + 1 : NULL;
        /* Of frames before the signal nothing is made, and behind it all is zero. */
        const int64_t newest = (int64_t)(c->received += (uint64_t)n) - 1 - c->ahead;
        const int made = newest + 1 < n ? (int)(newest + 1 > 0 ? newest + 1 : 0) : n;
        const uint64_t f = (uint64_t)(newest + 1 - made);
        const uint64_t left = f < s->total ? s->total - f : 0;
        const int inside = left < (uint64_t)made ? (int)left : made, first = n - made;
        if (s->filters > 1) filter(s, c, n);
        if (inside > 0) convolve(s, c, first, inside);
        for (int j = 0; next && j < made; j++) {
            float *out = values_at(s, next, KEPT + j);
            if (j < inside)
                activate(s, c, j, i ? values_at(s, c, first + j + KEPT - c->ahead) : NULL, out);
            else
                memset(out, 0, frame_size(s, next->in) * sizeof *out);
        }
        move_on(s, c, n);
        n = next ? made : inside;
    }
    return n;
}

/* The share of n added values that is made: see threshold. */
static float share_made(float threshold, const float *made, size_t n) {
    if (threshold <= 0) return 1;
    double power = 0;
    for (size_t i = 0; i < n; i++) power += (double)made[i] * made[i];
    const double above = sqrt(power / (double)n) / threshold - 1;
    return above < 0 ? 0 : above < 1 ? (float)above : 1;
}

/* The next frame of input, as fresh frame j of the first convolution; NULL: one behind the end. */
static void take(model_frame_stack *s, int j, const float *frame) {
    const model_frame_stack_shape *shape = &s->shape;
    const int width = shape->first;
    float *to = values_at(s, &s->convolutions[0], KEPT + j);
    if (!frame) {
        if (s->total == UINT64_MAX) s->total = s->received;
        memset(to, 0, frame_size(s, width) * sizeof *to);
        return;
    }
    const size_t values = (size_t)(shape->bands * width);
    if (shape->added)
        memcpy(s->raw + (size_t)(s->received % raw_frames(shape)) * values, frame,
               values * sizeof *frame);
    s->received++;
    for (int b = 0; b < shape->bands; b++, frame += width) {
        float *row = part_of(s, to, b % s->parts, width) + (size_t)(b / s->parts * width);
        for (int i = 0; i < width; i++) row[i] = (frame[i] + shape->offset) * shape->scale;
    }
}

/* Frame j of what the last convolution made. */
static void give(model_frame_stack *s, int j, float *out) {
    const model_frame_stack_shape *shape = &s->shape;
    const size_t width = (size_t)shape->last, values = (size_t)shape->bands * width;
    for (int b = 0; b < shape->bands; b++)
        memcpy(out + (size_t)b * width,
               s->sums[b % s->parts] + (size_t)(j * s->rows + b / s->parts) * width,
               width * sizeof *out);
    if (!shape->added) return;
    const float *raw = s->raw + (size_t)(s->given++ % raw_frames(shape)) * values;
    const float share = share_made(shape->threshold, out, values);
    for (size_t i = 0; i < values; i++) out[i] = raw[i] + share * out[i];
}

int model_frame_stack_push(model_frame_stack *s, const float *const *frames, int n, float *out) {
    for (int j = 0; j < n; j++) take(s, j, frames[j]);
    const int made = run(s, n);
    for (int j = 0; j < made; j++)
        give(s, j, out + (size_t)j * (size_t)(s->shape.bands * s->shape.last));
    return made;
}
