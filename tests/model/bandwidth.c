/* The envelope above a mel: where its gains begin and end, what they are where the network says
 * nothing, and that the network moves them. */
#include "base/memory.h"
#include "base/random.h"
#include "mel/analysis.h"
#include "mel/envelope.h"
#include "model/bandwidth.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static mel_convention named(const char *name) {
    mel_convention c;
    assert_int_equal(mel_convention_named(name, 0, &c, NULL), LULL_OK);
    return c;
}

static void which_are_open(void **state) {
    (void)state;
    static const char *const open[] = {"hifigan-22k", "cosyvoice2-24k", "parallelwavegan-24k"};
    static const char *const shut[] = {"hifigan-16k", "vocos-24k", "seedvc-22k", "diffsinger-44k"};
    for (int i = 0; i < 3; i++) {
        const mel_convention c = named(open[i]);
        assert_true(bandwidth_is_open(&c));
    }
    for (int i = 0; i < 4; i++) {
        const mel_convention c = named(shut[i]);
        assert_false(bandwidth_is_open(&c));
    }
}

/* A network whose last convolution is 0 (its first values) but for a bias. */
static model_parameters *network(model_config *config, float bias) {
    model_parameters *p;
    model_config_default(config);
    model_config_add_bandwidth(config);
    assert_int_equal(model_parameters_new(config, &p, NULL), LULL_OK);
    model_parameters_initialize(p, 3);
    float *last =
        model_parameters_bias(p, MODEL_BANDWIDTH_CONVOLUTION, config->bandwidth_layers - 1);
    for (int i = 0; i < BANDWIDTH_POINTS; i++) last[i] = bias;
    return p;
}

/* Mean frame of white noise of a standard deviation. */
static void noise_frame(const mel_convention *c, float deviation, float *frame) {
    enum { COUNT = 200 };
    mel_analysis *analysis;
    float *segment = base_alloc((size_t)c->n_fft, sizeof *segment), one[MEL_MAX_BANDS];
    assert_non_null(segment);
    assert_int_equal(mel_analysis_new(c, &analysis, NULL), LULL_OK);
    memset(frame, 0, (size_t)c->bands * sizeof *frame);
    for (int i = 0; i < COUNT; i++) {
        random_normal(5, 0, (uint64_t)i * (uint64_t)c->n_fft, segment, (size_t)c->n_fft);
        for (int j = 0; j < c->n_fft; j++) segment[j] *= deviation;
        mel_analysis_frame(analysis, segment, one);
        for (int b = 0; b < c->bands; b++) frame[b] += one[b] / COUNT;
    }
    mel_analysis_free(analysis);
    base_free(segment);
}

/* White noise goes on as white noise of its level; a bias is a factor. */
static void goes_on_where_the_network_is_silent(void **state) {
    (void)state;
    static const char *const names[] = {"hifigan-22k", "cosyvoice2-24k", "parallelwavegan-24k"};
    for (int i = 0; i < 4; i++)
        for (int biased = 0; biased < 2; biased++) {
            mel_convention c = named(i < 3 ? names[i] : "hifigan-22k");
            if (i == 3) c.sample_rate = 44100, c.fmax = 7000;
            model_config config;
            model_parameters *p = network(&config, biased ? 0.4f : 0);
            const double factor = biased ? exp(0.4 / MEL_FEATURE_SCALE) : 1,
                         nyquist = c.sample_rate / 2.0;
            float frame[MEL_MAX_BANDS];
            float *gain = base_alloc((size_t)c.n_fft, sizeof *gain);
            bandwidth *b;
            lull_error error;
            noise_frame(&c, 0.05f, frame);
            const uint64_t given = base_memory_given();
            if (bandwidth_new(&config, p, &c, &b, &error)) fail_msg("%s", error.message);
            assert_true(base_memory_given() - given <= bandwidth_bytes(&config, &c));
            bandwidth_gain(b, frame, gain);
            for (int k = 0; k <= c.n_fft / 2; k++) {
                const double hz = (double)k * c.sample_rate / c.n_fft;
                if (hz <= c.fmax - 100) assert_true(gain[k] == 0);
                if (hz > 12000) assert_true(gain[k] == 0);
                if (hz < c.fmax + 900 || hz > fmin(11400, nyquist)) continue;
                if (fabs(gain[k] / (0.05 * factor) - 1) > 0.1)
                    fail_msg("%s at %g Hz: %g", c.name, hz, gain[k]);
            }
            bandwidth_free(b);
            base_free(gain);
            model_parameters_free(p);
        }
}

/* Beside what the mel colours: powers add up to 1 where the one fades into the other. */
static void fades_in_as_the_mel_fades_out(void **state) {
    (void)state;
    const mel_convention c = named("hifigan-22k");
    model_config config;
    model_parameters *p = network(&config, 0);
    float frame[MEL_MAX_BANDS], gain[513], colour[513];
    bandwidth *b;
    mel_envelope *envelope;
    noise_frame(&c, 0.05f, frame);
    assert_int_equal(bandwidth_new(&config, p, &c, &b, NULL), LULL_OK);
    assert_int_equal(mel_envelope_new(&c, 0, &envelope, NULL), LULL_OK);
    bandwidth_gain(b, frame, gain);
    mel_envelope_colouring_gain(envelope, frame, colour);
    for (int k = 0; k <= 512; k++) {
        const double hz = k * 22050.0 / 1024;
        if (hz < 7000) continue;
        const double noise = sqrt(4 / M_PI); /* of the mean amplitude, which the mel colours with */
        const double sum = hypot(gain[k], colour[k] * noise) / 0.05;
        if (fabs(sum - 1) > 0.1) fail_msg("at %g Hz: %g", hz, sum);
    }
    bandwidth_free(b);
    mel_envelope_free(envelope);
    model_parameters_free(p);
}

/* From one frame to the next it remembers, until it is reset. */
static void is_of_the_frames_so_far(void **state) {
    (void)state;
    const mel_convention c = named("hifigan-22k");
    model_config config;
    model_parameters *p = network(&config, 0);
    for (size_t i = 0; i < p->tensor_count; i++)
        random_normal(7, (uint32_t)i, 0, p->data + p->tensors[i].offset, p->tensors[i].count);
    for (size_t i = 0; i < p->size; i++) p->data[i] *= 0.05f;
    float frames[6][80], first[6][513], again[6][513];
    random_normal(8, 0, 0, frames[0], 480);
    bandwidth *b;
    assert_int_equal(bandwidth_new(&config, p, &c, &b, NULL), LULL_OK);
    for (int f = 0; f < 6; f++) bandwidth_gain(b, frames[f], first[f]);
    bandwidth_gain(b, frames[0], again[0]);
    assert_memory_not_equal(first[0], again[0], sizeof first[0]);
    bandwidth_reset(b);
    for (int f = 0; f < 6; f++) bandwidth_gain(b, frames[f], again[f]);
    assert_memory_equal(first, again, sizeof first);
    bandwidth_free(b);
    model_parameters_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(which_are_open),
        cmocka_unit_test(goes_on_where_the_network_is_silent),
        cmocka_unit_test(fades_in_as_the_mel_fades_out),
        cmocka_unit_test(is_of_the_frames_so_far),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
