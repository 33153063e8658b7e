/* The pitch network: see pitch_network.h. */
#include "model/pitch_network.h"

#include "base/error.h"
#include "base/memory.h"
#include "mel/frame_features.h"

#include <math.h>
#include <string.h>

struct pitch_network {
    mel_features *features;
    model_frame_stack *stack;
    int look_ahead;
};

model_frame_stack_shape pitch_network_shape(const model_config *config) {
    return (model_frame_stack_shape){.role = MODEL_PITCH_CONVOLUTION,
                                     .count = config->pitch_layers,
                                     .bands = 1,
                                     .across = 1,
                                     .first = MEL_FEATURES,
                                     .inner = config->pitch_channels,
                                     .last = PITCH_OUTPUTS,
                                     .look_ahead = config->pitch_look_ahead,
                                     .silu = true,
                                     .scale = 1};
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

uint64_t pitch_network_bytes(const model_config *config, const mel_convention *convention) {
    const model_frame_stack_shape shape = pitch_network_shape(config);
    const uint64_t own = base_memory_add(mel_features_bytes(convention), 1, sizeof(pitch_network));
    return base_memory_add(own, model_frame_stack_bytes(&shape), 1);
}

lull_status pitch_network_new(const model_config *config, const model_parameters *parameters,
                              const mel_convention *convention, pitch_network **result,
                              lull_error *error) {
    *result = NULL;
    const model_frame_stack_shape shape = pitch_network_shape(config);
    pitch_network *p = base_alloc(1, sizeof *p);
    if (!p) return base_no_memory(error);
    p->look_ahead = config->pitch_look_ahead;
    lull_status status = mel_features_new(convention, &p->features, error);
    if (!status) status = model_frame_stack_new(&shape, parameters, &p->stack, error);
    if (status) {
        pitch_network_free(p);
        return status;
    }
    *result = p;
    return LULL_OK;
}

void pitch_network_free(pitch_network *p) {
    if (!p) return;
    model_frame_stack_free(p->stack);
    mel_features_free(p->features);
    base_free(p);
}

void pitch_network_reset(pitch_network *p) {
    model_frame_stack_reset(p->stack);
}

int pitch_network_look_ahead(const pitch_network *p) {
    return p->look_ahead;
}

int pitch_network_push(pitch_network *p, const float *const *frames, int n, pitch_values *out) {
    float features[MODEL_FRAME_STACK_MOST][MEL_FEATURES];
    float outputs[MODEL_FRAME_STACK_MOST][PITCH_OUTPUTS];
    const float *heard[MODEL_FRAME_STACK_MOST] = {NULL};
    for (int i = 0; i < n && frames[i]; i++) {
        mel_features_of_frame(p->features, frames[i], features[i]);
        heard[i] = features[i];
    }
    const int made = model_frame_stack_push(p->stack, heard, n, outputs[0]);
    for (int i = 0; i < made; i++) pitch_network_read(outputs[i], &out[i]);
    return made;
}

lull_status pitch_network_whole(const model_config *config, const model_parameters *parameters,
                                const mel_convention *convention, const float *frames, size_t n,
                                pitch_values *out, lull_error *error) {
    pitch_network *p = NULL;
    lull_status status = pitch_network_new(config, parameters, convention, &p, error);
    if (status) return status;
    for (size_t f = 0, got = 0; got < n; f += MODEL_FRAME_STACK_MOST) {
        const float *some[MODEL_FRAME_STACK_MOST];
        pitch_values values[MODEL_FRAME_STACK_MOST];
        for (size_t i = 0; i < MODEL_FRAME_STACK_MOST; i++)
            some[i] = f + i < n ? frames + (f + i) * (size_t)convention->bands : NULL;
        const int made = pitch_network_push(p, some, MODEL_FRAME_STACK_MOST, values);
        memcpy(out + got, values, (size_t)made * sizeof *out);
        got += (size_t)made;
    }
    pitch_network_free(p);
    return LULL_OK;
}
