/* Products by OpenBLAS: the portable choice where no own kernel fits. A library may round
 * differently for another number of rows, so it is only ever asked for ROWS rows (the last quantum
 * is padded with zeros) and for pieces of at most DEPTH × COLUMNS that depend on the operand alone.
 * Nor may a row's place within its quantum matter: OpenBLAS works on groups of four rows, and of
 * twelve where there are as many, so a quantum is two groups of four (tests/nn). The other kernels
 * are the plain twins. */
#include "base/bfloat16.h"
#include "nn/openblas.h"
#include "nn/tables.h"

#include <string.h>

enum { ROWS = 8, DEPTH = 256, COLUMNS = 256 };

static int least(int a, int b) {
    return a < b ? a : b;
}

static size_t packed_f32(int k, int n) {
    return (size_t)k * (size_t)n;
}

/* Rounded to bf16, kept as float32: what the library multiplies. */
static size_t packed_bf16(int k, int n) {
    return 2 * ((size_t)k + (k & 1)) * (size_t)n;
}

static void pack_f32(int k, int n, const float *b, ptrdiff_t row_stride, ptrdiff_t column_stride,
                     float *packed) {
    for (int i = 0; i < k; i++)
        for (int j = 0; j < n; j++)
            packed[(size_t)i * n + j] = b[i * row_stride + j * column_stride];
}

static void pack_bf16(int k, int n, const float *b, ptrdiff_t row_stride, ptrdiff_t column_stride,
                      bf16 *packed) {
    for (int i = 0; i < k + (k & 1); i++)
        for (int j = 0; j < n; j++) {
            float x = i < k ? widen_bf16(round_bf16(b[i * row_stride + j * column_stride])) : 0.0f;
            memcpy(packed + 2 * ((size_t)i * n + j), &x, sizeof x);
        }
}

static void begin(int rows, int n, const float *bias, bool accumulate, float *c, size_t ldc) {
    for (int r = 0; r < rows && !accumulate; r++, c += ldc)
        if (bias)
            memcpy(c, bias, (size_t)n * sizeof *c);
        else
            memset(c, 0, (size_t)n * sizeof *c);
}

/* c (rows ≤ ROWS, n) += a (rows, k)·b (k, n). */
static void quantum(int rows, int n, int k, const float *a, size_t lda, const float *b, float *c,
                    size_t ldc) {
    float a_whole[ROWS * DEPTH], c_whole[ROWS * COLUMNS];
    for (int depth = 0; depth < k; depth += DEPTH) {
        int count = least(k - depth, DEPTH);
        memset(a_whole, 0, sizeof a_whole);
        for (int r = 0; r < rows; r++)
            memcpy(a_whole + (size_t)r * count, a + (size_t)r * lda + depth,
                   (size_t)count * sizeof *a);
        for (int first = 0; first < n; first += COLUMNS) {
            int columns = least(n - first, COLUMNS);
            memset(c_whole, 0, sizeof c_whole);
            for (int r = 0; r < rows; r++)
                memcpy(c_whole + (size_t)r * columns, c + (size_t)r * ldc + first,
                       (size_t)columns * sizeof *c);
            nn_openblas_product(false, false, ROWS, columns, count, 1.0f,
                        a_whole, count, b + (size_t)depth * n + first, n, 1.0f, c_whole, columns);
            for (int r = 0; r < rows; r++)
                memcpy(c + (size_t)r * ldc + first, c_whole + (size_t)r * columns,
                       (size_t)columns * sizeof *c);
        }
    }
}

static void product_f32(int rows, int n, int k, int taps, const float *const *a, size_t lda,
                        const float *packed, const float *bias, bool accumulate, float *c,
                        size_t ldc) {
    begin(rows, n, bias, accumulate, c, ldc);
    for (int row = 0; row < rows; row += ROWS)
        for (int tap = 0; tap < taps; tap++)
            quantum(least(rows - row, ROWS), n, k, a[tap] + (size_t)row * lda, lda,
                    packed + (size_t)tap * k * n, c + (size_t)row * ldc, ldc);
}

