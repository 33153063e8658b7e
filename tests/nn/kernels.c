/* Every kernel of every table that this CPU can run against its plain twin, in the manner of
 * dav1d's checkasm: odd sizes, unaligned ends, guards around what is written, and the same bits
 * however rows are cut. */
#include "emulated_amx.h"
#include "nn/kernels.h"
#include "nn/self_check.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const nn_kernels *twin;

static uint32_t state = 1;

static uint32_t random_bits(void) {
    state = state * 1664525u + 1013904223u;
    return state >> 8 ^ state << 16;
}

static float uniform(void) {
    return (float)(int32_t)random_bits() * 0x1p-31f;
}

/* A buffer whose `size` bytes end at the last byte of the allocation (unless `slack`), with a guard
 * on each side that `intact` looks at. The start is unaligned for vectors, aligned for its
 * elements. */
enum { GUARD = 192 };
typedef struct guarded {
    unsigned char *memory;
    size_t size;
} guarded;

static void *guarded_new(guarded *g, size_t size) {
    g->size = size;
    g->memory = malloc(size + 2 * GUARD + 4);
    assert_non_null(g->memory);
    memset(g->memory, 0xa5, size + 2 * GUARD + 4);
    return g->memory + GUARD + 4;
}

static void guarded_free(guarded *g) {
    for (size_t i = 0; i < GUARD + 4; i++) assert_int_equal(g->memory[i], 0xa5);
    for (size_t i = 0; i < GUARD; i++) assert_int_equal(g->memory[GUARD + 4 + g->size + i], 0xa5);
    free(g->memory);
}

/* Inputs are exactly as large as the call may read, so that AddressSanitizer sees a read beyond. */
static float *random_floats(size_t n) {
    float *x = malloc((n ? n : 1) * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++) x[i] = uniform();
    return x;
}

static bf16 *random_bf16(size_t n) {
    float *x = random_floats(n);
    bf16 *b = malloc((n ? n : 1) * sizeof *b);
    assert_non_null(b);
    twin->to_bf16(x, b, n);
    free(x);
    return b;
}

static void assert_close(float value, float expected, double bound, const char *table,
                         const char *what, int row, int column) {
    if (!(fabs((double)value - (double)expected) <= bound))
        fail_msg("%s %s: element (%d, %d) is %.9g, its twin's %.9g, bound %.2g", table, what, row,
                 column, (double)value, (double)expected, bound);
}

typedef struct shape {
    int rows, n, k, taps;
} shape;

static const shape shapes[] = {
    {1, 1, 2, 1},     {1, 17, 2, 3},   {2, 16, 4, 1},    {3, 31, 6, 3},    {5, 32, 10, 2},
    {6, 33, 12, 1},   {7, 48, 64, 3},  {13, 64, 30, 3},  {14, 96, 96, 1},  {15, 192, 96, 3},
    {16, 128, 64, 3}, {29, 80, 22, 1}, {64, 96, 192, 1}, {131, 65, 16, 3}, {4, 7, 600, 1},
    {17, 300, 8, 1},  {0, 16, 4, 1},   {33, 40, 80, 2},  {47, 33, 34, 1},  {32, 32, 96, 1},
};

enum { SHAPES = sizeof shapes / sizeof shapes[0] };

typedef struct operands {
    shape s;
    bool accumulate;
    int k; /* as the form wants it: even for bf16 */
    size_t lda, ldc;
    float *weights, *bias, *start;
    float *a_f32;
    bf16 *a_bf16;
    const float *taps_f32[3];
    const bf16 *taps_bf16[3];
} operands;

static size_t a_size(const operands *o) {
    /* Taps read the same rows, shifted by one: the last tap ends with the buffer. */
    size_t rows = (size_t)(o->s.rows + o->s.taps - 1);
    return rows ? (rows - 1) * o->lda + (size_t)o->k : 0;
}

static size_t c_size(const operands *o) {
    return o->s.rows ? (size_t)(o->s.rows - 1) * o->ldc + (size_t)o->s.n : 0;
}

