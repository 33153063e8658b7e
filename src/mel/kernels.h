/* The inner loops of the mel code: one body, compiled for each instruction set that the machine may
 * have; the table is chosen once. */
#ifndef MEL_KERNELS_H
#define MEL_KERNELS_H

#include "mel/filterbank.h"

#define MEL_PULL_LIMIT 3.0f

typedef struct mel_kernels {
    const char *name;
    /* out[i] = a[i]·b[i] */
    void (*product)(const float *a, const float *b, float *out, int n);
    /* out[i] += a[i] */
    void (*add)(const float *a, float *out, int n);
    /* out[i] *= a[i] */
    void (*scale)(const float *a, float *out, int n);
    /* magnitude[k] = √(re² + im² + epsilon) */
    void (*magnitude)(const float *spectrum, float epsilon, float *magnitude, int bins);
    /* pull[k] = exp(q), |q| ≤ MEL_PULL_LIMIT, q = weight[k]·(target[k] − ½·ln(magnitude[k]² +
     * floor[k])); magnitude[k] ·= pull[k] */
    void (*pull)(const float *target, const float *weight, const float *floor, float *magnitude,
                 float *pull, int bins);
    /* y = x through the tiles, of their first `columns` columns */
    void (*tiles)(const mel_tiles *tiles, const float *x, float *y, int columns);
    /* out[b] = wanted[b] − ln(clamp(mel[b], lowest, highest)) */
    void (*log_ratio)(const float *wanted, const float *mel, float lowest, float highest,
                      float *out, int n);
    /* gain[k] = scale[k]·exp(v[k]), k < bins, v interpolated between the nodes' values (nodes + 1
     * of them) */
    void (*interpolated_gain)(const mel_filterbank *filterbank, const float *values,
                              const float *scale, float *gain, int bins);
    /* (re, im)[k] ·= gain[k] */
    void (*apply_gain)(float *spectrum, const float *gain, int bins);

    /* Two real frames a and b in one complex transform of `size` points, a + ib. */
    /* frames[i] = (window·a[i], window·b[i]) */
    void (*pair_window)(const float *window, const float *a, const float *b, float *frames,
                        int size);
    /* √(re² + im² + epsilon) of the spectra of a and of b, of the first bins ≤ size/2 + 1. Writes
     * spectrum[size]. */
    void (*pair_magnitude)(float *spectrum, float epsilon, float *a, float *b, int size, int bins);
    /* The spectrum of (a filtered by its gain) + i(b filtered by its own); from `bins` on gains are
     * zero. Writes spectrum[size]. */
    void (*pair_gain)(float *spectrum, const float *a, const float *b, int size, int bins);
    /* For one of the two, x = frames or frames + 1: r = window·x[2i]; frame = r + momentum·(r −
     * previous); previous = r */
    void (*pair_momentum)(const float *window, const float *x, float momentum, float *previous,
                          float *frame, int size);
} mel_kernels;

const mel_kernels *mel_kernels_get(void);

/* For tests: table number i (0 is the one for every CPU), or NULL when there is none or this CPU
 * lacks it. */
const mel_kernels *mel_kernels_at(int i);

#endif
