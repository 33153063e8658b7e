/* Passes over rows, and memory that is counted: what every gradient uses. */
#ifndef GRADIENT_PASSES_H
#define GRADIENT_PASSES_H

#include <stdbool.h>
#include <stddef.h>

/* sum[j] += Σ_r rows[r·ld + j], j < width, r < n */
void gradient_add_columns(float *sum, const float *rows, int n, int width, size_t ld);
/* gradient[i] *= d/dx of x·σ(x) at x[i] */
void gradient_silu_backward(const float *x, float *gradient, size_t n);

/* base_alloc, counted in *bytes; *ok becomes false when there is no memory. */
void *gradient_take(size_t *bytes, size_t count, size_t size, bool *ok);

#endif
