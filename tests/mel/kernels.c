/* Each instruction set's kernels against the plain ones, to the last bit, on odd sizes and
 * unaligned ends; the plain ones against the mathematics. */
#include "mel/fft.h"
#include "mel/kernels.h"

#include "goldens.h"

#ifndef _WIN32
#include <sys/wait.h>
#include <unistd.h>
#endif

#include "base/random.h"

enum { LONGEST = 1210 };

typedef struct arrays {
    float a[2 * LONGEST + 40], b[2 * LONGEST + 40], c[2 * LONGEST + 40], d[2 * LONGEST + 40];
} arrays;

static void fill(arrays *x, uint64_t seed) {
    random_normal(seed, 0, 0, x->a, 2 * LONGEST + 40);
    random_normal(seed, 1, 0, x->b, 2 * LONGEST + 40);
    random_normal(seed, 2, 0, x->c, 2 * LONGEST + 40);
    random_normal(seed, 3, 0, x->d, 2 * LONGEST + 40);
}

static const int sizes[] = {1, 2, 7, 15, 16, 17, 80, 513, 1024, 1025};

/* Runs kernel number `which` of a table on a copy of the arrays. */
static void run(const mel_kernels *k, int which, const mel_filterbank *filterbank, int n,
                arrays *x) {
    switch (which) {
    case 0:
        k->product(x->a + 1, x->b, x->c + 3, n);
        break;
    case 1:
        k->add(x->a + 1, x->c + 3, n);
        break;
    case 2:
        k->scale(x->a + 1, x->c + 3, n);
        break;
    case 3:
        k->magnitude(x->a + 2, 1e-9f, x->c + 1, n);
        break;
    case 4:
        k->tiles(&filterbank->filters, x->a, x->c, n < 80 ? n : 80);
        break;
    case 5:
        for (int i = 0; i < n; i++) x->b[i] = expf(6 * x->b[i]);
        k->log_ratio(x->a, x->b, 1e-5f, 100, x->c, n);
        break;
    case 6:
        k->interpolated_gain(filterbank, x->a, x->d, x->c, n < 513 ? n : 513);
        break;
    case 7:
        k->apply_gain(x->c, x->a, n);
        break;
    case 8:
        k->pair_window(x->a, x->b + 1, x->c + 2, x->d, n);
        break;
    case 9:
        k->pair_magnitude(x->a, 1e-9f, x->c + 1, x->d + 3, n, n / 2 + 1);
        k->pair_magnitude(x->b, 1e-9f, x->c + 700, x->d + 700, n, n / 3 + 1);
        break;
    case 10:
        k->pair_gain(x->a, x->c + 1, x->d + 3, n, n / 2 + 1);
        k->pair_gain(x->b, x->c + 1, x->d + 3, n, n / 3 + 1);
        break;
    case 11:
        k->pair_momentum(x->a, x->b + 1, 0.9f, x->c + 1, x->d + 3, n);
        break;
    case 12:
        for (int i = 0; i < n; i++) {
            x->b[i] = fabsf(x->b[i]);
            x->c[i] = i % 5 ? fabsf(x->c[i]) : 0;
        }
        k->pull(x->a, x->b, x->b, x->c, x->d + 3, n);
        break;
    }
}

/* The choice is made once a process: each question is asked in a process of its own, before any
 * other test. */
static void the_environment_is_obeyed(void **state) {
    (void)state;
    static const struct {
        const char *wanted, *name;
        int table;
    } cases[] = {{"reference", "plain", 0},
                 {"portable", "plain", 0},
                 {"avx2", "avx2", 1},
                 {"avx512", "avx512", 2}};
#ifdef _WIN32
    (void)cases;
    skip();
#else
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!mel_kernels_at(cases[i].table)) continue;
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            setenv("LULL_CPU", cases[i].wanted, 1);
            _exit(strcmp(mel_kernels_get()->name, cases[i].name) == 0 ? 0 : 1);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
#endif
}