static void operands_new(operands *o, shape s, bool with_bias, bool accumulate) {
    *o = (operands){.s = s, .accumulate = accumulate, .k = s.k};
    o->lda = (size_t)o->k + (s.rows % 3 ? 0 : 5);
    o->ldc = (size_t)s.n + (s.rows % 2 ? 3 : 0);
    o->weights = random_floats((size_t)s.taps * o->k * s.n);
    o->bias = with_bias ? random_floats((size_t)s.n) : NULL;
    o->start = random_floats(c_size(o));
    o->a_f32 = random_floats(a_size(o));
    o->a_bf16 = random_bf16(a_size(o));
    for (int tap = 0; tap < s.taps; tap++) {
        o->taps_f32[tap] = o->a_f32 + (size_t)tap * o->lda;
        o->taps_bf16[tap] = o->a_bf16 + (size_t)tap * o->lda;
    }
}

static void operands_free(operands *o) {
    free(o->weights);
    free(o->bias);
    free(o->start);
    free(o->a_f32);
    free(o->a_bf16);
}

/* Runs the product in blocks of `cut` rows. Columns between n and ldc have to stay as they were. */
static float *run_product(const nn_kernels *table, const operands *o, bool half, int cut) {
    guarded guard;
    float *c = guarded_new(&guard, c_size(o) * sizeof *c);
    size_t wanted = half ? table->packed_bf16(o->s.taps * o->k, o->s.n) * sizeof(bf16)
                         : table->packed_f32(o->s.taps * o->k, o->s.n) * sizeof(float);
    void *packed = malloc(wanted);
    assert_non_null(packed);
    if (half)
        table->pack_bf16(o->s.taps * o->k, o->s.n, o->weights, o->s.n, 1, packed);
    else
        table->pack_f32(o->s.taps * o->k, o->s.n, o->weights, o->s.n, 1, packed);
    memcpy(c, o->start, c_size(o) * sizeof *c);
    for (int row = 0; row < o->s.rows; row += cut) {
        int rows = o->s.rows - row < cut ? o->s.rows - row : cut;
        const float *a_f32[3];
        const bf16 *a_bf16[3];
        for (int tap = 0; tap < o->s.taps; tap++) {
            a_f32[tap] = o->taps_f32[tap] + (size_t)row * o->lda;
            a_bf16[tap] = o->taps_bf16[tap] + (size_t)row * o->lda;
        }
        float *at = c + (size_t)row * o->ldc;
        if (half)
            table->product_bf16(rows, o->s.n, o->k, o->s.taps, a_bf16, o->lda, packed, o->bias,
                                o->accumulate, at, o->ldc);
        else
            table->product_f32(rows, o->s.n, o->k, o->s.taps, a_f32, o->lda, packed, o->bias,
                               o->accumulate, at, o->ldc);
    }
    for (int r = 0; r + 1 < o->s.rows; r++)
        for (size_t j = (size_t)o->s.n; j < o->ldc; j++)
            assert_true(c[(size_t)r * o->ldc + j] == o->start[(size_t)r * o->ldc + j]);
    float *copy = malloc(c_size(o) * sizeof *c + 1);
    assert_non_null(copy);
    memcpy(copy, c, c_size(o) * sizeof *c);
    guarded_free(&guard);
    free(packed);
    return copy;
}

static void check_products(const nn_kernels *table, bool half) {
    for (int i = 0; i < SHAPES; i++)
        for (int variant = 0; variant < 4; variant++) {
            operands o;
            operands_new(&o, shapes[i], variant & 1, variant & 2);
            float *expected = run_product(twin, &o, half, 1 << 20);
            float *whole = run_product(table, &o, half, 1 << 20);
            double bound = 2e-7 * (o.s.taps * o.k + 8);
            for (int r = 0; r < o.s.rows; r++)
                for (int j = 0; j < o.s.n; j++)
                    assert_close(whole[(size_t)r * o.ldc + j], expected[(size_t)r * o.ldc + j],
                                 bound, table->name, half ? "product_bf16" : "product_f32", r, j);
            static const int cuts[] = {1, 3, 5, 16, 23};
            for (size_t cut = 0; cut < sizeof cuts / sizeof cuts[0]; cut++) {
                float *pieces = run_product(table, &o, half, cuts[cut]);
                if (memcmp(pieces, whole, c_size(&o) * sizeof *whole) != 0)
                    fail_msg("%s product_%s: other bits in blocks of %d rows (%d, %d, %d, %d)",
                             table->name, half ? "bf16" : "f32", cuts[cut], o.s.rows, o.s.n, o.s.k,
                             o.s.taps);
                free(pieces);
            }
            free(expected);
            free(whole);
            operands_free(&o);
        }
}

