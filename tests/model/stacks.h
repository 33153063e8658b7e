/* Postnets and pitch networks of odd shapes, for the tests of the streams and of the gradient. */
#ifndef TESTS_STACKS_H
#define TESTS_STACKS_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "model/pitch_network.h"
#include "model/postnet.h"

typedef struct postnet_case {
    int bands, channels, layers, look_ahead, patch;
} postnet_case;

typedef struct pitch_case {
    int channels, layers, look_ahead;
} pitch_case;

static const postnet_case postnet_cases[] = {{7, 5, 2, 0, 1},  {5, 3, 0, 2, 1}, {11, 8, 3, 2, 1},
                                             {12, 2, 1, 1, 4}, {6, 3, 0, 1, 6}, {80, 24, 5, 7, 2}};
static const pitch_case pitch_cases[] = {{5, 3, 0}, {7, 2, 2}, {12, 4, 1}, {128, 5, 2}, {33, 3, 3}};
enum {
    POSTNET_CASES = sizeof postnet_cases / sizeof *postnet_cases,
    PITCH_CASES = sizeof pitch_cases / sizeof *pitch_cases
};

static inline void checked_config(model_config *config) {
    lull_error error = {0};
    if (model_config_check(config, "a test", &error)) fail_msg("%s", error.message);
}

static inline void postnet_config(const postnet_case *s, model_config *config) {
    model_config_default(config);
    config->mel.bands = s->bands;
    config->postnet_channels = s->channels;
    config->postnet_layers = s->layers;
    config->postnet_look_ahead = s->look_ahead;
    config->postnet_patch = s->patch;
    checked_config(config);
}

static inline void pitch_config(const pitch_case *s, model_config *config) {
    model_config_default(config);
    config->pitch_channels = s->channels;
    config->pitch_layers = s->layers;
    config->pitch_look_ahead = s->look_ahead;
    checked_config(config);
}

/* Weights with which every convolution says something, the last one too. */
static inline model_parameters *stack_weights(const model_config *config) {
    model_parameters *p;
    assert_int_equal(model_parameters_new(config, &p, NULL), LULL_OK);
    for (size_t i = 0; i < p->tensor_count; i++) {
        const model_tensor *t = &p->tensors[i];
        float scale = t->bias ? 0.3f : 1.2f / sqrtf((float)t->fan);
        if (t->part == MODEL_POSTNET) scale = 0.7f / sqrtf(9.0f * (float)config->postnet_channels);
        random_normal(3, (uint32_t)i, 0, p->data + t->offset, t->count);
        for (size_t j = 0; j < t->count; j++) p->data[t->offset + j] *= scale;
    }
    return p;
}

static inline float *stack_mels(int frames, int bands) {
    const size_t n = (size_t)frames * (size_t)bands;
    float *mel = base_alloc(n, sizeof *mel);
    assert_non_null(mel);
    random_normal(5, 0, 0, mel, n);
    for (size_t i = 0; i < n; i++) mel[i] = 2 * mel[i] - 5;
    return mel;
}

#endif