static void twins_agree(void **state) {
    (void)state;
    lull_error error;
    mel_convention c;
    mel_filterbank *filterbank;
    assert_ok(mel_convention_named("hifigan", 22050, &c, &error), error);
    assert_ok(mel_filterbank_new(&c, &filterbank, &error), error);
    int tables = 0;
    for (int t = 1; t < 3; t++) {
        const mel_kernels *kernels = mel_kernels_at(t);
        if (!kernels) continue;
        tables++;
        for (int which = 0; which < 13; which++)
            for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
                arrays plain, fast;
                fill(&plain, s);
                fast = plain;
                run(mel_kernels_at(0), which, filterbank, sizes[s], &plain);
                run(kernels, which, filterbank, sizes[s], &fast);
                const float *p = (const float *)&plain, *q = (const float *)&fast;
                for (size_t i = 0; i < sizeof plain / sizeof(float); i++)
                    if (p[i] != q[i])
                        fail_msg("%s, kernel %d, %d elements: %g instead of %g", kernels->name,
                                 which, sizes[s], (double)q[i], (double)p[i]);
            }
    }
    print_message("    %d table(s) compared with the plain one\n", tables);
    mel_filterbank_free(filterbank);
}

/* The polynomials of exp and ln, over the range that occurs and beyond. */
static void functions_are_exact(void **state) {
    (void)state;
    const mel_kernels *k = mel_kernels_get();
    double worst_exp = 0, worst_log = 0;
    int none = 0, row = 1;
    float weights[8] = {1};
    const mel_filterbank one_bin = {
        .bands = 1,
        .bins = 1,
        .nodes = 1,
        .interpolation = {
            .count = 1, .from = &none, .rows = &row, .first = &none, .weights = weights}};
    for (int i = -8600; i < 8700; i++) {
        const float x = (float)i * 0.01f, zero = 0, one = 1;
        const float values[2] = {x, x};
        float got;
        k->interpolated_gain(&one_bin, values, &one, &got, 1);
        worst_exp =
            fmax(worst_exp, fabs((double)got / exp((double)x) - 1) / fmax(1, fabs((double)x)));
        const float m = expf(x);
        k->log_ratio(&zero, &m, 1e-38f, 1e38f, &got, 1);
        worst_log = fmax(worst_log, fabs(-(double)got - log((double)m)) / fmax(1, fabs((double)x)));
    }
    assert_within("exp, relative", worst_exp, 3e-7);
    assert_within("ln, relative", worst_log, 2e-7);
    for (int sign = -1; sign < 2; sign += 2) {
        const float far[2] = {1000.0f * (float)sign, 1000.0f * (float)sign}, one = 1;
        float got;
        k->interpolated_gain(&one_bin, far, &one, &got, 1);
        assert_true(sign < 0 ? got >= 0 && got < 1e-37f : isfinite(got) && got > 1e38f);
    }
}

/* Two frames in one transform: magnitudes and filtered frames are those of each alone. */
static void pairs_are_two_frames(void **state) {
    (void)state;
    static const int lengths[] = {16, 50, 512, 1024, 1200}; /* gains are zero from `reach` on */
    static const int reach[] = {9, 11, 256, 384, 601};
    for (size_t s = 0; s < 5; s++) {
        const int n = lengths[s], bins = n / 2 + 1;
        lull_error error;
        mel_fft_pair *pair;
        mel_fft *one;
        assert_ok(mel_fft_pair_new(n, &pair, &error), error);
        assert_ok(mel_fft_new(n, MEL_FFT_FAST, &one, &error), error);
        arrays x;
        fill(&x, s);
        float window[LONGEST + 200], gain[2][LONGEST], magnitude[2][LONGEST];
        for (int i = 0; i < n; i++) window[i] = 1;
        for (int k = 0; k < bins; k++) {
            gain[0][k] = k < reach[s] ? fabsf(x.c[k]) : 0;
            gain[1][k] = k < reach[s] ? fabsf(x.d[k]) : 0;
        }
        const mel_kernels *kernels = mel_kernels_get();
        kernels->pair_window(window, x.a, x.b, pair->frames, n);
        mel_fft_pair_forward(pair);
        kernels->pair_magnitude(pair->spectrum, 1e-9f, magnitude[0], magnitude[1], n, bins);
        kernels->pair_gain(pair->spectrum, gain[0], gain[1], n, reach[s]);
        mel_fft_pair_inverse(pair);
        for (int which = 0; which < 2; which++) {
            float expected[LONGEST];
            memcpy(one->real, which ? x.b : x.a, (size_t)n * sizeof(float));
            mel_fft_forward(one);
            kernels->magnitude(one->spectrum, 1e-9f, expected, bins);
            assert_true(largest_difference(magnitude[which], expected, (size_t)bins) < 1e-4);
            kernels->apply_gain(one->spectrum, gain[which], bins);
            mel_fft_inverse(one);
            for (int i = 0; i < n; i++)
                assert_true(fabsf(pair->frames[2 * i + which] - one->real[i]) < 1e-5f * (float)n);
        }
        mel_fft_pair_free(pair);
        mel_fft_free(one);
    }
}