/* A column of the result does not depend on the columns beside it either. */
static void check_columns(const nn_kernels *table) {
    shape s = {9, 40, 24, 3};
    operands o;
    operands_new(&o, s, true, false);
    float *whole = run_product(table, &o, false, 1 << 20);
    float *weights = o.weights;
    float part[3 * 24 * 11];
    for (int i = 0; i < 3 * 24; i++) memcpy(part + i * 11, weights + i * 40, 11 * sizeof *part);
    o.weights = part;
    o.s.n = 11;
    size_t ldc = o.ldc;
    float *narrow = run_product(table, &o, false, 1 << 20);
    for (int r = 0; r < s.rows; r++)
        assert_memory_equal(narrow + (size_t)r * ldc, whole + (size_t)r * ldc, 11 * sizeof *whole);
    o.weights = weights;
    free(narrow);
    free(whole);
    operands_free(&o);
}

/* Strided packing: the transposed array gives the same operand. */
static void check_packing(const nn_kernels *table) {
    enum { K = 10, N = 37 };
    float straight[K * N], turned[N * K];
    for (int i = 0; i < K; i++)
        for (int j = 0; j < N; j++) straight[i * N + j] = turned[j * K + i] = uniform();
    size_t f = table->packed_f32(K, N), h = table->packed_bf16(K - 1, N);
    float *f0 = calloc(f, sizeof *f0), *f1 = calloc(f, sizeof *f1);
    bf16 *h0 = calloc(h, sizeof *h0), *h1 = calloc(h, sizeof *h1);
    table->pack_f32(K, N, straight, N, 1, f0);
    table->pack_f32(K, N, turned, 1, K, f1);
    assert_memory_equal(f0, f1, f * sizeof *f0);
    table->pack_bf16(K - 1, N, straight, N, 1, h0); /* odd: padded with a row of zeros */
    table->pack_bf16(K - 1, N, turned, 1, K, h1);
    assert_memory_equal(h0, h1, h * sizeof *h0);
    free(f0), free(f1), free(h0), free(h1);
}

static void check_outer(const nn_kernels *table, bool half) {
    static const shape sizes[] = {/* rows, n, m, unused */
                                  {1, 1, 1, 0},     {2, 17, 3, 0},    {3, 16, 15, 0},
                                  {7, 33, 14, 0},   {129, 31, 29, 0}, {300, 64, 40, 0},
                                  {64, 192, 96, 0}, {511, 48, 97, 0}, {0, 8, 8, 0}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        int rows = sizes[i].rows, n = sizes[i].n, m = sizes[i].k;
        size_t lda = (size_t)m + 3, ldb = (size_t)n + (rows & 1), ldc = (size_t)n + 2;
        size_t a_count = rows ? (size_t)(rows - 1) * lda + m : 0;
        size_t b_count = rows ? (size_t)(rows - 1) * ldb + n : 0;
        size_t c_count = (size_t)(m - 1) * ldc + n;
        float *a = random_floats(a_count), *b = random_floats(b_count),
              *start = random_floats(c_count);
        bf16 *a16 = random_bf16(a_count), *b16 = random_bf16(b_count);
        float *expected = random_floats(c_count);
        memcpy(expected, start, c_count * sizeof *start);
        guarded guard;
        float *c = guarded_new(&guard, c_count * sizeof *c);
        memcpy(c, start, c_count * sizeof *start);
        guarded scratch_guard;
        size_t scratch_size = table->outer_scratch(m, n, rows);
        char *scratch = guarded_new(&scratch_guard, scratch_size + 64);
        char *aligned = scratch + (64 - (uintptr_t)scratch % 64) % 64;
        if (half) {
            twin->outer_bf16(rows, m, n, a16, lda, b16, ldb, expected, ldc, NULL);
            table->outer_bf16(rows, m, n, a16, lda, b16, ldb, c, ldc, aligned);
        } else {
            twin->outer_f32(rows, m, n, a, lda, b, ldb, expected, ldc, NULL);
            table->outer_f32(rows, m, n, a, lda, b, ldb, c, ldc, aligned);
        }
        for (unsigned char *p = (unsigned char *)aligned + scratch_size;
             p < (unsigned char *)scratch + scratch_size + 64; p++)
            assert_int_equal(*p, 0xa5);
        for (int r = 0; r < m; r++) {
            for (int j = 0; j < n; j++)
                assert_close(c[(size_t)r * ldc + j], expected[(size_t)r * ldc + j],
                             2e-7 * (rows + 8), table->name, half ? "outer_bf16" : "outer_f32", r,
                             j);
            for (size_t j = (size_t)n; j < ldc && r + 1 < m; j++)
                assert_true(c[(size_t)r * ldc + j] == start[(size_t)r * ldc + j]);
        }
        guarded_free(&guard);
        guarded_free(&scratch_guard);
        free(a), free(b), free(start), free(a16), free(b16), free(expected);
    }
}

