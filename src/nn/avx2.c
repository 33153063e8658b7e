/* Kernels for AVX2 with FMA. */
#include "nn/kernels.h"

#include <immintrin.h>
#include <string.h>

#define NN_TABLE nn_avx2
#define NN_NAME "avx2"
#define NN_BF16_NATIVE false
#define V_LANES 8
typedef __m256 vf;
typedef __m256i vi;

/* 12 accumulators, two vectors of B and one of A fill 15 of the 16 registers. */
#define TILE_F32 6
#define FOR_TILE_F32(X) X(1) X(2) X(3) X(4) X(5) X(6)
#define TILE_BF16 4
#define FOR_TILE_BF16(X) X(1) X(2) X(3) X(4)

#define v_zero() _mm256_setzero_ps()
#define v_set1(x) _mm256_set1_ps(x)
#define v_load(p) _mm256_loadu_ps(p)
#define v_store(p, x) _mm256_storeu_ps(p, x)
#define v_add(a, b) _mm256_add_ps(a, b)
#define v_sub(a, b) _mm256_sub_ps(a, b)
#define v_mul(a, b) _mm256_mul_ps(a, b)
#define v_div(a, b) _mm256_div_ps(a, b)
#define v_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define v_min(a, b) _mm256_min_ps(a, b)
#define v_max(a, b) _mm256_max_ps(a, b)
#define v_store_bf16_fast(p, x) v_store_bf16(p, x)
#define v_pairs(p) _mm256_loadu_si256((const __m256i *)(p))
#define v_store_pairs(p, x) _mm256_storeu_si256((__m256i *)(p), x)

static inline __m256i first_lanes(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline vf v_load_n(const float *p, int n) {
    return _mm256_maskload_ps(p, first_lanes(n));
}

static inline void v_store_n(float *p, vf x, int n) {
    _mm256_maskstore_ps(p, first_lanes(n), x);
}

/* Limited to ±126, so that 2^whole is a normal number; NaN stays (the second argument of min and
 * max). */
static inline vf v_split(vf x, vf *whole) {
    vf limited = v_min(v_set1(126.0f), v_max(v_set1(-126.0f), x));
    *whole = _mm256_round_ps(limited, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    return v_sub(limited, *whole);
}

/* The power goes right into the exponent field of a float. */
static inline vf v_scale(vf x, vf whole) {
    __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(whole), _mm256_set1_epi32(127));
    return v_mul(x, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)));
}

static inline __m128i load_16(const bf16 *p, int n) {
    bf16 some[V_LANES] = {0};
    if (n >= V_LANES) return _mm_loadu_si128((const __m128i *)p);
    memcpy(some, p, (size_t)n * sizeof *p);
    return _mm_loadu_si128((const __m128i *)some);
}

static inline vf v_load_bf16_n(const bf16 *p, int n) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(load_16(p, n)), 16));
}

static inline vf v_load_bf16(const bf16 *p) {
    return v_load_bf16_n(p, V_LANES);
}

static inline __m128i narrow(vf x) {
    __m256i bits = _mm256_castps_si256(x), upper = _mm256_srli_epi32(bits, 16);
    __m256i odd = _mm256_and_si256(upper, _mm256_set1_epi32(1));
    __m256i rounded = _mm256_srli_epi32(
        _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff))), 16);
    __m256i quiet = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
    __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    __m256i out = _mm256_blendv_epi8(rounded, quiet, nan);
    return _mm_packus_epi32(_mm256_castsi256_si128(out), _mm256_extracti128_si256(out, 1));
}

static inline void v_store_bf16(bf16 *p, vf x) {
    _mm_storeu_si128((__m128i *)p, narrow(x));
}

static inline void v_store_bf16_n(bf16 *p, vf x, int n) {
    bf16 some[V_LANES];
    v_store_bf16(some, x);
    memcpy(p, some, (size_t)n * sizeof *p);
}

static inline vi v_pair(const bf16 *p) {
    int32_t pair;
    memcpy(&pair, p, sizeof pair);
    return _mm256_set1_epi32(pair);
}

static inline vi v_interleave_n(const bf16 *p, const bf16 *q, int n) {
    return _mm256_or_si256(_mm256_cvtepu16_epi32(load_16(p, n)),
                           _mm256_slli_epi32(_mm256_cvtepu16_epi32(load_16(q, n)), 16));
}

static inline void v_interleave_panel(const bf16 *p, const bf16 *q, bf16 *pairs) {
    v_store_pairs(pairs, v_interleave_n(p, q, V_LANES));
    v_store_pairs(pairs + 2 * V_LANES, v_interleave_n(p + V_LANES, q + V_LANES, V_LANES));
}

static inline vf lower(vi x) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(x, 16));
}

static inline vf upper(vi x) {
    return _mm256_castsi256_ps(_mm256_and_si256(x, _mm256_set1_epi32((int)0xffff0000u)));
}

static inline vf v_dot(vf acc, vi a, vi b) {
    return v_fma(upper(a), upper(b), v_fma(lower(a), lower(b), acc));
}

#include "nn/vector_kernels.h"
