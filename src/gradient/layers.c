/* The residual layers, forward and backward, but for their dilated convolutions
 * (convolution.c). */
#include "gradient/layers.h"

#include <math.h>
#include <string.h>

#include "gradient/convolution.h"
#include "gradient/passes.h"

/* Where row r of the network lies between conditioner rows: row `*low` of cond_rows (which begins
 * at frame −1) with weight 1 − *weight, the next with *weight. */
static void conditioner_position(const gradient_engine *e, int r, int *low, float *weight) {
    const model_config *config = &e->config;
    double centre = (r + 0.5) * config->patch - mel_convention_first_centre(&config->mel);
    double position = centre / config->mel.hop, floor_position = floor(position);
    *low = (int)floor_position + 1;
    *weight = (float)(position - floor_position);
}

/* A crop's step embedding as a layer sees it. */
static const float *step_of(const gradient_engine *e, int crop, int layer) {
    return e->steps + ((size_t)crop * (size_t)e->config.layers + (size_t)layer) * (size_t)e->c;
}

/* The others' input is written by the layer before. */
void gradient_first_input(gradient_engine *e, gradient_workspace *w, int crop) {
    size_t c = (size_t)e->c;
    const float *d = step_of(e, crop, 0);
    for (int r = 0; r < e->rows; r++) {
        const float *x = w->x + (size_t)r * c;
        float *sum = w->tile;
        for (size_t j = 0; j < c; j++) sum[j] = x[j] + d[j];
        gradient_store(e, sum, gradient_y_row(e, w, 0, r), c);
    }
}

static void gate_forward(gradient_engine *e, gradient_workspace *w, int layer,
                         const gradient_tile *tile) {
    size_t c = (size_t)e->c, c2 = (size_t)e->c2, all = (size_t)e->config.layers * c2;
    for (int i = 0; i < tile->rows; i++) {
        size_t index = (size_t)layer * (size_t)e->rows + (size_t)tile->row[i];
        void *z = gradient_act_at(e, w->z, index * c),
             *saved = gradient_act_at(e, w->saved, index * c2);
        const float *c0 = NULL, *c1 = NULL;
        float w1 = 0;
        if (e->config.family == MODEL_LULL) {
            int low;
            conditioner_position(e, tile->row[i], &low, &w1);
            c0 = w->cond_rows + (size_t)low * all + (size_t)layer * c2;
            c1 = c0 + all;
        }
        e->nn->gate(e->c, w->tile + (size_t)i * c2, c0, 1 - w1, c1, w1, e->bf16 ? NULL : z,
                    e->bf16 ? z : NULL, e->bf16 ? NULL : saved, e->bf16 ? saved : NULL);
    }
}

/* [r | s] of all rows, x and skip, and the next layer's input. */
static void output_forward(gradient_engine *e, gradient_workspace *w, int crop, int layer) {
    size_t c = (size_t)e->c, c2 = (size_t)e->c2;
    const float *bias = gradient_bias(e, MODEL_RESIDUAL_PROJECTION, layer);
    const float *step = layer + 1 < e->config.layers ? step_of(e, crop, layer + 1) : NULL;
    for (int from = 0; from < e->rows; from += GRADIENT_TILE) {
        int n = e->rows - from < GRADIENT_TILE ? e->rows - from : GRADIENT_TILE;
        const void *z =
            gradient_act_at(e, w->z, ((size_t)layer * (size_t)e->rows + (size_t)from) * c);
        gradient_product(e, w, n, e->c2, e->c, 1, &z, c, e->layers[layer].output.forward, bias,
                         false, w->tile, c2);
        for (int r = 0; r < n; r++) {
            size_t at = (size_t)(from + r) * c;
            void *y = step ? gradient_y_row(e, w, layer + 1, from + r) : NULL;
            e->nn->residual(e->c, w->tile + (size_t)r * c2, w->x + at, w->skip + at, step,
                            e->bf16 ? NULL : y, e->bf16 ? y : NULL);
        }
    }
}

void gradient_layer_forward(gradient_engine *e, gradient_workspace *w, int crop, int layer) {
    gradient_tile tile;
    int from = 0;
    while (gradient_next_tile(e, w, layer, &from, &tile)) {
        gradient_convolution_forward(e, w, layer, &tile);
        double start = gradient_clock_start(e);
        gate_forward(e, w, layer, &tile);
        gradient_clock_stop(e, start, &w->times.gates);
    }
    output_forward(e, w, crop, layer);
}

