/* The loops of vocoder/kernels.h for vectors of WIDTH floats: included by kernels.c
 * once for each instruction set, with WIDTH, NAME (which puts the set's suffix on a name) and
 * ATTRIBUTES defined. Products and sums are never contracted, and their order does not depend on
 * WIDTH: every set gives the same bits. */

typedef float NAME(lanes) __attribute__((vector_size(4 * WIDTH), aligned(4), may_alias));
#define lanes NAME(lanes)

/* Vectors at any address. */
#define LOAD(p) (*(const lanes *)(p))
#define STORE(p, v) (*(lanes *)(p) = (v))

#define FUNCTION ATTRIBUTES static

FUNCTION void NAME(circle)(const uint32_t *restrict turns, float *restrict cosines,
                           float *restrict sines, int n) {
    for (int i = 0; i < n; i++) base_circle(turns[i], &cosines[i], &sines[i]);
}

/* Samples in blocks of eight vectors, whose sums stay in registers. */
FUNCTION void NAME(filter)(const float *x, const float *taps, int count, float *out, int n) {
    for (int i = 0; i < n; i += 8 * WIDTH) {
        const size_t bytes = (size_t)(n - i < 8 * WIDTH ? n - i : 8 * WIDTH) * sizeof *out;
        lanes sum[8] = {{0}};
        memcpy(sum, out + i, bytes);
        for (int k = 0; k < count; k++) {
            const float *at = x + i + k, tap = taps[k];
#pragma GCC unroll 8
            for (int j = 0; j < 8; j++) sum[j] += LOAD(at + j * WIDTH) * tap;
        }
        memcpy(out + i, sum, bytes);
    }
}

/* The same with two vectors of sums. */
FUNCTION void NAME(fading_filter)(const float *x, const float *first, const float *second, int taps,
                                  const float *ramp, float step, float *out, int n) {
    for (int i = 0; i < n; i += 4 * WIDTH) {
        lanes f[4] = {{0}}, s[4] = {{0}};
        for (int k = 0; k < taps; k++) {
            const float *at = x + i + k;
            const float a = first[k], b = second[k];
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++) {
                const lanes sample = LOAD(at + j * WIDTH);
                f[j] += sample * a;
                s[j] += sample * b;
            }
        }
        for (int j = 0; j < 4; j++) f[j] += (s[j] - f[j]) * (LOAD(ramp + i + j * WIDTH) * step);
        memcpy(out + i, f, (size_t)(n - i < 4 * WIDTH ? n - i : 4 * WIDTH) * sizeof *out);
    }
}

FUNCTION void NAME(amplitudes)(const float *restrict first, const float *restrict second,
                               float share, float f0, float top, float fade, float *restrict out,
                               int n) {
    for (int i = 0; i < n; i++) {
        const float noise = first[i] + (second[i] - first[i]) * share;
        float power = 1 - noise * noise, room = (top - (float)(i + 1) * f0) / fade;
        power = power > 0 ? power : 0;
        room = room > 0 ? room : 0;
        out[i] = sqrtf(power) * (room < 1 ? room : 1);
    }
}

/* Two vectors at a time, so that one turns while the other waits. */
FUNCTION void NAME(harmonics)(const float *from, const float *slope, int count, const float *re,
                              const float *im, const float *ramp, float *out, int n) {
    for (int i = 0; i < n; i += 2 * WIDTH) {
        const lanes base_re[2] = {LOAD(re + i), LOAD(re + i + WIDTH)};
        const lanes base_im[2] = {LOAD(im + i), LOAD(im + i + WIDTH)};
        const lanes at[2] = {LOAD(ramp + i), LOAD(ramp + i + WIDTH)};
        lanes x[2] = {base_re[0], base_re[1]}, y[2] = {base_im[0], base_im[1]}, sum[2] = {{0}};
        for (int h = 0; h < count; h++) {
            const float a = from[h], b = slope[h];
#pragma GCC unroll 2
            for (int j = 0; j < 2; j++) {
                sum[j] += (at[j] * b + a) * x[j];
                const lanes turned = x[j] * base_re[j] - y[j] * base_im[j];
                y[j] = x[j] * base_im[j] + y[j] * base_re[j];
                x[j] = turned;
            }
        }
        STORE(out + i, sum[0]);
        STORE(out + i + WIDTH, sum[1]);
    }
}

static const vocoder_kernels NAME(kernels) = {
    .name = NAME_STRING,
    .circle = NAME(circle),
    .filter = NAME(filter),
    .fading_filter = NAME(fading_filter),
    .amplitudes = NAME(amplitudes),
    .harmonics = NAME(harmonics),
};

#undef lanes
#undef LOAD
#undef STORE
#undef FUNCTION