static void check_conversions(const nn_kernels *table) {
    static const uint32_t special[] = {
        0x00000000, 0x80000000, 0x00000001, 0x00007fff, 0x00008000, 0x00008001, 0x00018000,
        0x0000ffff, 0x3f808000, 0x3f818000, 0x3f808001, 0x3f817fff, 0xbf808000, 0xbf818000,
        0x7f7fffff, 0xff7fffff, 0x7f7f7fff, 0x7f7f8000, 0x7f800000, 0xff800000, 0x7f800001,
        0x7fc00000, 0xffffffff, 0x7fffffff, 0xff800001, 0x007fffff, 0x00800000, 0x80400000};
    enum { SPECIAL = sizeof special / sizeof special[0], N = 4099 };
    static const bf16 rounded[SPECIAL] = {0x0000, 0x8000, 0x0000, 0x0000, 0x0000, 0x0001, 0x0002,
                                          0x0001, 0x3f80, 0x3f82, 0x3f81, 0x3f81, 0xbf80, 0xbf82,
                                          0x7f80, 0xff80, 0x7f7f, 0x7f80, 0x7f80, 0xff80, 0x7fc0,
                                          0x7fc0, 0xffff, 0x7fff, 0xffc0, 0x0080, 0x0080, 0x8040};
    uint32_t *in = malloc(N * sizeof *in);
    assert_non_null(in);
    for (int i = 0; i < N; i++)
        in[i] = i < SPECIAL ? special[i] : (random_bits() << 7 ^ random_bits());
    float *values = malloc(N * sizeof *values);
    assert_non_null(values);
    memcpy(values, in, N * sizeof *values);
    for (size_t n = 0; n <= N; n = n < 40 ? n + 1 : n < 4096 ? 4096 : n + 1) {
        guarded guard, wide_guard;
        bf16 *out = guarded_new(&guard, n * sizeof *out);
        float *wide = guarded_new(&wide_guard, n * sizeof *wide);
        float *exact = malloc(n * sizeof *exact + 1);
        assert_non_null(exact);
        memcpy(exact, values, n * sizeof *exact);
        table->to_bf16(exact, out, n);
        table->from_bf16(out, wide, n);
        for (size_t i = 0; i < n; i++) {
            bf16 expected;
            uint32_t bits;
            twin->to_bf16(values + i, &expected, 1);
            if (i < SPECIAL) assert_int_equal(expected, rounded[i]);
            if (out[i] != expected)
                fail_msg("%s to_bf16: %08x gives %04x, not %04x", table->name, in[i], out[i],
                         expected);
            memcpy(&bits, wide + i, sizeof bits);
            assert_int_equal(bits, (uint32_t)out[i] << 16);
        }
        guarded_free(&guard);
        guarded_free(&wide_guard);
        free(exact);
    }
    free(in);
    free(values);
}

