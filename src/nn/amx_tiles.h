/* Products of bfloat16 matrices by tile instructions (Intel AMX), written once over a few
 * primitives: amx.c defines them as the instructions, tests/nn/emulated_amx.c in plain C after the
 * manual.
 *
 * A file defines before the inclusion (T, C, A, B are tile numbers, written as digits; strides are
 * in bytes)
 * - tiles_configure(const tile_shapes *), tiles_release();
 * - tile_load(T, address, stride), tile_store(T, address, stride);
 * - tile_dot(C, A, B): C[m][n] += Σ_k A[m][2k]·B[k][2n] + A[m][2k + 1]·B[k][2n + 1].
 *
 * The second operand is packed as in the AVX-512 tables: panels of 32 columns, in each the pairs of
 * rows; a tile of it is 16 columns of up to 16 pairs.
 *
 * Order of additions: K is cut in blocks of one size, which depends on k alone, and an output
 * element takes them in ascending order. Within a tile instruction every row is on its own, so a
 * tile of fewer rows gives those rows the same bits. */
#ifndef NN_AMX_TILES_H
#define NN_AMX_TILES_H

#include "base/vectors.h"
#include "nn/kernels.h"

#include <assert.h>
#include <string.h>

enum { TILE_SIDE = 16, TILES_PANEL = 2 * TILE_SIDE, TILES_CHUNK = 256 };

