/* Packing the weights of a model for the streaming denoiser. */
#include "model/denoiser_weights.h"

#include "base/error.h"
#include "base/memory.h"
#include "model/denoiser_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Counts the bytes of what is allocated; NULL when memory is out. */
static void *take(denoiser_weights *w, size_t count, size_t size) {
    w->bytes += count * size;
    return base_alloc(count, size);
}

static float *copy_scaled(denoiser_weights *w, const float *from, int n, double scale) {
    float *to = take(w, (size_t)n, sizeof *to);
    for (int i = 0; to && i < n; i++) to[i] = (float)(from[i] * scale);
    return to;
}

static float *pack_f32(denoiser_weights *w, int k, int n, const float *b) {
    const nn_kernels *kernels = w->kernels;
    float *packed = take(w, kernels->packed_f32(k, n), sizeof *packed);
    if (packed) kernels->pack_f32(k, n, b, n, 1, packed);
    return packed;
}

/* Packs a dense k × n matrix in the precision of the residual layers. */
static bool pack(denoiser_weights *w, int k, int n, const float *b, denoiser_matrix *matrix) {
    const nn_kernels *kernels = w->kernels;
    if (!w->bf16) return (matrix->f32 = pack_f32(w, k, n, b)) != NULL;
    matrix->bf16 = take(w, kernels->packed_bf16(k, n), sizeof *matrix->bf16);
    if (matrix->bf16) kernels->pack_bf16(k, n, b, n, 1, matrix->bf16);
    return matrix->bf16 != NULL;
}

static void free_matrix(denoiser_matrix *matrix) {
    base_free(matrix->f32);
    base_free(matrix->bf16);
}

/* out[tap·stride + i][j] = w[j][i][tap]·scale: a convolution's weight as a product's second
 * operand. */
static void lay_out(const float *w, int n, int k, int taps, int stride, double scale, float *out) {
    memset(out, 0, (size_t)taps * (size_t)stride * (size_t)n * sizeof *out);
    for (int j = 0; j < n; j++)
        for (int i = 0; i < k; i++)
            for (int tap = 0; tap < taps; tap++)
                out[((size_t)tap * (size_t)stride + (size_t)i) * (size_t)n + (size_t)j] =
                    (float)(w[((size_t)j * (size_t)k + (size_t)i) * (size_t)taps + (size_t)tap] *
                            scale);
}

/* The residual half grows with the stream's scale, the skip half does not. The last layer's
 * residual goes nowhere. */
static bool pack_output(denoiser_weights *w, int l, float *scratch) {
    int c = w->config.channels;
    bool last = l == w->config.layers - 1;
    const float *weight = model_parameters_weight(w->parameters, MODEL_RESIDUAL_PROJECTION, l);
    int n = last ? c : 2 * c;
    lay_out(last ? weight + (size_t)c * (size_t)c : weight, n, c, 1, w->stride, 1, scratch);
    double scale = sqrt(pow(2, l));
    for (int i = 0; !last && i < c; i++)
        for (int j = 0; j < c; j++) {
            float *element = &scratch[(size_t)i * (size_t)n + (size_t)j];
            *element = (float)(*element * scale);
        }
    return pack(w, w->stride, n, scratch, &w->layer[l].output);
}

