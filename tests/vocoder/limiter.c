/* The limiter: identity below its knee, smooth and monotonous above, never NaN. */
#include "vocoder/limiter.h"
#include "vocoder/denormals.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void identity_below(void **state) {
    (void)state;
    enum { N = 1961 };
    float x[N], y[N];
    uint64_t limited = 0;
    for (int i = 0; i < N; i++) y[i] = x[i] = (float)(i - 980) / 1000;
    assert_true(vocoder_limiter_run(y, N, &limited));
    assert_memory_equal(x, y, sizeof x);
    assert_int_equal(limited, 0);
}

static void smooth_above(void **state) {
    (void)state;
    enum { N = 4000 };
    float y[N];
    uint64_t limited = 0;
    for (int i = 0; i < N; i++) y[i] = (float)i / 2000;
    assert_true(vocoder_limiter_run(y, N, &limited));
    assert_int_equal(limited, N - 1961);
    double before = 1;
    for (int i = 1; i < N; i++) {
        double slope = ((double)y[i] - y[i - 1]) * 2000;
        assert_true(slope >= 0 &&
                    slope <= before + 1e-3); /* 1 at first, falling without a corner */
        assert_true(before - slope < 0.05);
        before = slope;
    }
    assert_true(y[N - 1] <= 1 && y[N - 1] > 0.999f);
    float extreme[] = {-1e30f, 1e30f, -0.5f};
    assert_true(vocoder_limiter_run(extreme, 3, &limited));
    assert_true(extreme[0] == -1 && extreme[1] == 1 && extreme[2] == -0.5f);
}

static void not_finite(void **state) {
    (void)state;
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        float x[] = {0.1f, 0.2f, bad[i], 0.3f};
        uint64_t limited = 0;
        assert_false(vocoder_limiter_run(x, 4, &limited));
        for (int j = 0; j < 4; j++) assert_true(x[j] == 0);
    }
}

/* Flushing is on between the two calls and as it was after them. */
static void denormals(void **state) {
    (void)state;
#if defined(__x86_64__) || defined(__aarch64__)
    volatile float tiny = 1e-38f, hundredth = 0.01f;
    volatile float product = tiny * hundredth;
    assert_true(product > 0);
    uint64_t before = vocoder_denormals_off();
    product = tiny * hundredth;
    assert_true(product == 0);
    vocoder_denormals_restore(before);
    product = tiny * hundredth;
    assert_true(product > 0);
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_below),
        cmocka_unit_test(smooth_above),
        cmocka_unit_test(not_finite),
        cmocka_unit_test(denormals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