static double exact_sigmoid(double x) {
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}

/* σ and tanh over the whole range of float32: a sweep, all magnitudes of both signs, and the ends.
 */
static void check_accuracy(const nn_kernels *table) {
    enum { N = 4096 };
    static float x[2 * N], z[N], saved[2 * N];
    double worst_sigmoid = 0, worst_tanh = 0;
    for (int round = 0; round < 64; round++) {
        for (int i = 0; i < N; i++) {
            uint32_t bits = (uint32_t)(((uint64_t)round * N + i) * 0xff000001u / (64 * N));
            memcpy(&x[i], &bits, sizeof bits);
            if (!isfinite(x[i])) x[i] = i & 1 ? INFINITY : -INFINITY;
            if (round >= 16) x[i] = (float)((round - 16) * N + i) / (48.0f * N) * 240.0f - 120.0f;
            if (round >= 40) x[i] /= 12.0f;
            x[N + i] = x[i];
        }
        table->gate(N, x, NULL, 0, NULL, 0, z, NULL, saved, NULL);
        for (int i = 0; i < N; i++) {
            double s = fabs(saved[i] - exact_sigmoid(x[i])),
                   t = fabs(saved[N + i] - tanh((double)x[i]));
            if (!(s <= 2e-7) || !(t <= 2e-7))
                fail_msg("%s gate: at %.9g errors of %.3g (sigmoid) and %.3g (tanh)", table->name,
                         (double)x[i], s, t);
            if (s > worst_sigmoid) worst_sigmoid = s;
            if (t > worst_tanh) worst_tanh = t;
            assert_true(z[i] == saved[i] * saved[N + i]);
        }
    }
    /* Where a search of all floats between 2^-31 and 128 found the largest errors of the
     * polynomial. */
    x[0] = 2.93743825f;
    x[1] = -1.46871912f;
    table->gate(1, x, NULL, 0, NULL, 0, z, NULL, saved, NULL);
    worst_sigmoid = fmax(worst_sigmoid, fabs(saved[0] - exact_sigmoid(x[0])));
    worst_tanh = fmax(worst_tanh, fabs(saved[1] - tanh((double)x[1])));
    assert_true(worst_sigmoid <= 2e-7 && worst_tanh <= 2e-7);
    print_message("%s: worst error of sigmoid %.3g, of tanh %.3g\n", table->name, worst_sigmoid,
                  worst_tanh);
    x[0] = NAN;
    x[1] = NAN;
    table->gate(1, x, NULL, 0, NULL, 0, z, NULL, saved, NULL);
    assert_true(isnan(z[0]) && isnan(saved[0]) && isnan(saved[1]));
    x[0] = 0.0f;
    x[1] = 0.0f;
    table->gate(1, x, NULL, 0, NULL, 0, z, NULL, saved, NULL);
    assert_true(saved[0] == 0.5f && saved[1] == 0.0f && z[0] == 0.0f);
}

