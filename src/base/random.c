/* Philox 4x32-10 (Salmon, Moraes, Dror & Shaw 2011, section 4.3) and the deviates made from it.
 *
 * Everything here is made of integer operations and of the float operations +, -, ×, ÷ and √, which
 * IEEE 754 rounds exactly: the values are the same for every cut of a range into calls, every
 * compiler and every vector width. */
#include "base/random.h"

#include "base/circle.h"

#include <math.h>
#include <string.h>

enum { BATCH = 64 }; /* Philox blocks made side by side, so that loops over them vectorize */

/* The fourth counter word keeps normal and uniform deviates of one stream apart. */
enum { DOMAIN_NORMAL = 0, DOMAIN_UNIFORM = 1 };

static inline void philox_round(uint32_t x[4], uint32_t key0, uint32_t key1) {
    uint64_t product0 = (uint64_t)0xd2511f53u * x[0];
    uint64_t product1 = (uint64_t)0xcd9e8d57u * x[2];
    uint32_t x1 = x[1], x3 = x[3];
    x[0] = (uint32_t)(product1 >> 32) ^ x1 ^ key0;
    x[1] = (uint32_t)product1;
    x[2] = (uint32_t)(product0 >> 32) ^ x3 ^ key1;
    x[3] = (uint32_t)product0;
}

void random_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t x[4] = {counter[0], counter[1], counter[2], counter[3]};
    uint32_t key0 = key[0], key1 = key[1];
    for (int round = 0; round < 10; round++) {
        philox_round(x, key0, key1);
        key0 += 0x9e3779b9u; /* golden ratio */
        key1 += 0xbb67ae85u; /* √3 − 1 */
    }
    memcpy(out, x, sizeof x);
}

/* The words of Philox blocks first … first+n-1, word w of all blocks in words[w]. */
static void philox_batch(uint64_t seed, uint32_t stream, uint64_t first, uint32_t words[4][BATCH],
                         size_t n) {
    const uint32_t seed0 = (uint32_t)seed, seed1 = (uint32_t)(seed >> 32);
    for (size_t i = 0; i < n; i++) {
        uint64_t block = first + i;
        uint32_t x[4] = {(uint32_t)block, (uint32_t)(block >> 32), stream, DOMAIN_NORMAL};
        uint32_t key0 = seed0, key1 = seed1;
#pragma GCC unroll 10
        for (int round = 0; round < 10; round++) {
            philox_round(x, key0, key1);
            key0 += 0x9e3779b9u;
            key1 += 0xbb67ae85u;
        }
        words[0][i] = x[0];
        words[1][i] = x[1];
        words[2][i] = x[2];
        words[3][i] = x[3];
    }
}

/* Natural logarithm of a normal positive float: u = m·2^e with m in [√½, √2), and
 * ln m = 2·artanh(s) = 2·(s + s³/3 + s⁵/5 + …), s = (m − 1)/(m + 1), |s| < 0.172. */
static inline float logarithm(float u) {
    int32_t shifted = (int32_t)(base_bits_of(u) - 0x3f3504f3u); /* the bits of √½ */
    int32_t exponent = shifted >> 23;
    float m = base_float_of((uint32_t)(shifted & 0x7fffff) + 0x3f3504f3u);
    float s = (m - 1.0f) / (m + 1.0f);
    float q = s * s;
    float series = 1.0f / 9.0f;
    series = series * q + 1.0f / 7.0f;
    series = series * q + 1.0f / 5.0f;
    series = series * q + 1.0f / 3.0f;
    series = series * q * s + s;
    return 2.0f * series + (float)exponent * 0.69314718056f;
}

/* Box & Muller 1958: √(−2·ln u)·(cos 2πv, sin 2πv), from one word for u and one for v. */
static void box_muller(const uint32_t *restrict u_words, const uint32_t *restrict v_words,
                       float *restrict cosines, float *restrict sines, size_t n) {
    for (size_t i = 0; i < n; i++) {
        /* 31 bits and a half step: never 0, and signed because that converts in one instruction. */
        float u = ((float)(int32_t)(u_words[i] >> 1) + 0.5f) * 0x1p-31f;
        /* u may round up to 1: ln gives 0 there, and never anything above it. */
        float radius = sqrtf(-2.0f * logarithm(u));

        float cosine, sine;
        base_circle(v_words[i], &cosine, &sine);
        cosines[i] = radius * cosine;
        sines[i] = radius * sine;
    }
}

void random_normal(uint64_t seed, uint32_t stream, uint64_t first, float *out, size_t n) {
    uint32_t words[4][BATCH];
    float deviates[4][BATCH];
    /* Deviate i is number i % 4 of Philox block i / 4. */
    uint64_t block = first / 4;
    size_t skip = (size_t)(first % 4);
    while (n > 0) {
        size_t room = skip + n;
        size_t blocks = room >= (size_t)BATCH * 4 ? BATCH : (room + 3) / 4;
        philox_batch(seed, stream, block, words, blocks);
        box_muller(words[0], words[1], deviates[0], deviates[1], blocks);
        box_muller(words[2], words[3], deviates[2], deviates[3], blocks);
        size_t taken = blocks * 4 - skip < n ? blocks * 4 - skip : n;
        if (skip == 0 && taken == blocks * 4) {
            for (size_t i = 0; i < blocks; i++) {
                for (size_t lane = 0; lane < 4; lane++) out[4 * i + lane] = deviates[lane][i];
            }
        } else {
            for (size_t i = 0; i < taken; i++) out[i] = deviates[(skip + i) % 4][(skip + i) / 4];
        }
        out += taken;
        n -= taken;
        block += blocks;
        skip = 0;
    }
}

double random_uniform(uint64_t seed, uint32_t stream, uint64_t index) {
    const uint32_t counter[4] = {(uint32_t)index, (uint32_t)(index >> 32), stream, DOMAIN_UNIFORM};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t words[4];
    random_philox(counter, key, words);
    uint64_t bits = ((uint64_t)words[0] << 32 | words[1]) >> 11;
    return (double)bits * 0x1p-53;
}
