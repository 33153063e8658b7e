/* What tests/goldens/README.md leaves to be computed, and paths of files that tests use. */
#ifndef TESTS_GOLDENS_H
#define TESTS_GOLDENS_H

#include "io/safetensors.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline const char *golden_path(const char *name) {
    static char path[4096];
    const char *folder = getenv("LULL_GOLDENS");
    snprintf(path, sizeof path, "%s/%s", folder ? folder : "tests/goldens", name);
    return path;
}

static inline const char *source_path(const char *name) {
    static char path[4096];
    const char *folder = getenv("LULL_SOURCE");
    snprintf(path, sizeof path, "%s/%s", folder ? folder : ".", name);
    return path;
}

/* MT19937 (Matsumoto & Nishimura 1998) seeded with one word: `count` draws after `skip`, as PyTorch
 * makes uniform numbers in [-bound, bound) of their low 24 bits. */
static inline void golden_uniform(uint32_t seed, size_t skip, double bound, float *out,
                                  size_t count) {
    uint32_t state[624];
    state[0] = seed;
    for (uint32_t i = 1; i < 624; i++)
        state[i] = 1812433253u * (state[i - 1] ^ (state[i - 1] >> 30)) + i;
    size_t at = 624;
    for (size_t n = 0; n < skip + count; n++) {
        if (at == 624) {
            for (size_t i = 0; i < 624; i++) {
                uint32_t y = (state[i] & 0x80000000u) | (state[(i + 1) % 624] & 0x7fffffffu);
                state[i] = state[(i + 397) % 624] ^ (y >> 1) ^ ((y & 1u) ? 0x9908b0dfu : 0u);
            }
            at = 0;
        }
        uint32_t y = state[at++];
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c5680u;
        y ^= (y << 15) & 0xefc60000u;
        y ^= y >> 18;
        double u = (y & 0xffffffu) / 16777216.0;
        if (n >= skip) out[n - skip] = (float)(u * (2.0 * bound) - bound);
    }
}

/* A tensor of train_small.safetensors by its full name ("param.…", "grad.l2.…"), also one that is
 * not stored as such. False when there is none of that name and size. */
static inline bool golden_train_tensor(const safetensors *file, const char *name, float *out,
                                       size_t count) {
    const char *first = "param.diffusion_embedding.projection1.weight";
    const char *second = "param.diffusion_embedding.projection2.weight";
    if (!strcmp(name, first) || !strcmp(name, second)) {
        size_t inputs = !strcmp(name, first) ? 128 : 512;
        if (count != 512 * inputs) return false;
        golden_uniform(5, inputs == 128 ? 32 : 66080, (float)(1.0 / sqrt((double)inputs)), out,
                       count);
        return true;
    }
    if (safetensors_find(file, name)) return !safetensors_read_f32(file, name, out, count, NULL);
    char part[160];
    snprintf(part, sizeof part, "%s.left", name);
    const safetensors_tensor *left = safetensors_find(file, part);
    if (!left || left->dimensions != 2 || left->shape[1] != 2 || count % left->shape[0])
        return false;
    size_t rows = left->shape[0], columns = count / rows;
    float *l = malloc(rows * 2 * sizeof *l), *r = malloc(columns * 2 * sizeof *r);
    bool fine = l && r && !safetensors_read_f32(file, part, l, rows * 2, NULL);
    snprintf(part, sizeof part, "%s.right", name);
    fine = fine && !safetensors_read_f32(file, part, r, columns * 2, NULL);
    if (fine) {
        for (size_t i = 0; i < rows; i++)
            for (size_t j = 0; j < columns; j++)
                out[i * columns + j] = l[2 * i] * r[j] + l[2 * i + 1] * r[columns + j];
    }
    free(l);
    free(r);
    return fine;
}

#endif
