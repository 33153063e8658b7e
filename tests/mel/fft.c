/* The transforms against the sums that define them, for every kind of size; the same bits for every
 * width of vectors; from several threads, beside a host that plans, and out of memory. */
#include "mel/fft.h"
#include "mel/stockham.h"

#include "goldens.h"

#include "base/random.h"
#include <pthread.h>

#if MEL_FFTW
#include <fftw3.h>
#endif

/* Every small size; conventions' and their halves; primes; sizes with a large factor. */
static const int sizes[] = {1,   2,   3,   4,    5,    6,    7,    8,    9,    10,   12,   14,
                            15,  16,  20,  21,   22,   24,   25,   30,   32,   34,   45,   48,
                            49,  50,  60,  64,   75,   77,   96,   97,   100,  120,  128,  202,
                            240, 256, 300, 384,  400,  441,  480,  512,  600,  625,  640,  800,
                            882, 960, 964, 1000, 1024, 1200, 1536, 1764, 1920, 2048, 2187, 4096};
enum { SIZES = sizeof sizes / sizeof *sizes, MOST = 4096 };

static double turned(const float *x, int step, int n, int k, int sign, double *im) {
    double re = 0;
    *im = 0;
    for (int j = 0; j < n; j++) {
        const double angle = sign * 2 * M_PI * (double)((long)k * j % n) / n;
        const double a = x[step * j], b = step == 2 ? x[2 * j + 1] : 0;
        re += a * cos(angle) - b * sin(angle);
        *im += a * sin(angle) + b * cos(angle);
    }
    return re;
}

static mel_stockham *made(int size, bool real, int lanes) {
    mel_stockham *t;
    lull_error error;
    assert_ok(mel_stockham_new(size, real, lanes, &t, &error), error);
    return t;
}

/* All bins of small transforms, some of large ones. */
static int stride_of(int n) {
    return n > 128 ? n / 41 : 1;
}

static void complex_equals_the_sum(void **state) {
    (void)state;
    static float x[2 * MOST], y[2 * MOST];
    random_normal(1, 0, 0, x, 2 * MOST);
    for (int i = 0; i < SIZES; i++)
        for (int forward = 0; forward < 2; forward++) {
            const int n = sizes[i];
            mel_stockham *t = made(n, false, 0);
            mel_stockham_run(t, forward, x, y);
            for (int k = 0; k < n; k += stride_of(n)) {
                double im;
                const double re = turned(x, 2, n, k, forward ? -1 : 1, &im);
                const double error = hypot(re - y[2 * k], im - y[2 * k + 1]);
                if (!(error < 4e-7 * sqrt(n) * (1 + log2(n))))
                    fail_msg("size %d, bin %d: off by %g", n, k, error);
            }
            /* In place, too. */
            static float z[2 * MOST];
            memcpy(z, x, sizeof x);
            mel_stockham_run(t, forward, z, z);
            assert_memory_equal(z, y, 2 * (size_t)n * sizeof *z);
            mel_stockham_free(t);
        }
}

static void every_width_gives_the_same_bits(void **state) {
    (void)state;
    static const int lanes[] = {1, 4, 8, 16}; /* those that the CPU lacks are as the ones before */
    static float x[2 * MOST], y[4][2 * MOST + 2], z[4][2 * MOST];
    random_normal(2, 0, 0, x, 2 * MOST);
    for (int i = 0; i < SIZES; i++)
        for (int real = 0; real <= (sizes[i] % 2 == 0); real++) {
            const size_t n = (size_t)sizes[i];
            for (int w = 0; w < 4; w++) {
                mel_stockham *t = made(sizes[i], real, lanes[w]);
                if (real) {
                    float spectrum[MOST + 2];
                    mel_stockham_forward(t, x, y[w]);
                    memcpy(spectrum, y[w], (n + 2) * sizeof(float));
                    mel_stockham_inverse(t, spectrum, z[w]);
                } else {
                    mel_stockham_run(t, true, x, y[w]);
                    mel_stockham_run(t, false, x, z[w]);
                }
                assert_memory_equal(y[w], y[0], sizeof(float) * (real ? n + 2 : 2 * n));
                assert_memory_equal(z[w], z[0], sizeof(float) * (real ? n : 2 * n));
                mel_stockham_free(t);
            }
        }
}

static void real_equals_the_sum(void **state) {
    (void)state;
    for (int i = 0; i < SIZES; i++)
        for (int kind = 0; kind < 2; kind++) {
            lull_error error;
            mel_fft *t;
            const int n = sizes[i];
            if (n % 2) continue;
            assert_ok(mel_fft_new(n, (mel_fft_kind)kind, &t, &error), error);
            assert_int_equal(t->bins, n / 2 + 1);
            float x[MOST];
            random_normal(1, 0, 0, x, (size_t)n);
            memcpy(t->real, x, (size_t)n * sizeof(float));
            mel_fft_forward(t);
            assert_memory_equal(t->real, x, (size_t)n * sizeof(float));
            for (int k = 0; k < t->bins; k += stride_of(n)) {
                double im;
                const double re = turned(x, 1, n, k, -1, &im);
                const float *got = t->spectrum + 2 * k;
                assert_true(hypot(re - got[0], im - got[1]) < 4e-7 * sqrt(n) * (1 + log2(n)));
            }
            assert_true(t->spectrum[1] == 0 && t->spectrum[2 * t->bins - 1] == 0);
            mel_fft_inverse(t);
            for (int j = 0; j < n; j++) assert_true(fabsf(t->real[j] / (float)n - x[j]) < 4e-6f);
            mel_fft_free(t);
        }
}

