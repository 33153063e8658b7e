/* All kernels, written once over a small set of vector primitives; avx2.c, avx512.c, avx512bf16.c
 * and neon.c define the primitives for their instruction set and include this file, which then
 * defines their table.
 *
 * A file defines before the inclusion
 * - NN_TABLE, NN_NAME, NN_BF16_NATIVE: the table's symbol, its name, whether v_dot is one
 *   instruction;
 * - V_LANES: floats of a vector (a packed panel is two vectors wide);
 * - vf, vi: a vector of floats, a vector of pairs of bf16s;
 * - TILE_F32, FOR_TILE_F32(X): rows of the largest register tile, X(1) … X(TILE_F32);
 * - TILE_BF16, FOR_TILE_BF16(X): the same for bf16;
 * - v_zero, v_set1, v_load, v_store, and v_load_n, v_store_n for the first n lanes,
 *   0 ≤ n ≤ V_LANES;
 * - v_add, v_sub, v_mul, v_div, v_fma (a·b + c), v_min, v_max;
 * - v_split (whole and returned fraction of x, |fraction| ≤ 1/2), v_scale (x·2^whole); they may
 *   limit what lies near the ends of the exponents;
 * - v_load_bf16, v_load_bf16_n, v_store_bf16, v_store_bf16_n, and v_store_bf16_fast, for which a
 *   denormal may become 0;
 * - v_pair (one pair to all lanes), v_pairs (V_LANES pairs), v_store_pairs;
 * - v_interleave_n (pairs out of n columns of two rows), v_interleave_panel (of PANEL columns,
 *   stored);
 * - v_dot (acc + a.low·b.low + a.high·b.high).
 *
 * Order of additions: every element of an output has one accumulator that starts with the bias (or
 * with what is there) and goes through taps and channels in ascending order. Cutting rows or
 * columns in other tiles changes which register holds it and nothing else. */
#include "base/bf16.h"
#include "base/vectors.h"
#include "nn/tables.h"

#include <assert.h>

#define PANEL (2 * V_LANES)
#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

INLINE int least(int a, int b) {
    return a < b ? a : b;
}

INLINE int panels_of(int n) {
    return (n + PANEL - 1) / PANEL;
}

INLINE vf load_some(const float *p, int n) {
    return n >= V_LANES ? v_load(p) : v_load_n(p, n);
}

INLINE void store_some(float *p, vf x, int n) {
    if (n >= V_LANES)
        v_store(p, x);
    else
        v_store_n(p, x, n);
}

/* Packing: panels of PANEL columns, in each all K rows. */

static size_t packed_f32(int k, int n) {
    return (size_t)panels_of(n) * PANEL * (size_t)k;
}

static size_t packed_bf16(int k, int n) {
    return (size_t)panels_of(n) * PANEL * (((size_t)k + 1) / 2 * 2);
}

static void pack_f32(int k, int n, const float *b, ptrdiff_t row_stride, ptrdiff_t column_stride,
                     float *packed) {
    for (int first = 0; first < n; first += PANEL)
        for (int i = 0; i < k; i++)
            for (int j = 0; j < PANEL; j++)
                *packed++ = first + j < n ? b[i * row_stride + (first + j) * column_stride] : 0.0f;
}

static void pack_bf16(int k, int n, const float *b, ptrdiff_t row_stride, ptrdiff_t column_stride,
                      bf16 *packed) {
    for (int first = 0; first < n; first += PANEL)
        for (int i = 0; i < k; i += 2)
            for (int j = 0; j < PANEL; j++)
                for (int half = 0; half < 2; half++)
                    *packed++ =
                        first + j < n && i + half < k
                            ? bf16_round(b[(i + half) * row_stride + (first + j) * column_stride])
                            : 0;
}

/* A tile of the output, kept in registers: up to TILE_… rows of one panel. */

typedef struct product_call {
    int k, taps;
    size_t lda, ldc;
    const float *bias;
    bool accumulate;
    int columns; /* of this panel */
} product_call;

