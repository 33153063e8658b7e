/* One crop through the whole denoiser: conditioner, input, residual layers, and the head. */
#include "gradient/crop.h"

#include <math.h>
#include <string.h>

#include "gradient/conditioner.h"
#include "gradient/gather.h"
#include "gradient/layers.h"
#include "gradient/passes.h"

void gradient_crop_forward(gradient_engine *e, gradient_workspace *w, int crop, const float *x_in,
                           const float *mel) {
    const model_config *config = &e->config;
    const nn_kernels *nn = e->nn;
    int c = e->c, rows = e->rows, patch = config->patch, input = model_config_input(config);
    size_t values = (size_t)rows * (size_t)c;
    if (config->family == MODEL_LULL)
        gradient_conditioner_forward(e, w, mel);
    else
        gradient_upsampler_forward(e, w, mel);
    nn->product_f32(rows, c, input, 1, &x_in, (size_t)input, e->input.forward,
                    gradient_bias(e, MODEL_INPUT_PROJECTION, 0), false, w->x, (size_t)c);
    if (config->input_relu)
        for (size_t i = 0; i < values; i++) w->x[i] = w->x[i] > 0 ? w->x[i] : 0;
    memset(w->skip, 0, values * sizeof(float));
    gradient_first_input(e, w, crop);
    for (int i = 0; i < config->layers; i++) gradient_layer_forward(e, w, crop, i);
    float scale = (float)(1 / sqrt((double)config->layers));
    for (size_t i = 0; i < values; i++) w->skip[i] *= scale;
    gradient_store(e, w->skip, w->skip_act, values);
    const void *skip = w->skip_act;
    gradient_product(e, w, rows, c, c, 1, &skip, (size_t)c, e->skip.forward,
                     gradient_bias(e, MODEL_SKIP_PROJECTION, 0), false, w->hidden, (size_t)c);
    for (size_t i = 0; i < values; i++) w->hidden[i] = w->hidden[i] > 0 ? w->hidden[i] : 0;
    const float *hidden = w->hidden;
    nn->product_f32(rows, patch, c, 1, &hidden, (size_t)c, e->output.forward,
                    gradient_bias(e, MODEL_OUTPUT_PROJECTION, 0), false, w->u, (size_t)patch);
}

/* w->x holds the gradient by now. Where the DiffWave input projection was above zero (its ReLU) is
 * computed again from the input. */
static void input_backward(gradient_engine *e, gradient_workspace *w, const float *x_in,
                           float *gradient) {
    int c = e->c, rows = e->rows, input = model_config_input(&e->config);
    float *dx = w->x;
    if (e->config.input_relu) {
        e->nn->product_f32(rows, c, input, 1, &x_in, (size_t)input, e->input.forward,
                           gradient_bias(e, MODEL_INPUT_PROJECTION, 0), false, w->hidden,
                           (size_t)c);
        for (size_t i = 0; i < (size_t)rows * (size_t)c; i++)
            if (w->hidden[i] <= 0) dx[i] = 0;
    }
    gradient_add_columns(gradient_bias_in(e, gradient, MODEL_INPUT_PROJECTION, 0), dx, rows, c,
                         (size_t)c);
    e->nn->outer_f32(rows, c, input, dx, (size_t)c, x_in, (size_t)input,
                     gradient_weight_in(e, gradient, MODEL_INPUT_PROJECTION, 0), (size_t)input,
                     w->scratch);
}

void gradient_crop_backward(gradient_engine *e, gradient_workspace *w, const float *x_in,
                            const float *mel, const gradient_sums *group, bool last_of_group) {
    const model_config *config = &e->config;
    const nn_kernels *nn = e->nn;
    int c = e->c, rows = e->rows, patch = config->patch;
    size_t values = (size_t)rows * (size_t)c;
    const float *du = w->du;
    float *gradient = group->gradient;
    gradient_add_columns(gradient_bias_in(e, gradient, MODEL_OUTPUT_PROJECTION, 0), du, rows, patch,
                         (size_t)patch);
    nn->outer_f32(rows, patch, c, du, (size_t)patch, w->hidden, (size_t)c,
                  gradient_weight_in(e, gradient, MODEL_OUTPUT_PROJECTION, 0), (size_t)c,
                  w->scratch);
    nn->product_f32(rows, c, patch, 1, &du, (size_t)patch, e->output.backward, NULL, false,
                    w->dhidden, (size_t)c);
    for (size_t i = 0; i < values; i++)
        if (w->hidden[i] <= 0) w->dhidden[i] = 0;
    gradient_add_columns(gradient_bias_in(e, gradient, MODEL_SKIP_PROJECTION, 0), w->dhidden, rows,
                         c, (size_t)c);
    gradient_store(e, w->dhidden, w->dhidden_act, values);
    gradient_outer(e, w, rows, c, c, w->dhidden_act, (size_t)c, w->skip_act, (size_t)c,
                   gradient_weight_in(e, gradient, MODEL_SKIP_PROJECTION, 0), (size_t)c);
    const void *dhidden = w->dhidden_act;
    gradient_product(e, w, rows, c, c, 1, &dhidden, (size_t)c, e->skip.backward, NULL, false,
                     w->skip, (size_t)c);
    float scale = (float)(1 / sqrt((double)config->layers));
    for (size_t i = 0; i < values; i++) w->skip[i] *= scale;
    memset(w->dskip_sum, 0, (size_t)c * sizeof(float));
    gradient_add_columns(w->dskip_sum, w->skip, rows, c, (size_t)c);
    memset(w->x, 0, values * sizeof(float)); /* nothing reads the last layer's residual */
    if (e->bf16) {
        gradient_store(e, w->skip, w->dskip, values);
        gradient_store(e, w->x, w->dres, values);
    }
    if (config->family == MODEL_LULL)
        memset(w->dcond_rows, 0,
               (size_t)(e->crop_frames + 2) * (size_t)config->layers * (size_t)e->c2 *
                   sizeof(float));
    else
        memset(w->dup, 0, (size_t)rows * (size_t)config->mel.bands * sizeof(float));
    for (int i = config->layers - 1; i >= 0; i--) {
        gradient_layer_backward(e, w, i, group);
        if (last_of_group) gradient_layer_finished(e, i);
    }
    input_backward(e, w, x_in, gradient);
    if (config->family == MODEL_LULL)
        gradient_conditioner_backward(e, w, gradient);
    else
        gradient_upsampler_backward(e, w, mel, gradient);
}
