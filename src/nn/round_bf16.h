/* Scalar bfloat16 rounding, shared by the twins and by what packs weights. */
#ifndef NN_ROUND_BF16_H
#define NN_ROUND_BF16_H

#include "nn/kernels.h"
#include <string.h>

/* To nearest, ties to even; a NaN stays a (quiet) NaN. */
static inline bf16 round_bf16(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (bf16)(bits >> 16 | 0x40);
    return (bf16)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

static inline float widen_bf16(bf16 x) {
    uint32_t bits = (uint32_t)x << 16;
    float out;
    memcpy(&out, &bits, sizeof out);
    return out;
}

#endif
