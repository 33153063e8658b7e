/* bfloat16: the upper half of a float32. */
#ifndef BASE_BF16_H
#define BASE_BF16_H

#include <stdint.h>
#include <string.h>

typedef uint16_t bf16;

/* To nearest, ties to even; a NaN stays a (quiet) NaN. */
static inline bf16 bf16_round(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (bf16)(bits >> 16 | 0x40);
    return (bf16)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

static inline float bf16_widen(bf16 x) {
    uint32_t bits = (uint32_t)x << 16;
    float out;
    memcpy(&out, &bits, sizeof out);
    return out;
}

#endif
