/* Named conventions and the checks of their sizes. */
#include "mel/convention.h"

#include "goldens.h"

/* Every row of the table, at its own rate and at others. */
static void names(void **state) {
    (void)state;
    static const int rates[] = {0, 8000, 16000, 22050, 24000, 44100, 48000};
    lull_error error;
    mel_convention c, again;
    const char *name, *writers, *alias;
    int count = 0;
    for (; (name = mel_convention_name_at(count, &writers, &alias)) != NULL; count++)
        for (size_t r = 0; r < 7; r++) {
            assert_ok(mel_convention_named(name, rates[r], &c, &error), error);
            if (rates[r] >= 16000 || rates[r] == 0)
                assert_ok(mel_convention_check(&c, &error), error);
            assert_string_equal(c.name, name);
            if (rates[r]) assert_int_equal(c.sample_rate, rates[r]);
            assert_true(c.fmax <= c.sample_rate / 2.0);
            assert_int_equal(mel_convention_first_centre(&c), c.centred ? 0 : c.hop / 2);
            assert_non_null(writers);
            if (!alias) continue;
            assert_ok(mel_convention_named(alias, rates[r], &again, &error), error);
            assert_string_equal(again.name, alias);
            if (strcmp(alias, "parallelwavegan") != 0 || rates[r] == 0 || rates[r] >= 24000)
                assert_null(mel_convention_difference(&c, &again));
        }
    assert_int_equal(count, 14);
    assert_ok(mel_convention_named("parallelwavegan", 22050, &c, &error), error);
    assert_ok(mel_convention_named("parallelwavegan-22k", 0, &again, &error), error);
    assert_null(mel_convention_difference(&c, &again));
    assert_ok(mel_convention_named("hifigan", 16000, &c, &error), error);
    assert_ok(mel_convention_named("hifigan-16k", 0, &again, &error), error);
    assert_null(mel_convention_difference(&c, &again));
    assert_int_equal(mel_convention_named("hifi", 0, &c, &error), LULL_INVALID);
    assert_non_null(strstr(error.message, "hifi"));
    assert_non_null(strstr(error.message, "tacotron2-22k"));
    assert_non_null(strstr(error.message, "diffwave-22k"));
    assert_int_equal(mel_convention_named("hifigan", -1, &c, &error), LULL_INVALID);
    assert_int_equal(mel_convention_named("hifigan", 999, &c, NULL), LULL_INVALID);
}

/* What makes other frames, and what only writes them differently. */
static void differences(void **state) {
    (void)state;
    lull_error error;
    mel_convention a, b;
    assert_ok(mel_convention_named("hifigan", 0, &a, &error), error);
#define CHANGED(field, value, member, same)                                                        \
    do {                                                                                           \
        b = a;                                                                                     \
        b.field = (value);                                                                         \
        assert_string_equal(mel_convention_difference(&a, &b), member);                            \
        assert_int_equal(mel_convention_same_frames(&a, &b), same);                                \
    } while (0)
    CHANGED(sample_rate, 24000, "sample_rate", false);
    CHANGED(n_fft, 2048, "n_fft", false);
    CHANGED(window, 800, "window", false);
    CHANGED(hop, 300, "hop", false);
    CHANGED(bands, 100, "bands", false);
    CHANGED(fmin, 20, "fmin", false);
    CHANGED(fmax, 7600, "fmax", false);
    CHANGED(scale, MEL_SCALE_HTK, "scale", false);
    CHANGED(filter_rate, 16000, "filter_rate", false);
    CHANGED(centred, true, "centred", false);
    CHANGED(power, 2, "power", false);
    CHANGED(norm, MEL_NORM_NONE, "norm", true);
    CHANGED(padding, MEL_PADDING_ZEROS, "padding", true);
    CHANGED(magnitude_epsilon, 0, "magnitude_epsilon", true);
    CHANGED(normalized_window, true, "normalized_window", true);
    CHANGED(floor, 1e-7, "floor", true);
    CHANGED(floor_added, true, "floor_added", true);
    CHANGED(compression, MEL_COMPRESS_LOG10, "compression", true);
    CHANGED(gain, 20, "gain", true);
    CHANGED(offset, 1, "offset", true);
    CHANGED(clip_low, -4, "clip_low", true);
    CHANGED(clip_high, 4, "clip_high", true);
    CHANGED(statistics, true, "mean", true);
    b = a;
    b.filter_rate = a.sample_rate; /* said or not: the same */
    strcpy(b.name, "another");
    assert_null(mel_convention_difference(&a, &b));
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
    REFUSE(norm, (mel_norm)2, "norm");
    REFUSE(padding, (mel_padding)2, "padding");
    REFUSE(power, 0, "power");
    REFUSE(power, 3, "power");
    REFUSE(filter_rate, 10, "filter_rate");
    REFUSE(gain, 0, "gain");
    REFUSE(gain, NAN, "gain");
    REFUSE(offset, INFINITY, "offset");
    REFUSE(clip_low, 1, "clip_low");
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(names), cmocka_unit_test(differences),
                                       cmocka_unit_test(impossible_sizes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
