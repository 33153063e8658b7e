/* Reading a mel as another convention would have written it. */
#include "mel/reader.h"

#include "goldens.h"

#include "base/random.h"
#include "mel/front_end.h"

static mel_convention named(const char *name, int rate) {
    mel_convention c;
    lull_error error;
    assert_ok(mel_convention_named(name, rate, &c, &error), error);
    return c;
}

/* One second of noise of a level per √Hz under a slow tilt: about speech's shape, stationary. */
static float *mean_frame(const mel_convention *c, double *out) {
    lull_error error;
    size_t count = 4 * (size_t)c->sample_rate, n;
    float *samples = base_alloc(count, sizeof *samples), *frames = NULL;
    random_normal(5, 0, 0, samples, count);
    for (size_t i = 0; i < count; i++) samples[i] *= 0.02f * sqrtf((float)c->sample_rate / 24000);
    assert_ok(mel_from_samples(c, samples, count, &frames, &n, &error), error);
    for (int b = 0; b < c->bands; b++) {
        out[b] = 0;
        for (size_t f = 4; f + 4 < n; f++)
            out[b] += frames[f * (size_t)c->bands + (size_t)b] / (double)(n - 8);
    }
    base_free(samples);
    return frames;
}

static void own_convention_is_itself(void **state) {
    (void)state;
    mel_convention c = named("hifigan-22k", 0);
    mel_reader *reader = NULL;
    lull_error error;
    assert_ok(mel_reader_new(&c, &c, MEL_READ_HERTZ, &reader, &error), error);
    float frame[80], out[80];
    random_normal(3, 0, 0, frame, 80);
    for (int b = 0; b < 80; b++) frame[b] = frame[b] - 5;
    mel_reader_run(reader, frame, out);
    for (int b = 0; b < 80; b++) assert_true(fabsf(out[b] - frame[b]) < 1e-4f);
    mel_reader_free(reader);
}

/* Noise of a level per √Hz is what the other convention measures of the same noise. */
static void levels_agree(void **state) {
    (void)state;
    const char *from[] = {"vocos-24k",   "bigvgan-24k",         "cosyvoice2-24k",
                          "hifigan-16k", "parallelwavegan-24k", "diffsinger-44k"};
    mel_convention to = named("hifigan-22k", 0);
    double should[80];
    base_free(mean_frame(&to, should));
    for (int k = 0; k < 6; k++) {
        mel_convention c = named(from[k], 0);
        double mean[MEL_MAX_BANDS], worst = 0;
        base_free(mean_frame(&c, mean));
        float frame[MEL_MAX_BANDS], out[80];
        for (int b = 0; b < c.bands; b++) frame[b] = (float)mean[b];
        mel_reader *reader = NULL;
        lull_error error;
        assert_ok(mel_reader_new(&c, &to, MEL_READ_HERTZ, &reader, &error), error);
        mel_reader_run(reader, frame, out);
        for (int b = 4; b < 76; b++) worst = fmax(worst, fabs(out[b] - should[b]));
        if (worst > 0.2) fail_msg("%s: off by %.2f", from[k], worst);
        mel_reader_free(reader);
    }
}

/* At another rate a network on samples hears the same spectrum, stretched: a line at 1000 Hz of
 * 24 kHz is one at 918.75 Hz of 22.05 kHz. */
static void samples_keep_their_place(void **state) {
    (void)state;
    mel_convention from = named("bigvgan-24k", 0), to = named("hifigan-22k", 0);
    size_t count = 24000, n, m;
    lull_error error;
    float *x = base_alloc(count, sizeof *x), *a = NULL, *b = NULL, out[80];
    for (size_t i = 0; i < count; i++)
        x[i] = 0.1f * sinf((float)(2 * M_PI * 1000 / 24000 * (double)i));
    assert_ok(mel_from_samples(&from, x, count, &a, &n, &error), error);
    assert_ok(mel_from_samples(&to, x, count, &b, &m, &error), error);
    mel_reader *reader = NULL;
    assert_ok(mel_reader_new(&from, &to, MEL_READ_SAMPLES, &reader, &error), error);
    mel_reader_run(reader, a + 40 * (size_t)from.bands, out);
    const float *should = b + 40 * 80;
    int loudest = 0, is = 0;
    for (int i = 1; i < 80; i++) {
        if (should[i] > should[loudest]) loudest = i;
        if (out[i] > out[is]) is = i;
    }
    assert_true(abs(loudest - is) <= 1);
    assert_true(fabsf(out[is] - should[loudest]) < 0.5f);
    mel_reader_free(reader);
    base_free(x);
    base_free(a);
    base_free(b);
}

static void changes_come_back(void **state) {
    (void)state;
    mel_convention from = named("styletts2-24k", 0), to = named("hifigan-22k", 0);
    mel_reader *reader = NULL;
    lull_error error;
    assert_ok(mel_reader_new(&from, &to, MEL_READ_HERTZ, &reader, &error), error);
    float frame[80], was[80], before[80], after[80];
    for (int b = 0; b < 80; b++) was[b] = frame[b] = 0.2f * sinf((float)b);
    mel_reader_run(reader, frame, before);
    for (int b = 0; b < 80; b++) after[b] = before[b] + 0.5f;
    mel_reader_apply(reader, before, after, frame);
    /* Half a neper of amplitude is one of power: a quarter of StyleTTS 2's unit (÷ 4). */
    for (int b = 2; b < 60; b++) assert_true(fabsf(frame[b] - was[b] - 0.25f) < 0.02f);
    for (int b = 0; b < 80; b++) frame[b] = was[b];
    mel_reader_apply(reader, before, before, frame);
    for (int b = 0; b < 80; b++) assert_true(fabsf(frame[b] - was[b]) < 1e-4f);
    mel_reader_free(reader);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_convention_is_itself), cmocka_unit_test(levels_agree),
        cmocka_unit_test(samples_keep_their_place), cmocka_unit_test(changes_come_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
