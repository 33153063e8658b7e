/* Signals whose pitch is known. */
#ifndef TESTS_PITCH_SIGNALS_H
#define TESTS_PITCH_SIGNALS_H

#include "base/memory.h"
#include "base/random.h"
#include "lull.h"

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

static inline float *white(size_t count, float deviation, uint64_t seed) {
    float *y = base_alloc(count, sizeof *y);
    assert_non_null(y);
    random_normal(seed, 0, 0, y, count);
    for (size_t i = 0; i < count; i++) y[i] *= deviation;
    return y;
}

/* Partials first … last of f0 below `top` Hz, each 1/h^slope as strong. */
static inline float *partials(size_t count, int rate, double f0, int first, double top,
                              double slope) {
    float *y = base_alloc(count, sizeof *y);
    assert_non_null(y);
    for (int h = first; h * f0 < top; h++)
        for (size_t i = 0; i < count; i++)
            y[i] += (float)(0.2 / pow(h, slope) *
                            sin(2 * 3.14159265358979 * f0 * h * (double)i / rate + h * h));
    return y;
}

/* The same for a pitch that glides from `from` by `octaves` a second. */
static inline float *glide(size_t count, int rate, double from, double octaves, int harmonics) {
    float *y = base_alloc(count, sizeof *y);
    assert_non_null(y);
    double phase = 0;
    for (size_t i = 0; i < count; i++) {
        phase += 2 * 3.14159265358979 * from * exp2(octaves * (double)i / rate) / rate;
        for (int h = 1; h <= harmonics; h++) y[i] += (float)(0.2 / h * sin(phase * h + h));
    }
    return y;
}

#endif
