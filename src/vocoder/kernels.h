/* The inner loops of the pitch source and of the crossover: one body, compiled for each instruction set that the machine
 * may have; the table is chosen once. All tables give the same bits. */
#ifndef VOCODER_KERNELS_H
#define VOCODER_KERNELS_H

#include <stdint.h>

/* Values that the arrays marked `padded` have behind their n: whole blocks are read and written. */
enum { VOCODER_KERNELS_PAD = 128 };

typedef struct vocoder_kernels {
    const char *name;
    /* cosine, sine = those of 2π·turns·2⁻³² */
    void (*circle)(const uint32_t *turns, float *cosine, float *sine, int n);
    /* out[i] += Σ_k taps[k]·x[i+k], k < count in ascending order. x (n + count − 1 values) is
     * padded. */
    void (*filter)(const float *x, const float *taps, int count, float *out, int n);
    /* With f = Σ_k first[k]·x[i+k] and s the same of second: out[i] = f + (s − f)·(ramp[i]·step).
     * x (n + taps − 1 values) and ramp are padded. */
    void (*fading_filter)(const float *x, const float *first, const float *second, int taps,
                          const float *ramp, float step, float *out, int n);
    /* Of harmonics h = 1 … n the amplitude √(1 − g²) with the noise's gain g = first + (second −
     * first)·share; nothing where g is above 1, and less over the last `fade` Hz below `top`. */
    void (*amplitudes)(const float *first, const float *second, float share, float f0, float top,
                       float fade, float *out, int n);
    /* out[i] = Σ_h (from[h] + slope[h]·ramp[i])·Re z[i]^(h+1), z = re + i·im, h < count in
     * ascending order. re, im, ramp and out are padded. */
    void (*harmonics)(const float *from, const float *slope, int count, const float *re,
                      const float *im, const float *ramp, float *out, int n);
} vocoder_kernels;

const vocoder_kernels *vocoder_kernels_get(void);

/* For tests: table number i (0 is the one for every CPU), or NULL when there is none or this CPU
 * lacks it. */
const vocoder_kernels *vocoder_kernels_at(int i);

#endif
