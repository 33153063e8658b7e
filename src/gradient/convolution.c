/* Dilated convolutions of the residual layers, forward and backward, in two forms.
 *
 * As they stand: a product over the taps. bfloat16, and whatever the other form does not fit.
 *
 * In pairs of rows: F(2, 3), minimal filtering (Winograd 1980; Lavin & Gray 2016, section 4.1).
 * Rows r and r + d, d the dilation, share inputs: with x0 … x3 the inputs from the first tap of r
 * on, d rows apart, and W0, W1, W2 the taps,
 *
 *     p[r]     = x0·W0 + x1·W1 + x2·W2 = m1 + m2 + m3,    m1 = (x0 − x2)·W0
 *     p[r + d] = x1·W0 + x2·W1 + x3·W2 = m2 − m3 + m4,    m2 = (x1 + x2)·(W0 + W1 + W2)/2
 *                                                         m3 = (x2 − x1)·(W0 − W1 + W2)/2
 *                                                         m4 = (x3 − x1)·W2
 *
 * are four products in place of six. Each m has its factors X (of the inputs) and V (of the taps);
 * gradients go the same way back: with D1 = dp[r], D2 = dp[r] + dp[r + d], D3 = dp[r] − dp[r + d],
 * D4 = dp[r + d], V's is Dᵀ·X and X's is D·Vᵀ. Rounding is that of sums of two terms more; bfloat16
 * would round the X and V again, which does lose something.
 *
 * Pair q is rows r = 2d·(q / d) + q mod d and r + d. */
#include "gradient/convolution.h"

#include <string.h>

#include "gradient/passes.h"

bool gradient_can_pair(const gradient_engine *e, int layer) {
    int d = e->config.dilation[layer];
    return !e->bf16 && e->config.kernel == 3 && e->rows % (2 * d) == 0 &&
           e->config.look_ahead[layer] <= 2 * d;
}

int gradient_tap_offset(const model_config *config, int layer, int k) {
    return (k - (config->kernel - 1)) * config->dilation[layer] + config->look_ahead[layer];
}

void *gradient_y_row(const gradient_engine *e, gradient_workspace *w, int layer, int row) {
    return gradient_act_at(e, w->y[layer], (size_t)(e->pad_left + row) * (size_t)e->c);
}

static int pair_row(const gradient_engine *e, int layer, int pair) {
    int d = e->config.dilation[layer];
    return pair / d * 2 * d + pair % d;
}

/* Row `pair` of one of four matrices of rows / 2 × width. */
static float *pair_at(const gradient_engine *e, float *matrices, int matrix, int pair, int width) {
    return matrices + ((size_t)matrix * (size_t)(e->rows / 2) + (size_t)pair) * (size_t)width;
}

bool gradient_next_tile(gradient_engine *e, gradient_workspace *w, int layer, int *from,
                        gradient_tile *tile) {
    bool paired = e->layers[layer].paired;
    int all = paired ? e->rows / 2 : e->rows, most = paired ? GRADIENT_PAIRS : GRADIENT_TILE;
    int n = all - *from < most ? all - *from : most;
    if (n <= 0) return false;
    tile->first = *from;
    tile->rows = paired ? 2 * n : n;
    for (int i = 0; i < n; i++) {
        int at = *from + i;
        if (paired) {
            tile->row[i] = pair_row(e, layer, at);
            tile->row[n + i] = tile->row[i] + e->config.dilation[layer];
            tile->dp[i] = pair_at(e, w->pair_dp, 0, at, e->c2);
            tile->dp[n + i] = pair_at(e, w->pair_dp, 3, at, e->c2);
        } else {
            tile->row[i] = at;
            tile->dp[i] = gradient_act_at(e, w->dp, (size_t)(e->pad_right + at) * (size_t)e->c2);
        }
    }
    *from += n;
    return true;
}

/* ---- forward ------------------------------------------------------------------------------ */