static bool pack_layer(denoiser_weights *w, int l, float *scratch) {
    const model_config *config = &w->config;
    int c = config->channels;
    denoiser_layer *layer = &w->layer[l];
    layer->dilation = config->dilation[l];
    layer->look_ahead = config->look_ahead[l];
    layer->delay = layer->look_ahead + (l ? w->layer[l - 1].delay : 0);

    const model_parameters *p = w->parameters;
    lay_out(model_parameters_weight(p, MODEL_DILATED_CONVOLUTION, l), 2 * c, c, config->kernel,
            w->stride, sqrt(pow(0.5, l)), scratch);
    if (!pack(w, config->kernel * w->stride, 2 * c, scratch, &layer->dilated)) return false;
    layer->dilated_bias =
        copy_scaled(w, model_parameters_bias(p, MODEL_DILATED_CONVOLUTION, l), 2 * c, 1);
    if (!layer->dilated_bias) return false;
    const float *bias = model_parameters_bias(p, MODEL_CONDITION_PROJECTION, l);
    for (int i = 0; i < 2 * c; i++) layer->dilated_bias[i] += bias[i];
    if (config->family == MODEL_DIFFWAVE) {
        lay_out(model_parameters_weight(p, MODEL_CONDITION_PROJECTION, l), 2 * c, config->mel.bands,
                1, w->mel_stride, 1, scratch);
        if (!pack(w, w->mel_stride, 2 * c, scratch, &layer->condition)) return false;
    }
    layer->offset = take(w, (size_t)c, sizeof *layer->offset);
    if (!layer->offset) return false;
    if (l > 0) {
        const float *before = model_parameters_bias(p, MODEL_RESIDUAL_PROJECTION, l - 1);
        for (int i = 0; i < c; i++)
            layer->offset[i] = (float)(w->layer[l - 1].offset[i] + before[i] * sqrt(pow(2, l - 1)));
    }
    return pack_output(w, l, scratch);
}

/* skip: W·(Σ skips + Σ their biases)/√L + b. */
static bool pack_head(denoiser_weights *w, float *scratch) {
    const model_parameters *p = w->parameters;
    int c = w->config.channels, layers = w->config.layers;
    double scale = 1 / sqrt(layers);
    const float *weight = model_parameters_weight(p, MODEL_SKIP_PROJECTION, 0);
    lay_out(weight, c, c, 1, c, scale, scratch);
    w->skip = pack_f32(w, c, c, scratch);
    w->skip_bias = copy_scaled(w, model_parameters_bias(p, MODEL_SKIP_PROJECTION, 0), c, 1);
    if (!w->skip || !w->skip_bias) return false;
    for (int j = 0; j < c; j++) {
        double sum = w->skip_bias[j];
        for (int l = 0; l < layers; l++) {
            const float *bias = model_parameters_bias(p, MODEL_RESIDUAL_PROJECTION, l) + c;
            for (int i = 0; i < c; i++)
                sum += weight[(size_t)j * (size_t)c + (size_t)i] * scale * bias[i];
        }
        w->skip_bias[j] = (float)sum;
    }
    lay_out(model_parameters_weight(p, MODEL_OUTPUT_PROJECTION, 0), w->config.patch, c, 1, c, 1,
            scratch);
    w->head = pack_f32(w, c, w->config.patch, scratch);
    w->head_bias =
        copy_scaled(w, model_parameters_bias(p, MODEL_OUTPUT_PROJECTION, 0), w->config.patch, 1);
    return w->head && w->head_bias;
}

static bool pack_input(denoiser_weights *w, float *scratch) {
    int c = w->config.channels, width = model_config_input(&w->config);
    lay_out(model_parameters_weight(w->parameters, MODEL_INPUT_PROJECTION, 0), c, width, 1, width,
            1, scratch);
    w->input = pack_f32(w, width, c, scratch);
    w->input_bias =
        copy_scaled(w, model_parameters_bias(w->parameters, MODEL_INPUT_PROJECTION, 0), c, 1);
    return w->input && w->input_bias;
}

