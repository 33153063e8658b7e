/* Passes over rows, and memory that is counted. */
#include "gradient/passes.h"

#include <math.h>

#include "base/memory.h"

void gradient_add_columns(float *sum, const float *rows, int n, int width, size_t ld) {
    for (int r = 0; r < n; r++)
        for (int j = 0; j < width; j++) sum[j] += rows[(size_t)r * ld + (size_t)j];
}

void gradient_silu_backward(const float *x, float *gradient, size_t n) {
    for (size_t i = 0; i < n; i++) {
        float s = 1 / (1 + expf(-x[i]));
        gradient[i] *= s * (1 + x[i] * (1 - s));
    }
}

void *gradient_take(size_t *bytes, size_t count, size_t size, bool *ok) {
    void *memory = base_alloc(count, size);
    if (!memory) *ok = false;
    *bytes += count * size;
    return memory;
}
