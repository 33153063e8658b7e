/* What the tests of training share: a temporary folder, recordings of made-up speech, a tiny
 * network. */
#ifndef TESTS_TRAIN_HELPERS_H
#define TESTS_TRAIN_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/random.h"
#include "model/config.h"

enum { TEST_PATH = 1024 };

static inline void make_temporary(char *folder) {
    const char *base = getenv("TMPDIR");
    snprintf(folder, TEST_PATH, "%s/lull-train-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(folder));
}

static inline void remove_all(const char *folder) {
    char command[TEST_PATH + 32];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

static inline void join(char *path, const char *folder, const char *name) {
    int n = snprintf(path, TEST_PATH, "%s/%s", folder, name);
    assert_true(n > 0 && n < TEST_PATH);
}

static inline void put(uint8_t *at, uint32_t value, int bytes) {
    for (int i = 0; i < bytes; i++) at[i] = (uint8_t)(value >> (8 * i));
}

/* A 16-bit WAV file by hand: count frames of `channels`, interleaved. */
static inline void write_wav(const char *path, int rate, int channels, const float *samples,
                             size_t count) {
    uint8_t header[44];
    uint32_t bytes = (uint32_t)(count * (size_t)channels * 2);
    memcpy(header, "RIFF____WAVEfmt ", 16);
    put(header + 4, 36 + bytes, 4);
    put(header + 16, 16, 4);
    put(header + 20, 1, 2);
    put(header + 22, (uint32_t)channels, 2);
    put(header + 24, (uint32_t)rate, 4);
    put(header + 28, (uint32_t)(rate * channels * 2), 4);
    put(header + 32, (uint32_t)channels * 2, 2);
    put(header + 34, 16, 2);
    memcpy(header + 36, "data", 4);
    put(header + 40, bytes, 4);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(header, 1, 44, file), 44);
    for (size_t i = 0; i < count * (size_t)channels; i++) {
        uint8_t two[2];
        put(two, (uint32_t)(int)lrintf(32767.0f * samples[i]), 2);
        assert_int_equal(fwrite(two, 1, 2, file), 2);
    }
    assert_int_equal(fclose(file), 0);
}

/* A voice of sorts: harmonics of a wandering pitch under a slow envelope, and some noise. */
static inline float *make_voice(int rate, double seconds, unsigned seed, size_t *count) {
    *count = (size_t)(rate * seconds);
    float *samples = malloc((*count + 1) * sizeof *samples),
          *noise = malloc((*count + 1) * sizeof *noise);
    assert_true(samples && noise);
    random_normal(seed, 9, 0, noise, *count);
    double phase = 0.0, pitch = 110.0 + 20.0 * (seed % 5);
    for (size_t i = 0; i < *count; i++) {
        double t = (double)i / rate, level = 0.25 + 0.2 * sin(7.0 * t + seed), sum = 0.0;
        phase += 6.283185307179586 * pitch * (1.0 + 0.1 * sin(3.0 * t)) / rate;
        for (int k = 1; k < 12; k++) sum += sin(k * phase) / k;
        samples[i] = (float)(0.5 * level * (sum * 0.4 + 0.05 * noise[i]));
    }
    free(noise);
    return samples;
}

static inline void write_voice(const char *folder, const char *name, int rate, double seconds,
                               unsigned seed) {
    char path[TEST_PATH];
    size_t count;
    float *samples = make_voice(rate, seconds, seed, &count);
    join(path, folder, name);
    write_wav(path, rate, 1, samples, count);
    free(samples);
}

/* The recipe, reduced to what takes milliseconds. */
static inline void tiny_config(model_config *config) {
    lull_error error;
    static const char json[] = "{\"format\":1,\"family\":\"lull\",\"name\":\"tiny\",\"mel\":{"
                               "\"convention\":\"hifigan\",\"sample_rate\":16000},"
                               "\"network\":{\"channels\":8,\"layers\":2,\"dilations\":[1,2],"
                               "\"embedding\":{\"hidden\":16,\"frequencies\":4},"
                               "\"conditioner\":{\"channels\":8}}}";
    if (model_config_parse(json, "tiny", config, &error)) fail_msg("%s", error.message);
}

#endif