/* lull's conditioner: its convolutions, and all layers' projections side by side. */
static bool pack_conditioner(denoiser_weights *w, float *scratch) {
    const model_config *config = &w->config;
    int wide = config->conditioner_channels, c = config->channels;
    size_t count = (size_t)config->conditioner_layers;
    w->convolution = take(w, count, sizeof *w->convolution);
    w->convolution_bias = take(w, count, sizeof *w->convolution_bias);
    if (!w->convolution || !w->convolution_bias) return false;
    for (int i = 0; i < config->conditioner_layers; i++) {
        int in = i ? wide : config->mel.bands;
        lay_out(model_parameters_weight(w->parameters, MODEL_CONDITIONER_CONVOLUTION, i), wide, in,
                config->conditioner_kernel, in, 1, scratch);
        w->convolution[i] = pack_f32(w, config->conditioner_kernel * in, wide, scratch);
        w->convolution_bias[i] = copy_scaled(
            w, model_parameters_bias(w->parameters, MODEL_CONDITIONER_CONVOLUTION, i), wide, 1);
        if (!w->convolution[i] || !w->convolution_bias[i]) return false;
    }
    int in = config->conditioner_layers ? wide : config->mel.bands;
    size_t n = (size_t)config->layers * 2 * (size_t)c;
    for (int l = 0; l < config->layers; l++) {
        const float *weight = model_parameters_weight(w->parameters, MODEL_CONDITION_PROJECTION, l);
        for (int j = 0; j < 2 * c; j++)
            for (int i = 0; i < in; i++)
                scratch[(size_t)i * n + (size_t)(l * 2 * c + j)] =
                    weight[(size_t)j * (size_t)in + (size_t)i];
    }
    w->projection = pack_f32(w, in, (int)n, scratch);
    return w->projection != NULL;
}

/* Floats of the largest matrix that is laid out before it is packed. */
static size_t scratch_size(const denoiser_weights *w) {
    const model_config *config = &w->config;
    size_t c = (size_t)config->channels, stride = (size_t)w->stride, mel = (size_t)w->mel_stride;
    size_t wide = (size_t)config->conditioner_channels, in = wide > mel ? wide : mel;
    size_t sizes[] = {(size_t)config->kernel * stride * 2 * c, mel * 2 * c,
                      c * (size_t)model_config_input(config),
                      (size_t)config->conditioner_kernel * in * wide,
                      in * (size_t)config->layers * 2 * c};
    size_t most = c * c;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i] > most) most = sizes[i];
    return most;
}

static bool pack_all(denoiser_weights *w) {
    const model_config *config = &w->config;
    float *scratch = base_alloc(scratch_size(w), sizeof *scratch);
    w->layer = take(w, (size_t)config->layers, sizeof *w->layer);
    bool done = scratch && w->layer && pack_input(w, scratch);
    for (int l = 0; done && l < config->layers; l++) done = pack_layer(w, l, scratch);
    done = done && pack_head(w, scratch);
    if (config->family == MODEL_LULL) done = done && pack_conditioner(w, scratch);
    base_free(scratch);
    return done;
}

lull_status denoiser_weights_new(const model_config *config, const model_parameters *parameters,
                                 bool bf16, denoiser_weights **weights, lull_error *error) {
    *weights = NULL;
    denoiser_weights *w = base_alloc(1, sizeof *w);
    if (!w) return base_no_memory(error);
    w->kernels = nn_kernels_get();
    w->config = *config;
    w->parameters = parameters;
    w->bf16 = bf16;
    w->stride = bf16 ? (config->channels + 1) / 2 * 2 : config->channels;
    w->mel_stride = bf16 ? (config->mel.bands + 1) / 2 * 2 : config->mel.bands;
    if (!pack_all(w)) {
        denoiser_weights_free(w);
        return base_no_memory(error);
    }
    *weights = w;
    return LULL_OK;
}

void denoiser_weights_free(denoiser_weights *w) {
    if (!w) return;
    for (int l = 0; w->layer && l < w->config.layers; l++) {
        denoiser_layer *layer = &w->layer[l];
        free_matrix(&layer->dilated);
        free_matrix(&layer->condition);
        free_matrix(&layer->output);
        base_free(layer->dilated_bias);
        base_free(layer->offset);
    }
    for (int i = 0; i < w->config.conditioner_layers; i++) {
        if (w->convolution) base_free(w->convolution[i]);
        if (w->convolution_bias) base_free(w->convolution_bias[i]);
    }
    float *rest[] = {w->input, w->input_bias, w->skip,      w->skip_bias,
                     w->head,  w->head_bias,  w->projection};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) base_free(rest[i]);
    base_free(w->convolution);
    base_free(w->convolution_bias);
    base_free(w->layer);
    base_free(w);
}

size_t denoiser_weights_bytes(const denoiser_weights *w) {
    return w->bytes;
}