static void check_gate(const nn_kernels *table) {
    static const int counts[] = {1, 3, 8, 15, 16, 17, 31, 48, 64, 96, 100};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        for (int variant = 0; variant < 16; variant++) {
            int n = counts[i];
            bool half = variant & 1, save = variant & 2;
            float *h = random_floats(2 * (size_t)n),
                  *c0 = variant & 4 ? random_floats(2 * (size_t)n) : NULL;
            float *c1 = variant & 8 ? random_floats(2 * (size_t)n) : NULL;
            for (int j = 0; j < 2 * n; j++) h[j] *= 6;
            float z[100], s[200];
            twin->gate(n, h, c0, 0.25f, c1, 0.75f, z, NULL, s, NULL);
            guarded guard, saved_guard;
            size_t size = half ? sizeof(bf16) : sizeof(float);
            void *out = guarded_new(&guard, (size_t)n * size);
            void *saved = guarded_new(&saved_guard, 2 * (size_t)n * size);
            table->gate(n, h, c0, 0.25f, c1, 0.75f, half ? NULL : out, half ? out : NULL,
                        save && !half ? saved : NULL, save && half ? saved : NULL);
            /* Half a unit in the last of 8 places, for values up to 1. */
            double bound = half ? 0x1p-9 + 1e-6 : 1e-6;
            for (int j = 0; j < n; j++)
                assert_close(half ? (float)0 : ((float *)out)[j], half ? 0 : z[j], bound,
                             table->name, "gate", 0, j);
            if (half) {
                float wide[200];
                twin->from_bf16(out, wide, (size_t)n);
                for (int j = 0; j < n; j++)
                    assert_close(wide[j], z[j], bound, table->name, "gate bf16", 0, j);
            }
            if (save) {
                float wide[200];
                if (half)
                    twin->from_bf16(saved, wide, 2 * (size_t)n);
                else
                    memcpy(wide, saved, 2 * (size_t)n * sizeof *wide);
                for (int j = 0; j < 2 * n; j++)
                    assert_close(wide[j], s[j], bound, table->name, "gate saved", 0, j);
            }
            guarded_free(&guard);
            guarded_free(&saved_guard);
            free(h), free(c0), free(c1);
        }
}

static void check_gate_backward(const nn_kernels *table) {
    static const int counts[] = {1, 7, 16, 33, 96};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        for (int variant = 0; variant < 16; variant++) {
            int n = counts[i];
            bool half_in = variant & 1, half_out = variant & 2;
            float *dz = random_floats((size_t)n), *saved = random_floats(2 * (size_t)n);
            bf16 *saved16 = random_bf16(2 * (size_t)n);
            float *sums = random_floats(4 * (size_t)n), sums_expected[400];
            float *dc0 = variant & 4 ? sums : NULL, *dc1 = variant & 8 ? sums + 2 * n : NULL;
            memcpy(sums_expected, sums, 4 * (size_t)n * sizeof *sums);
            float expected[200], wide[200];
            twin->gate_backward(n, dz, half_in ? NULL : saved, half_in ? saved16 : NULL, expected,
                                NULL, dc0 ? sums_expected : NULL, 0.25f,
                                dc1 ? sums_expected + 2 * n : NULL, 0.75f);
            guarded guard;
            size_t size = half_out ? sizeof(bf16) : sizeof(float);
            void *out = guarded_new(&guard, 2 * (size_t)n * size);
            table->gate_backward(n, dz, half_in ? NULL : saved, half_in ? saved16 : NULL,
                                 half_out ? NULL : out, half_out ? out : NULL, dc0, 0.25f, dc1,
                                 0.75f);
            if (half_out)
                twin->from_bf16(out, wide, 2 * (size_t)n);
            else
                memcpy(wide, out, 2 * (size_t)n * sizeof *wide);
            for (int j = 0; j < 2 * n; j++)
                assert_close(wide[j], expected[j],
                             1e-6 + (half_out ? fabs((double)expected[j]) * 0x1p-8 : 0),
                             table->name, "gate_backward", 0, j);
            for (int j = 0; j < 4 * n; j++)
                assert_close(sums[j], sums_expected[j], 1e-6, table->name, "gate_backward sums", 0,
                             j);
            guarded_free(&guard);
            free(dz), free(saved), free(saved16), free(sums);
        }
}

