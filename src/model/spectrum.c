/* What a mel leaves open in the low band: see spectrum.h. */
#include "model/spectrum.h"

#include <math.h>

#include "base/error.h"
#include "base/memory.h"
#include "mel/low_band.h"
#include "mel/reader.h"

/* Of windows that are longer or shorter than the model's by more, spectra are too different. */
static const double MOST_STRETCH = 1.3;

struct spectrum {
    model_frame_stack *stack;
    size_t width; /* of what is said of a frame */
    /* Of frames that are not the model's own; else NULL. */
    mel_reader *reader;
    size_t bands, own_bins; /* the model's */
    float *read, *said;     /* [MODEL_FRAME_STACK_MOST] frames as it reads them, what it says */
    int *lower;             /* [bins] where it lies among the model's bins */
    float *fraction;
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
    if (config->spectrum_channels == 0) return false;
    if (is_own(config, convention)) return true;
    if (mel_low_band_decimation(convention) == 1) return false;
    const double stretch = ((double)convention->window / convention->sample_rate) /
                           ((double)config->mel.window / config->mel.sample_rate);
    return fmax(stretch, 1 / stretch) < MOST_STRETCH;
}

/* Where the convention's bins lie among the model's. */
static lull_status place(spectrum *s, const mel_convention *from, const mel_convention *to,
                         lull_error *error) {
    const size_t bins = s->width / 2;
    s->lower = base_alloc(bins, sizeof *s->lower);
    s->fraction = base_alloc(bins, sizeof *s->fraction);
    if (!s->lower || !s->fraction) return base_no_memory(error);
    const double step =
        ((double)from->sample_rate / from->n_fft) / ((double)to->sample_rate / to->n_fft);
    const double last = (double)s->own_bins - 1;
    for (size_t k = 0; k < bins; k++) {
        const double at = fmin((double)k * step, last);
        s->lower[k] = (int)fmin(floor(at), last - 1);
        s->fraction[k] = (float)(at - s->lower[k]);
    }
    return LULL_OK;
}

static lull_status read_as_own(spectrum *s, const model_config *config,
                               const mel_convention *convention, lull_error *error) {
    s->bands = (size_t)config->mel.bands;
    s->own_bins = (size_t)mel_low_band_bins(&config->mel);
    lull_status status =
        mel_reader_new(convention, &config->mel, MEL_READ_HERTZ, &s->reader, error);
    if (status) return status;
    s->read = base_alloc(MODEL_FRAME_STACK_MOST * s->bands, sizeof *s->read);
    s->said = base_alloc(MODEL_FRAME_STACK_MOST * 2 * s->own_bins, sizeof *s->said);
    if (!s->read || !s->said) return base_no_memory(error);
    return place(s, convention, &config->mel, error);
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
    base_free(s->said);
    base_free(s->lower);
    base_free(s->fraction);
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
    sum = base_memory_add(sum, MODEL_FRAME_STACK_MOST * (uint64_t)(shape.first + shape.last),
                          sizeof(float));
    return base_memory_add(sum, (uint64_t)mel_low_band_bins(convention), 2 * sizeof(float));
}

size_t spectrum_width(const spectrum *s) {
    return s->width;
}

/* What was said at the model's bins, at those of the convention. */
static void interpolate(const spectrum *s, const float *said, float *out) {
    const size_t bins = s->width / 2;
    for (size_t half = 0; half < 2; half++, said += s->own_bins, out += bins)
        for (size_t k = 0; k < bins; k++) {
            const float *at = said + s->lower[k];
            out[k] = at[0] + s->fraction[k] * (at[1] - at[0]);
        }
}

void spectrum_push(spectrum *s, const float *const *frames, int n, float *outputs) {
    if (!s->reader) {
        model_frame_stack_push(s->stack, frames, n, outputs);
        return;
    }
    const float *read[MODEL_FRAME_STACK_MOST] = {NULL};
    for (int i = 0; i < n; i++) {
        float *frame = s->read + (size_t)i * s->bands;
        mel_reader_run(s->reader, frames[i], frame);
        read[i] = frame;
    }
    model_frame_stack_push(s->stack, read, n, s->said);
    for (int i = 0; i < n; i++)
        interpolate(s, s->said + (size_t)i * 2 * s->own_bins, outputs + (size_t)i * s->width);
}