/* The pair as it is used: both ways, and what the size is allowed to be. */
static void pairs(void **state) {
    (void)state;
    for (int i = 0; i < SIZES; i++) {
        lull_error error;
        mel_fft_pair *t;
        const int n = sizes[i];
        if (n % 2) continue;
        assert_ok(mel_fft_pair_new(n, &t, &error), error);
        float x[2 * MOST];
        random_normal(3, 0, 0, x, 2 * (size_t)n);
        memcpy(t->frames, x, 2 * (size_t)n * sizeof(float));
        mel_fft_pair_forward(t);
        for (int k = 0; k < n; k += stride_of(n)) {
            double im;
            const double re = turned(x, 2, n, k, -1, &im);
            assert_true(hypot(re - t->spectrum[2 * k], im - t->spectrum[2 * k + 1]) <
                        4e-7 * sqrt(n) * (1 + log2(n)));
        }
        mel_fft_pair_inverse(t);
        for (int j = 0; j < 2 * n; j++) assert_true(fabsf(t->frames[j] / (float)n - x[j]) < 4e-6f);
        mel_fft_pair_free(t);
    }
}

static void refusals(void **state) {
    (void)state;
    lull_error error;
    mel_fft *t;
    mel_fft_pair *pair;
    mel_stockham *own;
    for (int kind = 0; kind < 2; kind++) {
        assert_int_equal(mel_fft_new(0, (mel_fft_kind)kind, &t, &error), LULL_INVALID);
        assert_int_equal(mel_fft_new(33, (mel_fft_kind)kind, &t, &error), LULL_INVALID);
        assert_null(t);
    }
    assert_int_equal(mel_fft_pair_new(33, &pair, &error), LULL_INVALID);
    assert_int_equal(mel_stockham_new(0, false, 0, &own, &error), LULL_INVALID);
    assert_int_equal(mel_stockham_new(7, true, 0, &own, &error), LULL_INVALID);
    mel_fft_free(NULL);
    mel_fft_pair_free(NULL);
    mel_stockham_free(NULL);
}

static void no_memory(void **state) {
    (void)state;
    for (int which = 0; which < 3; which++)
        for (size_t n = 1;; n++) {
            mel_fft *t = NULL;
            mel_fft_pair *pair = NULL;
            base_memory_fail_at(n);
            const lull_status status = which < 2 ? mel_fft_new(600, (mel_fft_kind)which, &t, NULL)
                                                 : mel_fft_pair_new(600, &pair, NULL);
            base_memory_fail_at(0);
            mel_fft_free(t);
            mel_fft_pair_free(pair);
            if (status == LULL_OK) {
                assert_true(n > 4); /* FFTW's own allocations are counted by the room for them */
                break;
            }
            assert_int_equal(status, LULL_NO_MEMORY);
        }
}

static void *make_and_use(void *context) {
    float *sum = context;
    for (int i = 0; i < 30; i++) {
        mel_fft *t;
        if (mel_fft_new(1024, MEL_FFT_FAST, &t, NULL)) return NULL;
        random_normal(1, 0, 0, t->real, 1024);
        mel_fft_forward(t);
        for (int k = 0; k < 2 * t->bins; k++) *sum += t->spectrum[k];
        mel_fft_free(t);
    }
    return context;
}

#if MEL_FFTW_THREADS
/* A program of its own FFTs, which knows nothing of our lock. */
static void *host(void *context) {
    for (int i = 0; i < 200; i++) {
        const int n = 1000 + i % 24;
        float *x = fftwf_malloc(sizeof(float) * 2048);
        fftwf_complex *y = fftwf_malloc(sizeof(fftwf_complex) * 2048);
        fftwf_plan plan = fftwf_plan_dft_r2c_1d(n, x, y, FFTW_ESTIMATE);
        if (!plan) return NULL;
        fftwf_destroy_plan(plan);
        fftwf_free(x);
        fftwf_free(y);
    }
    return context;
}
#endif

static void many_threads(void **state) {
    (void)state;
    pthread_t threads[6];
    float sums[6] = {0};
    int count = 4;
    /* Whoever comes first makes the planner safe. */
    mel_fft *first;
    assert_int_equal(mel_fft_new(16, MEL_FFT_FAST, &first, NULL), LULL_OK);
    mel_fft_free(first);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_and_use, &sums[i]), 0);
#if MEL_FFTW_THREADS
    for (; count < 6; count++)
        assert_int_equal(pthread_create(&threads[count], NULL, host, &sums[count]), 0);
#endif
    for (int i = 0; i < count; i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_ptr_equal(result, &sums[i]);
        if (i < 4) assert_true(sums[i] == sums[0]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(complex_equals_the_sum),
        cmocka_unit_test(every_width_gives_the_same_bits),
        cmocka_unit_test(real_equals_the_sum),
        cmocka_unit_test(pairs),
        cmocka_unit_test(refusals),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
