/* The phase of a filter whose zeros and poles are known. */
#include "helpers.h"

#include "train/minimum_phase.h"

/* 1/((1 − a·z⁻¹)(1 − b·z⁻¹)), poles inside the unit circle, is of minimum phase. */
static void phase_of_poles(void **state) {
    (void)state;
    const double a = 0.8, b = -0.5;
    mel_fft *transform;
    assert_int_equal(mel_fft_new(512, MEL_FFT_EXACT, &transform, NULL), LULL_OK);
    float log_magnitude[257], phase[257];
    double should[257];
    for (int k = 0; k <= 256; k++) {
        double w = M_PI * k / 256;
        double re[2] = {1 - a * cos(w), 1 - b * cos(w)}, im[2] = {a * sin(w), b * sin(w)};
        log_magnitude[k] = (float)-log(hypot(re[0], im[0]) * hypot(re[1], im[1]));
        should[k] = -atan2(im[0], re[0]) - atan2(im[1], re[1]);
    }
    train_minimum_phase(transform, log_magnitude, phase);
    for (int k = 0; k <= 256; k++) assert_true(fabs(phase[k] - should[k]) < 1e-4);
    mel_fft_free(transform);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(phase_of_poles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
