/* Frames of another convention are told apart, and legal ones are never refused. */
#include "mel/front_end.h"

#include "goldens.h"

#include "base/random.h"

static mel_convention named(const char *name, int rate) {
    lull_error error;
    mel_convention c;
    assert_ok(mel_convention_named(name, rate, &c, &error), error);
    return c;
}

static void accept(const mel_convention *c, const float *frames, size_t n) {
    lull_error error;
    assert_ok(mel_convention_check_frames(c, frames, n, "in.npy", &error), error);
}

static void refuse(const mel_convention *c, const float *frames, size_t n, const char *word) {
    lull_error error;
    assert_int_equal(mel_convention_check_frames(c, frames, n, "in.npy", &error), LULL_MISMATCH);
    if (!strstr(error.message, word)) fail_msg("'%s' does not say '%s'", error.message, word);
    assert_non_null(strstr(error.message, "in.npy"));
    assert_null(strchr(error.message, '\n'));
}

static const struct {
    const char *name;
    int rate;
} cases[] = {{"hifigan", 16000},
             {"hifigan", 22050},
             {"tacotron2", 22050},
             {"diffwave", 22050},
             {"parallelwavegan", 24000}};

/* Speech from −60 dB to +6 dB, whole, in short pieces and frame by frame. */
static void speech_is_accepted(void **state) {
    (void)state;
    static const float gains[] = {1, 0.1f, 0.001f, 1e-6f, 2};
    for (size_t i = 0; i < 5 * 5; i++) {
        lull_error error;
        const mel_convention c = named(cases[i % 5].name, cases[i % 5].rate);
        size_t count, n;
        float *samples = golden_speech(c.sample_rate, &count), *frames;
        for (size_t j = 0; j < count; j++) samples[j] *= gains[i / 5];
        assert_ok(mel_from_samples(&c, samples, count, &frames, &n, &error), error);
        accept(&c, frames, n);
        for (size_t length = 1; length <= 32; length *= 2)
            for (size_t f = 0; f + length <= n; f += length) accept(&c, frames + f * 80, length);
        base_free(samples);
        base_free(frames);
    }
}

/* Sounds that are not speech: noise of any level, a tone, an impulse, silence with one click. */
static void other_sounds_are_accepted(void **state) {
    (void)state;
    enum { count = 32000 };
    float *samples = base_alloc(count, sizeof(float)), *noise = base_alloc(count, sizeof(float));
    random_normal(4, 0, 0, noise, count);
    for (int which = 0; which < 12; which++)
        for (size_t i = 0; i < 5; i++) {
            lull_error error;
            const mel_convention c = named(cases[i].name, cases[i].rate);
            for (int j = 0; j < count; j++) {
                const float tone = sinf(0.3f * (float)j);
                samples[j] = which < 6     ? noise[j] * 0.3f * powf(0.1f, (float)which)
                             : which == 6  ? tone
                             : which == 7  ? 0.001f * tone
                             : which == 8  ? 0.05f * noise[j] * (1 + sinf(0.001f * (float)j))
                             : which == 9  ? (float)(j == 9000)
                             : which == 10 ? (tone > 0 ? 0.1f : -0.1f)
                                           : 0;
            }
            float *frames;
            size_t n;
            assert_ok(mel_from_samples(&c, samples, count, &frames, &n, &error), error);
            accept(&c, frames, n);
            base_free(frames);
        }
    base_free(samples);
    base_free(noise);
}

/* What an acoustic model makes of a mel: smoothed, and off by a little. */
static void smoothed_mels_are_accepted(void **state) {
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        const mel_convention c = named(cases[i].name, cases[i].rate);
        size_t n;
        float *mel = golden_mel(cases[i].name, cases[i].rate, 80, &n),
              *smooth = base_alloc(n * 80, sizeof(float));
        for (size_t f = 0; f < n; f++)
            for (size_t b = 0; b < 80; b++)
                for (int u = -1; u <= 1; u++)
                    for (int v = -1; v <= 1; v++) {
                        const long g = (long)f + u, a = (long)b + v;
                        const size_t at = (size_t)(g < 0 || g >= (long)n ? (long)f : g) * 80 +
                                          (size_t)(a < 0 || a > 79 ? (long)b : a);
                        smooth[f * 80 + b] += mel[at] * (u ? 0.25f : 0.5f) * (v ? 0.25f : 0.5f);
                    }
        for (size_t j = 0; j < n * 80; j++) smooth[j] += 0.02f;
        accept(&c, smooth, n);
        base_free(mel);
        base_free(smooth);
    }
}

