/* The tile instructions of Intel AMX in plain C, after the pseudo-code of the Intel SDM volume 2
 * (LDTILECFG, TILELOADD, TILESTORED, TDPBF16PS), faults included: what a CPU would answer with a
 * fault ends the test. */
#include "emulated_amx.h"

#include "base/bf16.h"
#include "nn/tables.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

typedef struct tile_shapes tile_shapes;
static void tiles_configure(const tile_shapes *shapes);
static void tiles_release(void);
static void tile_load(int t, const void *address, size_t stride);
static void tile_store(int t, void *address, size_t stride);
static void tile_dot(int c, int a, int b);

#include "nn/amx_tiles.h"

enum { TILES = 8, MOST_ROWS = 16, MOST_BYTES = 64 };

static tile_shapes state; /* palette 0: not configured */
static unsigned char tile[TILES][MOST_ROWS][MOST_BYTES];

static void tiles_configure(const tile_shapes *shapes) {
    assert_int_equal(shapes->palette, 1);
    assert_int_equal(shapes->start_row, 0);
    for (size_t i = 0; i < sizeof shapes->reserved; i++) assert_int_equal(shapes->reserved[i], 0);
    for (int t = 0; t < 16; t++) {
        assert_true(shapes->rows[t] <= MOST_ROWS && shapes->row_bytes[t] <= MOST_BYTES);
        assert_true((shapes->rows[t] == 0) == (shapes->row_bytes[t] == 0));
        if (t >= TILES) assert_int_equal(shapes->rows[t], 0);
    }
    state = *shapes;
    memset(tile, 0, sizeof tile);
}

static void tiles_release(void) {
    memset(&state, 0, sizeof state);
    memset(tile, 0xa5, sizeof tile);
}

static void check_tile(int t) {
    assert_true(state.palette == 1 && state.rows[t] > 0);
}

static void tile_load(int t, const void *address, size_t stride) {
    check_tile(t);
    memset(tile[t], 0, sizeof tile[t]);
    for (int r = 0; r < state.rows[t]; r++)
        memcpy(tile[t][r], (const char *)address + (size_t)r * stride, state.row_bytes[t]);
}

static void tile_store(int t, void *address, size_t stride) {
    check_tile(t);
    for (int r = 0; r < state.rows[t]; r++)
        memcpy((char *)address + (size_t)r * stride, tile[t][r], state.row_bytes[t]);
}

/* Denormals are zero on the way in and on the way out; sums are rounded to nearest even. */
static float flushed(float x) {
    return fabsf(x) < FLT_MIN ? copysignf(0, x) : x;
}

static float element(int t, int row, int i) {
    bf16 x;
    memcpy(&x, tile[t][row] + (size_t)i * sizeof x, sizeof x);
    return flushed(bf16_widen(x));
}

static float fused(float a, float b, float c) {
    return flushed(fmaf(a, b, c));
}

static void tile_dot(int c, int a, int b) {
    check_tile(c), check_tile(a), check_tile(b);
    assert_true(c != a && c != b && a != b);
    assert_int_equal(state.rows[c], state.rows[a]);
    assert_int_equal(state.row_bytes[c], state.row_bytes[b]);
    assert_int_equal(state.row_bytes[a], 4 * state.rows[b]);
    for (int m = 0; m < state.rows[c]; m++)
        for (int n = 0; n < state.row_bytes[c] / 4; n++) {
            float even = 0, odd = 0, sum;
            for (int k = 0; k < state.row_bytes[a] / 4; k++) {
                even = fused(element(a, m, 2 * k), element(b, k, 2 * n), even);
                odd = fused(element(a, m, 2 * k + 1), element(b, k, 2 * n + 1), odd);
            }
            memcpy(&sum, tile[c][m] + (size_t)n * sizeof sum, sizeof sum);
            sum = flushed(flushed(sum) + flushed(even + odd));
            memcpy(tile[c][m] + (size_t)n * sizeof sum, &sum, sizeof sum);
        }
}

static size_t packed_bf16(int k, int n) {
    return (size_t)((n + TILES_PANEL - 1) / TILES_PANEL * TILES_PANEL) * (size_t)((k + 1) / 2 * 2);
}

/* Panels of 32 columns, in each the pairs of rows. */
static void pack_bf16(int k, int n, const float *b, ptrdiff_t row_stride, ptrdiff_t column_stride,
                      bf16 *packed) {
    memset(packed, 0, packed_bf16(k, n) * sizeof *packed);
    for (int i = 0; i < k; i++)
        for (int j = 0; j < n; j++) {
            size_t panel = (size_t)(j / TILES_PANEL) * TILES_PANEL * (size_t)((k + 1) / 2 * 2);
            size_t at = (size_t)(i / 2) * 2 * TILES_PANEL + 2 * (size_t)(j % TILES_PANEL);
            packed[panel + at + (size_t)(i & 1)] =
                bf16_round(b[i * row_stride + j * column_stride]);
        }
}

static size_t outer_scratch(int m, int n, int rows) {
    (void)rows;
    return tiles_outer_scratch(m, n);
}

const nn_kernels *emulated_amx(void) {
    static nn_kernels table;
    table = nn_reference;
    table.name = "amx, emulated";
    table.bf16_native = true;
    table.packed_bf16 = packed_bf16;
    table.pack_bf16 = pack_bf16;
    table.product_bf16 = tiles_product_bf16;
    table.outer_scratch = outer_scratch;
    table.outer_bf16 = tiles_outer_bf16;
    return &table;
}
