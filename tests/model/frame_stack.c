/* Stacks over frames as streams, against plain loops on odd shapes. */
#include "stacks.h"

#include "mel/frame_features.h"
#include "model/bandwidth.h"
#include "model/reference.h"
#include "model/spectrum.h"

enum { MOST = 13 }; /* frames */

/* Frames f … of a signal, `some` of them, NULL behind its end. */
static void next_frames(const float *mel, int frames, int bands, int f, int some,
                        const float **next) {
    for (int i = 0; i < some; i++) next[i] = f + i < frames ? mel + (f + i) * bands : NULL;
}

/* Every frame in, and the end, `at_once` at a time: returns how many came out. */
static int mend(model_frame_stack *p, int look_ahead, const float *mel, int frames, int bands,
                int at_once, float *out) {
    int got = 0;
    for (int f = 0, some; f < frames + look_ahead; f += some) {
        const float *next[MODEL_FRAME_STACK_MOST];
        some = frames + look_ahead - f < at_once ? frames + look_ahead - f : at_once;
        next_frames(mel, frames, bands, f, some, next);
        got += model_frame_stack_push(p, next, some, out + got * bands);
        const int behind = f + some - look_ahead;
        assert_int_equal(got, behind > 0 ? behind : 0);
    }
    return got;
}

static void postnet_is_the_reference(void **state) {
    (void)state;
    for (int s = 0; s < POSTNET_CASES; s++)
        for (int frames = 1; frames <= MOST; frames += 3) {
            model_config config;
            postnet_config(&postnet_cases[s], &config);
            const int bands = config.mel.bands, n = frames * bands,
                      ahead = config.postnet_look_ahead;
            model_parameters *p = stack_weights(&config);
            float *mel = stack_mels(frames, bands), *wanted = base_alloc((size_t)n, sizeof(float)),
                  *got = base_alloc((size_t)n, sizeof(float)),
                  *again = base_alloc((size_t)n, sizeof(float));
            const model_frame_stack_shape shape = postnet_shape(&config);
            assert_int_equal(
                model_reference_frame_stack(&shape, p, mel, (size_t)frames, wanted, NULL), LULL_OK);
            model_frame_stack *net;
            const uint64_t before = base_memory_given();
            assert_int_equal(postnet_new(&config, p, &net, NULL), LULL_OK);
            assert_true(base_memory_given() - before <= postnet_bytes(&config));
            assert_int_equal(mend(net, ahead, mel, frames, bands, 1, got), frames);
            float changed = 0;
            for (int i = 0; i < n; i++) {
                assert_true(fabsf(got[i] - wanted[i]) < 2e-5f);
                changed = fmaxf(changed, fabsf(got[i] - mel[i]));
            }
            assert_true(changed > 0.05f); /* it does something */
            for (int at_once = 1; at_once <= MODEL_FRAME_STACK_MOST; at_once++) {
                model_frame_stack_reset(net);
                assert_int_equal(mend(net, ahead, mel, frames, bands, at_once, again), frames);
                assert_memory_equal(got, again, (size_t)n * sizeof(float));
            }
            assert_int_equal(postnet_whole(&config, p, mel, (size_t)frames, again, NULL), LULL_OK);
            assert_memory_equal(got, again, (size_t)n * sizeof(float));
            model_frame_stack_free(net);
            base_free(mel);
            base_free(wanted);
            base_free(got);
            base_free(again);
            model_parameters_free(p);
        }
}

/* Below the threshold nothing is changed, not a bit; above twice the threshold all that the postnet
 * says is; between a share, as in the reference. */
