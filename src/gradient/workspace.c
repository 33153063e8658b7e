/* What one worker thread needs to run a crop. */
#include "gradient/workspace.h"

#include "base/memory.h"
#include "gradient/conditioner.h"
#include "gradient/passes.h"

static size_t largest(size_t a, size_t b) {
    return a > b ? a : b;
}

static size_t scratch_bytes(const gradient_engine *e) {
    const nn_kernels *nn = e->nn;
    size_t bytes = nn->outer_scratch(e->c2, e->c, e->rows);
    bytes = largest(bytes, nn->outer_scratch(e->c, e->c, e->rows));
    bytes = largest(bytes, nn->outer_scratch(e->c, model_config_input(&e->config), e->rows));
    bytes = largest(bytes, nn->outer_scratch(e->config.patch, e->c, e->rows));
    bytes = largest(bytes, nn->outer_scratch(e->c2, e->config.mel.bands, e->rows));
    if (e->config.family == MODEL_LULL) {
        int width = e->config.conditioner_channels, rows = gradient_cond_rows(e, 0);
        bytes = largest(bytes, nn->outer_scratch(e->c2, width, rows));
        bytes = largest(bytes, nn->outer_scratch(width, width, rows));
        bytes = largest(bytes, nn->outer_scratch(width, e->config.mel.bands, rows));
    }
    return bytes + 64;
}

static size_t gather_floats(const gradient_engine *e) {
    const model_config *config = &e->config;
    size_t c = (size_t)e->c, c2 = (size_t)e->c2, bands = (size_t)config->mel.bands;
    size_t floats =
        largest(c * c2 * (size_t)config->kernel, c * (size_t)model_config_input(config));
    if (config->family == MODEL_DIFFWAVE) return largest(floats, bands * c2);
    size_t width = (size_t)config->conditioner_channels;
    floats = largest(floats, largest(bands, width) * width * (size_t)config->conditioner_kernel);
    return largest(floats, width * c2 * (size_t)config->layers);
}

/* Plain layers keep their inputs, rows padded with zeros on both sides; paired ones keep what they
 * make of them, and take turns with two. */
static void convolution_inputs_new(gradient_engine *e, gradient_workspace *w, bool *ok) {
    size_t layers = (size_t)e->config.layers, c = (size_t)e->c, plain = 0;
    size_t rows = (size_t)e->padded * c, pairs = (size_t)(e->rows / 2) * GRADIENT_MATRICES;
    for (int i = 0; i < e->config.layers; i++) plain += !e->layers[i].paired;
    w->y = gradient_take(&e->bytes, layers, sizeof(*w->y), ok);
    w->pair_input = gradient_take(&e->bytes, layers, sizeof(*w->pair_input), ok);
    w->y_memory = gradient_take(&e->bytes, (plain + (plain < layers ? 2 : 0)) * rows, e->act, ok);
    if (plain > 0) w->dp = gradient_take(&e->bytes, (size_t)e->padded * 2 * c, e->act, ok);
    if (plain < layers) {
        w->pair_memory = gradient_take(&e->bytes, (layers - plain) * pairs * c, sizeof(float), ok);
        w->pair_dp = gradient_take(&e->bytes, pairs * 2 * c, sizeof(float), ok);
        w->pair_dy = gradient_take(&e->bytes, pairs * c, sizeof(float), ok);
    }
    if (!*ok) return;
    for (size_t i = 0, next = 2, paired = 0; i < layers; i++) {
        bool own = !e->layers[i].paired;
        size_t place = !own ? i % 2 : plain == layers ? i : next;
        next += own;
        w->y[i] = gradient_act_at(e, w->y_memory, place * rows);
        if (!own) w->pair_input[i] = w->pair_memory + paired++ * pairs * c;
    }
}

