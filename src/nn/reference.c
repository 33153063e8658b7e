/* The definition of every kernel in plain C, one twin each. Slow, exact about its order of
 * additions. */
#include "nn/tables.h"
#include "base/bf16.h"

#include <math.h>

static size_t packed_f32(int k, int n) {
    return (size_t)k * (size_t)n;
}

static size_t packed_bf16(int k, int n) {
    return ((size_t)k + 1) / 2 * 2 * (size_t)n;
}

/* Packed (k, n), row-major. */
static void pack_f32(int k, int n, const float *b, ptrdiff_t row_stride, ptrdiff_t column_stride,
                     float *packed) {
    for (int i = 0; i < k; i++)
        for (int j = 0; j < n; j++)
            packed[(size_t)i * n + j] = b[i * row_stride + j * column_stride];
}

/* Packed (k / 2, n, 2): the two rows of a pair beside each other. */
static void pack_bf16(int k, int n, const float *b, ptrdiff_t row_stride, ptrdiff_t column_stride,
                      bf16 *packed) {
    for (int i = 0; i < k + (k & 1); i++)
        for (int j = 0; j < n; j++)
            packed[((size_t)(i / 2) * n + j) * 2 + (i & 1)] =
                i < k ? bf16_round(b[i * row_stride + j * column_stride]) : 0;
}

static void product_f32(int rows, int n, int k, int taps, const float *const *a, size_t lda,
                        const float *packed, const float *bias, bool accumulate, float *c,
                        size_t ldc) {
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < n; j++) {
            float sum = accumulate ? c[(size_t)r * ldc + j] : bias ? bias[j] : 0.0f;
            for (int tap = 0; tap < taps; tap++)
                for (int i = 0; i < k; i++)
                    sum += a[tap][(size_t)r * lda + i] * packed[((size_t)tap * k + i) * n + j];
            c[(size_t)r * ldc + j] = sum;
        }
}

static void product_bf16(int rows, int n, int k, int taps, const bf16 *const *a, size_t lda,
                         const bf16 *packed, const float *bias, bool accumulate, float *c,
                         size_t ldc) {
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < n; j++) {
            float sum = accumulate ? c[(size_t)r * ldc + j] : bias ? bias[j] : 0.0f;
            for (int tap = 0; tap < taps; tap++)
                for (int i = 0; i < k; i++)
                    sum += bf16_widen(a[tap][(size_t)r * lda + i]) *
                           bf16_widen(packed[(((size_t)tap * k + i) / 2 * n + j) * 2 + (i & 1)]);
            c[(size_t)r * ldc + j] = sum;
        }
}

static size_t outer_scratch(int m, int n, int rows) {
    (void)m, (void)n, (void)rows;
    return 64;
}

static void outer_f32(int rows, int m, int n, const float *a, size_t lda, const float *b,
                      size_t ldb, float *c, size_t ldc, void *scratch) {
    (void)scratch;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            float sum = c[(size_t)i * ldc + j];
            for (int r = 0; r < rows; r++) sum += a[(size_t)r * lda + i] * b[(size_t)r * ldb + j];
            c[(size_t)i * ldc + j] = sum;
        }
}

static void outer_bf16(int rows, int m, int n, const bf16 *a, size_t lda, const bf16 *b, size_t ldb,
                       float *c, size_t ldc, void *scratch) {
    (void)scratch;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            float sum = c[(size_t)i * ldc + j];
            for (int r = 0; r < rows; r++)
                sum += bf16_widen(a[(size_t)r * lda + i]) * bf16_widen(b[(size_t)r * ldb + j]);
            c[(size_t)i * ldc + j] = sum;
        }
}

static void to_bf16(const float *in, bf16 *out, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = bf16_round(in[i]);
}

static void from_bf16(const bf16 *in, float *out, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = bf16_widen(in[i]);
}

static float sigmoid(float x) {
    return 1.0f / (1.0f + expf(-x));
}

static float gate_input(const float *h, const float *c0, float w0, const float *c1, float w1,
                        int i) {
    float p = h[i];
    if (c0) p += w0 * c0[i];
    if (c1) p += w1 * c1[i];
    return p;
}

