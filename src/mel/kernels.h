/* The inner loops of the mel code: one plain body, compiled for each instruction set that the machine may
 * have; the table is chosen once. */
#ifndef MEL_KERNELS_H
#define MEL_KERNELS_H

#include "mel/filterbank.h"

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
    /* mel[b] = Σ weights·magnitude; behind magnitude[bins − 1] 31 more finite floats */
    void (*bands)(const mel_filterbank *filterbank, const float *magnitude, float *mel);
    /* out[b] = wanted[b] − ln(clamp(mel[b], lowest, highest)) */
    void (*log_ratio)(const float *wanted, const float *mel, float lowest, float highest, float *out, int n);
    /* gain[k] = scale[k]·exp(v[k]), v the line from values[lower[k]] to values[lower[k] + 1] */
    void (*interpolated_gain)(const float *values, const int *lower, const float *fraction,
                              const float *scale, float *gain, int bins);
    /* (re, im)[k] ·= gain[k] */
    void (*apply_gain)(float *spectrum, const float *gain, int bins);
    /* r = window·x; frame = r + momentum·(r − previous); previous = r */
    void (*momentum)(const float *window, const float *x, float momentum, float *previous, float *frame,
                     int n);
} mel_kernels;

const mel_kernels *mel_kernels_get(void);

/* For tests: the table number i (0 is the plain one), or NULL when there is none or this CPU lacks it. */
const mel_kernels *mel_kernels_at(int i);

#endif
