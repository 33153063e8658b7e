/* Small pieces that all parts of the denoiser's gradient use. */
#include "gradient/state.h"

#include <string.h>

#include "base/clock.h"

const float *gradient_weight(const gradient_engine *e, model_role role, int index) {
    return model_parameters_weight(e->parameters, role, index);
}

const float *gradient_bias(const gradient_engine *e, model_role role, int index) {
    return model_parameters_bias(e->parameters, role, index);
}

float *gradient_weight_in(const gradient_engine *e, float *flat, model_role role, int index) {
    return flat + model_parameters_weight_tensor(e->shape, role, index)->offset;
}

float *gradient_bias_in(const gradient_engine *e, float *flat, model_role role, int index) {
    return flat + model_parameters_bias_tensor(e->shape, role, index)->offset;
}

void *gradient_act_at(const gradient_engine *e, void *base, size_t index) {
    return (char *)base + index * e->act;
}

void gradient_store(const gradient_engine *e, const float *in, void *out, size_t n) {
    if (e->bf16)
        e->nn->to_bf16(in, out, n);
    else
        memcpy(out, in, n * sizeof(float));
}

double gradient_clock_start(const gradient_engine *e) {
    return e->timed ? base_now() : 0;
}

void gradient_clock_stop(const gradient_engine *e, double start, double *part) {
    if (e->timed) *part += base_now() - start;
}

void gradient_product(const gradient_engine *e, gradient_workspace *w, int rows, int n, int k,
                      int taps, const void *const *a, size_t lda, const void *packed,
                      const float *bias, bool accumulate, float *c, size_t ldc) {
    const nn_kernels *nn = e->nn;
    double start = gradient_clock_start(e);
    if (e->bf16)
        nn->product_bf16(rows, n, k, taps, (const bf16 *const *)a, lda, packed, bias, accumulate, c,
                         ldc);
    else
        nn->product_f32(rows, n, k, taps, (const float *const *)a, lda, packed, bias, accumulate, c,
                        ldc);
    gradient_clock_stop(e, start, &w->times.products);
}

void gradient_outer(const gradient_engine *e, gradient_workspace *w, int rows, int m, int n,
                    const void *a, size_t lda, const void *b, size_t ldb, float *c, size_t ldc) {
    double start = gradient_clock_start(e);
    if (e->bf16)
        e->nn->outer_bf16(rows, m, n, a, lda, b, ldb, c, ldc, w->scratch);
    else
        e->nn->outer_f32(rows, m, n, a, lda, b, ldb, c, ldc, w->scratch);
    gradient_clock_stop(e, start, &w->times.outers);
}