/* Every convention's speech for every other scale. */
static void other_scales_are_refused(void **state) {
    (void)state;
    size_t n16, n22, n24, unit_n;
    float *ln16 = golden_mel("hifigan", 16000, 80, &n16),
          *ln22 = golden_mel("tacotron2", 22050, 80, &n22);
    float *log24 = golden_mel("parallelwavegan", 24000, 80, &n24);
    float *unit = golden_mel("diffwave", 22050, 80, &unit_n);
    const mel_convention ln = named("hifigan", 0), log10s = named("parallelwavegan", 0);
    const mel_convention diffwave = named("diffwave", 0);
    refuse(&ln, unit, unit_n, "'diffwave-22k'");
    refuse(&log10s, unit, unit_n, "'diffwave-22k'");
    refuse(&ln, log24, n24, "--from log10");
    refuse(&log10s, ln16, n16, "--from ln");
    refuse(&log10s, ln22, n22, "--from ln");
    refuse(&diffwave, ln16, n16, "--from ln");
    refuse(&diffwave, log24, n24, "--from log10");
    /* ln made log10, clamped at 1e-5 or not; decibels; linear. */
    float *other = base_alloc(n16 * 80, sizeof(float));
    for (size_t i = 0; i < n16 * 80; i++) other[i] = ln16[i] / (float)M_LN10;
    refuse(&ln, other, n16, "--from log10");
    for (size_t i = 0; i < n16 * 80; i++) other[i] = fmaxf(-5, (ln16[i] - 3) / (float)M_LN10);
    refuse(&ln, other, 3, "--from log10");
    for (size_t i = 0; i < n16 * 80; i++) other[i] = 20 * ln16[i] / (float)M_LN10;
    refuse(&ln, other, n16, "--from db");
    refuse(&log10s, other, n16, "--from db");
    refuse(&diffwave, other, n16, "--from db");
    for (size_t i = 0; i < n16 * 80; i++) other[i] = expf(ln16[i]);
    refuse(&ln, other, n16, "--from linear");
    refuse(&log10s, other, n16, "--from linear");
    base_free(ln16);
    base_free(ln22);
    base_free(log24);
    base_free(unit);
    base_free(other);
}

static void nonsense_is_refused(void **state) {
    (void)state;
    lull_error error;
    mel_convention c = named("hifigan", 0);
    float frames[20 * 80];
    for (int i = 0; i < 1600; i++) frames[i] = 3;
    refuse(&c, frames, 20, "all 20");
    for (int i = 0; i < 1600; i++) frames[i] = -11.512925f;
    accept(&c, frames, 20);
    for (int i = 0; i < 1600; i++) frames[i] = -11.7f; /* a model's idea of silence */
    accept(&c, frames, 20);
    frames[5 * 80 + 7] = 9;
    refuse(&c, frames, 20, "lie between");
    frames[5 * 80 + 7] = NAN;
    assert_int_equal(mel_convention_check_frames(&c, frames, 20, "in.npy", &error),
                     LULL_NOT_FINITE);
    assert_non_null(strstr(error.message, "band 7 of frame 5"));
    frames[5 * 80 + 7] = -INFINITY;
    assert_int_equal(mel_convention_check_frames(&c, frames, 20, "in.npy", NULL), LULL_NOT_FINITE);
    accept(&c, frames, 0);
    /* Normalised mels: anything near 0 goes, nothing far out. */
    c = named("parallelwavegan", 0);
    c.statistics = true;
    for (int b = 0; b < 80; b++) c.mean[b] = -2.2f, c.deviation[b] = 0.9f;
    random_normal(1, 0, 0, frames, 1600);
    accept(&c, frames, 20);
    frames[0] = 1000;
    refuse(&c, frames, 20, "normalised");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(speech_is_accepted),         cmocka_unit_test(other_sounds_are_accepted),
        cmocka_unit_test(smoothed_mels_are_accepted), cmocka_unit_test(other_scales_are_refused),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