static void postnet_threshold_leaves_alone(void **state) {
    (void)state;
    model_config config;
    postnet_config(&postnet_cases[2], &config);
    enum { FRAMES = 40 };
    const int bands = config.mel.bands, n = FRAMES * bands;
    model_parameters *p = stack_weights(&config);
    float *mel = stack_mels(FRAMES, bands), *all = base_alloc((size_t)n, sizeof *all),
          *got = base_alloc((size_t)n, sizeof *got),
          *wanted = base_alloc((size_t)n, sizeof *wanted);
    double least = 1e30, most = 0;
    assert_int_equal(postnet_whole(&config, p, mel, FRAMES, all, NULL), LULL_OK);
    for (int f = 0; f < FRAMES; f++) {
        double power = 0;
        for (int i = f * bands; i < (f + 1) * bands; i++)
            power += (double)(all[i] - mel[i]) * (all[i] - mel[i]) / bands;
        least = fmin(least, sqrt(power));
        most = fmax(most, sqrt(power));
    }
    config.postnet_threshold = 1.01 * most;
    assert_int_equal(postnet_whole(&config, p, mel, FRAMES, got, NULL), LULL_OK);
    assert_memory_equal(got, mel, (size_t)n * sizeof *mel);
    config.postnet_threshold = 0.49 * least;
    assert_int_equal(postnet_whole(&config, p, mel, FRAMES, got, NULL), LULL_OK);
    assert_memory_equal(got, all, (size_t)n * sizeof *all);
    config.postnet_threshold = 0.7 * most;
    assert_int_equal(postnet_whole(&config, p, mel, FRAMES, got, NULL), LULL_OK);
    const model_frame_stack_shape shape = postnet_shape(&config);
    assert_int_equal(model_reference_frame_stack(&shape, p, mel, FRAMES, wanted, NULL), LULL_OK);
    int changed = 0, left = 0;
    for (int i = 0; i < n; i++) {
        assert_true(fabsf(got[i] - wanted[i]) < 2e-5f);
        changed += got[i] != mel[i] && got[i] != all[i];
        left += got[i] == mel[i];
    }
    assert_true(changed > 0 && left > 0);
    base_free(mel);
    base_free(all);
    base_free(got);
    base_free(wanted);
    model_parameters_free(p);
}

/* A fresh postnet changes nothing. */
static void postnet_begins_as_the_identity(void **state) {
    (void)state;
    model_config config;
    postnet_config(&postnet_cases[3], &config);
    const int bands = config.mel.bands;
    model_parameters *p;
    assert_int_equal(model_parameters_new(&config, &p, NULL), LULL_OK);
    model_parameters_initialize(p, 1);
    float *mel = stack_mels(9, bands), *out = base_alloc((size_t)(9 * bands), sizeof *out);
    assert_int_equal(postnet_whole(&config, p, mel, 9, out, NULL), LULL_OK);
    assert_memory_equal(mel, out, (size_t)(9 * bands) * sizeof *out);
    base_free(mel);
    base_free(out);
    model_parameters_free(p);
}

/* The stacks that see no frame ahead, with any number of layers: as streams, some frames at a time. */
static void stack_is_the_reference(const model_frame_stack_shape *shape,
                                   const model_config *config) {
    const size_t last = (size_t)shape->last;
    model_parameters *p = stack_weights(config);
    float *in = stack_mels(MOST, shape->first), *wanted = base_alloc(MOST, last * sizeof *wanted),
          *got = base_alloc(MOST, last * sizeof *got);
    model_frame_stack *net;
    assert_int_equal(model_reference_frame_stack(shape, p, in, MOST, wanted, NULL), LULL_OK);
    assert_int_equal(model_frame_stack_new(shape, p, &net, NULL), LULL_OK);
    for (int f = 0, some; f < MOST; f += some) {
        const float *next[MODEL_FRAME_STACK_MOST];
        some = MOST - f < 5 ? MOST - f : 5;
        next_frames(in, MOST, shape->first, f, some, next);
        assert_int_equal(model_frame_stack_push(net, next, some, got + (size_t)f * last), some);
    }
    float most = 0;
    for (size_t i = 0; i < MOST * last; i++) {
        most = fmaxf(most, fabsf(wanted[i]));
        assert_true(fabsf(got[i] - wanted[i]) < 1e-4f * (1 + fabsf(wanted[i])));
    }
    assert_true(most > 0.1f); /* it says something */
    model_frame_stack_free(net);
    base_free(in);
    base_free(wanted);
    base_free(got);
    model_parameters_free(p);
}

static void others_are_the_reference(void **state) {
    (void)state;
    for (int layers = 1; layers <= 3; layers++) {
        model_config config;
        model_config_default(&config);
        config.bandwidth_channels = 5;
        config.spectrum_channels = 6;
        config.bandwidth_layers = config.spectrum_layers = layers;
        const model_frame_stack_shape shapes[] = {bandwidth_shape(&config),
                                                  spectrum_shape(&config)};
        for (int i = 0; i < 2; i++) stack_is_the_reference(&shapes[i], &config);
    }
}

