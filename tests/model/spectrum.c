/* The spectrum network as a stream: which conventions it guides, that chunks do not matter, and that a
 * convention's numbers do not. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "mel/low_band.h"
#include "model/spectrum.h"

enum { FRAMES = 31, ROOM = 2 * 600 };

static mel_convention named(const char *name) {
    mel_convention c;
    assert_int_equal(mel_convention_named(name, 0, &c, NULL), LULL_OK);
    return c;
}

/* A network whose last convolution says something. */
static model_parameters *network(model_config *config) {
    model_parameters *p;
    model_config_default(config);
    model_config_add_spectrum(config);
    config->spectrum_channels = 16;
    assert_int_equal(model_parameters_new(config, &p, NULL), LULL_OK);
    model_parameters_initialize(p, 3);
    const int last = config->spectrum_layers - 1;
    float *weight = model_parameters_weight(p, MODEL_SPECTRUM_CONVOLUTION, last);
    const size_t n = (size_t)(SPECTRUM_OUTPUTS * config->spectrum_channels * 3);
    random_normal(1, 0, 0, weight, n);
    for (size_t i = 0; i < n; i++) weight[i] *= 0.1f;
    return p;
}

static void which_are_guided(void **state) {
    (void)state;
    static const char *const guided[] = {"hifigan-22k", "vocos-24k", "cosyvoice2-24k",
                                         "diffsinger-44k"};
    model_config config;
    model_parameters *p = network(&config);
    mel_convention c;
    for (size_t i = 0; i < sizeof guided / sizeof *guided; i++) {
        c = named(guided[i]);
        if (!spectrum_guides(&config, &c)) fail_msg("%s", guided[i]);
    }
    c.hop++; /* is divided by nothing */
    assert_false(spectrum_guides(&config, &c));
    c = named("hifigan-22k");
    config.spectrum_channels = 0;
    assert_false(spectrum_guides(&config, &c));
    model_parameters_free(p);
}

static void fill(const mel_convention *c, float *mels) {
    random_normal(9, 0, 0, mels, (size_t)(FRAMES * c->bands));
    for (int i = 0; i < FRAMES * c->bands; i++) mels[i] -= 3;
}

/* Frame by frame, and a few at a time. */
static void chunks_do_not_matter(void **state) {
    (void)state;
    static const char *const names[] = {"hifigan-22k", "cosyvoice2-24k"};
    model_config config;
    model_parameters *p = network(&config);
    for (size_t i = 0; i < 2; i++) {
        const mel_convention c = named(names[i]);
        static float mels[FRAMES * MEL_MAX_BANDS], one[FRAMES * ROOM], many[FRAMES * ROOM];
        fill(&c, mels);
        spectrum *s;
        assert_int_equal(spectrum_new(&config, p, &c, &s, NULL), LULL_OK);
        const size_t width = spectrum_width(s);
        assert_int_equal(width, 2 * (size_t)mel_low_band_bins(&c));
        assert_true(spectrum_bytes(&config, &c) > 10000);
        for (int round = 0; round < 2; round++) {
            for (int f = 0, n; f < FRAMES; f += n) {
                const float *frames[MODEL_FRAME_STACK_MOST];
                n = round == 0 ? 1 : 1 + f % MODEL_FRAME_STACK_MOST;
                if (n > FRAMES - f) n = FRAMES - f;
                for (int j = 0; j < n; j++) frames[j] = mels + (f + j) * c.bands;
                spectrum_push(s, frames, n, (round == 0 ? one : many) + (size_t)f * width);
            }
            spectrum_reset(s);
        }
        assert_memory_equal(one, many, FRAMES * width * sizeof(float));
        spectrum_free(s);
    }
    spectrum_free(NULL);
    model_parameters_free(p);
}

/* The same sound in other numbers. */
static void numbers_do_not_matter(void **state) {
    (void)state;
    model_config config;
    model_parameters *p = network(&config);
    mel_convention c = config.mel;
    c.gain *= 0.5;
    static float mels[FRAMES * MEL_MAX_BANDS], own[ROOM], other[ROOM], halved[MEL_MAX_BANDS];
    fill(&c, mels);
    for (int b = 0; b < c.bands; b++) halved[b] = 0.5f * mels[b];
    const float *frame = mels, *half = halved;
    spectrum *s;
    assert_int_equal(spectrum_new(&config, p, &c, &s, NULL), LULL_OK);
    spectrum_push(s, &half, 1, other);
    spectrum_free(s);
    assert_int_equal(spectrum_new(&config, p, &config.mel, &s, NULL), LULL_OK);
    spectrum_push(s, &frame, 1, own);
    float most = 0;
    for (size_t k = 0; k < spectrum_width(s); k++) {
        assert_true(fabsf(own[k] - other[k]) < 1e-5f);
        most = fmaxf(most, fabsf(own[k]));
    }
    assert_true(most > 0.01f);
    spectrum_free(s);
    model_parameters_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(which_are_guided),
        cmocka_unit_test(chunks_do_not_matter),
        cmocka_unit_test(numbers_do_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
