/* The network's gradient against central differences of a forward pass written here in double
 * precision, on odd shapes, for both families and both precisions; and independence of the thread
 * count. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "model/embedding.h"
#include "gradient/engine.h"

enum { CROPS = 5, FRAMES = 3 };

static double silu(double x) {
    return x / (1 + exp(-x));
}

static double *zeros(size_t n) {
    double *p = calloc(n ? n : 1, sizeof(double));
    assert_non_null(p);
    return p;
}

typedef struct network {
    const model_config *config;
    const model_parameters *shape;
    const double *weights;
} network;

static const double *weight_of(const network *net, model_role role, int index) {
    return net->weights + model_parameters_weight_tensor(net->shape, role, index)->offset;
}

static const double *bias_of(const network *net, model_role role, int index) {
    return net->weights + model_parameters_bias_tensor(net->shape, role, index)->offset;
}

/* c[f][o] conditioner output at mel frame f − 1 − … : row 0 is frame −1, frames + 2 rows. */
static double *conditioner(const network *net, const double *mel, int margin) {
    const model_config *g = net->config;
    int rows = FRAMES + 2 * margin, width = g->mel.bands, kernel = g->conditioner_kernel;
    double *in = zeros((size_t)(rows * width));
    for (int i = 0; i < rows * width; i++) in[i] = (mel[i] + g->mel_offset) * g->mel_scale;
    int first = -margin; /* mel frame of row 0 */
    for (int l = 1; l <= g->conditioner_layers; l++) {
        int out_rows = rows - (kernel - 1), out_width = g->conditioner_channels;
        const double *w = weight_of(net, MODEL_CONDITIONER_CONVOLUTION, l - 1),
                     *b = bias_of(net, MODEL_CONDITIONER_CONVOLUTION, l - 1);
        double *out = zeros((size_t)(out_rows * out_width));
        for (int r = 0; r < out_rows; r++)
            for (int o = 0; o < out_width; o++) {
                double sum = b[o];
                for (int k = 0; k < kernel; k++)
                    for (int i = 0; i < width; i++)
                        sum += w[(o * width + i) * kernel + k] * in[(r + k) * width + i];
                out[r * out_width + o] = silu(sum);
            }
        first += kernel - 1 - g->conditioner_look_ahead;
        free(in);
        in = out;
        rows = out_rows;
        width = out_width;
    }
    assert_true(first <= -1 && first + rows >= FRAMES + 1);
    double *result = zeros((size_t)((FRAMES + 2) * width));
    memcpy(result, in + (-1 - first) * width, sizeof(double) * (size_t)((FRAMES + 2) * width));
    free(in);
    return result;
}

static double *upsample(const double *in, int n, int bands, const double *w, double bias) {
    double *out = zeros((size_t)(16 * n * bands));
    for (int t = 0; t < 16 * n; t++)
        for (int f = 0; f < bands; f++) {
            double sum = bias;
            for (int k = 0; k < 32; k++)
                for (int j = 0; j < 3; j++) {
                    int i = t + 8 - k, g = f + 1 - j;
                    if (i >= 0 && i % 16 == 0 && i / 16 < n && g >= 0 && g < bands)
                        sum += in[i / 16 * bands + g] * w[j * 32 + k];
                }
            out[t * bands + f] = sum < 0 ? 0.4 * sum : sum;
        }
    return out;
}

/* out = silu(W·in + b) of an embedding's layer. */
static void embed(const network *net, int layer, const double *in, int inputs, double *out) {
    const double *w = weight_of(net, MODEL_EMBEDDING_PROJECTION, layer);
    for (int o = 0; o < net->config->embedding_hidden; o++) {
        double sum = bias_of(net, MODEL_EMBEDDING_PROJECTION, layer)[o];
        for (int i = 0; i < inputs; i++) sum += w[o * inputs + i] * in[i];
        out[o] = silu(sum);
    }
}

static double *embedding(const network *net, double t) {
    const model_config *g = net->config;
    int inputs = model_config_embedding_inputs(g);
    float *encoding = calloc((size_t)inputs, sizeof(float));
    double *e0 = zeros((size_t)inputs), *e1 = zeros((size_t)g->embedding_hidden),
           *e2 = zeros((size_t)g->embedding_hidden);
    model_embedding_input(g, t, encoding);
    for (int i = 0; i < inputs; i++) e0[i] = encoding[i];
    embed(net, 0, e0, inputs, e1);
    embed(net, 1, e1, g->embedding_hidden, e2);
    free(encoding), free(e0), free(e1);
    return e2;
}

