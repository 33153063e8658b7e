/* The table of fast kernels, chosen once by what the CPU can do; LULL_CPU forces one (reference,
 * portable, avx2, avx512, avx512bf16, amx, neon). Every kernel has a plain C twin in nn/reference.c,
 * which is its definition and what tests compare with. All arrays are row-major (frames, channels).
 * A kernel adds in one fixed order for each output element whatever the number of rows, so results
 * do not depend on how work is cut. */
#ifndef NN_KERNELS_H
#define NN_KERNELS_H

#include "base/bf16.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct nn_kernels {
    const char *name;
    bool bf16_native; /* multiplies bfloat16 faster than float32 */
    int pack_width;   /* columns of a packed panel (N is padded to it with zeros) */

    /* Packed size of a K × N operand, in floats (f32) or bf16s; K of the bf16 form is padded to
     * even. */
    size_t (*packed_f32)(int k, int n);
    size_t (*packed_bf16)(int k, int n);
    /* Packs element (i, j) = b[i·row_stride + j·column_stride]. */
    void (*pack_f32)(int k, int n, const float *b, ptrdiff_t row_stride, ptrdiff_t column_stride,
                     float *packed);
    void (*pack_bf16)(int k, int n, const float *b, ptrdiff_t row_stride, ptrdiff_t column_stride,
                      bf16 *packed);

    /* c[r][j] = (accumulate ? c[r][j] : bias ? bias[j] : 0)
     *           + Σ_taps Σ_i a[tap][r·lda + i]·B[tap·k + i][j],
     *
     * r < rows, j < n, i < k. B was packed with K = taps·k (bf16: k must be even; pad activations
     * with zero channels). The bias comes first in the sum, then taps and i ascending (bf16:
     * pairs). */
    void (*product_f32)(int rows, int n, int k, int taps, const float *const *a, size_t lda,
                        const float *packed, const float *bias, bool accumulate, float *c,
                        size_t ldc);
    void (*product_bf16)(int rows, int n, int k, int taps, const bf16 *const *a, size_t lda,
                         const bf16 *packed, const float *bias, bool accumulate, float *c,
                         size_t ldc);

    /* Gradient of a weight: c[i][j] += Σ_r a[r·lda + i]·b[r·ldb + j], i < m, j < n, r < rows.
     * scratch: at least outer_scratch(m, n, rows) bytes, 64-byte aligned. */
    size_t (*outer_scratch)(int m, int n, int rows);
    void (*outer_f32)(int rows, int m, int n, const float *a, size_t lda, const float *b,
                      size_t ldb, float *c, size_t ldc, void *scratch);
    void (*outer_bf16)(int rows, int m, int n, const bf16 *a, size_t lda, const bf16 *b, size_t ldb,
                       float *c, size_t ldc, void *scratch);

    /* Conversions, round to nearest even. */
    void (*to_bf16)(const float *in, bf16 *out, size_t n);
    void (*from_bf16)(const bf16 *in, float *out, size_t n);

    /* The gated unit (van den Oord et al. 2016, eq. 2) of one row: with p = h + w0·c0 + w1·c1
     * (2·channels values; c0, c1 may be NULL: then p = h), z = σ(p[0…C−1])·tanh(p[C…2C−1]). Exactly
     * one of z_f32, z_bf16 is non-NULL. When saved_f32 / saved_bf16 is non-NULL it gets [σ | tanh]
     * (2C) for the backward pass. Error of σ and tanh against libm: at most 2e-7 absolute
     * (tests/nn). */
    void (*gate)(int channels, const float *h, const float *c0, float w0, const float *c1, float w1,
                 float *z_f32, bf16 *z_bf16, float *saved_f32, bf16 *saved_bf16);
    /* Backward of the gate for one row: dz (C, float32) and saved [σ | tanh] → dp (2C):
     * dp_σ = dz·t·σ(1−σ), dp_t = dz·σ·(1−t²). dc0 += w0·dp, dc1 += w1·dp before dp is rounded (each
     * may be NULL). */
    void (*gate_backward)(int channels, const float *dz, const float *saved_f32,
                          const bf16 *saved_bf16, float *dp_f32, bf16 *dp_bf16, float *dc0,
                          float w0, float *dc1, float w1);
    /* The end of a residual layer for one row: with out = [r | s] (2·channels values),
     * x = (x + r)·√½, skip += s, and, when step is not NULL, y = x + step, the next layer's input
     * (exactly one of y_f32, y_bf16 is then non-NULL). */
    void (*residual)(int channels, const float *out, float *x, float *skip, const float *step,
                     float *y_f32, bf16 *y_bf16);
    /* Its backward for one row, after the layer's own gradient is known, dy or the sum of dy and
     * dy2 (may be NULL): dx = (dx + dy)·scale, dy_sum += dy; dx_sum += dx and dx_bf16 = dx, rounded
     * (each may be NULL). */
    void (*residual_backward)(int channels, const float *dy, const float *dy2, float scale,
                              float *dx, bf16 *dx_bf16, float *dy_sum, float *dx_sum);

    /* Minimal filtering F(2, 3), for which gradient/convolution.c has the formulas. Its
     * inputs: x0 = y0 − y2, x1 = y1 + y2, x2 = y2 − y1, x3 = y3 − y1. */
    void (*pair_inputs)(size_t n, const float *y0, const float *y1, const float *y2,
                        const float *y3, float *x0, float *x1, float *x2, float *x3);
    /* sum = a + b, difference = a − b (they may be a and b). */
    void (*sum_difference)(size_t n, const float *a, const float *b, float *sum, float *difference);
    /* The gradients by x0 … x3, d0 … d3, become what the y share: d1 = d1 + d2 − d0 (for y2),
     * d2 = d1 − d2 − d3 (for y1); d0 (for y0) and d3 (for y3) stay. */
    void (*pair_gradients)(size_t n, const float *d0, float *d1, float *d2, const float *d3);
    /* SiLU forward (y may be x). */
    void (*silu)(const float *x, float *y, size_t n);
} nn_kernels;

/* The table for this CPU, or the one that LULL_CPU names when the CPU can run it. Thread-safe. */
const nn_kernels *nn_kernels_get(void);
/* By name, or NULL when unknown or this CPU cannot run it (tests, bench). */
const nn_kernels *nn_kernels_named(const char *name);
/* Names known to this build, NULL-terminated. */
const char *const *nn_kernels_names(void);

#endif
