/* Pitch: signals whose pitch is known, and what has none. */
#include "pitch/tracker.h"

#include "signals.h"

static const int rates[] = {8000, 16000, 22050, 24000, 44100, 48000};
enum { RATES = sizeof rates / sizeof *rates };

static pitch_estimate *track(const float *x, size_t count, int rate, double first, double hop,
                             size_t n) {
    lull_error error;
    pitch_estimate *estimates = base_alloc(n, sizeof *estimates);
    assert_non_null(estimates);
    assert_ok(pitch_track(x, count, rate, first, hop, estimates, n, &error), error);
    return estimates;
}

static void assert_cents(const pitch_estimate *e, double f0, double cents, int rate) {
    double off = 1200 * log2(e->f0 / f0);
    if (!(fabs(off) < cents)) fail_msg("%g Hz at %d Hz: %g (%.2f cents)", f0, rate, e->f0, off);
}

static void test_steady(void **state) {
    (void)state;
    const double f0s[] = {65, 82.4, 100, 123.45, 150, 220, 333.3, 440, 600};
    for (size_t r = 0; r < RATES; r++)
        for (size_t i = 0; i < sizeof f0s / sizeof *f0s; i++)
            for (int harmonics = 2; harmonics <= 10; harmonics += 4) {
                size_t count = (size_t)rates[r] / 2, n = 40;
                float *x = partials(count, rates[r], f0s[i], 1,
                                    fmin(f0s[i] * (harmonics + 0.5), 0.4 * rates[r]), 1);
                pitch_estimate *e = track(x, count, rates[r], 0, rates[r] * 0.0125, n);
                for (size_t f = 4; f < n - 4; f++) {
                    assert_cents(&e[f], f0s[i], 4, rates[r]);
                    assert_true(e[f].confidence > 0.95 && e[f].confidence <= 1);
                }
                base_free(e);
                base_free(x);
            }
}

/* The estimate belongs to the time that was asked for, at any hop and start. */
static void test_glide(void **state) {
    (void)state;
    const double hops[] = {0.004, 0.0116, 0.0131, 0.02};
    for (size_t r = 1; r < RATES; r++)
        for (int down = 0; down < 2; down++)
            for (size_t h = 0; h < sizeof hops / sizeof *hops; h++) {
                double from = down ? 320 : 90, octaves = down ? -1.5 : 1.5;
                size_t count = (size_t)rates[r];
                double hop = hops[h] * rates[r], first = 0.3 * hop;
                size_t n = (size_t)((double)count / hop);
                float *x = glide(count, rates[r], from, octaves, 6);
                pitch_estimate *e = track(x, count, rates[r], first, hop, n);
                for (size_t f = 0; f < n; f++) {
                    double seconds = (first + (double)f * hop) / rates[r];
                    if (seconds > 0.04 && seconds < 0.96)
                        assert_cents(&e[f], from * exp2(octaves * seconds), 10, rates[r]);
                }
                base_free(e);
                base_free(x);
            }
}

/* A fundamental that is missing, and a second partial that is far stronger than it. */
static void test_octaves(void **state) {
    (void)state;
    enum { COUNT = 16000, N = 80 };
    float *missing = partials(COUNT, 16000, 120, 2, 1000, 0);
    float *strong = partials(COUNT, 16000, 110, 1, 1500, 1);
    float *second = partials(COUNT, 16000, 220, 1, 230, 0);
    for (int i = 0; i < COUNT; i++) strong[i] += 1.5f * second[i];
    pitch_estimate *a = track(missing, COUNT, 16000, 0, 200, N);
    pitch_estimate *b = track(strong, COUNT, 16000, 0, 200, N);
    for (int f = 4; f < N - 4; f++) {
        assert_near(a[f].f0, 120, 0.5);
        assert_near(b[f].f0, 110, 0.5);
    }
    base_free(a);
    base_free(b);
    base_free(missing);
    base_free(strong);
    base_free(second);
}