INLINE void tile_begin(vf *acc, const int mr, const product_call *call, const float *c) {
    const int first = least(call->columns, V_LANES), second = call->columns - first;
    if (call->accumulate && call->columns == PANEL) {
        UNROLL
        for (int r = 0; r < mr; r++) {
            acc[2 * r] = v_load(c + (size_t)r * call->ldc);
            acc[2 * r + 1] = v_load(c + (size_t)r * call->ldc + V_LANES);
        }
    } else if (call->accumulate) {
        UNROLL
        for (int r = 0; r < mr; r++) {
            acc[2 * r] = v_load_n(c + (size_t)r * call->ldc, first);
            acc[2 * r + 1] = v_load_n(c + (size_t)r * call->ldc + first, second);
        }
    } else {
        vf bias[2] = {v_zero(), v_zero()};
        if (call->bias) {
            bias[0] = v_load_n(call->bias, first);
            bias[1] = v_load_n(call->bias + first, second);
        }
        UNROLL
        for (int r = 0; r < mr; r++) {
            acc[2 * r] = bias[0];
            acc[2 * r + 1] = bias[1];
        }
    }
}

INLINE void tile_end(const vf *acc, const int mr, const product_call *call, float *c) {
    const int first = least(call->columns, V_LANES), second = call->columns - first;
    if (call->columns == PANEL) {
        UNROLL
        for (int r = 0; r < mr; r++) {
            v_store(c + (size_t)r * call->ldc, acc[2 * r]);
            v_store(c + (size_t)r * call->ldc + V_LANES, acc[2 * r + 1]);
        }
    } else {
        UNROLL
        for (int r = 0; r < mr; r++) {
            v_store_n(c + (size_t)r * call->ldc, acc[2 * r], first);
            v_store_n(c + (size_t)r * call->ldc + first, acc[2 * r + 1], second);
        }
    }
}

/* Compilers would give each row of A a pointer of its own and run out of registers. So there is one
 * for STEP rows, whose relation to the others they cannot see. */
enum { STEP = 5 };
#if defined(__GNUC__)
#define OPAQUE(pointer) __asm__("" : "+r"(pointer))
#else
#define OPAQUE(pointer) (void)0
#endif

INLINE void product_f32_tile(const int mr, const product_call *call, const float *const *a,
                             size_t offset, const float *b, float *c) {
    vf acc[2 * TILE_F32];
    const size_t lda = call->lda;
    tile_begin(acc, mr, call, c);
    for (int tap = 0; tap < call->taps; tap++) {
        const float *p0 = a[tap] + offset;
        const float *p1 = mr > STEP ? p0 + STEP * lda : p0,
                    *p2 = mr > 2 * STEP ? p1 + STEP * lda : p0;
        for (int i = 0; i < call->k; i++, p0++, p1++, p2++, b += PANEL) {
            OPAQUE(p0);
            OPAQUE(p1);
            OPAQUE(p2);
            vf b0 = v_load(b), b1 = v_load(b + V_LANES);
            UNROLL
            for (int r = 0; r < mr; r++) {
                const float *p = r < STEP ? p0 : r < 2 * STEP ? p1 : p2;
                vf x = v_set1(p[(size_t)(r % STEP) * lda]);
                acc[2 * r] = v_fma(x, b0, acc[2 * r]);
                acc[2 * r + 1] = v_fma(x, b1, acc[2 * r + 1]);
            }
        }
    }
    tile_end(acc, mr, call, c);
}

INLINE void product_bf16_tile(const int mr, const product_call *call, const bf16 *const *a,
                              size_t offset, const bf16 *b, float *c) {
    vf acc[2 * TILE_BF16];
    const size_t lda = call->lda;
    tile_begin(acc, mr, call, c);
    for (int tap = 0; tap < call->taps; tap++) {
        const bf16 *p0 = a[tap] + offset;
        const bf16 *p1 = mr > STEP ? p0 + STEP * lda : p0,
                   *p2 = mr > 2 * STEP ? p1 + STEP * lda : p0;
        for (int i = 0; i < call->k; i += 2, p0 += 2, p1 += 2, p2 += 2, b += 2 * PANEL) {
            OPAQUE(p0);
            OPAQUE(p1);
            OPAQUE(p2);
            vi b0 = v_pairs(b), b1 = v_pairs(b + 2 * V_LANES);
            UNROLL
            for (int r = 0; r < mr; r++) {
                const bf16 *p = r < STEP ? p0 : r < 2 * STEP ? p1 : p2;
                vi x = v_pair(p + (size_t)(r % STEP) * lda);
                acc[2 * r] = v_dot(acc[2 * r], x, b0);
                acc[2 * r + 1] = v_dot(acc[2 * r + 1], x, b1);
            }
        }
    }
    tile_end(acc, mr, call, c);
}

