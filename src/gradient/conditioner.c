/* The conditioner of our family and DiffWave's upsampler, forward and backward. */
#include "gradient/conditioner.h"

#include <string.h>

#include "gradient/passes.h"
#include "model/upsampler.h"

int gradient_cond_rows(const gradient_engine *e, int i) {
    int reach = e->cond_left + e->cond_right;
    return e->crop_frames + 2 + (e->config.conditioner_layers - i) * reach;
}

int gradient_cond_width(const gradient_engine *e, int i) {
    return i == 0 ? e->config.mel.bands : e->config.conditioner_channels;
}

/* Taps of a valid convolution over rows: output row r reads input rows r … r + kernel − 1. */
static void conv_taps(const float **taps, const float *in, int width, int kernel) {
    for (int k = 0; k < kernel; k++) taps[k] = in + (ptrdiff_t)k * width;
}

void gradient_conditioner_forward(gradient_engine *e, gradient_workspace *w, const float *mel) {
    const model_config *config = &e->config;
    int width = config->conditioner_channels, bands = config->mel.bands,
        n = config->conditioner_layers;
    /* The margin may be wider than what the convolutions reach: start where the first one does. */
    int skip = e->margin - 1 - n * e->cond_left;
    const float *in = mel + (ptrdiff_t)skip * bands;
    for (int i = 0; i < gradient_cond_rows(e, 0) * bands; i++)
        w->cond[0][i] = (in[i] + (float)config->mel_offset) * (float)config->mel_scale;
    for (int i = 1; i <= n; i++) {
        const float *taps[64];
        int in_width = gradient_cond_width(e, i - 1);
        conv_taps(taps, w->cond[i - 1], in_width, config->conditioner_kernel);
        e->nn->product_f32(gradient_cond_rows(e, i), width, in_width, config->conditioner_kernel,
                           taps, (size_t)in_width, e->cond_conv[i - 1].forward,
                           gradient_bias(e, MODEL_CONDITIONER_CONVOLUTION, i - 1), false,
                           w->cond_pre[i], (size_t)width);
        e->nn->silu(w->cond_pre[i], w->cond[i], (size_t)gradient_cond_rows(e, i) * (size_t)width);
    }
    int all = config->layers * e->c2;
    const float *a = w->cond[n];
    e->nn->product_f32(e->crop_frames + 2, all, width, 1, &a, (size_t)width,
                       e->cond_projection.forward, NULL, false, w->cond_rows, (size_t)all);
}

void gradient_conditioner_backward(gradient_engine *e, gradient_workspace *w, float *gradient) {
    const model_config *config = &e->config;
    const nn_kernels *nn = e->nn;
    int width = config->conditioner_channels, n = config->conditioner_layers,
        kernel = config->conditioner_kernel;
    int all = config->layers * e->c2;
    for (int i = 0; i < config->layers; i++)
        nn->outer_f32(e->crop_frames + 2, e->c2, width, w->dcond_rows + (size_t)i * (size_t)e->c2,
                      (size_t)all, w->cond[n], (size_t)width,
                      gradient_weight_in(e, gradient, MODEL_CONDITION_PROJECTION, i), (size_t)width,
                      w->scratch);
    const float *a = w->dcond_rows;
    size_t pad = (size_t)(kernel - 1) * (size_t)width;
    float *d = w->dcond + pad, *other = w->dcond2 + pad;
    nn->product_f32(e->crop_frames + 2, width, all, 1, &a, (size_t)all, e->cond_projection.backward,
                    NULL, false, d, (size_t)width);
    for (int i = n; i >= 1; i--) {
        int rows = gradient_cond_rows(e, i), in_width = gradient_cond_width(e, i - 1);
        gradient_silu_backward(w->cond_pre[i], d, (size_t)rows * (size_t)width);
        gradient_add_columns(gradient_bias_in(e, gradient, MODEL_CONDITIONER_CONVOLUTION, i - 1), d,
                             rows, width, (size_t)width);
        /* Tap-major here, as the dilated convolutions; the gathering puts it in PyTorch's order.
         */
        float *dw = gradient_weight_in(e, gradient, MODEL_CONDITIONER_CONVOLUTION, i - 1);
        for (int k = 0; k < kernel; k++)
            nn->outer_f32(rows, width, in_width, d, (size_t)width,
                          w->cond[i - 1] + (ptrdiff_t)k * in_width, (size_t)in_width,
                          dw + (size_t)k * (size_t)width * (size_t)in_width, (size_t)in_width,
                          w->scratch);
        if (i == 1) break;
        /* d_in[r] = Σ_k d[r − k]·W_k; d has kernel − 1 rows of zeros on both sides. */
        memset(d + (size_t)rows * (size_t)width, 0,
               (size_t)(kernel - 1) * (size_t)width * sizeof(float));
        const float *taps[64];
        for (int k = 0; k < kernel; k++) taps[k] = d - (ptrdiff_t)k * width;
        nn->product_f32(gradient_cond_rows(e, i - 1), in_width, width, kernel, taps, (size_t)width,
                        e->cond_conv[i - 1].backward, NULL, false, other, (size_t)in_width);
        float *swap = d;
        d = other;
        other = swap;
    }
}

/* DiffWave: two upsampling stages; w->up is n·256 × bands. */
void gradient_upsampler_forward(gradient_engine *e, gradient_workspace *w, const float *mel) {
    int bands = e->config.mel.bands, n = e->crop_frames;
    model_upsampler_forward(mel, n, bands, gradient_weight(e, MODEL_UPSAMPLER_CONVOLUTION, 0),
                            *gradient_bias(e, MODEL_UPSAMPLER_CONVOLUTION, 0), w->up_mid);
    model_upsampler_forward(w->up_mid, MODEL_UPSAMPLER_STRIDE * n, bands,
                            gradient_weight(e, MODEL_UPSAMPLER_CONVOLUTION, 1),
                            *gradient_bias(e, MODEL_UPSAMPLER_CONVOLUTION, 1), w->up);
    gradient_store(e, w->up, w->up_act, (size_t)e->rows * (size_t)bands);
}

void gradient_upsampler_backward(gradient_engine *e, gradient_workspace *w, const float *mel,
                                 float *gradient) {
    int bands = e->config.mel.bands, n = e->crop_frames;
    const float *second = gradient_weight(e, MODEL_UPSAMPLER_CONVOLUTION, 1);
    const float *first = gradient_weight(e, MODEL_UPSAMPLER_CONVOLUTION, 0);
    model_upsampler_backward(w->up_mid, MODEL_UPSAMPLER_STRIDE * n, bands, second, w->up, w->dup,
                             w->dup_mid,
                             gradient_weight_in(e, gradient, MODEL_UPSAMPLER_CONVOLUTION, 1),
                             gradient_bias_in(e, gradient, MODEL_UPSAMPLER_CONVOLUTION, 1));
    model_upsampler_backward(mel, n, bands, first, w->up_mid, w->dup_mid, NULL,
                             gradient_weight_in(e, gradient, MODEL_UPSAMPLER_CONVOLUTION, 0),
                             gradient_bias_in(e, gradient, MODEL_UPSAMPLER_CONVOLUTION, 0));
}
