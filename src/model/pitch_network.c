/* The pitch network as a stream: see pitch_network.h. */
#include "model/pitch_network.h"

#include "base/error.h"
#include "base/memory.h"
#include "mel/frame_features.h"

#include <math.h>

struct pitch_network {
    mel_features *features;
    frame_network *network;
};

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

lull_status pitch_network_new(const model_config *config, const model_parameters *parameters,
                              const mel_convention *convention, pitch_network **result,
                              lull_error *error) {
    *result = NULL;
    pitch_network *p = base_alloc(1, sizeof *p);
    if (!p) return base_no_memory(error);
    const frame_shape shape = frame_shape_pitch(config);
    lull_status status =
        frame_network_new(&shape, MODEL_PITCH_CONVOLUTION, parameters, &p->network, error);
    if (!status) status = mel_features_new(convention, &p->features, error);
    if (status) {
        pitch_network_free(p);
        return status;
    }
    *result = p;
    return LULL_OK;
}

void pitch_network_free(pitch_network *p) {
    if (!p) return;
    frame_network_free(p->network);
    mel_features_free(p->features);
    base_free(p);
}

void pitch_network_reset(pitch_network *p) {
    frame_network_reset(p->network);
}

int pitch_network_look_ahead(const pitch_network *p) {
    return frame_network_look_ahead(p->network);
}

bool pitch_network_push(pitch_network *p, const float *frame, pitch_values *out) {
    float features[MEL_FEATURES];
    if (frame) mel_features_of_frame(p->features, frame, features);
    const float *outputs = frame_network_push(p->network, frame ? features : NULL);
    if (outputs) pitch_network_read(outputs, out);
    return outputs != NULL;
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
