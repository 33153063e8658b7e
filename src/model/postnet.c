/* The postnet as a stream: see postnet.h. A frame of a convolution's input lies in a ring of three,
 * as bands + 2 rows of its channels, the outer rows zero, so that the three bands of a tap are one
 * piece of memory and the whole convolution is one product. */
#include "model/postnet.h"

#include "base/error.h"
#include "base/memory.h"
#include "nn/kernels.h"

#include <string.h>

typedef struct convolution {
    int in, out, ahead;
    float *weight, *bias; /* packed; out */
    float *ring;          /* 3 × (bands + 2) × in */
    uint64_t received;    /* frames of input, zeros behind the end included */
} convolution;

struct postnet {
    const nn_kernels *kernels;
    int bands, count, look_ahead;
    float offset, scale;
    convolution *convolutions;
    float *raw;  /* ring of look_ahead + 1 frames as they came */
    float *sums; /* bands × channels */
    uint64_t received, total, given;
};

int postnet_in(const model_config *config, int i) {
    return i == 0 ? 1 : config->postnet_channels;
}

int postnet_out(const model_config *config, int i) {
    return i == model_config_postnet_convolutions(config) - 1 ? 1 : config->postnet_channels;
}

int postnet_ahead(const model_config *config, int i) {
    return i < config->postnet_look_ahead;
}

void postnet_arrange(const float *weight, int out, int in, float *operand) {
    for (int o = 0; o < out; o++)
        for (int i = 0; i < in; i++)
            for (int band = 0; band < POSTNET_BANDS; band++)
                for (int tap = 0; tap < POSTNET_TAPS; tap++)
                    operand[((tap * POSTNET_BANDS + band) * in + i) * out + o] =
                        weight[((o * in + i) * POSTNET_BANDS + band) * POSTNET_TAPS + tap];
}

static size_t slot_size(const postnet *p, const convolution *c) {
    return (size_t)(p->bands + 2) * (size_t)c->in;
}

static lull_status convolution_new(const postnet *p, const model_config *config,
                                   const model_parameters *parameters, int i, lull_error *error) {
    convolution *c = &p->convolutions[i];
    c->in = postnet_in(config, i);
    c->out = postnet_out(config, i);
    c->ahead = postnet_ahead(config, i);
    int k = POSTNET_TAPS * POSTNET_BANDS * c->in;
    float *operand = base_alloc((size_t)k * (size_t)c->out, sizeof *operand);
    c->weight = base_alloc(p->kernels->packed_f32(k, c->out), sizeof(float));
    c->bias = base_alloc((size_t)c->out, sizeof(float));
    c->ring = base_alloc(POSTNET_TAPS * slot_size(p, c), sizeof(float));
    if (operand && c->weight && c->bias && c->ring) {
        postnet_arrange(model_parameters_weight(parameters, MODEL_POSTNET_CONVOLUTION, i), c->out,
                        c->in, operand);
        p->kernels->pack_f32(k, c->out, operand, c->out, 1, c->weight);
        memcpy(c->bias, model_parameters_bias(parameters, MODEL_POSTNET_CONVOLUTION, i),
               (size_t)c->out * sizeof(float));
    }
    base_free(operand);
    return operand && c->weight && c->bias && c->ring ? LULL_OK : base_no_memory(error);
}

lull_status postnet_new(const model_config *config, const model_parameters *parameters,
                        postnet **result, lull_error *error) {
    *result = NULL;
    postnet *p = base_alloc(1, sizeof *p);
    if (!p) return base_no_memory(error);
    p->kernels = nn_kernels_get();
    p->bands = config->mel.bands;
    p->count = model_config_postnet_convolutions(config);
    p->look_ahead = config->postnet_look_ahead;
    p->offset = (float)config->mel_offset;
    p->scale = (float)config->mel_scale;
    size_t bands = (size_t)p->bands;
    p->convolutions = base_alloc((size_t)p->count, sizeof *p->convolutions);
    p->raw = base_alloc((size_t)(p->look_ahead + 1) * bands, sizeof *p->raw);
    p->sums = base_alloc(bands * (size_t)config->postnet_channels, sizeof *p->sums);
    lull_status status = p->convolutions && p->raw && p->sums ? LULL_OK : base_no_memory(error);
    for (int i = 0; i < p->count && !status; i++)
        status = convolution_new(p, config, parameters, i, error);
    if (status) {
        postnet_free(p);
        return status;
    }
    postnet_reset(p);
    *result = p;
    return LULL_OK;
}

