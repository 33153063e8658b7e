/* The transform against the sum that defines it, and from several threads. */
#include "mel/fft.h"
#include "mel/plain_fft.h"

#include "goldens.h"

#include "base/random.h"
#include <pthread.h>

static void equals_the_sum(void **state) {
    (void)state;
    static const int sizes[] = {2, 16, 50, 512, 1200};
    for (size_t i = 0; i < 5; i++) {
        lull_error error;
        fft *t;
        const int n = sizes[i];
        assert_ok(fft_new(n, &t, &error), error);
        assert_int_equal(t->bins, n / 2 + 1);
        float *x = base_alloc((size_t)n, sizeof(float));
        random_normal(1, 0, 0, x, (size_t)n);
        memcpy(t->real, x, (size_t)n * sizeof(float));
        fft_forward(t);
        assert_memory_equal(t->real, x, (size_t)n * sizeof(float));
        for (int k = 0; k < t->bins; k++) {
            double re = 0, im = 0;
            for (int j = 0; j < n; j++) {
                re += (double)x[j] * cos(2 * M_PI * ((double)k * j / n));
                im -= (double)x[j] * sin(2 * M_PI * ((double)k * j / n));
            }
            assert_true(fabs((double)t->spectrum[2 * k] - re) < 2e-5 * n);
            assert_true(fabs((double)t->spectrum[2 * k + 1] - im) < 2e-5 * n);
        }
        fft_inverse(t);
        for (int j = 0; j < n; j++) assert_true(fabsf(t->real[j] / (float)n - x[j]) < 1e-5f);
        base_free(x);
        fft_free(t);
    }
    lull_error error;
    fft *t;
    assert_int_equal(fft_new(0, &t, &error), LULL_INVALID);
    assert_int_equal(fft_new(33, &t, &error), LULL_INVALID);
    assert_null(t);
    fft_free(NULL);
}

static void plain_equals_the_other(void **state) {
    (void)state;
    for (int n = 4; n <= 16384; n *= 2) {
        lull_error error;
        fft *t;
        plain_fft *plain;
        assert_ok(fft_new(n, &t, &error), error);
        assert_ok(plain_fft_new(n, &plain, &error), error);
        float *spectrum = base_alloc(2 * (size_t)t->bins, sizeof(float));
        random_normal(1, 0, 0, t->real, (size_t)n);
        fft_forward(t);
        plain_fft_forward(plain, t->real, spectrum);
        assert_true(largest_difference(spectrum, t->spectrum, 2 * (size_t)t->bins) <
                    2e-6 * sqrt(n) * log2(n));
        base_free(spectrum);
        plain_fft_free(plain);
        fft_free(t);
    }
    lull_error error;
    plain_fft *plain;
    assert_int_equal(plain_fft_new(1000, &plain, &error), LULL_INVALID);
    assert_false(plain_fft_can(0));
    plain_fft_free(NULL);
}

static void *make_and_use(void *context) {
    float *sum = context;
    for (int i = 0; i < 30; i++) {
        fft *t;
        if (fft_new(1024, &t, NULL)) return NULL;
        random_normal(1, 0, 0, t->real, 1024);
        fft_forward(t);
        for (int k = 0; k < 2 * t->bins; k++) *sum += t->spectrum[k];
        fft_free(t);
    }
    return context;
}

static void many_threads(void **state) {
    (void)state;
    pthread_t threads[4];
    float sums[4] = {0};
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_and_use, &sums[i]), 0);
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_ptr_equal(result, &sums[i]);
        assert_true(sums[i] == sums[0]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(equals_the_sum),
                                       cmocka_unit_test(plain_equals_the_other),
                                       cmocka_unit_test(many_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
