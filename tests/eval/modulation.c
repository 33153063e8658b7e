/* HF modulation: what pulses, what hisses, and what is neither; scores.c has the numbers of another
 * implementation. */
#include "eval/modulation.h"
#include "signals.h"

enum { RATE = 24000, COUNT = 2 * RATE };

/* A voice of 120 Hz whose harmonics are in phase up to `split` Hz, and noise above it of the
 * harmonics' density; `pulsing`: the noise comes and goes with the period. */
static float *voice(double split, bool pulsing) {
    float *y = base_alloc(COUNT, sizeof *y), *noise = white(COUNT, 1, 9);
    const int low = (int)(split / 120), all = (int)(RATE / 2.0 / 120);
    for (int i = 0; i < COUNT; i++) {
        const double phase = 2 * M_PI * 120 * i / RATE;
        for (int h = 1; h <= low; h++) y[i] += (float)(0.02 * cos(h * phase));
        const double envelope = pulsing ? 1 + cos(phase) : 1;
        if (low < all) y[i] += (float)(0.02 * sqrt(all / 2.0) * envelope * noise[i]);
    }
    base_free(noise);
    return y;
}

static double of(const float *reference, const float *output) {
    double first, second;
    lull_error error;
    assert_ok(eval_modulation(reference, output, COUNT, RATE, &first, &second, &error), error);
    return second;
}

static void pulses_and_noise(void **state) {
    (void)state;
    float *pulses = voice(12000, false), *hiss = voice(1000, false), *breath = voice(1000, true);
    assert_true(of(pulses, pulses) > 0.98);
    assert_true(fabs(of(pulses, hiss)) < 0.12);
    const double pulsing = of(pulses, breath);
    assert_true(pulsing > 0.25 && pulsing < 0.8);
    /* Louder or turned over it is the same. */
    for (int i = 0; i < COUNT; i++) breath[i] *= -3;
    assert_near(of(pulses, breath), pulsing, 1e-4);
    base_free(pulses);
    base_free(hiss);
    base_free(breath);
}

static void nothing_voiced(void **state) {
    (void)state;
    float *noise = white(COUNT, 0.1f, 3), *silence = base_alloc(COUNT, sizeof *silence);
    float *pulses = voice(12000, false);
    assert_true(isnan(of(noise, pulses)));
    assert_true(isnan(of(silence, pulses)));
    assert_near(of(pulses, silence), 0, 1e-6);
    double first, second;
    lull_error error;
    assert_ok(eval_modulation(pulses, pulses, 512, RATE, &first, &second, &error), error);
    assert_true(isnan(first) && isnan(second));
    base_free(noise);
    base_free(silence);
    base_free(pulses);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pulses_and_noise),
        cmocka_unit_test(nothing_voiced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