static double *upsampled(const network *net, const double *mel) {
    int bands = net->config->mel.bands;
    double *middle = upsample(mel, FRAMES, bands, weight_of(net, MODEL_UPSAMPLER_CONVOLUTION, 0),
                              *bias_of(net, MODEL_UPSAMPLER_CONVOLUTION, 0));
    double *out =
        upsample(middle, FRAMES * 16, bands, weight_of(net, MODEL_UPSAMPLER_CONVOLUTION, 1),
                 *bias_of(net, MODEL_UPSAMPLER_CONVOLUTION, 1));
    free(middle);
    return out;
}

/* The input projection of row r. */
static void project_input(const network *net, const double *x_in, const float *source, int r,
                          double *x) {
    const model_config *g = net->config;
    int input = model_config_input(g);
    for (int o = 0; o < g->channels; o++) {
        double sum = bias_of(net, MODEL_INPUT_PROJECTION, 0)[o];
        for (int i = 0; i < input; i++)
            sum += weight_of(net, MODEL_INPUT_PROJECTION, 0)[o * input + i] *
                   (i < g->patch ? x_in[r * g->patch + i] : source[r * g->patch + i - g->patch]);
        x[o] = g->input_relu && sum < 0 ? 0 : sum;
    }
}

/* The gated sums z of row r of layer l, of the rows y and the conditioning. */
static void gate_row(const network *net, int l, int r, int rows, const double *y,
                     const double *cond, double *z) {
    const model_config *g = net->config;
    const double *wd = weight_of(net, MODEL_DILATED_CONVOLUTION, l);
    const double *wc = weight_of(net, MODEL_CONDITION_PROJECTION, l);
    bool lull = g->family == MODEL_LULL;
    int c = g->channels, cond_width = lull ? g->conditioner_channels : g->mel.bands;
    double p[64];
    double position = ((r + 0.5) * g->patch - mel_convention_first_centre(&g->mel)) / g->mel.hop;
    int low = (int)floor(position);
    double weight = position - low;
    for (int o = 0; o < 2 * c; o++) {
        p[o] = bias_of(net, MODEL_DILATED_CONVOLUTION, l)[o] +
               bias_of(net, MODEL_CONDITION_PROJECTION, l)[o];
        for (int k = 0; k < g->kernel; k++) {
            int s = r + (k - (g->kernel - 1)) * g->dilation[l] + g->look_ahead[l];
            for (int i = 0; s >= 0 && s < rows && i < c; i++)
                p[o] += wd[(o * c + i) * g->kernel + k] * y[s * c + i];
        }
        for (int i = 0; i < cond_width; i++) {
            double value = lull ? (1 - weight) * cond[(low + 1) * cond_width + i] +
                                      weight * cond[(low + 2) * cond_width + i]
                                : cond[r * cond_width + i];
            p[o] += wc[o * cond_width + i] * value;
        }
    }
    for (int i = 0; i < c; i++) z[i] = tanh(p[c + i]) / (1 + exp(-p[i]));
}

/* Layer l: x and skip go on from it. y: room of the size of x. */
static void layer(const network *net, int l, int rows, const double *step_embedding,
                  const double *cond, double *x, double *y, double *skip) {
    const model_config *g = net->config;
    int c = g->channels, hidden = g->embedding_hidden;
    const double *ws = weight_of(net, MODEL_STEP_PROJECTION, l);
    const double *wo = weight_of(net, MODEL_RESIDUAL_PROJECTION, l);
    const double *bo = bias_of(net, MODEL_RESIDUAL_PROJECTION, l);
    for (int o = 0; o < c; o++) {
        double step = bias_of(net, MODEL_STEP_PROJECTION, l)[o];
        for (int i = 0; i < hidden; i++) step += ws[o * hidden + i] * step_embedding[i];
        for (int r = 0; r < rows; r++) y[r * c + o] = x[r * c + o] + step;
    }
    for (int r = 0; r < rows; r++) {
        double z[32];
        gate_row(net, l, r, rows, y, cond, z);
        for (int o = 0; o < c; o++) {
            double residual = bo[o], out = bo[c + o];
            for (int i = 0; i < c; i++) {
                residual += wo[o * c + i] * z[i];
                out += wo[(c + o) * c + i] * z[i];
            }
            x[r * c + o] = (x[r * c + o] + residual) * sqrt(0.5);
            skip[r * c + o] += out;
        }
    }
}

/* The patch that row r's skips become. */
static void project_output(const network *net, const double *skip, double *u) {
    const model_config *g = net->config;
    int c = g->channels;
    double h[32];
    for (int o = 0; o < c; o++) {
        double sum = bias_of(net, MODEL_SKIP_PROJECTION, 0)[o];
        for (int i = 0; i < c; i++)
            sum += weight_of(net, MODEL_SKIP_PROJECTION, 0)[o * c + i] * skip[i] / sqrt(g->layers);
        h[o] = sum > 0 ? sum : 0;
    }
    for (int o = 0; o < g->patch; o++) {
        double sum = bias_of(net, MODEL_OUTPUT_PROJECTION, 0)[o];
        for (int i = 0; i < c; i++)
            sum += weight_of(net, MODEL_OUTPUT_PROJECTION, 0)[o * c + i] * h[i];
        u[o] = sum;
    }
}

