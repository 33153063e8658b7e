/* Signals that the tests of this folder score. */
#ifndef TESTS_EVAL_SIGNALS_H
#define TESTS_EVAL_SIGNALS_H

#include "base/memory.h"
#include "base/random.h"
#include "recording/audio_file.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define assert_ok(call, error)                                                                     \
    do {                                                                                           \
        (error).message[0] = 0;                                                                    \
        if ((call) != LULL_OK) fail_msg("%s: %s", #call, (error).message);                         \
    } while (0)

#define assert_near(a, b, tolerance)                                                               \
    do {                                                                                           \
        double assert_a = (a), assert_b = (b);                                                     \
        if (!(fabs(assert_a - assert_b) <= (tolerance)))                                           \
            fail_msg("line %d: %s is %.9g, expected %.9g", __LINE__, #a, assert_a, assert_b);      \
    } while (0)

static inline float *speech(int rate, size_t *count) {
    char path[1024];
    lull_error error;
    float *samples = NULL;
    const char *folder = getenv("LULL_GOLDENS");
    snprintf(path, sizeof path, "%s/mel/speech_%d.wav", folder ? folder : "tests/goldens", rate);
    assert_ok(recording_file_read(path, 0, &samples, count, NULL, &error), error);
    return samples;
}

/* The degraded copies of independent_scores.py. */
static inline float *noisy(const float *x, size_t count) {
    float *y = base_alloc(count, sizeof *y);
    uint32_t state = 1;
    assert_non_null(y);
    for (size_t i = 0; i < count; i++) {
        double value = 0.8 * (double)x[i] + 0.004 + (i >= 7 ? 0.15 * (double)x[i - 7] : 0);
        state = 1664525u * state + 1013904223u;
        y[i] = (float)(value + 0.02 * (state / 2147483648.0 - 1));
    }
    return y;
}

static inline float *warped(const float *x, size_t *count) {
    size_t n = (size_t)((double)*count / 1.01) - 1;
    float *y = base_alloc(n, sizeof *y);
    assert_non_null(y);
    for (size_t i = 0; i < n; i++) {
        double at = (double)i * 1.01;
        size_t first = (size_t)at;
        y[i] = (float)(x[first] + (at - (double)first) * ((double)x[first + 1] - x[first]));
    }
    *count = n;
    return y;
}

static inline float *loud(const float *x, size_t count) {
    float *y = base_alloc(count, sizeof *y);
    assert_non_null(y);
    for (size_t i = 0; i < count; i++) y[i] = fminf(fmaxf(8 * x[i], -1), 1);
    return y;
}

/* White noise of the given deviation. */
static inline float *white(size_t count, float deviation, uint64_t seed) {
    float *y = base_alloc(count, sizeof *y);
    assert_non_null(y);
    random_normal(seed, 0, 0, y, count);
    for (size_t i = 0; i < count; i++) y[i] *= deviation;
    return y;
}

/* `harmonics` partials of f0, each 1/h as strong. */
static inline float *tone(size_t count, int rate, double f0, int harmonics) {
    float *y = base_alloc(count, sizeof *y);
    assert_non_null(y);
    for (size_t i = 0; i < count; i++)
        for (int h = 1; h <= harmonics; h++)
            y[i] += (float)(0.2 / h * sin(2 * 3.14159265358979 * f0 * h * (double)i / rate + h));
    return y;
}

#endif