static void product_bf16(int rows, int n, int k, int taps, const bf16 *const *a, size_t lda,
                         const bf16 *packed, const float *bias, bool accumulate, float *c,
                         size_t ldc) {
    float wide[ROWS * DEPTH];
    const float *b = (const float *)(const void *)packed;
    begin(rows, n, bias, accumulate, c, ldc);
    for (int row = 0; row < rows; row += ROWS)
        for (int tap = 0; tap < taps; tap++)
            for (int depth = 0; depth < k; depth += DEPTH) {
                int height = least(rows - row, ROWS), count = least(k - depth, DEPTH);
                for (int r = 0; r < height; r++)
                    nn_reference.from_bf16(a[tap] + (size_t)(row + r) * lda + depth,
                                           wide + (size_t)r * DEPTH, (size_t)count);
                quantum(height, n, count, wide, DEPTH, b + ((size_t)tap * k + depth) * n,
                        c + (size_t)row * ldc, ldc);
            }
}

enum { CHUNK = 128 }; /* rows that are widened at a time */

static size_t outer_scratch(int m, int n, int rows) {
    (void)rows;
    return ((size_t)m + (size_t)n) * CHUNK * sizeof(float) + 64;
}

static void outer_f32(int rows, int m, int n, const float *a, size_t lda, const float *b,
                      size_t ldb, float *c, size_t ldc, void *scratch) {
    (void)scratch;
    if (rows > 0 && m > 0 && n > 0)
        nn_openblas_product(true, false, m, n, rows, 1.0f, a, (int)lda, b,
                    (int)ldb, 1.0f, c, (int)ldc);
}

static void outer_bf16(int rows, int m, int n, const bf16 *a, size_t lda, const bf16 *b, size_t ldb,
                       float *c, size_t ldc, void *scratch) {
    float *wide_a = scratch, *wide_b = wide_a + (size_t)m * CHUNK;
    for (int row = 0; row < rows; row += CHUNK) {
        int count = least(rows - row, CHUNK);
        for (int r = 0; r < count; r++) {
            nn_reference.from_bf16(a + (size_t)(row + r) * lda, wide_a + (size_t)r * m, (size_t)m);
            nn_reference.from_bf16(b + (size_t)(row + r) * ldb, wide_b + (size_t)r * n, (size_t)n);
        }
        outer_f32(count, m, n, wide_a, (size_t)m, wide_b, (size_t)n, c, ldc, NULL);
    }
}

static void to_bf16(const float *in, bf16 *out, size_t n) {
    nn_reference.to_bf16(in, out, n);
}

static void from_bf16(const bf16 *in, float *out, size_t n) {
    nn_reference.from_bf16(in, out, n);
}

static void gate(int channels, const float *h, const float *c0, float w0, const float *c1, float w1,
                 float *z_f32, bf16 *z_bf16, float *saved_f32, bf16 *saved_bf16) {
    nn_reference.gate(channels, h, c0, w0, c1, w1, z_f32, z_bf16, saved_f32, saved_bf16);
}

static void gate_backward(int channels, const float *dz, const float *saved_f32,
                          const bf16 *saved_bf16, float *dp_f32, bf16 *dp_bf16, float *dc0,
                          float w0, float *dc1, float w1) {
    nn_reference.gate_backward(channels, dz, saved_f32, saved_bf16, dp_f32, dp_bf16, dc0, w0, dc1,
                               w1);
}

static void residual(int channels, const float *out, float *x, float *skip, const float *step,
                     float *y_f32, bf16 *y_bf16) {
    nn_reference.residual(channels, out, x, skip, step, y_f32, y_bf16);
}

static void residual_backward(int channels, const float *dy, const float *dy2, float scale,
                              float *dx, bf16 *dx_bf16, float *dy_sum, float *dx_sum) {
    nn_reference.residual_backward(channels, dy, dy2, scale, dx, dx_bf16, dy_sum, dx_sum);
}

static void pair_inputs(size_t n, const float *y0, const float *y1, const float *y2,
                        const float *y3, float *x0, float *x1, float *x2, float *x3) {
    nn_reference.pair_inputs(n, y0, y1, y2, y3, x0, x1, x2, x3);
}

static void sum_difference(size_t n, const float *a, const float *b, float *sum,
                           float *difference) {
    nn_reference.sum_difference(n, a, b, sum, difference);
}

static void pair_gradients(size_t n, const float *d0, float *d1, float *d2, const float *d3) {
    nn_reference.pair_gradients(n, d0, d1, d2, d3);
}

static void silu(const float *x, float *y, size_t n) {
    nn_reference.silu(x, y, n);
}

const nn_kernels nn_blas = {
    .name = "blas",
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
