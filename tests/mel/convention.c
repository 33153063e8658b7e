/* Named conventions and the checks of their sizes. */
#include "mel/convention.h"

#include "goldens.h"

static void names(void **state) {
    (void)state;
    static const char *const known[] = {"hifigan", "tacotron2", "diffwave", "parallelwavegan"};
    static const int rates[] = {0, 8000, 16000, 22050, 24000, 44100, 48000};
    for (size_t i = 0; i < 4; i++)
        for (size_t r = 0; r < 7; r++) {
            lull_error error;
            mel_convention c;
            assert_ok(mel_convention_named(known[i], rates[r], &c, &error), error);
            assert_ok(mel_convention_check(&c, &error), error);
            assert_string_equal(c.name, known[i]);
            assert_int_equal(c.sample_rate, rates[r] ? rates[r] : i == 3 ? 24000 : 22050);
            assert_int_equal(c.bands, 80);
            assert_int_equal(mel_convention_first_centre(&c), i == 0 ? 128 : 0);
        }
    lull_error error;
    mel_convention c;
    assert_int_equal(mel_convention_named("hifi", 0, &c, &error), LULL_INVALID);
    assert_non_null(strstr(error.message, "hifi"));
    assert_non_null(strstr(error.message, "tacotron2"));
    assert_int_equal(mel_convention_named("hifigan", -1, &c, &error), LULL_INVALID);
    assert_int_equal(mel_convention_named("hifigan", 999, &c, NULL), LULL_INVALID);
}

static void refuse(const mel_convention *changed, const char *word) {
    lull_error error;
    assert_int_equal(mel_convention_check(changed, &error), LULL_INVALID);
    if (!strstr(error.message, word)) fail_msg("'%s' does not say '%s'", error.message, word);
}

static void impossible_sizes(void **state) {
    (void)state;
    lull_error error;
    mel_convention good, c;
    assert_ok(mel_convention_named("hifigan", 0, &good, &error), error);
#define REFUSE(field, value, word) (c = good, c.field = (value), refuse(&c, word))
    REFUSE(sample_rate, 0, "sample_rate");
    REFUSE(n_fft, 0, "n_fft");
    REFUSE(n_fft, 1023, "even");
    REFUSE(n_fft, MEL_MAX_FFT + 2, "n_fft");
    REFUSE(window, 0, "window");
    REFUSE(window, 1025, "window");
    REFUSE(hop, 0, "hop");
    REFUSE(hop, 1025, "hop");
    REFUSE(hop, 255, "odd");
    REFUSE(bands, 0, "bands");
    REFUSE(bands, MEL_MAX_BANDS + 1, "bands");
    REFUSE(fmin, -1, "fmin");
    REFUSE(fmin, 8000, "fmin");
    REFUSE(fmax, 12000, "half the sample rate");
    REFUSE(fmax, NAN, "fmax");
    REFUSE(scale, (mel_scale)7, "scale");
    REFUSE(compression, (mel_compression)7, "compression");
    REFUSE(floor, 0, "floor");
    REFUSE(floor, NAN, "floor");
    REFUSE(magnitude_epsilon, -1, "epsilon");
    c = good;
    c.statistics = true;
    refuse(&c, "deviation"); /* 0 */
    for (int b = 0; b < 80; b++) c.deviation[b] = 1;
    assert_ok(mel_convention_check(&c, &error), error);
    c.mean[79] = INFINITY;
    refuse(&c, "mean");
    c = good;
    c.centred = true;
    c.hop = 255; /* no half samples when centred */
    assert_ok(mel_convention_check(&c, &error), error);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(names), cmocka_unit_test(impossible_sizes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