/* u of one crop. */
static double *forward(const network *net, const double *x_in, const float *source, double t,
                       const double *mel, int margin) {
    const model_config *g = net->config;
    int c = g->channels, rows = FRAMES * g->mel.hop / g->patch;
    size_t size = (size_t)(rows * c);
    double *x = zeros(size), *y = zeros(size), *skip = zeros(size);
    double *step_embedding = embedding(net, t);
    double *cond = g->family == MODEL_LULL ? conditioner(net, mel, margin) : upsampled(net, mel);
    for (int r = 0; r < rows; r++) project_input(net, x_in, source, r, x + r * c);
    for (int l = 0; l < g->layers; l++) layer(net, l, rows, step_embedding, cond, x, y, skip);
    double *u = zeros((size_t)(rows * g->patch));
    for (int r = 0; r < rows; r++) project_output(net, skip + r * c, u + r * g->patch);
    free(step_embedding), free(cond), free(x), free(y), free(skip);
    return u;
}

typedef struct problem {
    model_config config;
    model_parameters *parameters;
    int margin, samples, mel_size;
    float *x, *mel, *target, *source;
    double t[CROPS];
} problem;

static double squared_loss(void *context, int crop, const float *u, float *du) {
    const problem *p = context;
    double sum = 0;
    for (int i = 0; i < p->samples; i++) {
        double d = u[i] - p->target[crop * p->samples + i];
        sum += 0.5 * d * d;
        du[i] = (float)d;
    }
    return sum;
}

static double double_loss(const problem *p, const double *weights) {
    network net = {&p->config, p->parameters, weights};
    double total = 0;
    for (int crop = 0; crop < CROPS; crop++) {
        double *x = zeros((size_t)p->samples), *mel = zeros((size_t)p->mel_size);
        for (int i = 0; i < p->samples; i++) x[i] = p->x[crop * p->samples + i];
        for (int i = 0; i < p->mel_size; i++) mel[i] = p->mel[crop * p->mel_size + i];
        double *u = forward(&net, x, p->source + crop * p->samples, p->t[crop], mel, p->margin);
        for (int i = 0; i < p->samples; i++)
            total += 0.5 * pow(u[i] - p->target[crop * p->samples + i], 2);
        free(x), free(mel), free(u);
    }
    return total;
}

static void small_config(model_config *config, model_family family, int channels) {
    if (family == MODEL_LULL)
        model_config_default(config);
    else
        model_config_diffwave(config);
    config->channels = channels;
    config->layers = 3;
    config->embedding_frequencies = 3;
    config->embedding_hidden = 5;
    config->mel.bands = 6;
    for (int l = 0; l < 3; l++) {
        config->dilation[l] = 1 << l;
        config->look_ahead[l] = family == MODEL_LULL ? (l == 2 ? 2 : 1 - l) : 1 << l;
    }
    if (family == MODEL_LULL) {
        config->patch = 4;
        config->mel.hop = 16;
        config->mel.n_fft = config->mel.window = 64;
        config->conditioner_channels = 7;
        config->conditioner_look_ahead = 0;
        config->embedding_to = 10;
    }
}

static void problem_new(problem *p, model_family family, int channels, bool source) {
    small_config(&p->config, family, channels);
    p->config.source = source;
    assert_int_equal(model_parameters_new(&p->config, &p->parameters, NULL), LULL_OK);
    random_normal(1, 0, 0, p->parameters->data, p->parameters->size);
    for (size_t i = 0; i < p->parameters->size; i++) p->parameters->data[i] *= 0.3f;
    p->margin = gradient_engine_margin(&p->config);
    p->samples = FRAMES * p->config.mel.hop;
    p->mel_size = (FRAMES + 2 * p->margin) * p->config.mel.bands;
    p->x = calloc((size_t)(CROPS * p->samples), sizeof(float));
    p->target = calloc((size_t)(CROPS * p->samples), sizeof(float));
    p->mel = calloc((size_t)(CROPS * p->mel_size), sizeof(float));
    p->source = calloc((size_t)(CROPS * p->samples), sizeof(float));
    random_normal(5, 0, 0, p->source, (size_t)(CROPS * p->samples));
    random_normal(2, 0, 0, p->x, (size_t)(CROPS * p->samples));
    random_normal(3, 0, 0, p->target, (size_t)(CROPS * p->samples));
    random_normal(4, 0, 0, p->mel, (size_t)(CROPS * p->mel_size));
    for (int i = 0; i < CROPS; i++)
        p->t[i] = family == MODEL_LULL ? (i + 0.5) / CROPS : i * 9 + (i == 1 ? 0.3 : 0);
}