static void plain_forward(gradient_engine *e, gradient_workspace *w, int layer,
                          const gradient_tile *tile) {
    const model_config *config = &e->config;
    const gradient_layer_weights *weights = &e->layers[layer];
    int c = e->c, c2 = e->c2;
    const void *taps[64];
    for (int k = 0; k < config->kernel; k++)
        taps[k] = gradient_y_row(e, w, layer, tile->first + gradient_tap_offset(config, layer, k));
    gradient_product(e, w, tile->rows, c2, c, config->kernel, taps, (size_t)c,
                     weights->dilated[0].forward, weights->bias, false, w->tile, (size_t)c2);
    if (config->family != MODEL_DIFFWAVE) return;
    size_t bands = (size_t)config->mel.bands;
    const void *up = gradient_act_at(e, w->up_act, (size_t)tile->first * bands);
    gradient_product(e, w, tile->rows, c2, config->mel.bands, 1, &up, bands,
                     weights->conditioner.forward, NULL, true, w->tile, (size_t)c2);
}

/* The tile's rows of DiffWave's conditioner, one after another. */
static const float *gather_conditioner(gradient_engine *e, gradient_workspace *w,
                                       const gradient_tile *tile) {
    size_t bands = (size_t)e->config.mel.bands;
    for (int i = 0; i < tile->rows; i++)
        memcpy(w->up_tile + (size_t)i * bands, w->up + (size_t)tile->row[i] * bands,
               bands * sizeof(float));
    return w->up_tile;
}

static void paired_forward(gradient_engine *e, gradient_workspace *w, int layer,
                           const gradient_tile *tile) {
    const gradient_layer_weights *weights = &e->layers[layer];
    int c = e->c, c2 = e->c2, n = tile->rows / 2, d = e->config.dilation[layer];
    float *p0 = w->tile, *p1 = p0 + (size_t)n * (size_t)c2, *x[GRADIENT_MATRICES];
    for (int m = 0; m < GRADIENT_MATRICES; m++)
        x[m] = pair_at(e, w->pair_input[layer], m, tile->first, c);
    double start = gradient_clock_start(e);
    for (int i = 0; i < n; i++) {
        const float *y =
            gradient_y_row(e, w, layer, tile->row[i] + gradient_tap_offset(&e->config, layer, 0));
        size_t apart = (size_t)d * (size_t)c, at = (size_t)i * (size_t)c;
        e->nn->pair_inputs((size_t)c, y, y + apart, y + 2 * apart, y + 3 * apart, x[0] + at,
                           x[1] + at, x[2] + at, x[3] + at);
    }
    gradient_clock_stop(e, start, &w->times.pairs);
    for (int m = 1; m <= 2; m++)
        gradient_product(e, w, n, c2, c, 1, (const void *const *)&x[m], (size_t)c,
                         weights->dilated[m].forward, m == 1 ? weights->bias : NULL, false,
                         m == 1 ? p0 : p1, (size_t)c2);
    start = gradient_clock_start(e);
    e->nn->sum_difference((size_t)n * (size_t)c2, p0, p1, p0, p1);
    gradient_clock_stop(e, start, &w->times.pairs);
    for (int m = 0; m <= 3; m += 3)
        gradient_product(e, w, n, c2, c, 1, (const void *const *)&x[m], (size_t)c,
                         weights->dilated[m].forward, NULL, true, m == 0 ? p0 : p1, (size_t)c2);
    if (e->config.family != MODEL_DIFFWAVE) return;
    const void *up = gather_conditioner(e, w, tile);
    gradient_product(e, w, tile->rows, c2, e->config.mel.bands, 1, &up, (size_t)e->config.mel.bands,
                     weights->conditioner.forward, NULL, true, w->tile, (size_t)c2);
}

void gradient_convolution_forward(gradient_engine *e, gradient_workspace *w, int layer,
                                  const gradient_tile *tile) {
    if (e->layers[layer].paired)
        paired_forward(e, w, layer, tile);
    else
        plain_forward(e, w, layer, tile);
}

/* ---- backward ----------------------------------------------------------------------------- */

static float *conditioner_gradient(const gradient_engine *e, int layer, float *gradient) {
    return gradient_weight_in(e, gradient, MODEL_CONDITION_PROJECTION, layer);
}

