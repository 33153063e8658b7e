/* Kernels for AVX-512 without bfloat16 products: those are two float32 products a pair. */
#include "nn/vector_avx512.h"

#define NN_TABLE nn_avx512
#define NN_NAME "avx512"
#define NN_BF16_NATIVE false
#define TILE_F32 14
#define FOR_TILE_F32(X) FOR_14(X)
#define TILE_BF16 12 /* the halves of A and B take registers too */
#define FOR_TILE_BF16(X) FOR_12(X)

#define v_store_bf16_fast(p, x) v_store_bf16(p, x)

static inline vf lower(vi x) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(x, 16));
}

static inline vf upper(vi x) {
    return _mm512_castsi512_ps(_mm512_and_si512(x, _mm512_set1_epi32((int)0xffff0000u)));
}

static inline vf v_dot(vf acc, vi a, vi b) {
    return v_fma(upper(a), upper(b), v_fma(lower(a), lower(b), acc));
}

#include "nn/vector_kernels.h"