static void problem_free(problem *p) {
    model_parameters_free(p->parameters);
    free(p->x), free(p->target), free(p->mel), free(p->source);
}

static float *run(const problem *p, bool bf16_wanted, int threads, double *total) {
    thread_pool *pool;
    gradient_engine *engine;
    double losses[CROPS];
    float *gradient = calloc(p->parameters->size, sizeof(float));
    assert_int_equal(thread_pool_new(threads, &pool, NULL), LULL_OK);
    assert_int_equal(
        gradient_engine_new(&p->config, CROPS, FRAMES, bf16_wanted, pool, &engine, NULL), LULL_OK);
    gradient_engine_batch batch = {CROPS, p->x, p->t, p->mel, p->source};
    /* Twice: what the first run left behind must not matter. */
    gradient_engine_run(engine, p->parameters, &batch, squared_loss, (void *)p, losses, gradient);
    gradient_engine_run(engine, p->parameters, &batch, squared_loss, (void *)p, losses, gradient);
    *total = 0;
    for (int i = 0; i < CROPS; i++) *total += losses[i];
    gradient_engine_free(engine);
    thread_pool_free(pool);
    return gradient;
}

static void check(model_family family, int channels, bool bf16_wanted, bool source) {
    problem p;
    problem_new(&p, family, channels, source);
    double total;
    float *gradient = run(&p, bf16_wanted, 2, &total);
    size_t size = p.parameters->size;
    double *weights = zeros(size);
    for (size_t i = 0; i < size; i++) weights[i] = p.parameters->data[i];
    double expected = double_loss(&p, weights);
    assert_true(fabs(total - expected) < (bf16_wanted ? 2e-2 : 1e-5) * expected);
    for (size_t i = 0; i < p.parameters->tensor_count; i++) {
        const model_tensor *tensor_i = &p.parameters->tensors[i];
        double worst = 0, scale = 1e-3;
        for (size_t j = 0; j < tensor_i->count; j++)
            scale = fmax(scale, fabs((double)gradient[tensor_i->offset + j]));
        size_t stride = tensor_i->count > 7 ? tensor_i->count / 7 : 1;
        for (size_t j = 0; j < tensor_i->count; j += stride) {
            size_t at = tensor_i->offset + j;
            double step = 1e-5, keep = weights[at];
            weights[at] = keep + step;
            double up = double_loss(&p, weights);
            weights[at] = keep - step;
            double down = double_loss(&p, weights);
            weights[at] = keep;
            worst = fmax(worst, fabs((up - down) / (2 * step) - gradient[at]));
        }
        double tolerance = bf16_wanted ? 0.06 : 1e-4;
        char name[MODEL_TENSOR_NAME];
        if (worst > tolerance * scale)
            fail_msg("%s: gradient off by %g of %g", model_tensor_name(tensor_i, name), worst,
                     scale);
    }
    free(weights), free(gradient);
    problem_free(&p);
}

static void lull_f32(void **state) {
    (void)state;
    check(MODEL_LULL, 5, false, false);
}

static void diffwave_f32(void **state) {
    (void)state;
    check(MODEL_DIFFWAVE, 3, false, false);
}

static void lull_bf16(void **state) {
    (void)state;
    check(MODEL_LULL, 6, true, false);
}

static void diffwave_bf16(void **state) {
    (void)state;
    check(MODEL_DIFFWAVE, 4, true, false);
}

static void source_f32(void **state) {
    (void)state;
    check(MODEL_LULL, 7, false, true);
}

static void source_bf16(void **state) {
    (void)state;
    check(MODEL_LULL, 6, true, true);
}

static void threads_do_not_matter(void **state) {
    (void)state;
    problem p;
    problem_new(&p, MODEL_LULL, 6, true);
    for (int bf16_wanted = 0; bf16_wanted < 2; bf16_wanted++) {
        double one, three;
        float *a = run(&p, bf16_wanted, 1, &one), *b = run(&p, bf16_wanted, 3, &three);
        assert_true(one == three);
        assert_memory_equal(a, b, p.parameters->size * sizeof(float));
        free(a), free(b);
    }
    problem_free(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lull_f32),
        cmocka_unit_test(diffwave_f32),
        cmocka_unit_test(lull_bf16),
        cmocka_unit_test(diffwave_bf16),
        cmocka_unit_test(source_f32),
        cmocka_unit_test(source_bf16),
        cmocka_unit_test(threads_do_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
