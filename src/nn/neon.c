/* Kernels for Armv8 Advanced SIMD (NEON). bfloat16 products are two float32 products a pair. */
#include "nn/kernels.h"

#include <arm_neon.h>
#include <string.h>

#define NN_TABLE nn_neon
#define NN_NAME "neon"
#define NN_BF16_NATIVE false
#define V_LANES 8

/* Two registers make a vector, so that a panel is 16 columns and a tile of 6 rows fills 24
 * registers. */
typedef struct vf {
    float32x4_t a, b;
} vf;
typedef struct vi {
    uint32x4_t a, b;
} vi;

#define TILE_F32 6
#define FOR_TILE_F32(X) X(1) X(2) X(3) X(4) X(5) X(6)
#define TILE_BF16 4
#define FOR_TILE_BF16(X) X(1) X(2) X(3) X(4)

#define EACH(operation, x, y)                                                                      \
    (vf) {                                                                                         \
        operation((x).a, (y).a), operation((x).b, (y).b)                                           \
    }

static inline vf v_set1(float x) {
    return (vf){vdupq_n_f32(x), vdupq_n_f32(x)};
}

static inline vf v_zero(void) {
    return v_set1(0.0f);
}

static inline vf v_load(const float *p) {
    return (vf){vld1q_f32(p), vld1q_f32(p + 4)};
}

static inline void v_store(float *p, vf x) {
    vst1q_f32(p, x.a);
    vst1q_f32(p + 4, x.b);
}

static inline vf v_load_n(const float *p, int n) {
    float some[V_LANES] = {0};
    memcpy(some, p, (size_t)n * sizeof *p);
    return v_load(some);
}

static inline void v_store_n(float *p, vf x, int n) {
    float some[V_LANES];
    v_store(some, x);
    memcpy(p, some, (size_t)n * sizeof *p);
}

static inline vf v_add(vf x, vf y) {
    return EACH(vaddq_f32, x, y);
}

static inline vf v_sub(vf x, vf y) {
    return EACH(vsubq_f32, x, y);
}

static inline vf v_mul(vf x, vf y) {
    return EACH(vmulq_f32, x, y);
}

static inline vf v_div(vf x, vf y) {
    return EACH(vdivq_f32, x, y);
}

/* A NaN stays one in both. */
static inline vf v_min(vf x, vf y) {
    return EACH(vminq_f32, x, y);
}

static inline vf v_max(vf x, vf y) {
    return EACH(vmaxq_f32, x, y);
}

static inline vf v_fma(vf x, vf y, vf z) {
    return (vf){vfmaq_f32(z.a, x.a, y.a), vfmaq_f32(z.b, x.b, y.b)};
}

/* Limited to ±126, so that 2^whole is a normal number. */
static inline vf v_split(vf x, vf *whole) {
    vf limited = v_min(v_set1(126.0f), v_max(v_set1(-126.0f), x));
    *whole = (vf){vrndnq_f32(limited.a), vrndnq_f32(limited.b)};
    return v_sub(limited, *whole);
}

/* The power goes right into the exponent field of a float. */
static inline float32x4_t power_of_2_of(float32x4_t whole) {
    return vreinterpretq_f32_s32(
        vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(whole), vdupq_n_s32(127)), 23));
}

static inline vf v_scale(vf x, vf whole) {
    return (vf){vmulq_f32(x.a, power_of_2_of(whole.a)), vmulq_f32(x.b, power_of_2_of(whole.b))};
}

static inline vi widen(uint16x8_t x) {
    return (vi){vmovl_u16(vget_low_u16(x)), vmovl_u16(vget_high_u16(x))};
}

static inline vf upper_half(vi x) {
    return (vf){vreinterpretq_f32_u32(vshlq_n_u32(x.a, 16)),
                vreinterpretq_f32_u32(vshlq_n_u32(x.b, 16))};
}

static inline uint16x8_t load_16(const bf16 *p, int n) {
    bf16 some[V_LANES] = {0};
    if (n >= V_LANES) return vld1q_u16(p);
    memcpy(some, p, (size_t)n * sizeof *p);
    return vld1q_u16(some);
}

static inline vf v_load_bf16_n(const bf16 *p, int n) {
    return upper_half(widen(load_16(p, n)));
}

static inline vf v_load_bf16(const bf16 *p) {
    return v_load_bf16_n(p, V_LANES);
}

static inline uint16x4_t narrow(float32x4_t x) {
    uint32x4_t bits = vreinterpretq_u32_f32(x), upper = vshrq_n_u32(bits, 16);
    uint32x4_t odd = vandq_u32(upper, vdupq_n_u32(1));
    uint32x4_t rounded = vshrq_n_u32(vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff))), 16);
    uint32x4_t quiet = vorrq_u32(upper, vdupq_n_u32(0x40));
    return vmovn_u32(vbslq_u32(vceqq_f32(x, x), rounded, quiet));
}

static inline void v_store_bf16(bf16 *p, vf x) {
    vst1q_u16(p, vcombine_u16(narrow(x.a), narrow(x.b)));
}

#define v_store_bf16_fast(p, x) v_store_bf16(p, x)

static inline void v_store_bf16_n(bf16 *p, vf x, int n) {
    bf16 some[V_LANES];
    v_store_bf16(some, x);
    memcpy(p, some, (size_t)n * sizeof *p);
}

static inline vi v_pair(const bf16 *p) {
    uint32_t pair;
    memcpy(&pair, p, sizeof pair);
    return (vi){vdupq_n_u32(pair), vdupq_n_u32(pair)};
}

static inline vi v_pairs(const bf16 *p) {
    return (vi){vreinterpretq_u32_u16(vld1q_u16(p)), vreinterpretq_u32_u16(vld1q_u16(p + 8))};
}

static inline void v_store_pairs(bf16 *p, vi x) {
    vst1q_u16(p, vreinterpretq_u16_u32(x.a));
    vst1q_u16(p + 8, vreinterpretq_u16_u32(x.b));
}

static inline vi v_interleave_n(const bf16 *p, const bf16 *q, int n) {
    uint16x8x2_t pairs = vzipq_u16(load_16(p, n), load_16(q, n));
    return (vi){vreinterpretq_u32_u16(pairs.val[0]), vreinterpretq_u32_u16(pairs.val[1])};
}

static inline void v_interleave_panel(const bf16 *p, const bf16 *q, bf16 *pairs) {
    v_store_pairs(pairs, v_interleave_n(p, q, V_LANES));
    v_store_pairs(pairs + 2 * V_LANES, v_interleave_n(p + V_LANES, q + V_LANES, V_LANES));
}

static inline vf v_dot(vf acc, vi x, vi y) {
    uint32x4_t mask = vdupq_n_u32(0xffff0000u);
    vf x_upper = {vreinterpretq_f32_u32(vandq_u32(x.a, mask)),
                  vreinterpretq_f32_u32(vandq_u32(x.b, mask))};
    vf y_upper = {vreinterpretq_f32_u32(vandq_u32(y.a, mask)),
                  vreinterpretq_f32_u32(vandq_u32(y.b, mask))};
    return v_fma(x_upper, y_upper, v_fma(upper_half(x), upper_half(y), acc));
}

#include "nn/vector_kernels.h"