static void check_residual(const nn_kernels *table) {
    static const int counts[] = {1, 7, 16, 33, 96};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        for (int variant = 0; variant < 3; variant++) {
            size_t n = (size_t)counts[i], bytes = n * sizeof(float);
            bool half = variant == 1;
            float *out = random_floats(2 * n), *start = random_floats(2 * n);
            float *step = variant == 2 ? NULL : random_floats(n);
            float x[100], skip[100], y[100];
            memcpy(x, start, bytes);
            memcpy(skip, start + n, bytes);
            twin->residual(counts[i], out, x, skip, step, y, NULL);
            guarded x_guard, skip_guard, y_guard;
            float *x_is = guarded_new(&x_guard, bytes), *skip_is = guarded_new(&skip_guard, bytes);
            void *y_is = guarded_new(&y_guard, half ? n * sizeof(bf16) : bytes);
            memcpy(x_is, start, bytes);
            memcpy(skip_is, start + n, bytes);
            table->residual(counts[i], out, x_is, skip_is, step, half ? NULL : y_is,
                            half ? y_is : NULL);
            assert_memory_equal(x_is, x, bytes); /* a sum and a product each: no freedom */
            assert_memory_equal(skip_is, skip, bytes);
            if (half) {
                bf16 rounded[100];
                twin->to_bf16(y, rounded, n);
                assert_memory_equal(y_is, rounded, n * sizeof(bf16));
            } else if (step) {
                assert_memory_equal(y_is, y, bytes);
            }
            guarded_free(&x_guard);
            guarded_free(&skip_guard);
            guarded_free(&y_guard);
            free(out), free(start), free(step);
        }
}

static void check_residual_backward(const nn_kernels *table) {
    static const int counts[] = {1, 7, 16, 33, 96};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        for (int variant = 0; variant < 8; variant++) {
            size_t n = (size_t)counts[i], bytes = n * sizeof(float);
            bool half = variant & 1, sum = variant & 2;
            float *dy = random_floats(2 * n), *dy2 = variant & 4 ? dy + n : NULL,
                  *start = random_floats(3 * n), expected[300];
            bf16 rounded[100];
            memcpy(expected, start, 3 * bytes);
            twin->residual_backward(counts[i], dy, dy2, 0.7f, expected, rounded, expected + n,
                                    sum ? expected + 2 * n : NULL);
            guarded guard, half_guard;
            float *is = guarded_new(&guard, 3 * bytes);
            bf16 *half_is = guarded_new(&half_guard, n * sizeof *half_is);
            memcpy(is, start, 3 * bytes);
            table->residual_backward(counts[i], dy, dy2, 0.7f, is, half ? half_is : NULL, is + n,
                                     sum ? is + 2 * n : NULL);
            assert_memory_equal(is, expected, 3 * bytes);
            if (half) assert_memory_equal(half_is, rounded, n * sizeof(bf16));
            guarded_free(&guard);
            guarded_free(&half_guard);
            free(dy), free(start);
        }
}

/* All three of minimal filtering, on one set of values. */
static void check_pairs(const nn_kernels *table) {
    static const size_t counts[] = {1, 7, 16, 33, 96};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        size_t n = counts[i], bytes = n * sizeof(float);
        float *y = random_floats(4 * n), expected[400];
        guarded guard;
        float *x = guarded_new(&guard, 4 * bytes);
        twin->pair_inputs(n, y, y + n, y + 2 * n, y + 3 * n, expected, expected + n,
                          expected + 2 * n, expected + 3 * n);
        table->pair_inputs(n, y, y + n, y + 2 * n, y + 3 * n, x, x + n, x + 2 * n, x + 3 * n);
        assert_memory_equal(x, expected, 4 * bytes);
        twin->sum_difference(n, y, y + n, expected, expected + n);
        table->sum_difference(n, y, y + n, x, x + n);
        assert_memory_equal(x, expected, 2 * bytes);
        table->sum_difference(n, x, x + n, x, x + n); /* in place */
        twin->sum_difference(n, expected, expected + n, expected, expected + n);
        assert_memory_equal(x, expected, 2 * bytes);
        memcpy(expected, y, 4 * bytes);
        memcpy(x, y, 4 * bytes);
        twin->pair_gradients(n, expected, expected + n, expected + 2 * n, expected + 3 * n);
        table->pair_gradients(n, x, x + n, x + 2 * n, x + 3 * n);
        assert_memory_equal(x, expected, 4 * bytes);
        guarded_free(&guard);
        free(y);
    }
}

