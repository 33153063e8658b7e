/* What a mel leaves open in the low band: see spectrum.h. */
#include "model/spectrum.h"

#include "base/error.h"
#include "base/memory.h"
#include "mel/frame_features.h"
#include "mel/low_band.h"

struct spectrum {
    mel_features *features;
    model_frame_stack *stack;
    spectrum_points points;
    /* Of MODEL_FRAME_STACK_MOST frames. */
    float *seen, *said;
};

model_frame_stack_shape spectrum_shape(const model_config *config) {
    return (model_frame_stack_shape){.role = MODEL_SPECTRUM_CONVOLUTION,
                                     .count = config->spectrum_layers,
                                     .bands = 1,
                                     .across = 1,
                                     .first = MEL_FEATURES,
                                     .inner = config->spectrum_channels,
                                     .last = SPECTRUM_OUTPUTS,
                                     .scale = 1};
}

bool spectrum_guides(const model_config *config, const mel_convention *convention) {
    return config->spectrum_channels > 0 && mel_low_band_decimation(convention) > 1;
}

lull_status spectrum_new(const model_config *config, const model_parameters *parameters,
                         const mel_convention *convention, spectrum **result, lull_error *error) {
    *result = NULL;
    spectrum *s = base_alloc(1, sizeof *s);
    if (!s) return base_no_memory(error);
    const model_frame_stack_shape shape = spectrum_shape(config);
    lull_status status = mel_features_new(convention, &s->features, error);
    if (!status) status = model_frame_stack_new(&shape, parameters, &s->stack, error);
    if (!status) status = spectrum_points_init(convention, &s->points, error);
    if (!status) {
        s->seen = base_alloc(MODEL_FRAME_STACK_MOST * (size_t)MEL_FEATURES, sizeof *s->seen);
        s->said = base_alloc(MODEL_FRAME_STACK_MOST * (size_t)SPECTRUM_OUTPUTS, sizeof *s->said);
        if (!s->seen || !s->said) status = base_no_memory(error);
    }
    if (status) {
        spectrum_free(s);
        return status;
    }
    *result = s;
    return LULL_OK;
}

void spectrum_free(spectrum *s) {
    if (!s) return;
    mel_features_free(s->features);
    model_frame_stack_free(s->stack);
    spectrum_points_clear(&s->points);
    base_free(s->seen);
    base_free(s->said);
    base_free(s);
}

void spectrum_reset(spectrum *s) {
    model_frame_stack_reset(s->stack);
}

uint64_t spectrum_bytes(const model_config *config, const mel_convention *convention) {
    const model_frame_stack_shape shape = spectrum_shape(config);
    uint64_t sum = base_memory_add(mel_features_bytes(convention), 1, sizeof(spectrum));
    sum = base_memory_add(sum, model_frame_stack_bytes(&shape), 1);
    sum = base_memory_add(sum, spectrum_points_bytes(convention), 1);
    return base_memory_add(sum, MODEL_FRAME_STACK_MOST * (MEL_FEATURES + SPECTRUM_OUTPUTS),
                           sizeof(float));
}

size_t spectrum_width(const spectrum *s) {
    return 2 * (size_t)s->points.bins;
}

void spectrum_push(spectrum *s, const float *const *frames, int n, float *outputs) {
    const float *seen[MODEL_FRAME_STACK_MOST] = {NULL};
    for (int i = 0; i < n; i++) {
        float *features = s->seen + (size_t)i * MEL_FEATURES;
        mel_features_of_frame(s->features, frames[i], features);
        seen[i] = features;
    }
    model_frame_stack_push(s->stack, seen, n, s->said);
    for (int i = 0; i < n; i++)
        spectrum_points_to_bins(&s->points, s->said + (size_t)i * SPECTRUM_OUTPUTS,
                                outputs + (size_t)i * spectrum_width(s));
}
