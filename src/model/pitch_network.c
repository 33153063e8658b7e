/* The pitch network as a stream: see pitch_network.h. Every convolution keeps its last three frames
 * of input in a ring. */
#include "model/pitch_network.h"

#include "base/error.h"
#include "base/memory.h"
#include "mel/frame_features.h"
#include "nn/kernels.h"

#include <math.h>
#include <string.h>

typedef struct convolution {
    int in, out, ahead;
    float *weight, *bias; /* packed; out */
    float *ring;          /* 3 × in */
    uint64_t received;    /* frames of input, zeros behind the end included */
} convolution;

struct pitch_network {
    const nn_kernels *kernels;
    mel_features *features;
    int count, look_ahead;
    convolution *convolutions;
    float *sums; /* of a frame: channels, or PITCH_OUTPUTS where that is more */
    uint64_t received, total;
};

void pitch_network_arrange(const float *weight, int out, int in, float *operand) {
    for (int o = 0; o < out; o++)
        for (int i = 0; i < in; i++)
            for (int tap = 0; tap < PITCH_TAPS; tap++)
                operand[(tap * in + i) * out + o] = weight[(o * in + i) * PITCH_TAPS + tap];
}

static float sigmoid(float x) {
    return 1 / (1 + expf(-x));
}

void pitch_network_read(const float *outputs, pitch_values *result) {
    const float octaves = fminf(fmaxf(outputs[PITCH_OUT_F0], log2f(40.0f / 200)), log2f(5));
    result->f0 = 200 * exp2f(octaves);
    result->voicing = sigmoid(outputs[PITCH_OUT_VOICING]);
    for (int b = 0; b < PITCH_BANDS; b++)
        result->aperiodicity[b] = sigmoid(outputs[PITCH_OUT_APERIODICITY + b]);
}

static lull_status convolution_new(const pitch_network *p, const model_config *config,
                                   const model_parameters *parameters, int i, lull_error *error) {
    convolution *c = &p->convolutions[i];
    c->in = pitch_network_in(config, i);
    c->out = pitch_network_out(config, i);
    c->ahead = pitch_network_ahead(config, i);
    const int k = PITCH_TAPS * c->in;
    float *operand = base_alloc((size_t)k * (size_t)c->out, sizeof *operand);
    c->weight = base_alloc(p->kernels->packed_f32(k, c->out), sizeof(float));
    c->bias = base_alloc((size_t)c->out, sizeof(float));
    c->ring = base_alloc(PITCH_TAPS * (size_t)c->in, sizeof(float));
    if (operand && c->weight && c->bias && c->ring) {
        pitch_network_arrange(model_parameters_weight(parameters, MODEL_PITCH_CONVOLUTION, i),
                              c->out, c->in, operand);
        p->kernels->pack_f32(k, c->out, operand, c->out, 1, c->weight);
        memcpy(c->bias, model_parameters_bias(parameters, MODEL_PITCH_CONVOLUTION, i),
               (size_t)c->out * sizeof(float));
    }
    base_free(operand);
    return operand && c->weight && c->bias && c->ring ? LULL_OK : base_no_memory(error);
}

uint64_t pitch_network_bytes(const model_config *config, const mel_convention *convention) {
    uint64_t sum = base_memory_add(mel_features_bytes(convention), 1, sizeof(pitch_network));
    sum = base_memory_add(sum, (uint64_t)config->pitch_layers, sizeof(convolution));
    sum = base_memory_add(sum, (uint64_t)config->pitch_channels + PITCH_OUTPUTS, sizeof(float));
    uint64_t largest = 0;
    for (int i = 0; i < config->pitch_layers; i++) {
        uint64_t in = (uint64_t)pitch_network_in(config, i),
                 out = (uint64_t)pitch_network_out(config, i);
        /* Packed for vectors of 16 floats, whatever the kernels are. */
        uint64_t packed = PITCH_TAPS * in * ((out + 63) / 64 * 64);
        if (packed > largest) largest = packed;
        sum = base_memory_add(sum, packed + out + PITCH_TAPS * in + 64, sizeof(float));
    }
    return base_memory_add(sum, largest, sizeof(float)); /* while it is packed */
}

