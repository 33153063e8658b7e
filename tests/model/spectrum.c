/* The spectrum network as a stream: its own convention's frames go through it as they are, others are
 * read as its own; of which conventions it has something to say. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "mel/low_band.h"
#include "mel/reader.h"
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
    const int last = config->spectrum_layers - 1, bins = mel_low_band_bins(&config->mel);
    float *weight = model_parameters_weight(p, MODEL_SPECTRUM_CONVOLUTION, last);
    const size_t n = (size_t)(2 * bins * config->spectrum_channels * 3);
    random_normal(1, 0, 0, weight, n);
    for (size_t i = 0; i < n; i++) weight[i] *= 0.1f;
    return p;
}

static void which_are_known(void **state) {
    (void)state;
    static const char *const known[] = {"hifigan-22k", "tacotron2-22k"};
    static const char *const unknown[] = {"hifigan-16k", "seedvc-22k", "vocos-24k", "diffwave-22k"};
    model_config config;
    model_parameters *p = network(&config);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const mel_convention c = named(known[i]);
        if (!spectrum_is_known(&config, &c)) fail_msg("%s", known[i]);
    }
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        const mel_convention c = named(unknown[i]);
        if (spectrum_is_known(&config, &c)) fail_msg("%s", unknown[i]);
    }
    mel_convention c = named("hifigan-22k");
    c.gain = 0.25;
    assert_true(spectrum_is_known(&config, &c));
    config.spectrum_channels = 0;
    c = named("hifigan-22k");
    assert_false(spectrum_is_known(&config, &c));
    model_parameters_free(p);
}

static void fill(const mel_convention *c, float *mels) {
    random_normal(9, 0, 0, mels, (size_t)(FRAMES * c->bands));
    for (int i = 0; i < FRAMES * c->bands; i++) mels[i] -= 3;
}

/* Frame by frame, and a few at a time. */
static void chunks_do_not_matter(void **state) {
    (void)state;
    static const char *const names[] = {"hifigan-22k", "tacotron2-22k"};
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

/* Frames of another convention are first read as the model's. */
static void frames_are_read_as_the_models(void **state) {
    (void)state;
    model_config config;
    model_parameters *p = network(&config);
    mel_convention c = config.mel;
    c.gain *= 0.5; /* the same but for its numbers: the same bins */
    static float mels[FRAMES * MEL_MAX_BANDS], own[ROOM], other[ROOM], ours[MEL_MAX_BANDS];
    fill(&c, mels);
    mel_reader *reader;
    spectrum *s;
    assert_int_equal(mel_reader_new(&c, &config.mel, MEL_READ_HERTZ, &reader, NULL), LULL_OK);
    mel_reader_run(reader, mels, ours);
    const float *frame = mels, *read = ours;
    assert_int_equal(spectrum_new(&config, p, &c, &s, NULL), LULL_OK);
    spectrum_push(s, &frame, 1, other);
    spectrum_free(s);
    assert_int_equal(spectrum_new(&config, p, &config.mel, &s, NULL), LULL_OK);
    spectrum_push(s, &read, 1, own);
    for (size_t k = 0; k < spectrum_width(s); k++) assert_true(fabsf(own[k] - other[k]) < 1e-5f);
    spectrum_free(s);
    mel_reader_free(reader);
    model_parameters_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(which_are_known),
        cmocka_unit_test(chunks_do_not_matter),
        cmocka_unit_test(frames_are_read_as_the_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