/* Half a tile, rows that lie one after another in dp. */
static void paired_conditioner(gradient_engine *e, gradient_workspace *w, int layer,
                               const gradient_tile *tile, int half, float *gradient) {
    int n = tile->rows / 2, bands = e->config.mel.bands;
    const void *dp = tile->dp[half * n];
    gradient_outer(e, w, n, e->c2, bands, dp, (size_t)e->c2,
                   w->up_tile + (size_t)(half * n) * (size_t)bands, (size_t)bands,
                   conditioner_gradient(e, layer, gradient), (size_t)bands);
    gradient_product(e, w, n, bands, e->c2, 1, &dp, (size_t)e->c2,
                     e->layers[layer].conditioner.backward, NULL, false, w->tile, (size_t)bands);
    for (int i = 0; i < n; i++)
        gradient_add_columns(w->dup + (size_t)tile->row[half * n + i] * (size_t)bands,
                             w->tile + (size_t)i * (size_t)bands, 1, bands, (size_t)bands);
}

void gradient_convolution_tile_done(gradient_engine *e, gradient_workspace *w, int layer,
                                    const gradient_tile *tile, float *gradient) {
    if (!e->layers[layer].paired) return;
    int c = e->c, c2 = e->c2, n = tile->rows / 2;
    float *d[GRADIENT_MATRICES], *dx[GRADIENT_MATRICES];
    for (int m = 0; m < GRADIENT_MATRICES; m++) {
        d[m] = pair_at(e, w->pair_dp, m, tile->first, c2);
        dx[m] = pair_at(e, w->pair_dy, m, tile->first, c);
    }
    double start = gradient_clock_start(e);
    e->nn->sum_difference((size_t)n * (size_t)c2, d[0], d[3], d[1], d[2]);
    gradient_clock_stop(e, start, &w->times.pairs);
    for (int m = 0; m < GRADIENT_MATRICES; m++)
        gradient_product(e, w, n, c, c2, 1, (const void *const *)&d[m], (size_t)c2,
                         e->layers[layer].dilated[m].backward, NULL, false, dx[m], (size_t)c);
    start = gradient_clock_start(e);
    e->nn->pair_gradients((size_t)n * (size_t)c, dx[0], dx[1], dx[2], dx[3]);
    gradient_clock_stop(e, start, &w->times.pairs);
    if (e->config.family != MODEL_DIFFWAVE) return;
    gather_conditioner(e, w, tile);
    for (int half = 0; half < 2; half++) paired_conditioner(e, w, layer, tile, half, gradient);
}

typedef struct residual_sums {
    float scale, *dy, *dres; /* dy: of the step embedding; dres: of the layer before, or NULL */
} residual_sums;

static residual_sums begin_sums(gradient_engine *e, gradient_workspace *w, int layer,
                                float *gradient) {
    residual_sums sums = {1, w->step_gradient + (size_t)layer * (size_t)e->c, NULL};
    memset(sums.dy, 0, (size_t)e->c * sizeof(float));
    if (layer > 0) {
        sums.scale = 0.70710678118654752f; /* √½ */
        sums.dres = gradient_bias_in(e, gradient, MODEL_RESIDUAL_PROJECTION, layer - 1);
    }
    return sums;
}

static void end_row(gradient_engine *e, gradient_workspace *w, int row, const float *dy,
                    const float *dy2, const residual_sums *sums) {
    size_t at = (size_t)row * (size_t)e->c;
    e->nn->residual_backward(e->c, dy, dy2, sums->scale, w->x + at,
                             e->bf16 ? gradient_act_at(e, w->dres, at) : NULL, sums->dy,
                             sums->dres);
}

