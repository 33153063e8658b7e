/* The postnet: the stream against plain loops on odd shapes, and its gradient against central
 * differences of a forward pass written here in double precision. */
#include "base/memory.h"
#include "base/random.h"
#include "model/postnet.h"
#include "gradient/postnet.h"
#include "model/reference.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct shape {
    int bands, channels, layers, look_ahead;
} shape;

static const shape shapes[] = {{7, 5, 2, 0}, {5, 3, 0, 2}, {11, 8, 3, 2}, {80, 24, 5, 7}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static void configure(const shape *s, model_config *config) {
    model_config_default(config);
    config->mel.bands = s->bands;
    config->postnet_channels = s->channels;
    config->postnet_layers = s->layers;
    config->postnet_look_ahead = s->look_ahead;
    lull_error error = {0};
    assert_int_equal(model_config_check(config, "a test", &error), LULL_OK);
}

/* Weights with which every convolution says something, the last one too. */
static model_parameters *weights(const model_config *config) {
    model_parameters *p;
    assert_int_equal(model_parameters_new(config, &p, NULL), LULL_OK);
    for (size_t i = 0; i < p->tensor_count; i++) {
        const model_tensor *t = &p->tensors[i];
        random_normal(3, (uint32_t)i, 0, p->data + t->offset, t->count);
        float scale = 0.7f / sqrtf(9.0f * (float)config->postnet_channels);
        for (size_t j = 0; j < t->count; j++) p->data[t->offset + j] *= scale;
    }
    return p;
}

static float *mels(int frames, int bands) {
    size_t n = (size_t)frames * (size_t)bands;
    float *mel = base_alloc(n, sizeof *mel);
    assert_non_null(mel);
    random_normal(5, 0, 0, mel, n);
    for (size_t i = 0; i < n; i++) mel[i] = 2 * mel[i] - 5;
    return mel;
}

/* Every frame in, and the end: returns how many came out. */
static int stream(postnet *p, const float *mel, int frames, int bands, float *out) {
    int got = 0;
    for (int f = 0; f < frames + postnet_look_ahead(p); f++) {
        const float *frame = f < frames ? mel + f * bands : NULL;
        if (postnet_push(p, frame, out + got * bands)) got++;
        assert_int_equal(got, f + 1 > postnet_look_ahead(p) ? f + 1 - postnet_look_ahead(p) : 0);
    }
    return got;
}

static void stream_is_the_reference(void **state) {
    (void)state;
    for (int s = 0; s < SHAPES; s++)
        for (int frames = 1; frames <= 13; frames += 3) {
            model_config config;
            configure(&shapes[s], &config);
            int bands = config.mel.bands, n = frames * bands;
            model_parameters *p = weights(&config);
            float *mel = mels(frames, bands), *wanted = base_alloc((size_t)n, sizeof(float)),
                  *got = base_alloc((size_t)n, sizeof(float)),
                  *again = base_alloc((size_t)n, sizeof(float));
            assert_int_equal(model_reference_postnet(&config, p, mel, (size_t)frames, wanted, NULL),
                             LULL_OK);
            postnet *net;
            assert_int_equal(postnet_new(&config, p, &net, NULL), LULL_OK);
            assert_int_equal(postnet_look_ahead(net), shapes[s].look_ahead);
            assert_int_equal(stream(net, mel, frames, bands, got), frames);
            float changed = 0;
            for (int i = 0; i < n; i++) {
                assert_true(fabsf(got[i] - wanted[i]) < 2e-5f);
                changed = fmaxf(changed, fabsf(got[i] - mel[i]));
            }
            assert_true(changed > 0.05f); /* it does something */
            postnet_reset(net);
            assert_int_equal(stream(net, mel, frames, bands, again), frames);
            assert_memory_equal(got, again, (size_t)n * sizeof(float));
            assert_int_equal(postnet_whole(&config, p, mel, (size_t)frames, again, NULL), LULL_OK);
            assert_memory_equal(got, again, (size_t)n * sizeof(float));
            postnet_free(net);
            base_free(mel);
            base_free(wanted);
            base_free(got);
            base_free(again);
            model_parameters_free(p);
        }
}

/* ---- gradient ---- */

enum { CROPS = 3, FRAMES = 5 };

static const double *weight_of(const model_parameters *shape, const double *w, int i) {
    return w + model_parameters_weight_tensor(shape, MODEL_POSTNET_CONVOLUTION, i)->offset;
}

static const double *bias_of(const model_parameters *shape, const double *w, int i) {
    return w + model_parameters_bias_tensor(shape, MODEL_POSTNET_CONVOLUTION, i)->offset;
}

/* Σ of target-weighted squares of the output, in double precision throughout. */
static double loss_of(const model_config *c, const model_parameters *shape, const double *w,
                      const float *mel, const float *target) {
    int bands = c->mel.bands, channels = c->postnet_channels,
        count = model_config_postnet_convolutions(c);
    size_t values = (size_t)(FRAMES * bands * channels);
    double *h = calloc(values, sizeof *h), *y = calloc(values, sizeof *y), loss = 0;
    for (int i = 0; i < FRAMES * bands; i++) h[i] = (mel[i] + c->mel_offset) * c->mel_scale;
    for (int l = 0; l < count; l++) {
        int in = postnet_in(c, l), out = postnet_out(c, l);
        const double *weight = weight_of(shape, w, l), *bias = bias_of(shape, w, l);
        for (int t = 0; t < FRAMES; t++)
            for (int b = 0; b < bands; b++)
                for (int o = 0; o < out; o++) {
                    double sum = bias[o];
                    for (int i = 0; i < in; i++)
                        for (int j = 0; j < 3; j++)
                            for (int k = 0; k < 3; k++) {
                                int f = t + k - 2 + postnet_ahead(c, l), at = b + j - 1;
                                if (f < 0 || f >= FRAMES || at < 0 || at >= bands) continue;
                                sum += weight[((o * in + i) * 3 + j) * 3 + k] *
                                       h[(f * bands + at) * in + i];
                            }
                    y[(t * bands + b) * out + o] = sum;
                }
        for (size_t i = 0; l < count - 1 && i < values; i++) {
            double active = y[i] > 0 ? y[i] : 0.1 * y[i];
            h[i] = l > 0 ? h[i] + active : active;
        }
    }
    for (int i = 0; i < FRAMES * bands; i++) {
        double difference = mel[i] + y[i] - target[i];
        loss += 0.5 * difference * difference;
    }
    free(h);
    free(y);
    return loss;
}

typedef struct squares {
    const float *target;
    int n;
} squares;

static double squared(void *context, int crop, const float *u, float *du) {
    const squares *s = context;
    double loss = 0;
    for (int i = 0; i < s->n; i++) {
        du[i] = u[i] - s->target[crop * s->n + i];
        loss += 0.5 * (double)du[i] * du[i];
    }
    return loss;
}

static float *gradient_with(const model_config *config, const model_parameters *p, int threads,
                            const float *mel, squares *s, double *losses) {
    thread_pool *pool;
    gradient_postnet *engine;
    float *gradient = base_alloc(p->size, sizeof *gradient);
    assert_non_null(gradient);
    memset(gradient, 0x7f, p->size * sizeof *gradient);
    assert_int_equal(thread_pool_new(threads, &pool, NULL), LULL_OK);
    assert_int_equal(gradient_postnet_new(config, CROPS, FRAMES, pool, &engine, NULL), LULL_OK);
    assert_true(gradient_postnet_flops(engine) > 0 && gradient_postnet_bytes(engine) > 0);
    /* Twice: nothing of the first may be left. */
    for (int i = 0; i < 2; i++)
        gradient_postnet_run(engine, p, CROPS, mel, squared, s, losses, gradient);
    gradient_postnet_free(engine);
    thread_pool_free(pool);
    return gradient;
}

static void gradient_is_that_of_differences(void **state) {
    (void)state;
    for (int s = 0; s < SHAPES - 1; s++) {
        model_config config;
        configure(&shapes[s], &config);
        int bands = config.mel.bands, n = FRAMES * bands;
        model_parameters *p = weights(&config);
        float *mel = mels(CROPS * FRAMES, bands), *target = mels(CROPS * FRAMES, bands);
        for (int i = 0; i < CROPS * n; i++) target[i] += 0.3f * sinf((float)i);
        squares against = {target, n};
        double losses[CROPS];
        float *gradient = gradient_with(&config, p, 1, mel, &against, losses);
        double *w = calloc(p->size, sizeof *w);
        for (size_t i = 0; i < p->size; i++) w[i] = p->data[i];
        for (int c = 0; c < CROPS; c++) {
            double wanted = loss_of(&config, p, w, mel + c * n, target + c * n);
            assert_true(fabs(losses[c] - wanted) < 1e-4 * wanted);
        }
        size_t checked = 0;
        for (size_t i = 0; i < p->tensor_count; i++) {
            const model_tensor *t = &p->tensors[i];
            bool ours = t->part == MODEL_POSTNET;
            for (size_t j = 0; j < t->count; j += ours ? 1 + t->count / 40 : 1) {
                size_t at = t->offset + j;
                if (!ours) {
                    assert_true(gradient[at] == 0);
                    continue;
                }
                double step = 1e-6, kept = w[at], sum = 0;
                for (int c = 0; c < CROPS; c++) {
                    w[at] = kept + step;
                    sum += loss_of(&config, p, w, mel + c * n, target + c * n);
                    w[at] = kept - step;
                    sum -= loss_of(&config, p, w, mel + c * n, target + c * n);
                    w[at] = kept;
                }
                double wanted = sum / (2 * step);
                if (fabs(gradient[at] - wanted) > 2e-4 * (1 + fabs(wanted)))
                    fail_msg("conv%d[%zu]: %g, by differences %g", t->index + 1, j,
                             (double)gradient[at], wanted);
                checked++;
            }
        }
        assert_true(checked > 50);
        base_free(gradient);
        base_free(mel);
        base_free(target);
        free(w);
        model_parameters_free(p);
    }
}

static void threads_do_not_matter(void **state) {
    (void)state;
    model_config config;
    configure(&shapes[2], &config);
    int bands = config.mel.bands;
    model_parameters *p = weights(&config);
    float *mel = mels(CROPS * FRAMES, bands), *target = mels(CROPS * FRAMES, bands);
    squares against = {target, FRAMES * bands};
    double losses[CROPS], others[CROPS];
    float *one = gradient_with(&config, p, 1, mel, &against, losses);
    float *three = gradient_with(&config, p, 3, mel, &against, others);
    assert_memory_equal(one, three, p->size * sizeof *one);
    assert_memory_equal(losses, others, sizeof losses);
    base_free(one);
    base_free(three);
    base_free(mel);
    base_free(target);
    model_parameters_free(p);
}

/* A fresh postnet changes nothing. */
static void begins_as_the_identity(void **state) {
    (void)state;
    model_config config;
    configure(&shapes[3], &config);
    int bands = config.mel.bands;
    model_parameters *p;
    postnet *net;
    assert_int_equal(model_parameters_new(&config, &p, NULL), LULL_OK);
    model_parameters_initialize(p, 1);
    assert_int_equal(postnet_new(&config, p, &net, NULL), LULL_OK);
    float *mel = mels(9, bands), *out = base_alloc((size_t)(9 * bands), sizeof *out);
    assert_int_equal(stream(net, mel, 9, bands, out), 9);
    assert_memory_equal(mel, out, (size_t)(9 * bands) * sizeof *out);
    base_free(mel);
    base_free(out);
    postnet_free(net);
    model_parameters_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stream_is_the_reference),
        cmocka_unit_test(gradient_is_that_of_differences),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(begins_as_the_identity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
