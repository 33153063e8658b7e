/* Reading the reference data that the tests of this folder compare with. */
#ifndef TESTS_MEL_GOLDENS_H
#define TESTS_MEL_GOLDENS_H

#include "base/memory.h"
#include "recording/audio_file.h"
#include "io/npy.h"
#include "io/safetensors.h"

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

static inline void golden_path(char path[1024], const char *name) {
    const char *folder = getenv("LULL_GOLDENS");
    snprintf(path, 1024, "%s/%s", folder ? folder : "tests/goldens", name);
}

static inline float *golden_speech(int rate, size_t *count) {
    char name[64], path[1024];
    lull_error error;
    float *samples = NULL;
    snprintf(name, sizeof name, "mel/speech_%d.wav", rate);
    golden_path(path, name);
    assert_ok(recording_file_read(path, 0, &samples, count, NULL, &error), error);
    return samples;
}

/* bands × frames on disk, frames × bands here. rate 0: the convention's name has it. */
static inline float *golden_mel(const char *convention, int rate, size_t bands, size_t *n) {
    char name[96], path[1024];
    lull_error error;
    npy_array array;
    if (rate > 0)
        snprintf(name, sizeof name, "mel/mel_%s_%d.npy", convention, rate);
    else
        snprintf(name, sizeof name, "mel/mel_%s.npy", convention);
    golden_path(path, name);
    assert_ok(npy_read(path, &array, &error), error);
    assert_int_equal(array.dimensions, 2);
    assert_int_equal(array.shape[0], bands);
    *n = array.shape[1];
    float *frames = base_alloc(*n * bands, sizeof(float));
    for (size_t b = 0; b < bands; b++)
        for (size_t f = 0; f < *n; f++) frames[f * bands + b] = array.data[b * *n + f];
    npy_free(&array);
    return frames;
}

/* A tensor of lull_bootstrap.safetensors. */
static inline float *golden_tensor(const char *name, size_t count) {
    char path[1024];
    lull_error error;
    safetensors *file = NULL;
    golden_path(path, "lull_bootstrap.safetensors");
    assert_ok(safetensors_open(path, &file, &error), error);
    float *data = base_alloc(count, sizeof(float));
    assert_ok(safetensors_read_f32(file, name, data, count, &error), error);
    safetensors_close(file);
    return data;
}

static inline double largest_difference(const float *a, const float *b, size_t n) {
    double largest = 0;
    for (size_t i = 0; i < n; i++) {
        const double d = fabs((double)a[i] - (double)b[i]);
        if (!(d <= largest)) largest = d; /* NaN counts */
    }
    return largest;
}

/* assert_true(value <= limit) that prints the value. */
static inline void assert_within(const char *what, double value, double limit) {
    if (!(value <= limit)) fail_msg("%s: %.3g, expected at most %.3g", what, value, limit);
    print_message("    %s: %.3g (limit %.3g)\n", what, value, limit);
}

#endif
