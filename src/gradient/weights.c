/* Packs the weights of a step for the products. */
#include <string.h>

#include "gradient/internal.h"

/* Packs W[k][n] = w[i·row + j·column] (element (i, j) of tap t at + t·tap) as taps·k × n, and its
 * transpose as taps·n × k. */
static void pack_pair(const gradient_engine *e, packed_pair *pair, bool bf16_wanted, int k, int n,
                      int taps, const float *w, ptrdiff_t row, ptrdiff_t column, ptrdiff_t tap,
                      float *gather) {
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
static void pack_paired(const gradient_engine *e, layer_weights *layer, const float *w,
                        float *gather) {
    size_t count = (size_t)e->c * (size_t)e->c2;
    float *matrix = gather + count; /* [2C][C], as PyTorch has a tap */
    for (int m = 0; m < MATRICES; m++) {
        for (size_t i = 0; i < count; i++) {
            float w0 = w[3 * i], w1 = w[3 * i + 1], w2 = w[3 * i + 2];
            float v[MATRICES] = {w0, 0.5f * (w0 + w2 + w1), 0.5f * (w0 + w2 - w1), w2};
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
        layer_weights *layer = &e->layers[i];
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