void gradient_workspace_new(gradient_engine *e, gradient_workspace *w, bool *ok) {
    const model_config *config = &e->config;
    size_t rows = (size_t)e->rows, layers = (size_t)config->layers, c = (size_t)e->c,
           c2 = (size_t)e->c2;
    convolution_inputs_new(e, w, ok);
    w->z = gradient_take(&e->bytes, layers * rows * c, e->act, ok);
    w->saved = gradient_take(&e->bytes, layers * rows * c2, e->act, ok);
    w->dz = gradient_take(&e->bytes, rows * c, sizeof(float), ok);
    w->skip_act = gradient_take(&e->bytes, rows * c, e->act, ok);
    w->dhidden_act = gradient_take(&e->bytes, rows * c, e->act, ok);
    w->x = gradient_take(&e->bytes, rows * c, sizeof(float), ok);
    w->skip = gradient_take(&e->bytes, rows * c, sizeof(float), ok);
    w->dres = e->bf16 ? gradient_take(&e->bytes, rows * c, sizeof(bf16), ok) : w->x;
    w->dskip = e->bf16 ? gradient_take(&e->bytes, rows * c, sizeof(bf16), ok) : w->skip;
    w->dskip_sum = gradient_take(&e->bytes, c, sizeof(float), ok);
    w->hidden = gradient_take(&e->bytes, rows * c, sizeof(float), ok);
    w->dhidden = gradient_take(&e->bytes, rows * c, sizeof(float), ok);
    if (config->source)
        w->input =
            gradient_take(&e->bytes, rows * (size_t)model_config_input(config), sizeof(float), ok);
    w->u = gradient_take(&e->bytes, rows * (size_t)config->patch, sizeof(float), ok);
    w->du = gradient_take(&e->bytes, rows * (size_t)config->patch, sizeof(float), ok);
    w->tile = gradient_take(&e->bytes,
                            largest(GRADIENT_TILE * c2, GRADIENT_PAIRS * (size_t)config->mel.bands),
                            sizeof(float), ok);
    w->step_gradient = gradient_take(&e->bytes, layers * c, sizeof(float), ok);
    w->scratch = gradient_take(&e->bytes, scratch_bytes(e), 1, ok);
    w->gather = gradient_take(&e->bytes, gather_floats(e), sizeof(float), ok);
    if (config->family == MODEL_LULL) {
        for (int i = 0; i <= config->conditioner_layers; i++) {
            w->cond[i] = gradient_take(
                &e->bytes, (size_t)gradient_cond_rows(e, i) * (size_t)gradient_cond_width(e, i),
                sizeof(float), ok);
            w->cond_pre[i] = gradient_take(
                &e->bytes, (size_t)gradient_cond_rows(e, i) * (size_t)gradient_cond_width(e, i),
                sizeof(float), ok);
        }
        size_t most = ((size_t)gradient_cond_rows(e, 0) + 2 * (size_t)config->conditioner_kernel) *
                      (size_t)config->conditioner_channels;
        w->dcond = gradient_take(&e->bytes, most, sizeof(float), ok);
        w->dcond2 = gradient_take(&e->bytes, most, sizeof(float), ok);
        size_t projected = (size_t)(e->crop_frames + 2) * layers * c2;
        w->cond_rows = gradient_take(&e->bytes, projected, sizeof(float), ok);
        w->dcond_rows = gradient_take(&e->bytes, projected, sizeof(float), ok);
    } else {
        size_t bands = (size_t)config->mel.bands, middle = (size_t)e->crop_frames * 16;
        w->up_mid = gradient_take(&e->bytes, middle * bands, sizeof(float), ok);
        w->dup_mid = gradient_take(&e->bytes, middle * bands, sizeof(float), ok);
        w->up = gradient_take(&e->bytes, rows * bands, sizeof(float), ok);
        w->dup = gradient_take(&e->bytes, rows * bands, sizeof(float), ok);
        w->up_act = gradient_take(&e->bytes, rows * bands, e->act, ok);
        w->up_tile = gradient_take(&e->bytes, GRADIENT_TILE * bands, sizeof(float), ok);
    }
}

void gradient_workspace_free(const gradient_engine *e, gradient_workspace *w) {
    void *owned[] = {w->y,      w->pair_input, w->y_memory,  w->pair_memory,  w->z,
                     w->saved,  w->dp,         w->pair_dp,   w->pair_dy,      w->skip_act,
                     w->x,      w->skip,       w->hidden,    w->dhidden,      w->dhidden_act,
                     w->dz,     w->u,          w->du,        w->tile,         w->dcond,
                     w->dcond2, w->cond_rows,  w->up_mid,    w->dcond_rows,   w->up,
                     w->dup,    w->dup_mid,    w->up_act,    w->up_tile,      w->scratch,
                     w->input,  w->gather,     w->dskip_sum, w->step_gradient};
    for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++) base_free(owned[i]);
    if (e->bf16) {
        base_free(w->dres);
        base_free(w->dskip);
    }
    for (int i = 0; i < 16; i++) {
        base_free(w->cond[i]);
        base_free(w->cond_pre[i]);
    }
}
