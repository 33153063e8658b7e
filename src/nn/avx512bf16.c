/* Kernels for AVX-512 with bfloat16 products (vdpbf16ps). */
#include "nn/vector_avx512.h"

#define NN_TABLE nn_avx512bf16
#define NN_NAME "avx512bf16"
#define NN_BF16_NATIVE true
#define TILE_F32 14
#define FOR_TILE_F32(X) FOR_14(X)
#define TILE_BF16 14
#define FOR_TILE_BF16(X) FOR_14(X)
#define v_dot(acc, a, b) _mm512_dpbf16_ps(acc, (__m512bh)(a), (__m512bh)(b))

static inline void v_store_bf16_fast(bf16 *p, vf x) {
    _mm256_storeu_si256((__m256i *)p, (__m256i)_mm512_cvtneps_pbh(x));
}

#include "nn/vector_kernels.h"
