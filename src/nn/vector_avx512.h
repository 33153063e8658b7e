/* The vector primitives of vector_kernels.h for AVX-512 (F, BW, DQ, VL), all but v_dot
 * and v_store_bf16_fast. */
#include "nn/kernels.h"

#include <immintrin.h>
#include <string.h>

#define V_LANES 16
typedef __m512 vf;
typedef __m512i vi;

/* 28 accumulators, two vectors of B and one of A fill the 32 registers. */
#define FOR_12(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12)
#define FOR_14(X) FOR_12(X) X(13) X(14)

#define v_zero() _mm512_setzero_ps()
#define v_set1(x) _mm512_set1_ps(x)
#define v_load(p) _mm512_loadu_ps(p)
#define v_store(p, x) _mm512_storeu_ps(p, x)
#define v_add(a, b) _mm512_add_ps(a, b)
#define v_sub(a, b) _mm512_sub_ps(a, b)
#define v_mul(a, b) _mm512_mul_ps(a, b)
#define v_div(a, b) _mm512_div_ps(a, b)
#define v_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define v_min(a, b) _mm512_min_ps(a, b)
#define v_max(a, b) _mm512_max_ps(a, b)
#define v_pairs(p) _mm512_loadu_si512(p)
#define v_store_pairs(p, x) _mm512_storeu_si512(p, x)

static inline __mmask16 first_lanes(int n) {
    return (__mmask16)((1u << n) - 1);
}

static inline vf v_load_n(const float *p, int n) {
    return _mm512_maskz_loadu_ps(first_lanes(n), p);
}

static inline void v_store_n(float *p, vf x, int n) {
    _mm512_mask_storeu_ps(p, first_lanes(n), x);
}

/* Infinities need no care: vreduceps makes 0 of them, and vscalefps infinity or 0 of any number. */
static inline vf v_split(vf x, vf *whole) {
    *whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    return _mm512_reduce_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

static inline vf v_scale(vf x, vf whole) {
    return _mm512_scalef_ps(x, whole);
}

static inline vf widen(__m256i x) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
}

/* In integers: vcvtneps2bf16 would flush denormals. */
static inline __m256i narrow(vf x) {
    __m512i bits = _mm512_castps_si512(x), upper = _mm512_srli_epi32(bits, 16);
    __m512i odd = _mm512_and_si512(upper, _mm512_set1_epi32(1));
    __m512i rounded = _mm512_srli_epi32(
        _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))), 16);
    __m512i quiet = _mm512_or_si512(upper, _mm512_set1_epi32(0x40));
    __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    return _mm512_cvtepi32_epi16(_mm512_mask_mov_epi32(rounded, nan, quiet));
}

static inline vf v_load_bf16(const bf16 *p) {
    return widen(_mm256_loadu_si256((const __m256i *)p));
}

static inline vf v_load_bf16_n(const bf16 *p, int n) {
    return widen(_mm256_maskz_loadu_epi16(first_lanes(n), p));
}

static inline void v_store_bf16(bf16 *p, vf x) {
    _mm256_storeu_si256((__m256i *)p, narrow(x));
}

static inline void v_store_bf16_n(bf16 *p, vf x, int n) {
    _mm256_mask_storeu_epi16(p, first_lanes(n), narrow(x));
}

static inline vi v_pair(const bf16 *p) {
    int32_t pair;
    memcpy(&pair, p, sizeof pair);
    return _mm512_set1_epi32(pair);
}

static inline vi v_interleave_n(const bf16 *p, const bf16 *q, int n) {
    __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(first_lanes(n), p));
    __m512i high = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(first_lanes(n), q));
    return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

static inline void v_interleave_panel(const bf16 *p, const bf16 *q, bf16 *pairs) {
    /* Lane i of the first vector takes word i of p and word i of q; words of q count from 32. */
    const __m512i ascending =
        _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i left = _mm512_or_si512(
        ascending, _mm512_slli_epi32(_mm512_or_si512(ascending, _mm512_set1_epi32(32)), 16));
    const __m512i right = _mm512_or_si512(left, _mm512_set1_epi16(16));
    __m512i x = _mm512_loadu_si512(p), y = _mm512_loadu_si512(q);
    _mm512_storeu_si512(pairs, _mm512_permutex2var_epi16(x, left, y));
    _mm512_storeu_si512(pairs + 2 * V_LANES, _mm512_permutex2var_epi16(x, right, y));
}
