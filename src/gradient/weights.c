/* Packs the weights of a step for the products. */
#include "gradient/weights.h"

#include <string.h>

#include "base/memory.h"
#include "gradient/conditioner.h"
#include "gradient/convolution.h"
#include "gradient/passes.h"

static size_t packed_bytes(const gradient_engine *e, int k, int n, bool bf16_wanted) {
    return bf16_wanted ? e->nn->packed_bf16(k, n) * sizeof(bf16)
                       : e->nn->packed_f32(k, n) * sizeof(float);
}

static gradient_packed pair_new(gradient_engine *e, int k, int n, int taps, bool bf16_wanted,
                                bool *ok) {
    gradient_packed pair = {
        gradient_take(&e->bytes, packed_bytes(e, taps * k, n, bf16_wanted), 1, ok),
        gradient_take(&e->bytes, packed_bytes(e, taps * n, k, bf16_wanted), 1, ok)};
    return pair;
}

static void pair_free(gradient_packed *pair) {
    base_free(pair->forward);
    base_free(pair->backward);
}

void gradient_weights_new(gradient_engine *e, bool *ok) {
    const model_config *config = &e->config;
    int c = e->c, c2 = e->c2, taps = config->kernel;
    e->layers =
        gradient_take(&e->bytes, (size_t)config->layers, sizeof(gradient_layer_weights), ok);
    if (!e->layers) return;
    for (int i = 0; i < config->layers; i++) {
        e->layers[i].paired = gradient_can_pair(e, i);
        for (int m = 0; m < (e->layers[i].paired ? GRADIENT_MATRICES : 1); m++)
            e->layers[i].dilated[m] =
                pair_new(e, c, c2, e->layers[i].paired ? 1 : taps, e->bf16, ok);
        e->layers[i].output = pair_new(e, c, c2, 1, e->bf16, ok);
        e->layers[i].bias = gradient_take(&e->bytes, (size_t)c2, sizeof(float), ok);
        if (config->family == MODEL_DIFFWAVE)
            e->layers[i].conditioner = pair_new(e, config->mel.bands, c2, 1, e->bf16, ok);
    }
    e->input = pair_new(e, model_config_input(config), c, 1, false, ok);
    e->output = pair_new(e, c, config->patch, 1, false, ok);
    e->skip = pair_new(e, c, c, 1, e->bf16, ok);
    if (config->family == MODEL_LULL) {
        int width = config->conditioner_channels, all = config->layers * c2;
        for (int i = 0; i < config->conditioner_layers; i++)
            e->cond_conv[i] = pair_new(e, gradient_cond_width(e, i), width,
                                       config->conditioner_kernel, false, ok);
        e->cond_projection = pair_new(e, width, all, 1, false, ok);
        e->cond_projection_matrix =
            gradient_take(&e->bytes, (size_t)all * (size_t)width, sizeof(float), ok);
    }
}

void gradient_weights_free(gradient_engine *e) {
    for (int i = 0; e->layers && i < e->config.layers; i++) {
        for (int m = 0; m < GRADIENT_MATRICES; m++) pair_free(&e->layers[i].dilated[m]);
        pair_free(&e->layers[i].output);
        pair_free(&e->layers[i].conditioner);
        base_free(e->layers[i].bias);
    }
    base_free(e->layers);
    pair_free(&e->input);
    pair_free(&e->output);
    pair_free(&e->skip);
    for (int i = 0; i < 16; i++) pair_free(&e->cond_conv[i]);
    pair_free(&e->cond_projection);
    base_free(e->cond_projection_matrix);
}

/* Packs W[k][n] = w[i·row + j·column] (element (i, j) of tap t at + t·tap) as taps·k × n, and its
 * transpose as taps·n × k. */
static void pack_pair(const gradient_engine *e, gradient_packed *pair, bool bf16_wanted, int k,
                      int n, int taps, const float *w, ptrdiff_t row, ptrdiff_t column,
                      ptrdiff_t tap, float *gather) {
    const nn_kernels *nn = e->nn;
    for (int t = 0; t < taps; t++)
        for (int i = 0; i < k; i++)
            for (int j = 0; j < n; j++)
                gather[((size_t)t * (size_t)k + (size_t)i) * (size_t)n + (size_t)j] =
                    w[t * tap + i * row + j * column];
    if (bf16_wanted)
        nn->pack_bf16(taps * k, n, gather, n, 1, pair->forward);
    else
        nn->pack_f32(taps * k, n, gather, n, 1, pair->forward);
    for (int t = 0; t < taps; t++)
        for (int j = 0; j < n; j++)
            for (int i = 0; i < k; i++)
                gather[((size_t)t * (size_t)n + (size_t)j) * (size_t)k + (size_t)i] =
                    w[t * tap + i * row + j * column];
    if (bf16_wanted)
        nn->pack_bf16(taps * n, k, gather, k, 1, pair->backward);
    else
        nn->pack_f32(taps * n, k, gather, k, 1, pair->backward);
}