static void plain_backward(gradient_engine *e, gradient_workspace *w, int layer, float *dw,
                           float *gradient) {
    const model_config *config = &e->config;
    size_t c = (size_t)e->c, c2 = (size_t)e->c2, bands = (size_t)config->mel.bands;
    const void *dp = gradient_act_at(e, w->dp, (size_t)e->pad_right * c2);
    for (int k = 0; k < config->kernel; k++)
        gradient_outer(e, w, e->rows, e->c2, e->c, dp, c2,
                       gradient_y_row(e, w, layer, gradient_tap_offset(config, layer, k)), c,
                       dw + (size_t)k * c2 * c, c);
    if (config->family == MODEL_DIFFWAVE) {
        gradient_outer(e, w, e->rows, e->c2, config->mel.bands, dp, c2, w->up_act, bands,
                       conditioner_gradient(e, layer, gradient), bands);
        gradient_product(e, w, e->rows, config->mel.bands, e->c2, 1, &dp, c2,
                         e->layers[layer].conditioner.backward, NULL, true, w->dup, bands);
    }
    residual_sums sums = begin_sums(e, w, layer, gradient);
    for (int from = 0; from < e->rows; from += GRADIENT_TILE) {
        int n = e->rows - from < GRADIENT_TILE ? e->rows - from : GRADIENT_TILE;
        const void *taps[64];
        for (int k = 0; k < config->kernel; k++) {
            int row = e->pad_right + from - gradient_tap_offset(config, layer, k);
            taps[k] = gradient_act_at(e, w->dp, (size_t)row * c2);
        }
        gradient_product(e, w, n, e->c, e->c2, config->kernel, taps, c2,
                         e->layers[layer].dilated[0].backward, NULL, false, w->tile, c);
        for (int r = 0; r < n; r++) end_row(e, w, from + r, w->tile + (size_t)r * c, NULL, &sums);
    }
}

/* Row s of dy is x0 or x1 of one pair and x2 or x3 of the one 2d rows before; pair_gradients has
 * brought together what each adds. At the ends one of the two is missing. */
static void paired_backward(gradient_engine *e, gradient_workspace *w, int layer, float *dw,
                            float *fourth, float *gradient) {
    int c = e->c, c2 = e->c2, pairs = e->rows / 2, d = e->config.dilation[layer];
    size_t matrix = (size_t)c2 * (size_t)c;
    float *sums_at[GRADIENT_MATRICES] = {dw, dw + matrix, fourth, dw + 2 * matrix};
    for (int m = 0; m < GRADIENT_MATRICES; m++)
        gradient_outer(e, w, pairs, c2, c, pair_at(e, w->pair_dp, m, 0, c2), (size_t)c2,
                       pair_at(e, w->pair_input[layer], m, 0, c), (size_t)c, sums_at[m], (size_t)c);
    residual_sums sums = begin_sums(e, w, layer, gradient);
    int first = gradient_tap_offset(&e->config, layer, 0); /* of pair 0's x0 */
    for (int s = 0; s < e->rows; s++) {
        int block = (s - first) / (2 * d), in_block = (s - first) % (2 * d);
        int second = in_block >= d, pair = block * d + in_block - second * d;
        float *one = pair < pairs ? pair_at(e, w->pair_dy, second ? 2 : 0, pair, c) : NULL;
        float *two = pair >= d ? pair_at(e, w->pair_dy, second ? 3 : 1, pair - d, c) : NULL;
        end_row(e, w, s, one ? one : two, one ? two : NULL, &sums);
    }
}

void gradient_convolution_backward(gradient_engine *e, gradient_workspace *w, int layer,
                                   const gradient_sums *group) {
    size_t matrix = (size_t)e->c2 * (size_t)e->c;
    float *dw = gradient_weight_in(e, group->gradient, MODEL_DILATED_CONVOLUTION, layer);
    if (e->layers[layer].paired)
        paired_backward(e, w, layer, dw, group->fourth + (size_t)layer * matrix, group->gradient);
    else
        plain_backward(e, w, layer, dw, group->gradient);
}

void gradient_combine_pairs(const gradient_engine *e, float *taps, const float *fourth) {
    size_t matrix = (size_t)e->c2 * (size_t)e->c;
    float *g1 = taps, *g2 = taps + matrix, *g4 = taps + 2 * matrix;
    for (size_t i = 0; i < matrix; i++) {
        float sum = 0.5f * (g2[i] + fourth[i]);
        g2[i] = 0.5f * (g2[i] - fourth[i]);
        g1[i] += sum;
        g4[i] += sum;
    }
}
