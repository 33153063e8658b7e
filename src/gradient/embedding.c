/* The step embedding of a batch, forward and backward. */
#include "gradient/embedding.h"

#include <string.h>

#include "base/memory.h"
#include "gradient/openblas.h"
#include "gradient/passes.h"
#include "model/embedding.h"

void gradient_embedding_new(gradient_engine *e, bool *ok) {
    size_t crops = (size_t)e->crops, hidden = (size_t)e->config.embedding_hidden;
    size_t steps = (size_t)e->config.layers * (size_t)e->c;
    e->embedding_input = gradient_take(
        &e->bytes, crops * (size_t)model_config_embedding_inputs(&e->config), sizeof(float), ok);
    float **wide[] = {&e->pre1, &e->act1, &e->pre2, &e->act2, &e->dact2, &e->dact1};
    for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++)
        *wide[i] = gradient_take(&e->bytes, crops * hidden, sizeof(float), ok);
    e->steps = gradient_take(&e->bytes, crops * steps, sizeof(float), ok);
    e->dsteps = gradient_take(&e->bytes, crops * steps, sizeof(float), ok);
}

void gradient_embedding_free(gradient_engine *e) {
    float *owned[] = {e->embedding_input, e->pre1,   e->act1,  e->pre2, e->act2,
                      e->steps,           e->dsteps, e->dact2, e->dact1};
    for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++) base_free(owned[i]);
}

/* out[n][o] = bias[o] + Σ_i in[n][i]·w[o][i] (PyTorch's linear layer). */
static void linear_forward(int n, int outputs, int inputs, const float *in, const float *w,
                           const float *bias, float *out, int ld_out) {
    for (int r = 0; r < n; r++)
        memcpy(out + (size_t)r * (size_t)ld_out, bias, (size_t)outputs * sizeof(float));
    gradient_openblas_product(false, true, n, outputs, inputs, 1, in, inputs, w, inputs, 1, out,
                              ld_out);
}

/* dw and dbias are overwritten; din (NULL: not wanted) is added to. */
static void linear_backward(int n, int outputs, int inputs, const float *in, const float *w,
                            const float *dout, int ld_out, float *dw, float *dbias, float *din) {
    gradient_openblas_product(true, false, outputs, inputs, n, 1, dout, ld_out, in, inputs, 0, dw,
                              inputs);
    for (int o = 0; o < outputs; o++) {
        float sum = 0;
        for (int r = 0; r < n; r++) sum += dout[(size_t)r * (size_t)ld_out + (size_t)o];
        dbias[o] = sum;
    }
    if (din)
        gradient_openblas_product(false, false, n, inputs, outputs, 1, dout, ld_out, w, inputs, 1,
                                  din, inputs);
}

void gradient_embedding_forward(gradient_engine *e) {
    int crops = e->batch->crops, hidden = e->config.embedding_hidden,
        inputs = model_config_embedding_inputs(&e->config);
    int all = e->config.layers * e->c;
    for (int i = 0; i < crops; i++)
        model_embedding_input(&e->config, e->batch->t[i],
                              e->embedding_input + (size_t)i * (size_t)inputs);
    linear_forward(crops, hidden, inputs, e->embedding_input,
                   gradient_weight(e, MODEL_EMBEDDING_PROJECTION, 0),
                   gradient_bias(e, MODEL_EMBEDDING_PROJECTION, 0), e->pre1, hidden);
    e->nn->silu(e->pre1, e->act1, (size_t)crops * (size_t)hidden);
    linear_forward(crops, hidden, hidden, e->act1,
                   gradient_weight(e, MODEL_EMBEDDING_PROJECTION, 1),
                   gradient_bias(e, MODEL_EMBEDDING_PROJECTION, 1), e->pre2, hidden);
    e->nn->silu(e->pre2, e->act2, (size_t)crops * (size_t)hidden);
    for (int i = 0; i < e->config.layers; i++)
        linear_forward(crops, e->c, hidden, e->act2, gradient_weight(e, MODEL_STEP_PROJECTION, i),
                       gradient_bias(e, MODEL_STEP_PROJECTION, i),
                       e->steps + (size_t)i * (size_t)e->c, all);
}

void gradient_embedding_backward(gradient_engine *e) {
    int crops = e->batch->crops, hidden = e->config.embedding_hidden,
        inputs = model_config_embedding_inputs(&e->config);
    int all = e->config.layers * e->c;
    size_t wide = (size_t)crops * (size_t)hidden;
    memset(e->dact2, 0, wide * sizeof(float));
    memset(e->dact1, 0, wide * sizeof(float));
    for (int i = 0; i < e->config.layers; i++)
        linear_backward(crops, e->c, hidden, e->act2, gradient_weight(e, MODEL_STEP_PROJECTION, i),
                        e->dsteps + (size_t)i * (size_t)e->c, all,
                        gradient_weight_in(e, e->gradient, MODEL_STEP_PROJECTION, i),
                        gradient_bias_in(e, e->gradient, MODEL_STEP_PROJECTION, i), e->dact2);
    gradient_silu_backward(e->pre2, e->dact2, wide);
    linear_backward(crops, hidden, hidden, e->act1,
                    gradient_weight(e, MODEL_EMBEDDING_PROJECTION, 1), e->dact2, hidden,
                    gradient_weight_in(e, e->gradient, MODEL_EMBEDDING_PROJECTION, 1),
                    gradient_bias_in(e, e->gradient, MODEL_EMBEDDING_PROJECTION, 1), e->dact1);
    gradient_silu_backward(e->pre1, e->dact1, wide);
    linear_backward(crops, hidden, inputs, e->embedding_input,
                    gradient_weight(e, MODEL_EMBEDDING_PROJECTION, 0), e->dact1, hidden,
                    gradient_weight_in(e, e->gradient, MODEL_EMBEDDING_PROJECTION, 0),
                    gradient_bias_in(e, e->gradient, MODEL_EMBEDDING_PROJECTION, 0), NULL);
}
