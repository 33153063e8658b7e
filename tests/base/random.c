/* Philox against its published answers; deviates against their definition and their distribution.
 */
#include "temporary.h"

#include <math.h>

#include "base/random.h"

/* Random123's kat_vectors, philox4x32 with 10 rounds. */
static void known_answers(void **state) {
    (void)state;
    static const uint32_t vectors[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d,
         0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
         0x94fdcceb, 0x5001e420, 0x24126ea1},
    };
    for (int i = 0; i < 3; i++) {
        uint32_t out[4];
        random_philox(vectors[i], vectors[i] + 4, out);
        assert_memory_equal(out, vectors[i] + 6, sizeof out);
    }
}

/* Each deviate from random_philox and the mathematical library in double precision. */
static void is_box_muller_of_philox(void **state) {
    (void)state;
    enum { N = 40000 };
    static float got[N];
    const uint64_t seed = 0x0123456789abcdefu, first = (uint64_t)0xffffffffu * 4 - N / 2;
    const uint32_t key[2] = {0x89abcdef, 0x01234567};
    random_normal(seed, 77, first, got, N); /* passes from 32 to 33 bits of block number */
    for (size_t i = 0; i < N; i++) {
        uint64_t block = (first + i) / 4, lane = (first + i) % 4;
        uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), 77, 0}, w[4];
        random_philox(counter, key, w);
        double u = ((double)(w[lane & 2] >> 1) + 0.5) / 2147483648.0;
        double v = (double)w[(lane & 2) + 1] / 4294967296.0;
        double radius = sqrt(-2 * log(u)), angle = 2 * 3.14159265358979323846 * v;
        double wanted = radius * (lane % 2 == 0 ? cos(angle) : sin(angle));
        /* Where u is nearly 1 the float that holds it has steps of 2^-24: the radius is less exact.
         */
        double tolerance = 1e-6 * (1 + fabs(wanted)) + 1e-7 / (radius + 1e-9);
        if (fabs(got[i] - wanted) > tolerance) {
            fail_msg("deviate %zu is %.9g, expected %.9g", i, (double)got[i], wanted);
        }
    }
}

static void does_not_depend_on_cuts(void **state) {
    (void)state;
    enum { N = 3001 };
    static float whole[N], part[N];
    const uint64_t first = 12345678901u;
    random_normal(42, 3, first, whole, N);
    for (size_t piece = 1; piece <= 1300; piece = piece * 3 / 2 + 1) {
        memset(part, 0, sizeof part);
        for (size_t at = 0; at < N; at += piece) {
            random_normal(42, 3, first + at, part + at, N - at < piece ? N - at : piece);
        }
        assert_memory_equal(part, whole, sizeof whole);
    }
    random_normal(42, 3, first, NULL, 0);
}

static void depends_on_seed_and_stream(void **state) {
    (void)state;
    float a[64], b[64];
    random_normal(1, 0, 0, a, 64);
    const struct {
        uint64_t seed;
        uint32_t stream;
        uint64_t first;
    } others[] = {{2, 0, 0}, {1, 1, 0}, {1, 0, 1}, {1 + ((uint64_t)1 << 32), 0, 0}};
    for (size_t k = 0; k < 4; k++) {
        random_normal(others[k].seed, others[k].stream, others[k].first, b, 64);
        for (int i = 0; i < 64; i++) assert_true(a[i] != b[i]);
    }
}

static void has_the_moments_of_a_normal(void **state) {
    (void)state;
    enum { N = 1 << 20 };
    static float x[N];
    random_normal(7, 9, 0, x, N);
    double sums[5] = {0}, lag[4] = {0};
    size_t beyond[5] = {0};
    for (size_t i = 0; i < N; i++) {
        double power = 1;
        assert_true(isfinite(x[i]));
        for (int k = 1; k <= 4; k++) sums[k] += power *= x[i];
        for (int k = 0; k < 4; k++)
            lag[k] += i + (size_t)k + 1 < N ? x[i] * x[i + (size_t)k + 1] : 0;
        for (int k = 1; k <= 4; k++) beyond[k] += fabsf(x[i]) > (float)k;
    }
    /* Five standard errors: variances of x, x², x³, x⁴ are 1, 2, 15, 96. */
    const double expected[5] = {0, 0, 1, 0, 3}, variance[5] = {0, 1, 2, 15, 96};
    for (int k = 1; k <= 4; k++) {
        assert_true(fabs(sums[k] / N - expected[k]) < 5 * sqrt(variance[k] / N));
    }
    for (int k = 0; k < 4; k++) assert_true(fabs(lag[k] / N) < 5 / sqrt(N));
    for (int k = 1; k <= 4; k++) {
        double p = erfc(k / sqrt(2.0));
        assert_true(fabs((double)beyond[k] / N - p) < 5 * sqrt(p * (1 - p) / N));
    }
}

static void uniform_is_uniform(void **state) {
    (void)state;
    enum { N = 1 << 18, BINS = 64 };
    size_t bins[BINS] = {0};
    double sum = 0, squares = 0;
    for (uint64_t i = 0; i < N; i++) {
        double u = random_uniform(5, 1, i);
        assert_true(u >= 0 && u < 1);
        bins[(size_t)(u * BINS)]++;
        sum += u;
        squares += u * u;
    }
    assert_true(fabs(sum / N - 0.5) < 5 * sqrt(1.0 / 12 / N));
    assert_true(fabs(squares / N - 1.0 / 3) < 5 * sqrt(4.0 / 45 / N));
    double chi = 0, wanted = (double)N / BINS;
    for (int k = 0; k < BINS; k++)
        chi += ((double)bins[k] - wanted) * ((double)bins[k] - wanted) / wanted;
    assert_true(chi > 20 && chi < 130); /* 63 degrees of freedom */
    assert_true(random_uniform(5, 1, 10) == random_uniform(5, 1, 10));
    assert_true(random_uniform(5, 1, 10) != random_uniform(5, 2, 10));
    /* 53 bits: the lowest one is used. */
    double scaled = random_uniform(5, 1, 1) * 0x1p53;
    assert_true(scaled == floor(scaled));
    int odd = 0;
    for (uint64_t i = 0; i < 64; i++) odd += fmod(random_uniform(5, 1, i) * 0x1p53, 2) != 0;
    assert_true(odd > 10 && odd < 54);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(is_box_muller_of_philox),
        cmocka_unit_test(does_not_depend_on_cuts),
        cmocka_unit_test(depends_on_seed_and_stream),
        cmocka_unit_test(has_the_moments_of_a_normal),
        cmocka_unit_test(uniform_is_uniform),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
