/* The inner loops of the mel code: one plain body, compiled for each instruction set that the machine may
 * have; the table is chosen once. */
#include "mel/kernels.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define BODY static inline __attribute__((always_inline))

/* Sums in 16 lanes and adds the lanes up in one fixed order, whatever the width of the vectors. */
enum { LANES = 16 };

BODY float lanes_sum(const float lanes[LANES])
{
    float sum[LANES];
    memcpy(sum, lanes, sizeof sum);
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++) sum[i] += sum[i + width];
    return sum[0];
}

/* e^x: x = n·ln 2 + r, |r| ≤ ln 2/2, Taylor's series of e^r to r⁷ (next term below 6e-9), then the exponent
 * n put into the float's bits. Clamped to normal numbers. */
BODY float fast_exp(float x)
{
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    /* Adding and subtracting 1.5·2²³ rounds to the nearest integer. */
    const float shifter = 12582912.0f;
    const float n = (x * 1.44269504f + shifter) - shifter;
    float r = x - n * 0.693145752f;
    r = r - n * 1.42860677e-6f;
    float p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    const int32_t bits = ((int32_t)n + 127) << 23;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

/* ln x for positive normal x: x = 2^n·m, √½ ≤ m < √2; ln m = 2·artanh s, s = (m−1)/(m+1), to s⁹. */
BODY float fast_log(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    /* 0x3f3504f3 is √½: what is above it carries into the exponent. */
    const int32_t n = (int32_t)(bits - 0x3f3504f3u) >> 23;
    bits -= (uint32_t)n << 23;
    float m;
    memcpy(&m, &bits, sizeof m);
    const float s = (m - 1.0f) / (m + 1.0f);
    const float q = s * s;
    float p = 2.0f / 9;
    p = p * q + 2.0f / 7;
    p = p * q + 2.0f / 5;
    p = p * q + 2.0f / 3;
    p = p * q;
    return (float)n * 0.693147181f + (s * 2.0f + s * p);
}

BODY void product_body(const float *restrict a, const float *restrict b, float *restrict out, int n)
{
    for (int i = 0; i < n; i++) out[i] = a[i] * b[i];
}

BODY void add_body(const float *restrict a, float *restrict out, int n)
{
    for (int i = 0; i < n; i++) out[i] += a[i];
}

BODY void scale_body(const float *restrict a, float *restrict out, int n)
{
    for (int i = 0; i < n; i++) out[i] *= a[i];
}

BODY void magnitude_body(const float *restrict spectrum, float epsilon, float *restrict magnitude, int bins)
{
    for (int k = 0; k < bins; k++) {
        const float re = spectrum[2 * k], im = spectrum[2 * k + 1];
        magnitude[k] = sqrtf(re * re + im * im + epsilon);
    }
}

BODY void bands_body(const mel_filterbank *f, const float *restrict magnitude, float *restrict mel)
{
    for (int b = 0; b < f->bands; b++) {
        const float *weights = f->weights + f->offset[b], *x = magnitude + f->start[b];
        float lanes[LANES] = {0};
        for (int i = 0; i < f->count[b]; i += LANES)
            for (int j = 0; j < LANES; j++) lanes[j] += weights[i + j] * x[i + j];
        mel[b] = lanes_sum(lanes);
    }
}

BODY void log_ratio_body(const float *restrict wanted, const float *restrict mel, float lowest,
                         float highest, float *restrict out, int n)
{
    for (int i = 0; i < n; i++) {
        float m = mel[i];
        m = m < lowest ? lowest : m;
        m = m > highest ? highest : m;
        out[i] = wanted[i] - fast_log(m);
    }
}

BODY void interpolated_gain_body(const float *restrict values, const int *restrict lower,
                                 const float *restrict fraction, const float *restrict scale,
                                 float *restrict gain, int bins)
{
    for (int k = 0; k < bins; k++) {
        const float low = values[lower[k]], high = values[lower[k] + 1];
        gain[k] = scale[k] * fast_exp(low + fraction[k] * (high - low));
    }
}

BODY void apply_gain_body(float *restrict spectrum, const float *restrict gain, int bins)
{
    for (int k = 0; k < bins; k++) {
        spectrum[2 * k] *= gain[k];
        spectrum[2 * k + 1] *= gain[k];
    }
}

BODY void momentum_body(const float *restrict window, const float *restrict x, float momentum,
                        float *restrict previous, float *restrict frame, int n)
{
    for (int i = 0; i < n; i++) {
        const float r = window[i] * x[i];
        frame[i] = r + momentum * (r - previous[i]);
        previous[i] = r;
    }
}

/* One set of functions with `attributes`, and their table. */
#define KERNELS(suffix, attributes)                                                                        \
    attributes static void product_##suffix(const float *a, const float *b, float *out, int n)             \
    {                                                                                                      \
        product_body(a, b, out, n);                                                                        \
    }                                                                                                      \
    attributes static void add_##suffix(const float *a, float *out, int n)                                 \
    {                                                                                                      \
        add_body(a, out, n);                                                                               \
    }                                                                                                      \
    attributes static void scale_##suffix(const float *a, float *out, int n)                               \
    {                                                                                                      \
        scale_body(a, out, n);                                                                             \
    }                                                                                                      \
    attributes static void magnitude_##suffix(const float *spectrum, float epsilon, float *magnitude,      \
                                              int bins)                                                    \
    {                                                                                                      \
        magnitude_body(spectrum, epsilon, magnitude, bins);                                                \
    }                                                                                                      \
    attributes static void bands_##suffix(const mel_filterbank *f, const float *magnitude, float *mel)     \
    {                                                                                                      \
        bands_body(f, magnitude, mel);                                                                     \
    }                                                                                                      \
    attributes static void log_ratio_##suffix(const float *wanted, const float *mel, float lowest,         \
                                              float highest, float *out, int n)                            \
    {                                                                                                      \
        log_ratio_body(wanted, mel, lowest, highest, out, n);                                              \
    }                                                                                                      \
    attributes static void interpolated_gain_##suffix(const float *values, const int *lower,               \
                                                      const float *fraction, const float *scale,           \
                                                      float *gain, int bins)                               \
    {                                                                                                      \
        interpolated_gain_body(values, lower, fraction, scale, gain, bins);                                \
    }                                                                                                      \
    attributes static void apply_gain_##suffix(float *spectrum, const float *gain, int bins)               \
    {                                                                                                      \
        apply_gain_body(spectrum, gain, bins);                                                             \
    }                                                                                                      \
    attributes static void momentum_##suffix(const float *window, const float *x, float momentum,          \
                                             float *previous, float *frame, int n)                         \
    {                                                                                                      \
        momentum_body(window, x, momentum, previous, frame, n);                                            \
    }                                                                                                      \
    static const mel_kernels kernels_##suffix = {                                                          \
        #suffix,        product_##suffix,   add_##suffix,                                                  \
        scale_##suffix, magnitude_##suffix, bands_##suffix,                                                \
        log_ratio_##suffix, interpolated_gain_##suffix, apply_gain_##suffix,                               \
        momentum_##suffix};

KERNELS(plain, )
#if defined(__x86_64__)
#if defined(__clang__)
#define WIDE ""
#else
#define WIDE ",prefer-vector-width=512"
#endif
KERNELS(avx2, __attribute__((target("avx2,fma"))))
KERNELS(avx512, __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma" WIDE))))
#endif

const mel_kernels *mel_kernels_at(int i)
{
    if (i == 0) return &kernels_plain;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (i == 1 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &kernels_avx2;
    if (i == 2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
        return &kernels_avx512;
#endif
    return NULL;
}

const mel_kernels *mel_kernels_get(void)
{
    for (int i = 2; i > 0; i--) {
        const mel_kernels *kernels = mel_kernels_at(i);
        if (kernels) return kernels;
    }
    return &kernels_plain;
}