/* The gradient of a weight sums over rows: a is (count, mr) with stride lda (bf16: pairs of rows).
 */

INLINE void outer_f32_tile(const int mr, const product_call *call, int count, const float *a,
                           const float *b, float *c) {
    vf acc[2 * TILE_F32];
    tile_begin(acc, mr, call, c);
    for (int row = 0; row < count; row++, a += call->lda, b += PANEL) {
        vf b0 = v_load(b), b1 = v_load(b + V_LANES);
        UNROLL
        for (int r = 0; r < mr; r++) {
            vf x = v_set1(a[r]);
            acc[2 * r] = v_fma(x, b0, acc[2 * r]);
            acc[2 * r + 1] = v_fma(x, b1, acc[2 * r + 1]);
        }
    }
    tile_end(acc, mr, call, c);
}

INLINE void outer_bf16_tile(const int mr, const product_call *call, int count, const bf16 *a,
                            const bf16 *b, float *c) {
    vf acc[2 * TILE_BF16];
    tile_begin(acc, mr, call, c);
    for (int pair = 0; pair < count; pair++, a += call->lda, b += 2 * PANEL) {
        vi b0 = v_pairs(b), b1 = v_pairs(b + 2 * V_LANES);
        UNROLL
        for (int r = 0; r < mr; r++) {
            vi x = v_pair(a + 2 * r);
            acc[2 * r] = v_dot(acc[2 * r], x, b0);
            acc[2 * r + 1] = v_dot(acc[2 * r + 1], x, b1);
        }
    }
    tile_end(acc, mr, call, c);
}

typedef void product_f32_function(const product_call *call, const float *const *a, size_t offset,
                                  const float *b, float *c);
typedef void product_bf16_function(const product_call *call, const bf16 *const *a, size_t offset,
                                   const bf16 *b, float *c);
typedef void outer_f32_function(const product_call *call, int count, const float *a, const float *b,
                                float *c);
typedef void outer_bf16_function(const product_call *call, int count, const bf16 *a, const bf16 *b,
                                 float *c);

/* One function for each number of rows, and the tables of them. */
#define F32_TILES(rows)                                                                            \
    static void product_f32_##rows(const product_call *call, const float *const *a, size_t offset, \
                                   const float *b, float *c) {                                     \
        product_f32_tile(rows, call, a, offset, b, c);                                             \
    }                                                                                              \
    static void outer_f32_##rows(const product_call *call, int count, const float *a,              \
                                 const float *b, float *c) {                                       \
        outer_f32_tile(rows, call, count, a, b, c);                                                \
    }
#define BF16_TILES(rows)                                                                           \
    static void product_bf16_##rows(const product_call *call, const bf16 *const *a, size_t offset, \
                                    const bf16 *b, float *c) {                                     \
        product_bf16_tile(rows, call, a, offset, b, c);                                            \
    }                                                                                              \
    static void outer_bf16_##rows(const product_call *call, int count, const bf16 *a,              \
                                  const bf16 *b, float *c) {                                       \
        outer_bf16_tile(rows, call, count, a, b, c);                                               \
    }
FOR_TILE_F32(F32_TILES)
FOR_TILE_BF16(BF16_TILES)

#define NAME(rows) product_f32_##rows,
static product_f32_function *const product_f32_tiles[] = {FOR_TILE_F32(NAME)};
#undef NAME
#define NAME(rows) product_bf16_##rows,
static product_bf16_function *const product_bf16_tiles[] = {FOR_TILE_BF16(NAME)};
#undef NAME
#define NAME(rows) outer_f32_##rows,
static outer_f32_function *const outer_f32_tiles[] = {FOR_TILE_F32(NAME)};
#undef NAME
#define NAME(rows) outer_bf16_##rows,
static outer_bf16_function *const outer_bf16_tiles[] = {FOR_TILE_BF16(NAME)};
#undef NAME