static void test_unvoiced(void **state) {
    (void)state;
    enum { COUNT = 32000, N = 160 };
    float *noise = white(COUNT, 0.1f, 1), *silence = base_alloc(COUNT, sizeof *silence);
    pitch_estimate *e = track(noise, COUNT, 16000, 0, 200, N);
    for (int f = 0; f < N; f++) {
        assert_true(e[f].f0 == 0);
        assert_true(e[f].confidence < 0.6);
    }
    base_free(e);
    e = track(silence, COUNT, 16000, -400, 250, N);
    for (int f = 0; f < N; f++) assert_true(e[f].f0 == 0 && e[f].confidence == 0);
    base_free(e);
    base_free(noise);
    base_free(silence);
}

/* Voiced speech between noise: the borders are found to 15 ms. */
static void test_borders(void **state) {
    (void)state;
    enum { COUNT = 48000, N = 400 };
    float *x = white(COUNT, 0.05f, 3), *voice = partials(COUNT, 24000, 140, 1, 3000, 0.5);
    for (int i = 16000; i < 32000; i++) x[i] = voice[i];
    pitch_estimate *e = track(x, COUNT, 24000, 0, 120, N);
    for (int f = 0; f < N; f++) {
        int at = f * 120;
        if (at < 16000 - 360 || at > 32000 + 360) assert_true(e[f].f0 == 0);
        if (at > 16000 + 360 && at < 32000 - 360) assert_near(e[f].f0, 140, 1);
    }
    base_free(e);
    base_free(x);
    base_free(voice);
}

/* The level is of no consequence, an offset of no great one. */
static void test_level(void **state) {
    (void)state;
    enum { COUNT = 22050, N = 80 };
    float *x = glide(COUNT, 22050, 100, 1, 8), *y = base_alloc(COUNT, sizeof *y);
    for (int i = 0; i < COUNT; i++) y[i] = x[i] * 0x1p-9f;
    pitch_estimate *a = track(x, COUNT, 22050, 0, 256, N), *b = track(y, COUNT, 22050, 0, 256, N);
    assert_memory_equal(a, b, N * sizeof *a);
    base_free(b);
    for (int i = 0; i < COUNT; i++) y[i] = x[i] + 0.5f;
    b = track(y, COUNT, 22050, 0, 256, N);
    for (int f = 6; f < N - 6; f++) assert_near(1200 * log2(a[f].f0 / b[f].f0), 0, 3);
    base_free(a);
    base_free(b);
    base_free(x);
    base_free(y);
}

static void test_odd_inputs(void **state) {
    (void)state;
    lull_error error;
    pitch_estimate e[8];
    float x[3] = {1, -1, 1};
    for (size_t count = 0; count <= 3; count++) {
        assert_ok(pitch_track(x, count, 16000, -300, 200, e, 8, &error), error);
        for (int f = 0; f < 8; f++) assert_true(e[f].f0 == 0);
    }
    assert_ok(pitch_track(x, 3, 16000, 0, 1, e, 0, &error), error);
    assert_int_equal(pitch_track(x, 3, 4000, 0, 200, e, 8, &error), LULL_INVALID);
    assert_non_null(strstr(error.message, "4000 Hz"));
    assert_int_equal(pitch_track(x, 3, 16000, 0, 0, e, 8, &error), LULL_INVALID);
    bool failed = true;
    for (size_t n = 1; failed; n++) {
        base_memory_fail_at(n);
        lull_status status = pitch_track(x, 3, 16000, 0, 200, e, 8, &error);
        base_memory_fail_at(0);
        failed = status != LULL_OK;
        if (failed) assert_int_equal(status, LULL_NO_MEMORY);
        assert_true(n < 20);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steady),     cmocka_unit_test(test_glide),
        cmocka_unit_test(test_octaves),    cmocka_unit_test(test_unvoiced),
        cmocka_unit_test(test_borders),    cmocka_unit_test(test_level),
        cmocka_unit_test(test_odd_inputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
