/* Products of small made-up matrices by a table and by the twins. */
#include "nn/self_check.h"

#include "base/bf16.h"
#include "nn/tables.h"

/* Rows and columns that fill no tile or panel, a K of three blocks of eleven pairs. */
enum { ROWS = 43, N = 37, K = 66, TAPS = 2, CUT = 20, M = 29, PACKED = K * TAPS * 80 };

/* Multiples of 1/64 between -1 and 1: their products and sums are exact in whatever order. */
static float made_up(unsigned i) {
    return (float)((int)(i * 2654435761u >> 25) - 64) / 64;
}

static void fill(bf16 *x, int n, unsigned seed) {
    for (int i = 0; i < n; i++) x[i] = bf16_round(made_up(seed + (unsigned)i));
}

static bool same(const float *a, const float *b, int n) {
    for (int i = 0; i < n; i++)
        if (!(a[i] == b[i])) return false;
    return true;
}

static void run_product(const nn_kernels *table, const bf16 *a, const float *weights,
                        const float *bias, int cut, float *c) {
    _Alignas(64) bf16 packed[PACKED];
    if (table->packed_bf16(K * TAPS, N) > PACKED) return;
    table->pack_bf16(K * TAPS, N, weights, N, 1, packed);
    for (int row = 0; row < ROWS; row += cut) {
        const bf16 *taps[TAPS] = {a + row * K, a + (row + 1) * K};
        table->product_bf16(ROWS - row < cut ? ROWS - row : cut, N, K, TAPS, taps, K, packed, bias,
                            false, c + row * N, N);
    }
}

static bool check_product(const nn_kernels *table) {
    bf16 a[(ROWS + 1) * K];
    float weights[K * TAPS * N], bias[N];
    float expected[ROWS * N] = {0}, whole[ROWS * N] = {0}, cut[ROWS * N] = {0};
    fill(a, (ROWS + 1) * K, 1);
    for (unsigned i = 0; i < K * TAPS * N; i++) weights[i] = made_up(i + 7);
    for (unsigned i = 0; i < N; i++) bias[i] = made_up(i + 3);
    run_product(&nn_reference, a, weights, bias, ROWS, expected);
    run_product(table, a, weights, bias, ROWS, whole);
    run_product(table, a, weights, bias, CUT, cut);
    return same(whole, expected, ROWS * N) && same(cut, expected, ROWS * N);
}

static bool check_outer(const nn_kernels *table) {
    bf16 a[ROWS * M], b[ROWS * N];
    float expected[M * N] = {0}, sums[M * N] = {0};
    _Alignas(64) char scratch[1 << 17];
    if (table->outer_scratch(M, N, ROWS) > sizeof scratch) return false;
    fill(a, ROWS * M, 11);
    fill(b, ROWS * N, 13);
    nn_reference.outer_bf16(ROWS, M, N, a, M, b, N, expected, N, scratch);
    table->outer_bf16(ROWS, M, N, a, M, b, N, sums, N, scratch);
    return same(sums, expected, M * N);
}

bool nn_self_check(const nn_kernels *table) {
    return check_product(table) && check_outer(table);
}