/* Rows of block number `block`, when `rows` are cut in as few blocks of at most `most` as will do,
 * of even size: a small last block would waste its loads of B. */
INLINE int even_block(int rows, int most, int block) {
    int blocks = (rows + most - 1) / most;
    return rows / blocks + (block < rows % blocks);
}

static void product_f32(int rows, int n, int k, int taps, const float *const *a, size_t lda,
                        const float *packed, const float *bias, bool accumulate, float *c,
                        size_t ldc) {
    for (int first = 0; first < n; first += PANEL) {
        product_call call = {.k = k,
                             .taps = taps,
                             .lda = lda,
                             .ldc = ldc,
                             .bias = bias ? bias + first : NULL,
                             .accumulate = accumulate,
                             .columns = least(n - first, PANEL)};
        const float *panel = packed + (size_t)first * (size_t)k * (size_t)taps;
        for (int row = 0, block = 0, mr; row < rows; row += mr, block++) {
            mr = even_block(rows, TILE_F32, block);
            product_f32_tiles[mr - 1](&call, a, (size_t)row * lda, panel,
                                      c + (size_t)row * ldc + first);
        }
    }
}

static void product_bf16(int rows, int n, int k, int taps, const bf16 *const *a, size_t lda,
                         const bf16 *packed, const float *bias, bool accumulate, float *c,
                         size_t ldc) {
    assert(k % 2 == 0);
    for (int first = 0; first < n; first += PANEL) {
        product_call call = {.k = k,
                             .taps = taps,
                             .lda = lda,
                             .ldc = ldc,
                             .bias = bias ? bias + first : NULL,
                             .accumulate = accumulate,
                             .columns = least(n - first, PANEL)};
        const bf16 *panel = packed + (size_t)first * (size_t)k * (size_t)taps;
        for (int row = 0, block = 0, mr; row < rows; row += mr, block++) {
            mr = even_block(rows, TILE_BF16, block);
            product_bf16_tiles[mr - 1](&call, a, (size_t)row * lda, panel,
                                       c + (size_t)row * ldc + first);
        }
    }
}

/* A chunk of rows is brought into a dense order in scratch (b in panels, a as it is; bf16: pairs of
 * rows interleaved, both in panels), small enough to stay in the second-level cache. The sums wait
 * in c from chunk to chunk, so chunks do not show in the result. */
enum { CHUNK = 256 }; /* rows; even, so that pairs do not depend on it */

static size_t outer_scratch(int m, int n, int rows) {
    (void)rows;
    return (size_t)(panels_of(n) + panels_of(m)) * PANEL * CHUNK * sizeof(float);
}

/* Rows of (rows, n) into panels (panel, rows, PANEL), zero-padded. */
static void copy_panels(int rows, int n, const float *b, size_t ldb, float *panels) {
    for (int first = 0; first < n; first += PANEL) {
        int left = least(n - first, V_LANES), right = least(n - first, PANEL) - left;
        for (int r = 0; r < rows; r++, panels += PANEL) {
            const float *p = b + (size_t)r * ldb + first;
            v_store(panels, load_some(p, left));
            v_store(panels + V_LANES, load_some(p + left, right));
        }
    }
}

/* Pairs of rows beside each other, in panels (panel, rows / 2, width, 2), zero-padded; width is a
 * multiple of PANEL. An odd last row is paired with zeros. */
static void interleave_panels(int rows, int n, const bf16 *b, size_t ldb, int width, bf16 *panels) {
    static const bf16 zeros[PANEL];
    for (int panel = 0; panel < n; panel += width)
        for (int r = 0; r < rows; r += 2)
            for (int first = panel; first < panel + width; first += PANEL, panels += 2 * PANEL) {
                int columns = first < n ? least(n - first, PANEL) : 0;
                const bf16 *p = columns ? b + (size_t)r * ldb + first : zeros;
                const bf16 *q = columns && r + 1 < rows ? p + ldb : zeros;
                if (columns == PANEL) {
                    v_interleave_panel(p, q, panels);
                } else {
                    int left = least(columns, V_LANES);
                    v_store_pairs(panels, v_interleave_n(p, q, left));
                    v_store_pairs(panels + 2 * V_LANES,
                                  v_interleave_n(p + left, q + left, columns - left));
                }
            }
}