/* The memory operand of ldtilecfg (Intel SDM volume 1, 18.3). */
typedef struct tile_shapes {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_shapes;

/* Tiles 0 … 3 are sums: upper left, upper right, lower left, lower right. 4 and 5 are upper and
 * lower rows of the first operand, 6 and 7 left and right columns of the second. */
static void shape_tiles(int upper, int lower, int pairs) {
    const uint8_t rows[8] = {
        (uint8_t)upper, (uint8_t)upper, (uint8_t)lower, (uint8_t)lower,
        (uint8_t)upper, (uint8_t)lower, (uint8_t)pairs, (uint8_t)pairs,
    };
    tile_shapes shapes = {.palette = 1};
    for (int t = 0; t < 8; t++) {
        shapes.rows[t] = rows[t];
        shapes.row_bytes[t] = (uint16_t)(t == 4 || t == 5 ? 4 * pairs : 4 * TILE_SIDE);
        if (rows[t] == 0) shapes.row_bytes[t] = 0;
    }
    tiles_configure(&shapes);
}

/* Pairs of a block of K. A call has one shape of tiles, so all blocks have the same size: the
 * largest that divides. (Numbers of pairs without a divisor near 16 are slow.) */
static int pairs_of_block(int pairs) {
    int blocks = (pairs + TILE_SIDE - 1) / TILE_SIDE;
    while (pairs % blocks != 0) blocks++;
    return pairs / blocks;
}

typedef struct tiles_call {
    int upper, lower;  /* rows of the upper and of the lower tiles; lower may be 0 */
    int blocks, pairs; /* of K: of each tap, and pairs of a block */
    int taps, columns; /* columns of this panel that there are */
    size_t lda, ldc;
    bool accumulate;
    float start[TILES_PANEL]; /* what a row begins with when it does not accumulate */
} tiles_call;

/* Loads the sums from rows that lie `stride` bytes apart. */
static void load_sums(const tiles_call *call, const float *c, size_t stride) {
    const float *lower = (const float *)((const char *)c + (size_t)call->upper * stride);
    tile_load(0, c, stride);
    tile_load(1, c + TILE_SIDE, stride);
    if (call->lower == 0) return;
    tile_load(2, lower, stride);
    tile_load(3, lower + TILE_SIDE, stride);
}

static void store_sums(const tiles_call *call, float *c, size_t stride) {
    float *lower = (float *)((char *)c + (size_t)call->upper * stride);
    tile_store(0, c, stride);
    tile_store(1, c + TILE_SIDE, stride);
    if (call->lower == 0) return;
    tile_store(2, lower, stride);
    tile_store(3, lower + TILE_SIDE, stride);
}

/* Copies of what the loops need: every primitive is a barrier to the compiler. */
static void add_products(const tiles_call *call, const bf16 *const *a, size_t offset,
                         const bf16 *panel) {
    const size_t stride = call->lda * sizeof(bf16), width = 2 * TILES_PANEL * sizeof(bf16);
    const size_t down = (size_t)call->upper * call->lda, along = 2 * (size_t)call->pairs;
    const int blocks = call->blocks, taps = call->taps;
    const bool both = call->lower > 0;
    for (int tap = 0; tap < taps; tap++) {
        const bf16 *upper = a[tap] + offset;
        for (int block = 0; block < blocks; block++) {
            tile_load(6, panel, width);
            tile_load(7, panel + 2 * TILE_SIDE, width);
            tile_load(4, upper, stride);
            tile_dot(0, 4, 6);
            tile_dot(1, 4, 7);
            if (both) {
                tile_load(5, upper + down, stride);
                tile_dot(2, 5, 6);
                tile_dot(3, 5, 7);
            }
            upper += along;
            panel += along * TILES_PANEL;
        }
    }
}

/* Upper and lower rows of one panel. Where it has fewer columns than tiles have, the sums go
 * through memory of our own. */
static void product_of_tiles(const tiles_call *call, const bf16 *const *a, size_t offset,
                             const bf16 *panel, float *c) {
    float edge[TILES_PANEL][TILES_PANEL];
    const size_t rows = (size_t)call->upper + (size_t)call->lower,
                 stride = call->ldc * sizeof(float);
    const size_t width = (size_t)call->columns * sizeof(float);
    const bool whole = call->columns == TILES_PANEL;
    if (!call->accumulate) {
        load_sums(call, call->start, 0); /* a stride of 0: the same row again */
    } else if (whole) {
        load_sums(call, c, stride);
    } else {
        memset(edge, 0, sizeof edge);
        for (size_t r = 0; r < rows; r++) memcpy(edge[r], c + r * call->ldc, width);
        load_sums(call, edge[0], sizeof edge[0]);
    }
    add_products(call, a, offset, panel);
    if (whole) {
        store_sums(call, c, stride);
    } else {
        store_sums(call, edge[0], sizeof edge[0]);
        for (size_t r = 0; r < rows; r++) memcpy(c + r * call->ldc, edge[r], width);
    }
}

/* Rows in groups of upper + lower, all panels. */
static void product_of_rows(int rows, int upper, int lower, int n, int k, int taps,
                            const bf16 *const *a, size_t offset, size_t lda, const bf16 *packed,
                            const float *bias, bool accumulate, float *c, size_t ldc) {
    const int pairs = pairs_of_block(k / 2);
    if (rows == 0) return;
    shape_tiles(upper, lower, pairs);
    for (int first = 0; first < n; first += TILES_PANEL) {
        tiles_call call = {.upper = upper,
                           .lower = lower,
                           .blocks = k / 2 / pairs,
                           .pairs = pairs,
                           .taps = taps,
                           .columns = n - first < TILES_PANEL ? n - first : TILES_PANEL,
                           .lda = lda,
                           .ldc = ldc,
                           .accumulate = accumulate};
        const bf16 *panel = packed + (size_t)first * (size_t)k * (size_t)taps;
        if (bias) memcpy(call.start, bias + first, (size_t)call.columns * sizeof *bias);
        for (int row = 0; row < rows; row += upper + lower)
            product_of_tiles(&call, a, offset + (size_t)row * lda, panel,
                             c + (size_t)row * ldc + first);
    }
}

static void tiles_product_bf16(int rows, int n, int k, int taps, const bf16 *const *a, size_t lda,
                               const bf16 *packed, const float *bias, bool accumulate, float *c,
                               size_t ldc) {
    assert(k > 0 && k % 2 == 0);
    const int rest = rows % (2 * TILE_SIDE), whole = rows - rest;
    const int upper = rest > TILE_SIDE ? (rest + 1) / 2 : rest;
    if (rows == 0) return;
    product_of_rows(whole, TILE_SIDE, TILE_SIDE, n, k, taps, a, 0, lda, packed, bias, accumulate, c,
                    ldc);
    product_of_rows(rest, upper, rest - upper, n, k, taps, a, (size_t)whole * lda, lda, packed,
                    bias, accumulate, c + (size_t)whole * ldc, ldc);
    tiles_release();
}

/* ---- gradients of weights: a product whose first operand is turned first ---- */

typedef uint16_t tile_halves __attribute__((vector_size(2 * TILE_SIDE), may_alias, aligned(2)));
typedef uint32_t tile_words __attribute__((vector_size(4 * TILE_SIDE), may_alias, aligned(4)));

/* Two rows of columns in pairs; what is not there (rows < 2, columns) is zero. */
#define PAIR_ROWS(pairs, p, stride, rows, columns)                                                 \
    do {                                                                                           \
        tile_halves low_ = {0}, high_ = {0};                                                       \
        if ((columns) >= TILE_SIDE && (rows) >= 2) {                                               \
            low_ = *(const tile_halves *)(p);                                                      \
            high_ = *(const tile_halves *)((p) + (stride));                                        \
        } else if ((columns) > 0) {                                                                \
            size_t bytes_ =                                                                        \
                sizeof(bf16) * (size_t)((columns) < TILE_SIDE ? (columns) : TILE_SIDE);            \
            if ((rows) > 0) memcpy(&low_, (p), bytes_);                                            \
            if ((rows) > 1) memcpy(&high_, (p) + (stride), bytes_);                                \
        }                                                                                          \
        (pairs) = __builtin_convertvector(low_, tile_words) |                                      \
                  __builtin_convertvector(high_, tile_words) << 16;                                \
    } while (0)

/* Up to 32 rows of up to 16 columns become 16 rows of 32 values. */
static void turn_block(int rows, int columns, const bf16 *a, size_t lda, bf16 *out, size_t ldo) {
    tile_words x[TILE_SIDE], y[TILE_SIDE];
    for (int p = 0; p < TILE_SIDE; p++)
        PAIR_ROWS(x[p], a + (size_t)(2 * p < rows ? 2 * p : 0) * lda, lda, rows - 2 * p, columns);
    /* Seen as one number of eight bits, (row, column) is turned left by one bit each time. */
    for (int bit = 0; bit < 4; bit++) {
        for (int i = 0; i < TILE_SIDE / 2; i++) {
            tile_words u = x[i], v = x[i + TILE_SIDE / 2];
            y[2 * i] = ZIP_LOW_16(u, v);
            y[2 * i + 1] = ZIP_HIGH_16(u, v);
        }
        memcpy(x, y, sizeof x);
    }
    for (int i = 0; i < columns && i < TILE_SIDE; i++)
        *(tile_words *)(out + (size_t)i * ldo) = x[i];
}

/* A chunk of rows at a time: a turned to (m, k), b packed with K = k, the rows filled up with zeros
 * to whole tiles. */
static void tiles_outer_bf16(int rows, int m, int n, const bf16 *a, size_t lda, const bf16 *b,
                             size_t ldb, float *c, size_t ldc, void *scratch) {
    bf16 *turned = scratch, *packed = turned + (size_t)m * TILES_CHUNK;
    for (int row = 0; row < rows; row += TILES_CHUNK) {
        const int count = rows - row < TILES_CHUNK ? rows - row : TILES_CHUNK;
        const int k = (count + 2 * TILE_SIDE - 1) / (2 * TILE_SIDE) * (2 * TILE_SIDE);
        bf16 *to = packed;
        for (int r = 0; r < count; r += 2 * TILE_SIDE)
            for (int i = 0; i < m; i += TILE_SIDE)
                turn_block(count - r, m - i, a + (size_t)(row + r) * lda + i, lda,
                           turned + (size_t)i * (size_t)k + r, (size_t)k);
        for (int j = 0; j < n; j += TILES_PANEL)
            for (int r = 0; r < k; r += 2)
                for (int half = j; half < j + TILES_PANEL; half += TILE_SIDE, to += 2 * TILE_SIDE) {
                    const bool there = r < count && half < n;
                    const bf16 *p = there ? b + (size_t)(row + r) * ldb + half : b;
                    PAIR_ROWS(*(tile_words *)to, p, ldb, there ? count - r : 0,
                              there ? n - half : 0);
                }
        const bf16 *taps[1] = {turned};
        tiles_product_bf16(m, n, k, 1, taps, (size_t)k, packed, NULL, true, c, ldc);
    }
}

/* Bytes of scratch that this needs: no more than the AVX-512 tables' outer_scratch. */
static inline size_t tiles_outer_scratch(int m, int n) {
    const int panels = (n + TILES_PANEL - 1) / TILES_PANEL;
    return ((size_t)m + (size_t)panels * TILES_PANEL) * TILES_CHUNK * sizeof(bf16);
}

#endif
