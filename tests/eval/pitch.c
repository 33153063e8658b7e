/* Fundamental frequency: tones whose pitch is known, and what has none. */
#include "eval/pitch.h"

#include "signals.h"

/* Every frame of a steady tone has its frequency, to 1 cent for harmonic tones. Lags are parabolas
 * through d' at whole samples, so that high frequencies are less exact; what a second
 * implementation finds is in scores.c. */
static void test_tones(void **state) {
    (void)state;
    const double f0s[] = {65, 82.4, 100, 123.45, 150, 220, 333.3, 440, 490};
    const int rates[] = {16000, 22050, 24000, 48000};
    for (size_t r = 0; r < sizeof rates / sizeof *rates; r++)
        for (size_t i = 0; i < sizeof f0s / sizeof *f0s; i++)
            for (int harmonics = 1; harmonics <= 5; harmonics += 4) {
                size_t count = (size_t)rates[r] / 2, n;
                lull_error error;
                eval_pitch_frame *frames;
                float *x = tone(count, rates[r], f0s[i], harmonics);
                assert_ok(eval_pitch_track(x, count, rates[r], &frames, &n, &error), error);
                assert_in_range(n, 85, 100);
                for (size_t f = 0; f < n; f++) {
                    double cents = 1200 * log2(frames[f].f0 / f0s[i]);
                    if (!(fabs(cents) < 4))
                        fail_msg("%g Hz, %d partials, at %d Hz: %g (%.2f cents)", f0s[i], harmonics,
                                 rates[r], frames[f].f0, cents);
                    assert_true(frames[f].periodicity > 0.98);
                }
                base_free(frames);
                base_free(x);
            }
}

/* A missing fundamental is heard, and found. */
static void test_missing_fundamental(void **state) {
    (void)state;
    enum { COUNT = 8000 };
    size_t n;
    lull_error error;
    eval_pitch_frame *frames;
    float *x = tone(COUNT, 16000, 120, 6), *fundamental = tone(COUNT, 16000, 120, 1);
    for (int i = 0; i < COUNT; i++) x[i] -= fundamental[i];
    assert_ok(eval_pitch_track(x, COUNT, 16000, &frames, &n, &error), error);
    for (size_t f = 0; f < n; f++) assert_near(frames[f].f0, 120, 0.5);
    base_free(frames);
    base_free(x);
    base_free(fundamental);
}

static void test_unvoiced(void **state) {
    (void)state;
    enum { COUNT = 16000 };
    size_t n, voiced = 0;
    lull_error error;
    eval_pitch_frame *frames;
    float *x = white(COUNT, 0.1f, 1), *silence = base_alloc(COUNT, sizeof *silence);
    assert_ok(eval_pitch_track(x, COUNT, 16000, &frames, &n, &error), error);
    double mean = 0;
    for (size_t f = 0; f < n; f++) {
        voiced += frames[f].f0 > 0;
        mean += frames[f].periodicity / (double)n;
        assert_near(frames[f].power, 0.01, 0.004);
    }
    assert_int_equal(voiced, 0);
    assert_true(mean < 0.4);
    base_free(frames);
    assert_ok(eval_pitch_track(silence, COUNT, 16000, &frames, &n, &error), error);
    for (size_t f = 0; f < n; f++) {
        assert_true(frames[f].f0 == 0);
        assert_true(frames[f].periodicity == 0);
    }
    base_free(frames);
    base_free(x);
    base_free(silence);
}

/* A tone 60 dB under the loudest is not voiced. */
static void test_quiet_part(void **state) {
    (void)state;
    enum { COUNT = 16000 };
    size_t n;
    lull_error error;
    eval_pitch_frame *frames;
    float *x = tone(COUNT, 16000, 150, 3);
    for (int i = COUNT / 2; i < COUNT; i++) x[i] *= 1e-3f;
    assert_ok(eval_pitch_track(x, COUNT, 16000, &frames, &n, &error), error);
    assert_near(frames[10].f0, 150, 0.5);
    assert_true(frames[n - 10].f0 == 0);
    base_free(frames);
    base_free(x);
}

static void compare(const float *a, const float *b, size_t count, eval_pitch_errors *errors) {
    lull_error error;
    assert_ok(eval_pitch_compare(a, b, count, 16000, errors, &error), error);
}

static void test_known_errors(void **state) {
    (void)state;
    enum { COUNT = 16000 };
    eval_pitch_errors errors;
    float *a = tone(COUNT, 16000, 200, 4), *b = tone(COUNT, 16000, 202, 4),
          *octave = tone(COUNT, 16000, 100, 4), *noise = white(COUNT, 0.1f, 2);
    compare(a, b, COUNT, &errors);
    assert_near(errors.cents, 1200 * log2(202 / 200.0), 0.5);
    assert_near(errors.gross, 0, 0);
    assert_near(errors.voicing, 0, 0);
    assert_near(errors.periodicity, 0, 1e-2);
    compare(a, octave, COUNT, &errors);
    assert_true(isnan(errors.cents));
    assert_near(errors.gross, 1, 0);
    compare(a, noise, COUNT, &errors);
    assert_near(errors.voicing, 1, 0);
    assert_true(isnan(errors.cents) && isnan(errors.gross));
    assert_true(errors.periodicity > 0.5);
    compare(noise, noise, COUNT, &errors);
    assert_near(errors.voicing, 0, 0);
    assert_true(isnan(errors.periodicity));
    /* Too short for one frame. */
    compare(a, b, 300, &errors);
    assert_true(isnan(errors.cents) && isnan(errors.voicing));
    base_free(a);
    base_free(b);
    base_free(octave);
    base_free(noise);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tones),        cmocka_unit_test(test_missing_fundamental),
        cmocka_unit_test(test_unvoiced),     cmocka_unit_test(test_quiet_part),
        cmocka_unit_test(test_known_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