static void outer_f32(int rows, int m, int n, const float *a, size_t lda, const float *b,
                      size_t ldb, float *c, size_t ldc, void *scratch) {
    float *panels = scratch;
    product_call call = {.lda = lda, .ldc = ldc, .accumulate = true};
    for (int row = 0; row < rows; row += CHUNK) {
        int count = least(rows - row, CHUNK);
        copy_panels(count, n, b + (size_t)row * ldb, ldb, panels);
        for (int i = 0, block = 0, mr; i < m; i += mr, block++) {
            mr = even_block(m, TILE_F32, block);
            for (int first = 0; first < n; first += PANEL) {
                call.columns = least(n - first, PANEL);
                outer_f32_tiles[mr - 1](&call, count, a + (size_t)row * lda + i,
                                        panels + (size_t)first * count,
                                        c + (size_t)i * ldc + first);
            }
        }
    }
}

static void outer_bf16(int rows, int m, int n, const bf16 *a, size_t lda, const bf16 *b, size_t ldb,
                       float *c, size_t ldc, void *scratch) {
    const int width = panels_of(m) * PANEL; /* of a, which is one panel */
    bf16 *a_pairs = scratch, *b_panels = a_pairs + (size_t)width * CHUNK;
    product_call call = {.lda = 2 * (size_t)width, .ldc = ldc, .accumulate = true};
    for (int row = 0; row < rows; row += CHUNK) {
        int count = least(rows - row, CHUNK), pairs = (count + 1) / 2;
        interleave_panels(count, m, a + (size_t)row * lda, lda, width, a_pairs);
        interleave_panels(count, n, b + (size_t)row * ldb, ldb, PANEL, b_panels);
        for (int i = 0, block = 0, mr; i < m; i += mr, block++) {
            mr = even_block(m, TILE_BF16, block);
            for (int first = 0; first < n; first += PANEL) {
                call.columns = least(n - first, PANEL);
                outer_bf16_tiles[mr - 1](&call, pairs, a_pairs + 2 * i,
                                         b_panels + (size_t)first * 2 * pairs,
                                         c + (size_t)i * ldc + first);
            }
        }
    }
}

static void to_bf16(const float *in, bf16 *out, size_t n) {
    size_t i = 0;
    for (; i + V_LANES <= n; i += V_LANES) v_store_bf16(out + i, v_load(in + i));
    if (i < n) v_store_bf16_n(out + i, v_load_n(in + i, (int)(n - i)), (int)(n - i));
}

static void from_bf16(const bf16 *in, float *out, size_t n) {
    size_t i = 0;
    for (; i + V_LANES <= n; i += V_LANES) v_store(out + i, v_load_bf16(in + i));
    if (i < n) v_store_n(out + i, v_load_bf16_n(in + i, (int)(n - i)), (int)(n - i));
}

/* 2^t = 2^whole·2^f, |f| ≤ 1/2. */
INLINE vf power_of_2(vf t) {
    vf whole, f = v_split(t, &whole);
    return v_scale(BASE_POWER_OF_2(f, v_set1, v_fma), whole);
}

/* σ(x) = 1 / (1 + e^-x). */
INLINE vf sigmoid(vf x) {
    vf e = power_of_2(v_mul(x, v_set1(-1.44269504f)));
    return v_div(v_set1(1.0f), v_add(v_set1(1.0f), e));
}

/* tanh(x) = 1 - 2 / (1 + e^2x). */
INLINE vf hyperbolic_tangent(vf x) {
    vf e = power_of_2(v_mul(x, v_set1(2.88539008f)));
    return v_sub(v_set1(1.0f), v_div(v_set1(2.0f), v_add(v_set1(1.0f), e)));
}

/* For values of the network, where a denormal may become zero. */
INLINE void store_some_bf16(bf16 *p, vf x, int n) {
    if (n >= V_LANES)
        v_store_bf16_fast(p, x);
    else
        v_store_bf16_n(p, x, n);
}

INLINE vf load_some_bf16(const bf16 *p, int n) {
    return n >= V_LANES ? v_load_bf16(p) : v_load_bf16_n(p, n);
}