static mel_convention convention_of(int number) {
    mel_convention c;
    lull_error error;
    static const char *const names[] = {"hifigan", "parallelwavegan", "diffwave"};
    assert_int_equal(mel_convention_named(names[number % 3], 0, &c, &error), LULL_OK);
    return c;
}

static int listen(pitch_network *p, const float *mel, int frames, int bands, int at_once,
                  pitch_values *out) {
    const int all = frames + pitch_network_look_ahead(p);
    int got = 0;
    for (int f = 0, some; f < all; f += some) {
        const float *next[MODEL_FRAME_STACK_MOST];
        some = all - f < at_once ? all - f : at_once;
        next_frames(mel, frames, bands, f, some, next);
        got += pitch_network_push(p, next, some, out + got);
        const int behind = f + some - pitch_network_look_ahead(p);
        assert_int_equal(got, behind > 0 ? behind : 0);
    }
    return got;
}

static void near_to(const pitch_values *got, const float *outputs) {
    pitch_values wanted;
    pitch_network_read(outputs, &wanted);
    assert_true(fabsf(got->f0 / wanted.f0 - 1) < 2e-4f);
    assert_true(fabsf(got->voicing - wanted.voicing) < 1e-4f);
    for (int b = 0; b < PITCH_BANDS; b++)
        assert_true(fabsf(got->aperiodicity[b] - wanted.aperiodicity[b]) < 1e-4f);
}

static void pitch_network_is_the_reference(void **state) {
    (void)state;
    float lowest = 1, highest = 0;
    for (int s = 0; s < PITCH_CASES; s++)
        for (int frames = 1; frames <= MOST; frames += 3) {
            model_config config;
            pitch_config(&pitch_cases[s], &config);
            const mel_convention convention = convention_of(s);
            const int bands = convention.bands;
            model_parameters *p = stack_weights(&config);
            float *mel = stack_mels(frames, bands);
            float *features = base_alloc((size_t)frames * MEL_FEATURES, sizeof *features);
            float *wanted = base_alloc((size_t)frames * PITCH_OUTPUTS, sizeof *wanted);
            pitch_values got[MOST], again[MOST];
            mel_features *m;
            assert_int_equal(mel_features_new(&convention, &m, NULL), LULL_OK);
            for (int f = 0; f < frames; f++)
                mel_features_of_frame(m, mel + f * bands, features + f * MEL_FEATURES);
            const model_frame_stack_shape shape = pitch_network_shape(&config);
            assert_int_equal(
                model_reference_frame_stack(&shape, p, features, (size_t)frames, wanted, NULL),
                LULL_OK);
            pitch_network *net;
            assert_int_equal(pitch_network_new(&config, p, &convention, &net, NULL), LULL_OK);
            assert_int_equal(pitch_network_look_ahead(net), pitch_cases[s].look_ahead);
            assert_int_equal(listen(net, mel, frames, bands, 1, got), frames);
            for (int f = 0; f < frames; f++) {
                near_to(&got[f], wanted + f * PITCH_OUTPUTS);
                lowest = fminf(lowest, got[f].voicing);
                highest = fmaxf(highest, got[f].voicing);
            }
            for (int at_once = 1; at_once <= MODEL_FRAME_STACK_MOST; at_once++) {
                pitch_network_reset(net);
                assert_int_equal(listen(net, mel, frames, bands, at_once, again), frames);
                assert_memory_equal(got, again, (size_t)frames * sizeof *got);
            }
            assert_int_equal(
                pitch_network_whole(&config, p, &convention, mel, (size_t)frames, again, NULL),
                LULL_OK);
            assert_memory_equal(got, again, (size_t)frames * sizeof *got);
            pitch_network_free(net);
            mel_features_free(m);
            base_free(mel);
            base_free(features);
            base_free(wanted);
            model_parameters_free(p);
        }
    assert_true(lowest < 0.4f && highest > 0.6f); /* it says something */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(postnet_is_the_reference),
        cmocka_unit_test(postnet_threshold_leaves_alone),
        cmocka_unit_test(postnet_begins_as_the_identity),
        cmocka_unit_test(pitch_network_is_the_reference),
        cmocka_unit_test(others_are_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