uint64_t postnet_bytes(const model_config *config) {
    int count = model_config_postnet_convolutions(config);
    uint64_t bands = (uint64_t)config->mel.bands, channels = (uint64_t)config->postnet_channels;
    uint64_t sum = base_memory_add(0, 1, sizeof(postnet));
    sum = base_memory_add(sum, (uint64_t)count, sizeof(convolution));
    sum = base_memory_add(sum, (uint64_t)(config->postnet_look_ahead + 1) * bands, sizeof(float));
    sum = base_memory_add(sum, bands * channels, sizeof(float));
    for (int i = 0; i < count; i++) {
        int in = postnet_in(config, i), out = postnet_out(config, i);
        int k = POSTNET_TAPS * POSTNET_BANDS * in;
        sum =
            base_memory_add(sum, (uint64_t)k * (uint64_t)out, sizeof(float)); /* while it is made */
        sum = base_memory_add(sum, nn_kernels_get()->packed_f32(k, out), sizeof(float));
        sum = base_memory_add(sum, (uint64_t)out, sizeof(float));
        sum = base_memory_add(sum, POSTNET_TAPS * (bands + 2) * (uint64_t)in, sizeof(float));
    }
    return sum;
}

void postnet_free(postnet *p) {
    if (!p) return;
    for (int i = 0; p->convolutions && i < p->count; i++) {
        base_free(p->convolutions[i].weight);
        base_free(p->convolutions[i].bias);
        base_free(p->convolutions[i].ring);
    }
    base_free(p->convolutions);
    base_free(p->raw);
    base_free(p->sums);
    base_free(p);
}

void postnet_reset(postnet *p) {
    for (int i = 0; i < p->count; i++) {
        convolution *c = &p->convolutions[i];
        memset(c->ring, 0, POSTNET_TAPS * slot_size(p, c) * sizeof(float));
        c->received = 0;
    }
    p->received = p->given = 0;
    p->total = UINT64_MAX;
}

int postnet_look_ahead(const postnet *p) {
    return p->look_ahead;
}

/* Frame f of a convolution's input: its rows, the outer ones included. */
static float *slot(const postnet *p, const convolution *c, uint64_t f) {
    return c->ring + (f % POSTNET_TAPS) * slot_size(p, c);
}

/* What convolution i makes of frame f, given to the next one; of the last one, left in p->sums. */
static void convolve(postnet *p, int i, uint64_t f) {
    const convolution *c = &p->convolutions[i];
    uint64_t newest = f + (uint64_t)c->ahead;
    /* Before the first frame the ring is zero. */
    const float *taps[POSTNET_TAPS] = {slot(p, c, newest + 1), slot(p, c, newest + 2),
                                       slot(p, c, newest)};
    p->kernels->product_f32(p->bands, c->out, POSTNET_BANDS * c->in, POSTNET_TAPS, taps,
                            (size_t)c->in, c->weight, c->bias, false, p->sums, (size_t)c->out);
    if (i == p->count - 1) return;
    const convolution *next = &p->convolutions[i + 1];
    float *out = slot(p, next, next->received) + next->in;
    const float *in = slot(p, c, f) + c->in;
    for (int j = 0; j < p->bands * c->out; j++) {
        float sum = p->sums[j], active = sum > 0 ? sum : POSTNET_SLOPE * sum;
        out[j] = i > 0 ? in[j] + active : active;
    }
}

/* The newest input of convolution 0 lies in its ring: runs what thereby becomes possible. True when
 * the last convolution made a frame. */
static bool run(postnet *p) {
    for (int i = 0; i < p->count; i++) {
        convolution *c = &p->convolutions[i];
        uint64_t received = ++c->received;
        if (received <= (uint64_t)c->ahead) return false;
        uint64_t f = received - 1 - (uint64_t)c->ahead;
        if (f < p->total) {
            convolve(p, i, f);
        } else if (i + 1 < p->count) { /* behind the end every convolution sees zeros */
            const convolution *next = &p->convolutions[i + 1];
            memset(slot(p, next, next->received), 0, slot_size(p, next) * sizeof(float));
        } else {
            return false;
        }
    }
    return true;
}

bool postnet_push(postnet *p, const float *frame, float *out) {
    convolution *first = &p->convolutions[0];
    float *in = slot(p, first, first->received) + first->in;
    size_t bands = (size_t)p->bands, kept = (size_t)p->look_ahead + 1;
    if (frame) {
        memcpy(p->raw + (size_t)(p->received++ % kept) * bands, frame, bands * sizeof *frame);
        for (size_t b = 0; b < bands; b++) in[b] = (frame[b] + p->offset) * p->scale;
    } else {
        p->total = p->received;
        memset(in, 0, bands * sizeof *in);
    }
    if (!run(p)) return false;
    const float *raw = p->raw + (size_t)(p->given++ % kept) * bands;
    for (size_t b = 0; b < bands; b++) out[b] = raw[b] + p->sums[b];
    return true;
}

lull_status postnet_whole(const model_config *config, const model_parameters *parameters,
                          const float *mel, size_t n, float *out, lull_error *error) {
    postnet *p = NULL;
    lull_status status = postnet_new(config, parameters, &p, error);
    if (status) return status;
    size_t bands = (size_t)config->mel.bands;
    for (size_t f = 0, got = 0; got < n; f++)
        got += postnet_push(p, f < n ? mel + f * bands : NULL, out + got * bands);
    postnet_free(p);
    return LULL_OK;
}
