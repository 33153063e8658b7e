/* Where the noise comes from: the counter-based generator, or an array that the caller gives. */
#ifndef VOCODER_NOISE_H
#define VOCODER_NOISE_H

#include "base/random.h"

#include <string.h>

typedef struct vocoder_noise_source {
    uint64_t seed;
    const float *rows; /* NULL: the generator */
    size_t row_count, samples;
} vocoder_noise_source;

/* Samples first … first+n−1 of draw number `row`. */
static inline void vocoder_noise_draw(const vocoder_noise_source *noise, int row, uint64_t first,
                                      float *out, size_t n) {
    if (noise->rows) {
        /* The last patch of the network may reach beyond it. */
        size_t there = first < noise->samples ? noise->samples - (size_t)first : 0;
        if (there > n) there = n;
        memcpy(out, noise->rows + (size_t)row * noise->samples + first, there * sizeof *out);
        memset(out + there, 0, (n - there) * sizeof *out);
    } else
        random_normal(noise->seed, (uint32_t)row, first, out, n);
}

#endif