typedef struct gate_call {
    vf w0, w1;
    const float *h, *c0, *c1;
    float *z_f32, *saved_f32;
    bf16 *z_bf16, *saved_bf16;
    int channels;
} gate_call;

INLINE vf gate_input(const gate_call *g, int i, int n) {
    vf p = load_some(g->h + i, n);
    if (g->c0) p = v_fma(g->w0, load_some(g->c0 + i, n), p);
    if (g->c1) p = v_fma(g->w1, load_some(g->c1 + i, n), p);
    return p;
}

/* Channels i … i + n - 1, n ≤ V_LANES. */
INLINE void gate_some(const gate_call *g, int i, int n) {
    vf s = sigmoid(gate_input(g, i, n));
    vf t = hyperbolic_tangent(gate_input(g, g->channels + i, n));
    vf z = v_mul(s, t);
    if (g->z_f32) store_some(g->z_f32 + i, z, n);
    if (g->z_bf16) store_some_bf16(g->z_bf16 + i, z, n);
    if (g->saved_f32) {
        store_some(g->saved_f32 + i, s, n);
        store_some(g->saved_f32 + g->channels + i, t, n);
    }
    if (g->saved_bf16) {
        store_some_bf16(g->saved_bf16 + i, s, n);
        store_some_bf16(g->saved_bf16 + g->channels + i, t, n);
    }
}

static void gate(int channels, const float *h, const float *c0, float w0, const float *c1, float w1,
                 float *z_f32, bf16 *z_bf16, float *saved_f32, bf16 *saved_bf16) {
    gate_call g = {.channels = channels,
                   .h = h,
                   .c0 = c0,
                   .c1 = c1,
                   .w0 = v_set1(w0),
                   .w1 = v_set1(w1),
                   .z_f32 = z_f32,
                   .saved_f32 = saved_f32,
                   .z_bf16 = z_bf16,
                   .saved_bf16 = saved_bf16};
    int i = 0;
    for (; i + V_LANES <= channels; i += V_LANES) gate_some(&g, i, V_LANES);
    if (i < channels) gate_some(&g, i, channels - i);
}

typedef struct gate_backward_call {
    const float *dz, *saved_f32;
    const bf16 *saved_bf16;
    float *dp_f32, *dc0, *dc1;
    bf16 *dp_bf16;
    vf w0, w1;
    int channels;
} gate_backward_call;

INLINE void add_scaled(float *sum, vf w, vf x, int n) {
    store_some(sum, v_fma(w, x, load_some(sum, n)), n);
}

/* Of dp, channels i … i + n - 1. */
INLINE void gate_backward_end(const gate_backward_call *g, vf dp, int i, int n) {
    if (g->dp_f32) store_some(g->dp_f32 + i, dp, n);
    if (g->dp_bf16) store_some_bf16(g->dp_bf16 + i, dp, n);
    if (g->dc0) add_scaled(g->dc0 + i, g->w0, dp, n);
    if (g->dc1) add_scaled(g->dc1 + i, g->w1, dp, n);
}

/* Channels i … i + n - 1 of the backward pass, n ≤ V_LANES. */
INLINE void gate_backward_some(const gate_backward_call *g, int i, int n) {
    vf one = v_set1(1.0f), d = load_some(g->dz + i, n), s, t;
    if (g->saved_f32) {
        s = load_some(g->saved_f32 + i, n);
        t = load_some(g->saved_f32 + g->channels + i, n);
    } else {
        s = load_some_bf16(g->saved_bf16 + i, n);
        t = load_some_bf16(g->saved_bf16 + g->channels + i, n);
    }
    gate_backward_end(g, v_mul(v_mul(d, t), v_mul(s, v_sub(one, s))), i, n);
    gate_backward_end(g, v_mul(v_mul(d, s), v_sub(one, v_mul(t, t))), g->channels + i, n);
}

static void gate_backward(int channels, const float *dz, const float *saved_f32,
                          const bf16 *saved_bf16, float *dp_f32, bf16 *dp_bf16, float *dc0,
                          float w0, float *dc1, float w1) {
    gate_backward_call g = {.channels = channels,
                            .dz = dz,
                            .saved_f32 = saved_f32,
                            .saved_bf16 = saved_bf16,
                            .dp_f32 = dp_f32,
                            .dp_bf16 = dp_bf16,
                            .dc0 = dc0,
                            .dc1 = dc1,
                            .w0 = v_set1(w0),
                            .w1 = v_set1(w1)};
    int i = 0;
    for (; i + V_LANES <= channels; i += V_LANES) gate_backward_some(&g, i, V_LANES);
    if (i < channels) gate_backward_some(&g, i, channels - i);
}

