/* What a mel leaves open in the low band: see spectrum.h. */
#include "model/spectrum.h"

#include "base/error.h"
#include "base/memory.h"
#include "mel/low_band.h"
#include "mel/reader.h"

struct spectrum {
    model_frame_stack *stack;
    size_t width; /* of what is said of a frame */
    /* Of frames whose numbers are not the model's own; else NULL. */
    mel_reader *reader;
    size_t bands;
    float *read; /* [MODEL_FRAME_STACK_MOST] frames as it reads them */
};

model_frame_stack_shape spectrum_shape(const model_config *config) {
    return (model_frame_stack_shape){.role = MODEL_SPECTRUM_CONVOLUTION,
                                     .count = config->spectrum_layers,
                                     .bands = 1,
                                     .across = 1,
                                     .first = config->mel.bands,
                                     .inner = config->spectrum_channels,
                                     .last = 2 * mel_low_band_bins(&config->mel),
                                     .offset = (float)config->mel_offset,
                                     .scale = (float)config->mel_scale};
}

static bool is_own(const model_config *config, const mel_convention *convention) {
    return !mel_convention_difference(convention, &config->mel);
}

bool spectrum_is_known(const model_config *config, const mel_convention *convention) {
    mel_convention other = *convention;
    other.centred = config->mel.centred;
    return config->spectrum_channels > 0 && mel_convention_same_frames(&other, &config->mel);
}

static lull_status read_as_own(spectrum *s, const model_config *config,
                               const mel_convention *convention, lull_error *error) {
    s->bands = (size_t)config->mel.bands;
    s->read = base_alloc(MODEL_FRAME_STACK_MOST * s->bands, sizeof *s->read);
    if (!s->read) return base_no_memory(error);
    return mel_reader_new(convention, &config->mel, MEL_READ_HERTZ, &s->reader, error);
}

lull_status spectrum_new(const model_config *config, const model_parameters *parameters,
                         const mel_convention *convention, spectrum **result, lull_error *error) {
    *result = NULL;
    spectrum *s = base_alloc(1, sizeof *s);
    if (!s) return base_no_memory(error);
    const model_frame_stack_shape shape = spectrum_shape(config);
    s->width = 2 * (size_t)mel_low_band_bins(convention);
    lull_status status = model_frame_stack_new(&shape, parameters, &s->stack, error);
    if (!status && !is_own(config, convention)) status = read_as_own(s, config, convention, error);
    if (status) {
        spectrum_free(s);
        return status;
    }
    *result = s;
    return LULL_OK;
}

void spectrum_free(spectrum *s) {
    if (!s) return;
    model_frame_stack_free(s->stack);
    mel_reader_free(s->reader);
    base_free(s->read);
    base_free(s);
}

void spectrum_reset(spectrum *s) {
    model_frame_stack_reset(s->stack);
}

uint64_t spectrum_bytes(const model_config *config, const mel_convention *convention) {
    const model_frame_stack_shape shape = spectrum_shape(config);
    uint64_t sum = base_memory_add(0, 1, sizeof(spectrum)) + model_frame_stack_bytes(&shape);
    if (is_own(config, convention)) return sum;
    sum += mel_reader_bytes(convention, &config->mel);
    return base_memory_add(sum, MODEL_FRAME_STACK_MOST * (uint64_t)shape.first, sizeof(float));
}

size_t spectrum_width(const spectrum *s) {
    return s->width;
}

void spectrum_push(spectrum *s, const float *const *frames, int n, float *outputs) {
    const float *read[MODEL_FRAME_STACK_MOST] = {NULL};
    for (int i = 0; i < n; i++) {
        read[i] = frames[i];
        if (!s->reader) continue;
        float *frame = s->read + (size_t)i * s->bands;
        mel_reader_run(s->reader, frames[i], frame);
        read[i] = frame;
    }
    model_frame_stack_push(s->stack, read, n, outputs);
}