/* The V of convolution.c, each as inputs × outputs. */
static void pack_paired(const gradient_engine *e, gradient_layer_weights *layer, const float *w,
                        float *gather) {
    size_t count = (size_t)e->c * (size_t)e->c2;
    float *matrix = gather + count; /* [2C][C], as PyTorch has a tap */
    for (int m = 0; m < GRADIENT_MATRICES; m++) {
        for (size_t i = 0; i < count; i++) {
            float w0 = w[3 * i], w1 = w[3 * i + 1], w2 = w[3 * i + 2];
            float v[GRADIENT_MATRICES] = {w0, 0.5f * (w0 + w2 + w1), 0.5f * (w0 + w2 - w1), w2};
            matrix[i] = v[m];
        }
        pack_pair(e, &layer->dilated[m], false, e->c, e->c2, 1, matrix, 1, e->c, 0, gather);
    }
}

void gradient_pack_task(void *context, int i, int worker) {
    gradient_engine *e = context;
    const model_config *config = &e->config;
    float *gather = e->work[worker].gather;
    int c = e->c, c2 = e->c2, taps = config->kernel;
    if (i < config->layers) {
        gradient_layer_weights *layer = &e->layers[i];
        const float *dilated = gradient_weight(e, MODEL_DILATED_CONVOLUTION, i);
        if (layer->paired)
            pack_paired(e, layer, dilated, gather);
        else
            pack_pair(e, &layer->dilated[0], e->bf16, c, c2, taps, dilated, taps,
                      (ptrdiff_t)c * taps, 1, gather);
        pack_pair(e, &layer->output, e->bf16, c, c2, 1,
                  gradient_weight(e, MODEL_RESIDUAL_PROJECTION, i), 1, c, 0, gather);
        const float *bias = gradient_bias(e, MODEL_DILATED_CONVOLUTION, i);
        const float *cond_bias = gradient_bias(e, MODEL_CONDITION_PROJECTION, i);
        if (config->family == MODEL_DIFFWAVE)
            pack_pair(e, &layer->conditioner, e->bf16, config->mel.bands, c2, 1,
                      gradient_weight(e, MODEL_CONDITION_PROJECTION, i), 1, config->mel.bands, 0,
                      gather);
        for (int j = 0; j < c2; j++) layer->bias[j] = bias[j] + cond_bias[j];
        return;
    }
    int input = model_config_input(config);
    pack_pair(e, &e->input, false, input, c, 1, gradient_weight(e, MODEL_INPUT_PROJECTION, 0), 1,
              input, 0, gather);
    pack_pair(e, &e->skip, e->bf16, c, c, 1, gradient_weight(e, MODEL_SKIP_PROJECTION, 0), 1, c, 0,
              gather);
    pack_pair(e, &e->output, false, c, config->patch, 1,
              gradient_weight(e, MODEL_OUTPUT_PROJECTION, 0), 1, c, 0, gather);
    if (config->family == MODEL_DIFFWAVE) return;
    int kernel = config->conditioner_kernel, width = config->conditioner_channels;
    for (int j = 0; j < config->conditioner_layers; j++) {
        int in = gradient_cond_width(e, j);
        pack_pair(e, &e->cond_conv[j], false, in, width, kernel,
                  gradient_weight(e, MODEL_CONDITIONER_CONVOLUTION, j), kernel,
                  (ptrdiff_t)in * kernel, 1, gather);
    }
    /* Every layer's projection side by side: one product at the mel rate. */
    size_t block = (size_t)c2 * (size_t)width;
    for (int j = 0; j < config->layers; j++)
        memcpy(e->cond_projection_matrix + (size_t)j * block,
               gradient_weight(e, MODEL_CONDITION_PROJECTION, j), block * sizeof(float));
    pack_pair(e, &e->cond_projection, false, width, config->layers * c2, 1,
              e->cond_projection_matrix, 1, width, 0, gather);
}