static void gate(int channels, const float *h, const float *c0, float w0, const float *c1, float w1,
                 float *z_f32, bf16 *z_bf16, float *saved_f32, bf16 *saved_bf16) {
    for (int i = 0; i < channels; i++) {
        float s = sigmoid(gate_input(h, c0, w0, c1, w1, i));
        float t = tanhf(gate_input(h, c0, w0, c1, w1, channels + i));
        if (z_f32) z_f32[i] = s * t;
        if (z_bf16) z_bf16[i] = bf16_round(s * t);
        if (saved_f32) saved_f32[i] = s, saved_f32[channels + i] = t;
        if (saved_bf16) saved_bf16[i] = bf16_round(s), saved_bf16[channels + i] = bf16_round(t);
    }
}

static void add_gate_sum(float *sum, float w, int channels, int i, float ds, float dt) {
    if (!sum) return;
    sum[i] += w * ds;
    sum[channels + i] += w * dt;
}

static void gate_backward(int channels, const float *dz, const float *saved_f32,
                          const bf16 *saved_bf16, float *dp_f32, bf16 *dp_bf16, float *dc0,
                          float w0, float *dc1, float w1) {
    for (int i = 0; i < channels; i++) {
        float s = saved_f32 ? saved_f32[i] : bf16_widen(saved_bf16[i]);
        float t = saved_f32 ? saved_f32[channels + i] : bf16_widen(saved_bf16[channels + i]);
        float ds = dz[i] * t * (s * (1.0f - s)), dt = dz[i] * s * (1.0f - t * t);
        if (dp_f32) dp_f32[i] = ds, dp_f32[channels + i] = dt;
        if (dp_bf16) dp_bf16[i] = bf16_round(ds), dp_bf16[channels + i] = bf16_round(dt);
        add_gate_sum(dc0, w0, channels, i, ds, dt);
        add_gate_sum(dc1, w1, channels, i, ds, dt);
    }
}

static void residual(int channels, const float *out, float *x, float *skip, const float *step,
                     float *y_f32, bf16 *y_bf16) {
    for (int i = 0; i < channels; i++) {
        x[i] = (x[i] + out[i]) * 0.70710678118654752f;
        skip[i] += out[channels + i];
        if (step && y_f32) y_f32[i] = x[i] + step[i];
        if (step && y_bf16) y_bf16[i] = bf16_round(x[i] + step[i]);
    }
}

static void residual_backward(int channels, const float *dy, const float *dy2, float scale,
                              float *dx, bf16 *dx_bf16, float *dy_sum, float *dx_sum) {
    for (int i = 0; i < channels; i++) {
        float d = dy2 ? dy[i] + dy2[i] : dy[i];
        dx[i] = (dx[i] + d) * scale;
        dy_sum[i] += d;
        if (dx_sum) dx_sum[i] += dx[i];
        if (dx_bf16) dx_bf16[i] = bf16_round(dx[i]);
    }
}

static void pair_inputs(size_t n, const float *y0, const float *y1, const float *y2,
                        const float *y3, float *x0, float *x1, float *x2, float *x3) {
    for (size_t i = 0; i < n; i++) {
        x0[i] = y0[i] - y2[i];
        x1[i] = y1[i] + y2[i];
        x2[i] = y2[i] - y1[i];
        x3[i] = y3[i] - y1[i];
    }
}

static void sum_difference(size_t n, const float *a, const float *b, float *sum,
                           float *difference) {
    for (size_t i = 0; i < n; i++) {
        float x = a[i], y = b[i];
        sum[i] = x + y;
        difference[i] = x - y;
    }
}

static void pair_gradients(size_t n, const float *d0, float *d1, float *d2, const float *d3) {
    for (size_t i = 0; i < n; i++) {
        float x = d1[i], y = d2[i];
        d1[i] = x + y - d0[i];
        d2[i] = x - y - d3[i];
    }
}

static void silu(const float *x, float *y, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = x[i] * sigmoid(x[i]);
}

const nn_kernels nn_reference = {
    .name = "reference",
    .bf16_native = false,
    .pack_width = 1,
    .packed_f32 = packed_f32,
    .packed_bf16 = packed_bf16,
    .pack_f32 = pack_f32,
    .pack_bf16 = pack_bf16,
    .product_f32 = product_f32,
    .product_bf16 = product_bf16,
    .outer_scratch = outer_scratch,
    .outer_f32 = outer_f32,
    .outer_bf16 = outer_bf16,
    .to_bf16 = to_bf16,
    .from_bf16 = from_bf16,
    .gate = gate,
    .gate_backward = gate_backward,
    .residual = residual,
    .residual_backward = residual_backward,
    .pair_inputs = pair_inputs,
    .sum_difference = sum_difference,
    .pair_gradients = pair_gradients,
    .silu = silu,
};
