/* Kernels for any processor, by the compiler's own vectors of four floats: SSE2, Advanced SIMD, or
 * whatever the target has. Products and sums are rounded one by one. */
#include "nn/kernels.h"

#include <string.h>

#define NN_TABLE nn_portable
#define NN_NAME "portable"
#define NN_BF16_NATIVE false
#define V_LANES 4
typedef float vf __attribute__((vector_size(16)));
typedef uint32_t vi __attribute__((vector_size(16)));
typedef int32_t signed_lanes __attribute__((vector_size(16)));

/* 8 accumulators, two vectors of B and one of A of 16 registers. */
#define TILE_F32 4
#define FOR_TILE_F32(X) X(1) X(2) X(3) X(4)
#define TILE_BF16 2
#define FOR_TILE_BF16(X) X(1) X(2)

static inline vf v_zero(void) {
    return (vf){0};
}

static inline vf v_set1(float x) {
    return (vf){x, x, x, x};
}

static inline vf v_load_n(const float *p, int n) {
    vf x = {0};
    memcpy(&x, p, (size_t)n * sizeof *p);
    return x;
}

static inline void v_store_n(float *p, vf x, int n) {
    memcpy(p, &x, (size_t)n * sizeof *p);
}

static inline vf v_load(const float *p) {
    vf x;
    memcpy(&x, p, sizeof x);
    return x;
}

static inline void v_store(float *p, vf x) {
    memcpy(p, &x, sizeof x);
}

#define v_add(a, b) ((a) + (b))
#define v_sub(a, b) ((a) - (b))
#define v_mul(a, b) ((a) * (b))
#define v_div(a, b) ((a) / (b))

static inline vf v_fma(vf a, vf b, vf c) {
    return a * b + c;
}

static inline vf select(vi mask, vf a, vf b) {
    return (vf)((mask & (vi)a) | (~mask & (vi)b));
}

/* NaN in b stays. */
static inline vf v_min(vf a, vf b) {
    return select((vi)(a < b), a, b);
}

static inline vf v_max(vf a, vf b) {
    return select((vi)(a > b), a, b);
}

/* Limited to ±126, so that 2^whole is a normal number. Adding 1.5·2²³ rounds to whole numbers. */
static inline vf v_split(vf x, vf *whole) {
    const vf shifter = v_set1(12582912.0f);
    const vf limited = v_min(v_set1(126.0f), v_max(v_set1(-126.0f), x));
    *whole = limited + shifter - shifter;
    return limited - *whole;
}

/* The power goes right into the exponent field of a float; whole + 1.5·2²³ has it in its lowest
 * bits. (A NaN gives a NaN: x is one.) */
static inline vf v_scale(vf x, vf whole) {
    const vi bits = (vi)(whole + v_set1(12582912.0f)) + 127u;
    return x * (vf)(bits << 23);
}

static inline vi load_16(const bf16 *p, int n) {
    bf16 some[V_LANES] = {0};
    memcpy(some, p, (size_t)(n < V_LANES ? n : V_LANES) * sizeof *p);
    return (vi){some[0], some[1], some[2], some[3]};
}

static inline vf v_load_bf16_n(const bf16 *p, int n) {
    return (vf)(load_16(p, n) << 16);
}

static inline vf v_load_bf16(const bf16 *p) {
    return v_load_bf16_n(p, V_LANES);
}

static inline void v_store_bf16_n(bf16 *p, vf x, int n) {
    const vi bits = (vi)x, upper = bits >> 16;
    const vi rounded = (bits + (upper & 1u) + 0x7fffu) >> 16, number = (vi)(x == x);
    const vi out = (number & rounded) | (~number & (upper | 0x40u));
    for (int i = 0; i < n; i++) p[i] = (bf16)out[i];
}

static inline void v_store_bf16(bf16 *p, vf x) {
    v_store_bf16_n(p, x, V_LANES);
}

#define v_store_bf16_fast(p, x) v_store_bf16(p, x)

static inline vi v_pair(const bf16 *p) {
    uint32_t pair;
    memcpy(&pair, p, sizeof pair);
    return (vi){pair, pair, pair, pair};
}

static inline vi v_pairs(const bf16 *p) {
    vi x;
    memcpy(&x, p, sizeof x);
    return x;
}

static inline void v_store_pairs(bf16 *p, vi x) {
    memcpy(p, &x, sizeof x);
}

static inline vi v_interleave_n(const bf16 *p, const bf16 *q, int n) {
    return load_16(p, n) | load_16(q, n) << 16;
}

static inline void v_interleave_panel(const bf16 *p, const bf16 *q, bf16 *pairs) {
    v_store_pairs(pairs, v_interleave_n(p, q, V_LANES));
    v_store_pairs(pairs + 2 * V_LANES, v_interleave_n(p + V_LANES, q + V_LANES, V_LANES));
}

static inline vf v_dot(vf acc, vi a, vi b) {
    const vf low = v_fma((vf)(a << 16), (vf)(b << 16), acc);
    return v_fma((vf)(a & 0xffff0000u), (vf)(b & 0xffff0000u), low);
}

#include "nn/vector_kernels.h"