/* Tiles against the dense triangles that they stand for; those of a fraction of the rate, too. */
static void filters_are_triangles(void **state) {
    (void)state;
    lull_error error;
    mel_convention c;
    mel_filterbank *f;
    assert_ok(mel_convention_named("diffwave", 22050, &c, &error), error);
    assert_ok(mel_filterbank_new(&c, &f, &error), error);
    float magnitude[513], mel[80], low_mel[80];
    random_normal(1, 0, 0, magnitude, 513);
    mel_kernels_get()->tiles(&f->filters, magnitude, mel, 80);
    mel_filterbank *below;
    assert_ok(mel_filterbank_new_low(&c, 64, 8, &below, &error), error);
    assert_int_equal(below->bins, 64);
    assert_true(below->bands > 10 && below->bands < 40);
    assert_true(mel_filterbank_edge(&c, below->bands + 1) <= 64 * 22050.0 / 1024);
    assert_true(mel_filterbank_edge(&c, below->bands + 2) > 64 * 22050.0 / 1024);
    mel_kernels_get()->tiles(&below->filters, magnitude, low_mel, below->bands);
    for (int b = 0; b < 80; b++) {
        const double low = 2595 * log10(1 + 20 / 700.0), high = 2595 * log10(1 + 11025 / 700.0);
        double edge[3], sum = 0;
        for (int i = 0; i < 3; i++)
            edge[i] = 700 * (pow(10, (low + (high - low) * (b + i) / 81) / 2595) - 1);
        for (int k = 0; k < 513; k++) {
            const double hz = k * 22050.0 / 1024;
            const double w =
                fmin((hz - edge[0]) / (edge[1] - edge[0]), (edge[2] - hz) / (edge[2] - edge[1]));
            if (w > 0) sum += w * (double)magnitude[k];
        }
        assert_true(fabs(sum - (double)mel[b]) < 1e-4);
        if (b < below->bands) assert_true(fabs(8 * sum - (double)low_mel[b]) < 1e-4);
    }
    mel_filterbank_free(below);
    mel_filterbank_free(f);
    mel_filterbank_free(NULL);
}

/* Between the nodes' centroids a straight line in the logarithm, held at the ends. */
static void gains_are_interpolated(void **state) {
    (void)state;
    lull_error error;
    mel_convention c;
    assert_ok(mel_convention_named("hifigan", 22050, &c, &error), error);
    for (int low = 0; low < 2; low++) {
        mel_filterbank *f;
        const lull_status status = low ? mel_filterbank_new_low(&c, 64, 8, &f, &error)
                                       : mel_filterbank_new(&c, &f, &error);
        assert_ok(status, error);
        float values[81], scale[513], gain[513];
        random_normal(2, 0, 0, values, 80);
        random_normal(2, 1, 0, scale, 513);
        mel_filterbank_to_nodes(f, values);
        mel_kernels_get()->interpolated_gain(f, values, scale, gain, f->bins);
        for (int k = 0; k < f->bins; k++) {
            const double hz = k * 22050.0 / 1024;
            int j = 0;
            while (j + 1 < f->nodes && f->centroid[f->node[j + 1]] <= hz) j++;
            const double from = f->centroid[f->node[j]];
            double v = (double)values[j];
            if (j + 1 < f->nodes && hz > from)
                v += (hz - from) / (f->centroid[f->node[j + 1]] - from) *
                     ((double)values[j + 1] - v);
            const double expected = (double)scale[k] * exp(v);
            assert_true(fabs((double)gain[k] - expected) < 1e-5 * fabs(expected) + 1e-12);
        }
        mel_filterbank_free(f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_environment_is_obeyed), cmocka_unit_test(twins_agree),
        cmocka_unit_test(functions_are_exact),       cmocka_unit_test(pairs_are_two_frames),
        cmocka_unit_test(filters_are_triangles),     cmocka_unit_test(gains_are_interpolated)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