static void check_silu(const nn_kernels *table) {
    enum { N = 1003 };
    float *x = random_floats(N);
    for (int i = 0; i < N; i++) x[i] = i < 500 ? x[i] * 10 : x[i] * exp2f((float)(i % 250 - 125));
    for (size_t n = 0; n <= N; n = n < 40 ? n + 1 : n < N ? N : n + 1) {
        guarded guard;
        float *y = guarded_new(&guard, n * sizeof *y);
        table->silu(x, y, n);
        float *in_place = random_floats(n);
        memcpy(in_place, x, n * sizeof *x);
        table->silu(in_place, in_place, n);
        for (size_t i = 0; i < n; i++) {
            double expected = x[i] * exact_sigmoid(x[i]);
            assert_close(y[i], (float)expected, 1e-6 * fmax(1, fabs(expected)), table->name, "silu",
                         0, (int)i);
            assert_true(in_place[i] == y[i]);
        }
        free(in_place);
        guarded_free(&guard);
    }
    free(x);
}

static void for_each_table(void (*check)(const nn_kernels *table)) {
    int count = 0;
    for (const char *const *name = nn_kernels_names(); *name; name++) {
        const nn_kernels *table = nn_kernels_named(*name);
        if (!table) {
            print_message("%s: not on this CPU\n", *name);
            continue;
        }
        assert_string_equal(table->name, *name);
        check(table);
        count++;
    }
    assert_true(count >= 2); /* the twins and OpenBLAS run everywhere */
    check(emulated_amx());
}

static void check_products_f32(const nn_kernels *table) {
    check_products(table, false);
}

static void check_products_bf16(const nn_kernels *table) {
    check_products(table, true);
}

static void check_outer_f32(const nn_kernels *table) {
    check_outer(table, false);
}

static void check_outer_bf16(const nn_kernels *table) {
    check_outer(table, true);
}

static const nn_kernels *broken;

/* The last element is a little off. */
static void wrong_product(int rows, int n, int k, int taps, const bf16 *const *a, size_t lda,
                          const bf16 *packed, const float *bias, bool accumulate, float *c,
                          size_t ldc) {
    broken->product_bf16(rows, n, k, taps, a, lda, packed, bias, accumulate, c, ldc);
    c[(size_t)(rows - 1) * ldc + n - 1] += 1.0f / 64;
}

static void wrong_outer(int rows, int m, int n, const bf16 *a, size_t lda, const bf16 *b,
                        size_t ldb, float *c, size_t ldc, void *scratch) {
    broken->outer_bf16(rows, m, n, a, lda, b, ldb, c, ldc, scratch);
    c[(size_t)(m - 1) * ldc + n - 1] += 1.0f / 64;
}

/* What decides whether an untried kernel is used: it passes all tables, and no broken one. */
static void check_self(const nn_kernels *table) {
    nn_kernels other = *table;
    broken = table;
    assert_true(nn_self_check(table));
    other.product_bf16 = wrong_product;
    assert_false(nn_self_check(&other));
    other = *table;
    other.outer_bf16 = wrong_outer;
    assert_false(nn_self_check(&other));
}

#define EACH(name)                                                                                 \
    static void test_##name(void **unused) {                                                       \
        (void)unused;                                                                              \
        for_each_table(check_##name);                                                              \
    }
EACH(products_f32)
EACH(products_bf16)
EACH(columns)
EACH(packing)
EACH(outer_f32)
EACH(outer_bf16)
EACH(conversions)
EACH(accuracy)
EACH(gate)
EACH(gate_backward)
EACH(residual)
EACH(residual_backward)
EACH(pairs)
EACH(silu)
EACH(self)

static int set_up(void **unused) {
    (void)unused;
    twin = nn_kernels_named("reference");
    return twin ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products_f32), cmocka_unit_test(test_products_bf16),
        cmocka_unit_test(test_columns),      cmocka_unit_test(test_packing),
        cmocka_unit_test(test_outer_f32),    cmocka_unit_test(test_outer_bf16),
        cmocka_unit_test(test_conversions),  cmocka_unit_test(test_accuracy),
        cmocka_unit_test(test_gate),         cmocka_unit_test(test_gate_backward),
        cmocka_unit_test(test_residual),     cmocka_unit_test(test_residual_backward),
        cmocka_unit_test(test_silu),         cmocka_unit_test(test_self),
        cmocka_unit_test(test_pairs),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
