/* Networks over frames: the streams against plain loops on odd shapes, and the gradient against
 * central differences of a forward pass written here in double precision. */
#include "base/memory.h"
#include "base/random.h"
#include "gradient/frame_network.h"
#include "model/pitch_network.h"
#include "model/reference.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct shape {
    int channels, layers, look_ahead;
    model_part part;
} shape;

static const shape shapes[] = {
    {5, 3, 0, MODEL_PITCH},      {7, 2, 2, MODEL_PITCH},     {12, 4, 1, MODEL_PITCH},
    {128, 5, 2, MODEL_PITCH},    {33, 3, 3, MODEL_PITCH},    {1, 1, 0, MODEL_BANDWIDTH},
    {64, 3, 0, MODEL_BANDWIDTH}, {9, 2, 0, MODEL_BANDWIDTH},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static model_role role_of(const shape *s) {
    return s->part == MODEL_PITCH ? MODEL_PITCH_CONVOLUTION : MODEL_BANDWIDTH_CONVOLUTION;
}

static frame_shape frame_shape_of(const shape *s, const model_config *config) {
    return s->part == MODEL_PITCH ? frame_shape_pitch(config) : frame_shape_bandwidth(config);
}

static void configure(const shape *s, model_config *config) {
    model_config_default(config);
    if (s->part == MODEL_PITCH) {
        config->pitch_channels = s->channels;
        config->pitch_layers = s->layers;
        config->pitch_look_ahead = s->look_ahead;
    } else {
        config->bandwidth_channels = s->channels;
        config->bandwidth_layers = s->layers;
    }
    lull_error error = {0};
    if (model_config_check(config, "a test", &error)) fail_msg("%s", error.message);
}

/* Weights with which every convolution says something, the last one too. */
static model_parameters *weights(const model_config *config) {
    model_parameters *p;
    assert_int_equal(model_parameters_new(config, &p, NULL), LULL_OK);
    for (size_t i = 0; i < p->tensor_count; i++) {
        const model_tensor *t = &p->tensors[i];
        random_normal(3, (uint32_t)i, 0, p->data + t->offset, t->count);
        float scale = t->bias ? 0.3f : 1.2f / sqrtf((float)t->fan);
        for (size_t j = 0; j < t->count; j++) p->data[t->offset + j] *= scale;
    }
    return p;
}

static mel_convention convention_of(int number) {
    mel_convention c;
    lull_error error;
    static const char *const names[] = {"hifigan", "parallelwavegan", "diffwave"};
    assert_int_equal(mel_convention_named(names[number % 3], 0, &c, &error), LULL_OK);
    return c;
}

static float *mels(const mel_convention *convention, int frames) {
    size_t n = (size_t)frames * (size_t)convention->bands;
    float *mel = base_alloc(n, sizeof *mel);
    assert_non_null(mel);
    random_normal(5, 0, 0, mel, n);
    for (size_t i = 0; i < n; i++) mel[i] = 2 * mel[i] - 5;
    return mel;
}

/* Every frame in, and the end: returns how many came out. */
static int stream(pitch_network *p, const float *mel, int frames, int bands, pitch_values *out) {
    int got = 0;
    for (int f = 0; f < frames + pitch_network_look_ahead(p); f++) {
        const float *frame = f < frames ? mel + f * bands : NULL;
        if (pitch_network_push(p, frame, out + got)) got++;
        const int behind = f + 1 - pitch_network_look_ahead(p);
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

static void pitch_is_the_reference(void **state) {
    (void)state;
    float lowest = 1, highest = 0;
    for (int s = 0; s < SHAPES && shapes[s].part == MODEL_PITCH; s++)
        for (int frames = 1; frames <= 13; frames += 3) {
            model_config config;
            configure(&shapes[s], &config);
            const mel_convention convention = convention_of(s);
            const int bands = convention.bands;
            model_parameters *p = weights(&config);
            float *mel = mels(&convention, frames);
            float *features = base_alloc((size_t)frames * MEL_FEATURES, sizeof *features);
            float *wanted = base_alloc((size_t)frames * PITCH_OUTPUTS, sizeof *wanted);
            pitch_values got[13], again[13];
            mel_features *m;
            assert_int_equal(mel_features_new(&convention, &m, NULL), LULL_OK);
            for (int f = 0; f < frames; f++)
                mel_features_of_frame(m, mel + f * bands, features + f * MEL_FEATURES);
            const frame_shape of = frame_shape_pitch(&config);
            assert_int_equal(model_reference_frames(&of, MODEL_PITCH_CONVOLUTION, p, features,
                                                    (size_t)frames, wanted, NULL),
                             LULL_OK);
            pitch_network *net;
            assert_int_equal(pitch_network_new(&config, p, &convention, &net, NULL), LULL_OK);
            assert_int_equal(pitch_network_look_ahead(net), shapes[s].look_ahead);
            assert_int_equal(stream(net, mel, frames, bands, got), frames);
            for (int f = 0; f < frames; f++) {
                near_to(&got[f], wanted + f * PITCH_OUTPUTS);
                lowest = fminf(lowest, got[f].voicing);
                highest = fmaxf(highest, got[f].voicing);
            }
            pitch_network_reset(net);
            assert_int_equal(stream(net, mel, frames, bands, again), frames);
            assert_memory_equal(got, again, (size_t)frames * sizeof *got);
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

static float *normal(uint64_t seed, size_t n) {
    float *values = base_alloc(n, sizeof *values);
    assert_non_null(values);
    random_normal(seed, 0, 0, values, n);
    return values;
}

static void stream_is_the_reference(void **state) {
    (void)state;
    enum { MOST = 13 };
    for (int s = 0; s < SHAPES; s++)
        for (int frames = 1; frames <= MOST; frames += 4) {
            model_config config;
            configure(&shapes[s], &config);
            const frame_shape of = frame_shape_of(&shapes[s], &config);
            model_parameters *p = weights(&config);
            float *features = normal(9, MOST * MEL_FEATURES);
            float *wanted = base_alloc((size_t)(MOST * of.outputs), sizeof *wanted);
            assert_int_equal(model_reference_frames(&of, role_of(&shapes[s]), p, features,
                                                    (size_t)frames, wanted, NULL),
                             LULL_OK);
            frame_network *net;
            const uint64_t given = base_memory_given();
            assert_int_equal(frame_network_new(&of, role_of(&shapes[s]), p, &net, NULL), LULL_OK);
            assert_true(base_memory_given() - given <= frame_network_bytes(&of));
            for (int again = 0; again < 2; again++) {
                int got = 0;
                for (int f = 0; got < frames; f++) {
                    const float *out =
                        frame_network_push(net, f < frames ? features + f * MEL_FEATURES : NULL);
                    assert_true(f < frames + of.look_ahead &&
                                (out != NULL) == (f >= of.look_ahead));
                    for (int i = 0; out && i < of.outputs; i++)
                        assert_true(fabsf(out[i] - wanted[got * of.outputs + i]) < 1e-4f);
                    got += out != NULL;
                }
                frame_network_reset(net);
            }
            frame_network_free(net);
            base_free(features);
            base_free(wanted);
            model_parameters_free(p);
        }
}

/* ---- gradient ---- */

enum { CROPS = 3, FRAMES = 5 };

/* Half the sum of the squares of the output's distance from target, in double precision. */
static double loss_of(const frame_shape *c, model_role role, const model_parameters *shape,
                      const double *w, const float *features, const float *target) {
    double *h = calloc(FRAMES * MEL_FEATURES, sizeof *h), loss = 0;
    double *y = calloc((size_t)(FRAMES * (c->channels + c->outputs)), sizeof *y);
    for (int i = 0; i < FRAMES * MEL_FEATURES; i++) h[i] = features[i];
    for (int l = 0; l < c->layers; l++) {
        const int in = frame_shape_in(c, l), out = frame_shape_out(c, l);
        const double *weight = w + model_parameters_weight_tensor(shape, role, l)->offset;
        const double *bias = w + model_parameters_bias_tensor(shape, role, l)->offset;
        for (int t = 0; t < FRAMES; t++)
            for (int o = 0; o < out; o++) {
                double sum = bias[o];
                for (int i = 0; i < in; i++)
                    for (int k = 0; k < 3; k++) {
                        const int f = t + k - 2 + (l < c->look_ahead);
                        if (f < 0 || f >= FRAMES) continue;
                        sum += weight[(o * in + i) * 3 + k] * h[f * in + i];
                    }
                y[t * out + o] = sum;
            }
        for (int i = 0; l < c->layers - 1 && i < FRAMES * out; i++) {
            const double active = y[i] / (1 + exp(-y[i]));
            h[i] = l > 0 ? h[i] + active : active;
        }
    }
    for (int i = 0; i < FRAMES * c->outputs; i++)
        loss += 0.5 * (y[i] - target[i]) * (y[i] - target[i]);
    free(h);
    free(y);
    return loss;
}

typedef struct targets {
    const float *values;
    int outputs;
} targets;

static double squared(void *context, int crop, const float *u, float *du) {
    const targets *t = context;
    const float *target = t->values + crop * FRAMES * t->outputs;
    double loss = 0;
    for (int i = 0; i < FRAMES * t->outputs; i++) {
        du[i] = u[i] - target[i];
        loss += 0.5 * (double)du[i] * du[i];
    }
    return loss;
}

static float *gradient_with(const model_config *config, const shape *s, const model_parameters *p,
                            int threads, const float *features, const float *target,
                            double *losses) {
    thread_pool *pool;
    gradient_frame_network *engine;
    const frame_shape of = frame_shape_of(s, config);
    targets wanted = {target, of.outputs};
    float *gradient = base_alloc(p->size, sizeof *gradient);
    assert_non_null(gradient);
    memset(gradient, 0x7f, p->size * sizeof *gradient);
    assert_int_equal(thread_pool_new(threads, &pool, NULL), LULL_OK);
    assert_int_equal(
        gradient_frame_network_new(config, &of, role_of(s), CROPS, FRAMES, pool, &engine, NULL),
        LULL_OK);
    assert_true(gradient_frame_network_flops(engine) > 0 &&
                gradient_frame_network_bytes(engine) > 0);
    /* Twice: nothing of the first may be left. */
    for (int i = 0; i < 2; i++)
        gradient_frame_network_run(engine, p, CROPS, features, squared, &wanted, losses, gradient);
    gradient_frame_network_free(engine);
    thread_pool_free(pool);
    return gradient;
}

static void gradient_is_that_of_differences(void **state) {
    (void)state;
    for (int s = 0; s < SHAPES; s++) {
        model_config config;
        configure(&shapes[s], &config);
        model_parameters *p = weights(&config);
        const frame_shape of = frame_shape_of(&shapes[s], &config);
        const model_role role = role_of(&shapes[s]);
        const size_t in = FRAMES * MEL_FEATURES, out = (size_t)(FRAMES * of.outputs);
        float *features = normal(7, CROPS * in), *target = normal(8, CROPS * out);
        double losses[CROPS];
        float *gradient = gradient_with(&config, &shapes[s], p, 1, features, target, losses);
        double *w = calloc(p->size, sizeof *w);
        for (size_t i = 0; i < p->size; i++) w[i] = p->data[i];
        for (size_t c = 0; c < CROPS; c++) {
            const double wanted = loss_of(&of, role, p, w, features + c * in, target + c * out);
            assert_true(fabs(losses[c] - wanted) < 1e-4 * wanted);
        }
        size_t checked = 0;
        for (size_t i = 0; i < p->tensor_count; i++) {
            const model_tensor *t = &p->tensors[i];
            const bool ours = t->part == shapes[s].part;
            for (size_t j = 0; j < t->count; j += ours ? 1 + t->count / 20 : 1) {
                const size_t at = t->offset + j;
                if (!ours) {
                    assert_true(gradient[at] == 0);
                    continue;
                }
                const double step = 1e-6, kept = w[at];
                double sum = 0;
                for (size_t c = 0; c < CROPS; c++) {
                    w[at] = kept + step;
                    sum += loss_of(&of, role, p, w, features + c * in, target + c * out);
                    w[at] = kept - step;
                    sum -= loss_of(&of, role, p, w, features + c * in, target + c * out);
                    w[at] = kept;
                }
                const double wanted = sum / (2 * step);
                char name[MODEL_TENSOR_NAME];
                if (fabs(gradient[at] - wanted) > 3e-4 * (1 + fabs(wanted)))
                    fail_msg("%s[%zu]: %g, by differences %g", model_tensor_name(t, name), j,
                             (double)gradient[at], wanted);
                checked++;
            }
        }
        assert_true(checked > 50);
        base_free(gradient);
        base_free(features);
        base_free(target);
        free(w);
        model_parameters_free(p);
    }
}

static void threads_do_not_matter(void **state) {
    (void)state;
    model_config config;
    configure(&shapes[2], &config);
    model_parameters *p = weights(&config);
    float *features = normal(7, CROPS * FRAMES * MEL_FEATURES),
          *target = normal(8, CROPS * FRAMES * PITCH_OUTPUTS);
    double losses[CROPS], others[CROPS];
    float *one = gradient_with(&config, &shapes[2], p, 1, features, target, losses);
    float *three = gradient_with(&config, &shapes[2], p, 3, features, target, others);
    assert_memory_equal(one, three, p->size * sizeof *one);
    assert_memory_equal(losses, others, sizeof losses);
    base_free(one);
    base_free(three);
    base_free(features);
    base_free(target);
    model_parameters_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pitch_is_the_reference),
        cmocka_unit_test(stream_is_the_reference),
        cmocka_unit_test(gradient_is_that_of_differences),
        cmocka_unit_test(threads_do_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