lull_status pitch_network_new(const model_config *config, const model_parameters *parameters,
                              const mel_convention *convention, pitch_network **result,
                              lull_error *error) {
    *result = NULL;
    pitch_network *p = base_alloc(1, sizeof *p);
    if (!p) return base_no_memory(error);
    p->kernels = nn_kernels_get();
    p->count = config->pitch_layers;
    p->look_ahead = config->pitch_look_ahead;
    const int widest =
        config->pitch_channels > PITCH_OUTPUTS ? config->pitch_channels : PITCH_OUTPUTS;
    p->convolutions = base_alloc((size_t)p->count, sizeof *p->convolutions);
    p->sums = base_alloc((size_t)widest, sizeof *p->sums);
    lull_status status = p->convolutions && p->sums ? LULL_OK : base_no_memory(error);
    if (!status) status = mel_features_new(convention, &p->features, error);
    for (int i = 0; i < p->count && !status; i++)
        status = convolution_new(p, config, parameters, i, error);
    if (status) {
        pitch_network_free(p);
        return status;
    }
    pitch_network_reset(p);
    *result = p;
    return LULL_OK;
}

void pitch_network_free(pitch_network *p) {
    if (!p) return;
    for (int i = 0; p->convolutions && i < p->count; i++) {
        base_free(p->convolutions[i].weight);
        base_free(p->convolutions[i].bias);
        base_free(p->convolutions[i].ring);
    }
    base_free(p->convolutions);
    base_free(p->sums);
    mel_features_free(p->features);
    base_free(p);
}

void pitch_network_reset(pitch_network *p) {
    for (int i = 0; i < p->count; i++) {
        convolution *c = &p->convolutions[i];
        memset(c->ring, 0, PITCH_TAPS * (size_t)c->in * sizeof(float));
        c->received = 0;
    }
    p->received = 0;
    p->total = UINT64_MAX;
}

int pitch_network_look_ahead(const pitch_network *p) {
    return p->look_ahead;
}

/* Frame f of a convolution's input. */
static float *slot(const convolution *c, uint64_t f) {
    return c->ring + (f % PITCH_TAPS) * (size_t)c->in;
}

/* What convolution i makes of frame f, given to the next one; of the last one, left in p->sums. */
static void convolve(pitch_network *p, int i, uint64_t f) {
    const convolution *c = &p->convolutions[i];
    const uint64_t newest = f + (uint64_t)c->ahead;
    /* Before the first frame the ring is zero. */
    const float *taps[PITCH_TAPS] = {slot(c, newest + 1), slot(c, newest + 2), slot(c, newest)};
    p->kernels->product_f32(1, c->out, c->in, PITCH_TAPS, taps, (size_t)c->in, c->weight, c->bias,
                            false, p->sums, (size_t)c->out);
    if (i == p->count - 1) return;
    const convolution *next = &p->convolutions[i + 1];
    float *out = slot(next, next->received);
    p->kernels->silu(p->sums, out, (size_t)c->out);
    if (i == 0) return;
    const float *in = slot(c, f);
    for (int j = 0; j < c->out; j++) out[j] += in[j];
}

/* The newest input of convolution 0 lies in its ring: runs what thereby becomes possible. True when
 * the last convolution made a frame. */
static bool run(pitch_network *p) {
    for (int i = 0; i < p->count; i++) {
        convolution *c = &p->convolutions[i];
        const uint64_t received = ++c->received;
        if (received <= (uint64_t)c->ahead) return false;
        const uint64_t f = received - 1 - (uint64_t)c->ahead;
        if (f < p->total) {
            convolve(p, i, f);
        } else if (i + 1 < p->count) { /* behind the end every convolution sees zeros */
            const convolution *next = &p->convolutions[i + 1];
            memset(slot(next, next->received), 0, (size_t)next->in * sizeof(float));
        } else {
            return false;
        }
    }
    return true;
}

bool pitch_network_push(pitch_network *p, const float *frame, pitch_values *out) {
    convolution *first = &p->convolutions[0];
    float *in = slot(first, first->received);
    if (frame) {
        mel_features_of_frame(p->features, frame, in);
        p->received++;
    } else {
        p->total = p->received;
        memset(in, 0, MEL_FEATURES * sizeof *in);
    }
    if (!run(p)) return false;
    pitch_network_read(p->sums, out);
    return true;
}

lull_status pitch_network_whole(const model_config *config, const model_parameters *parameters,
                                const mel_convention *convention, const float *frames, size_t n,
                                pitch_values *out, lull_error *error) {
    pitch_network *p = NULL;
    lull_status status = pitch_network_new(config, parameters, convention, &p, error);
    if (status) return status;
    const size_t bands = (size_t)convention->bands;
    for (size_t f = 0, got = 0; got < n; f++)
        got += pitch_network_push(p, f < n ? frames + f * bands : NULL, out + got);
    pitch_network_free(p);
    return LULL_OK;
}