/* dz of all rows and the output projection's gradient. */
static void output_backward(gradient_engine *e, gradient_workspace *w, int layer, float *gradient) {
    size_t c = (size_t)e->c;
    for (int from = 0; from < e->rows; from += GRADIENT_TILE) {
        int n = e->rows - from < GRADIENT_TILE ? e->rows - from : GRADIENT_TILE;
        size_t at = (size_t)from * c;
        const void *dout[2] = {gradient_act_at(e, w->dres, at), gradient_act_at(e, w->dskip, at)};
        gradient_product(e, w, n, e->c, e->c, 2, dout, c, e->layers[layer].output.backward, NULL,
                         false, w->dz + at, c);
    }
    float *dbias = gradient_bias_in(e, gradient, MODEL_RESIDUAL_PROJECTION, layer);
    float *dw = gradient_weight_in(e, gradient, MODEL_RESIDUAL_PROJECTION, layer);
    gradient_add_columns(dbias + c, w->dskip_sum, 1, e->c, c);
    const void *z = gradient_act_at(e, w->z, (size_t)layer * (size_t)e->rows * c);
    if (layer + 1 < e->config.layers) /* nothing reads the last layer's residual */
        gradient_outer(e, w, e->rows, e->c, e->c, w->dres, c, z, c, dw, c);
    gradient_outer(e, w, e->rows, e->c, e->c, w->dskip, c, z, c, dw + c * c, c);
}

/* dp of a tile; on the way its sums: for DiffWave the bias's, else those of the conditioner's rows.
 */
static void gate_backward(gradient_engine *e, gradient_workspace *w, int layer,
                          const gradient_tile *tile, float *dbias) {
    size_t c = (size_t)e->c, c2 = (size_t)e->c2, all = (size_t)e->config.layers * c2;
    for (int i = 0; i < tile->rows; i++) {
        size_t row = (size_t)tile->row[i], index = (size_t)layer * (size_t)e->rows + row;
        const void *saved = gradient_act_at(e, w->saved, index * c2);
        void *dp = tile->dp[i];
        float *dc0 = dbias, *dc1 = NULL, w0 = 1, w1 = 0;
        if (e->config.family == MODEL_LULL) {
            int low;
            conditioner_position(e, tile->row[i], &low, &w1);
            w0 = 1 - w1;
            dc0 = w->dcond_rows + (size_t)low * all + (size_t)layer * c2;
            dc1 = dc0 + all;
        }
        e->nn->gate_backward(e->c, w->dz + row * c, e->bf16 ? NULL : saved, e->bf16 ? saved : NULL,
                             e->bf16 ? NULL : dp, e->bf16 ? dp : NULL, dc0, w0, dc1, w1);
    }
}

void gradient_layer_backward(gradient_engine *e, gradient_workspace *w, int layer,
                             const gradient_sums *group) {
    size_t c2 = (size_t)e->c2;
    float *dbias = gradient_bias_in(e, group->gradient, MODEL_DILATED_CONVOLUTION, layer);
    float *dbias_cond = gradient_bias_in(e, group->gradient, MODEL_CONDITION_PROJECTION, layer);
    output_backward(e, w, layer, group->gradient);
    gradient_tile tile;
    int from = 0;
    while (gradient_next_tile(e, w, layer, &from, &tile)) {
        double start = gradient_clock_start(e);
        gate_backward(e, w, layer, &tile, dbias);
        gradient_clock_stop(e, start, &w->times.gates);
        gradient_convolution_tile_done(e, w, layer, &tile, group->gradient);
    }
    /* The two weights of a row add up to 1, so the bias's gradient is the conditioner rows' sum. */
    if (e->config.family == MODEL_LULL)
        gradient_add_columns(dbias, w->dcond_rows + (size_t)layer * c2, e->crop_frames + 2, e->c2,
                             (size_t)e->config.layers * c2);
    memcpy(dbias_cond, dbias, c2 * sizeof(float));
    gradient_convolution_backward(e, w, layer, group);
}
