/* The postnet: see postnet.h. */
#include "model/postnet.h"

model_frame_stack_shape postnet_shape(const model_config *config) {
    return (model_frame_stack_shape){.role = MODEL_POSTNET_CONVOLUTION,
                                     .count = model_config_postnet_convolutions(config),
                                     .bands = config->mel.bands / config->postnet_patch,
                                     .across = 3,
                                     .first = config->postnet_patch,
                                     .inner = config->postnet_channels,
                                     .last = config->postnet_patch,
                                     .look_ahead = config->postnet_look_ahead,
                                     .offset = (float)config->mel_offset,
                                     .scale = (float)config->mel_scale,
                                     .added = true,
                                     .threshold = (float)config->postnet_threshold};
}

lull_status postnet_new(const model_config *config, const model_parameters *parameters,
                        model_frame_stack **result, lull_error *error) {
    const model_frame_stack_shape shape = postnet_shape(config);
    return model_frame_stack_new(&shape, parameters, result, error);
}

uint64_t postnet_bytes(const model_config *config) {
    const model_frame_stack_shape shape = postnet_shape(config);
    return model_frame_stack_bytes(&shape);
}

lull_status postnet_whole(const model_config *config, const model_parameters *parameters,
                          const float *mel, size_t n, float *out, lull_error *error) {
    model_frame_stack *postnet = NULL;
    lull_status status = postnet_new(config, parameters, &postnet, error);
    if (status) return status;
    const size_t bands = (size_t)config->mel.bands;
    for (size_t f = 0, got = 0; got < n; f++) {
        const float *const next[] = {f < n ? mel + f * bands : NULL};
        got += (size_t)model_frame_stack_push(postnet, next, 1, out + got * bands);
    }
    model_frame_stack_free(postnet);
    return LULL_OK;
}