static void residual(int channels, const float *out, float *x, float *skip, const float *step,
                     float *y_f32, bf16 *y_bf16) {
    for (int i = 0; i < channels; i += V_LANES) {
        int n = least(channels - i, V_LANES);
        vf sum = v_add(load_some(x + i, n), load_some(out + i, n));
        sum = v_mul(sum, v_set1(0.70710678118654752f));
        store_some(x + i, sum, n);
        store_some(skip + i, v_add(load_some(skip + i, n), load_some(out + channels + i, n)), n);
        if (!step) continue;
        sum = v_add(sum, load_some(step + i, n));
        if (y_f32)
            store_some(y_f32 + i, sum, n);
        else
            store_some_bf16(y_bf16 + i, sum, n);
    }
}

static void residual_backward(int channels, const float *dy, const float *dy2, float scale,
                              float *dx, bf16 *dx_bf16, float *dy_sum, float *dx_sum) {
    for (int i = 0; i < channels; i += V_LANES) {
        int n = least(channels - i, V_LANES);
        vf d = load_some(dy + i, n);
        if (dy2) d = v_add(d, load_some(dy2 + i, n));
        vf sum = v_mul(v_add(load_some(dx + i, n), d), v_set1(scale));
        store_some(dx + i, sum, n);
        store_some(dy_sum + i, v_add(load_some(dy_sum + i, n), d), n);
        if (dx_sum) store_some(dx_sum + i, v_add(load_some(dx_sum + i, n), sum), n);
        if (dx_bf16) store_some_bf16(dx_bf16 + i, sum, n);
    }
}

INLINE int some_of(size_t n, size_t i) {
    return n - i < V_LANES ? (int)(n - i) : V_LANES;
}

static void pair_inputs(size_t count, const float *y0, const float *y1, const float *y2,
                        const float *y3, float *x0, float *x1, float *x2, float *x3) {
    for (size_t i = 0; i < count; i += V_LANES) {
        int n = some_of(count, i);
        vf b = load_some(y1 + i, n), c = load_some(y2 + i, n);
        store_some(x0 + i, v_sub(load_some(y0 + i, n), c), n);
        store_some(x1 + i, v_add(b, c), n);
        store_some(x2 + i, v_sub(c, b), n);
        store_some(x3 + i, v_sub(load_some(y3 + i, n), b), n);
    }
}

static void sum_difference(size_t count, const float *a, const float *b, float *sum,
                           float *difference) {
    for (size_t i = 0; i < count; i += V_LANES) {
        int n = some_of(count, i);
        vf x = load_some(a + i, n), y = load_some(b + i, n);
        store_some(sum + i, v_add(x, y), n);
        store_some(difference + i, v_sub(x, y), n);
    }
}

static void pair_gradients(size_t count, const float *d0, float *d1, float *d2, const float *d3) {
    for (size_t i = 0; i < count; i += V_LANES) {
        int n = some_of(count, i);
        vf x = load_some(d1 + i, n), y = load_some(d2 + i, n);
        store_some(d1 + i, v_sub(v_add(x, y), load_some(d0 + i, n)), n);
        store_some(d2 + i, v_sub(v_sub(x, y), load_some(d3 + i, n)), n);
    }
}

static void silu(const float *x, float *y, size_t n) {
    for (size_t i = 0; i < n; i += V_LANES) {
        int left = n - i < V_LANES ? (int)(n - i) : V_LANES;
        /* Below -87 the result is 0; σ may end above it, and then its product with x would not be
         * small. v_max gives its second argument when that is not a number. */
        vf p = v_max(v_set1(-87.0f), load_some(x + i, left));
        store_some(y + i, v_mul(p, sigmoid(p)), left);
    }
}

const nn_kernels NN_TABLE = {
    .name = NN_NAME,
    .bf16_native = NN_BF16_NATIVE,
    .pack_width = PANEL,
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
