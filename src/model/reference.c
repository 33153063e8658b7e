/* The networks in plain loops, what is used before what uses it: of the denoiser read `network` first.
 * Shapes are (frames, channels), weights PyTorch's [out, in, tap]. */
#include "model/reference.h"

#include "base/error.h"
#include "base/memory.h"
#include "model/embedding.h"

#include <math.h>
#include <string.h>

static float silu(float x) {
    return x / (1 + expf(-x));
}

static float sigmoid(float x) {
    return 1 / (1 + expf(-x));
}

/* y[o] = bias[o] + Σ_i weight[o, i]·x[i]: a linear layer, and a convolution of width 1 at one
 * frame. */
static void linear(const float *weight, const float *bias, int out, int in, const float *x,
                   float *y) {
    for (int o = 0; o < out; o++) {
        double sum = bias[o];
        for (int i = 0; i < in; i++) sum += (double)weight[o * in + i] * x[i];
        y[o] = (float)sum;
    }
}

/* A 1-D convolution: tap k of K reads frame t + (k − (K−1))·dilation + look_ahead; frames outside 0
 * … n−1 are zero. */
static void convolution(const float *weight, const float *bias, int out, int in, int kernel,
                        int dilation, int look_ahead, const float *x, size_t n, float *y) {
    for (size_t t = 0; t < n; t++) {
        for (int o = 0; o < out; o++) {
            double sum = bias[o];
            for (int k = 0; k < kernel; k++) {
                long at = (long)t + (long)(k - (kernel - 1)) * dilation + look_ahead;
                if (at < 0 || at >= (long)n) continue;
                const float *row = x + (size_t)at * (size_t)in;
                for (int i = 0; i < in; i++)
                    sum += (double)weight[(o * in + i) * kernel + k] * row[i];
            }
            y[t * (size_t)out + (size_t)o] = (float)sum;
        }
    }
}

/* ---- step embedding (Kong et al. 2021, §3.2) ---- */

static void step_embedding(const model_config *config, const model_parameters *parameters, double t,
                           float *embedding) {
    enum { MOST = 4096 };
    float input[2048], between[MOST];
    int inputs = model_config_embedding_inputs(config), hidden = config->embedding_hidden;
    model_embedding_input(config, t, input);
    linear(model_parameters_weight(parameters, MODEL_EMBEDDING_PROJECTION, 0),
           model_parameters_bias(parameters, MODEL_EMBEDDING_PROJECTION, 0), hidden, inputs, input,
           between);
    for (int i = 0; i < hidden; i++) between[i] = silu(between[i]);
    linear(model_parameters_weight(parameters, MODEL_EMBEDDING_PROJECTION, 1),
           model_parameters_bias(parameters, MODEL_EMBEDDING_PROJECTION, 1), hidden, hidden,
           between, embedding);
    for (int i = 0; i < hidden; i++) embedding[i] = silu(embedding[i]);
}

/* ---- conditioner ---- */

/* lull: convolutions at the mel rate, SiLU after each. */
static lull_status condition_lull(const model_config *c, const model_parameters *parameters,
                                  const float *mel, size_t n, float *out, lull_error *error) {
    int bands = c->mel.bands, wide = c->conditioner_channels, widest = bands > wide ? bands : wide;
    float *in = base_alloc(n, (size_t)widest * sizeof *in);
    if (!in) return base_no_memory(error);
    for (size_t i = 0; i < n * (size_t)bands; i++)
        in[i] = (float)((mel[i] + c->mel_offset) * c->mel_scale);
    for (int layer = 1; layer <= c->conditioner_layers; layer++) {
        convolution(model_parameters_weight(parameters, MODEL_CONDITIONER_CONVOLUTION, layer - 1),
                    model_parameters_bias(parameters, MODEL_CONDITIONER_CONVOLUTION, layer - 1),
                    wide, layer == 1 ? bands : wide, c->conditioner_kernel, 1,
                    c->conditioner_look_ahead, in, n, out);
        for (size_t i = 0; i < n * (size_t)wide; i++) out[i] = silu(out[i]);
        memcpy(in, out, n * (size_t)wide * sizeof *in);
    }
    base_free(in);
    return LULL_OK;
}

/* DiffWave's transposed 2-D convolution, 16 times as many frames: input (f, b) adds weight[j, k]
 * times itself to output (16·f − 8 + k, b − 1 + j), j < 3, k < 32; then LeakyReLU with slope 0.4.
 */
static void upsample(const float *weight, float bias, const float *in, size_t n, int bands,
                     float *out) {
    for (size_t i = 0; i < 16 * n * (size_t)bands; i++) out[i] = bias;
    for (size_t f = 0; f < n; f++)
        for (int b = 0; b < bands; b++)
            for (int j = 0; j < 3; j++)
                for (int k = 0; k < 32; k++) {
                    long t = 16 * (long)f - 8 + k, band = b - 1 + j;
                    if (t < 0 || t >= 16 * (long)n || band < 0 || band >= bands) continue;
                    out[t * bands + band] += weight[j * 32 + k] * in[f * (size_t)bands + (size_t)b];
                }
    for (size_t i = 0; i < 16 * n * (size_t)bands; i++)
        if (out[i] < 0) out[i] *= 0.4f;
}

static lull_status condition_diffwave(const model_config *c, const model_parameters *parameters,
                                      const float *mel, size_t n, float *out, lull_error *error) {
    int bands = c->mel.bands;
    float *half_way = base_alloc(16 * n, (size_t)bands * sizeof *half_way);
    if (!half_way) return base_no_memory(error);
    upsample(model_parameters_weight(parameters, MODEL_UPSAMPLER_CONVOLUTION, 0),
             *model_parameters_bias(parameters, MODEL_UPSAMPLER_CONVOLUTION, 0), mel, n, bands,
             half_way);
    upsample(model_parameters_weight(parameters, MODEL_UPSAMPLER_CONVOLUTION, 1),
             *model_parameters_bias(parameters, MODEL_UPSAMPLER_CONVOLUTION, 1), half_way, 16 * n,
             bands, out);
    base_free(half_way);
    return LULL_OK;
}

lull_status model_reference_conditioner(const model_config *config,
                                        const model_parameters *parameters, const float *mel,
                                        size_t n, float *out, lull_error *error) {
    return config->family == MODEL_DIFFWAVE
               ? condition_diffwave(config, parameters, mel, n, out, error)
               : condition_lull(config, parameters, mel, n, out, error);
}

/* What layer `layer` adds at every network frame: its projection to 2C of the conditioner's output.
 * DiffWave's conditioner has a row for every frame already; lull's projection is interpolated
 * linearly from the centres of mel frames to the centres of patches, its ends held. */
static void condition_layer(const model_config *c, const model_parameters *parameters, int layer,
                            const float *conditioner, size_t n, float *projected, float *out) {
    const float *weight = model_parameters_weight(parameters, MODEL_CONDITION_PROJECTION, layer);
    const float *bias = model_parameters_bias(parameters, MODEL_CONDITION_PROJECTION, layer);
    size_t per_hop = (size_t)model_config_frames_per_hop(c), width = 2 * (size_t)c->channels;
    if (c->family == MODEL_DIFFWAVE) {
        for (size_t p = 0; p < n * per_hop; p++)
            linear(weight, bias, (int)width, c->mel.bands, conditioner + p * (size_t)c->mel.bands,
                   out + p * width);
        return;
    }
    for (size_t f = 0; f < n; f++)
        linear(weight, bias, (int)width, c->conditioner_channels,
               conditioner + f * (size_t)c->conditioner_channels, projected + f * width);
    double first = mel_convention_first_centre(&c->mel);
    for (size_t p = 0; p < n * per_hop; p++) {
        double at = (((double)p + 0.5) * c->patch - first) / c->mel.hop;
        at = fmin(fmax(at, 0), (double)(n - 1));
        size_t low = (size_t)at, high = low + 1 < n ? low + 1 : low;
        float w = (float)(at - (double)low);
        for (size_t j = 0; j < width; j++)
            out[p * width + j] =
                (1 - w) * projected[low * width + j] + w * projected[high * width + j];
    }
}

/* ---- the residual layers ---- */

typedef struct buffers {
    float *embedding; /* hidden */
    float *step;      /* C */
    float *condition; /* conditioner's output */
    float *projected; /* mel frames × 2C */
    float *added;     /* frames × 2C */
    float *x, *y;     /* frames × C */
    float *h;         /* frames × 2C */
    float *skip;      /* frames × C */
} buffers;

/* One residual layer (figure 2): x is replaced by its output, skip added to. */
static void residual_layer(const model_config *c, const model_parameters *parameters, int layer,
                           size_t frames, buffers *b) {
    int channels = c->channels;
    size_t width = (size_t)channels;
    linear(model_parameters_weight(parameters, MODEL_STEP_PROJECTION, layer),
           model_parameters_bias(parameters, MODEL_STEP_PROJECTION, layer), channels,
           c->embedding_hidden, b->embedding, b->step);
    for (size_t i = 0; i < frames * width; i++) b->y[i] = b->x[i] + b->step[i % width];
    convolution(model_parameters_weight(parameters, MODEL_DILATED_CONVOLUTION, layer),
                model_parameters_bias(parameters, MODEL_DILATED_CONVOLUTION, layer), 2 * channels,
                channels, c->kernel, c->dilation[layer], c->look_ahead[layer], b->y, frames, b->h);
    for (size_t t = 0; t < frames;
         t++) { /* the gated unit: σ of the first half, tanh of the second */
        const float *h = b->h + t * 2 * width, *add = b->added + t * 2 * width;
        for (size_t i = 0; i < width; i++)
            b->y[t * width + i] = sigmoid(h[i] + add[i]) * tanhf(h[width + i] + add[width + i]);
    }
    convolution(model_parameters_weight(parameters, MODEL_RESIDUAL_PROJECTION, layer),
                model_parameters_bias(parameters, MODEL_RESIDUAL_PROJECTION, layer), 2 * channels,
                channels, 1, 1, 0, b->y, frames, b->h);
    const float root_half = 0.70710678118654752440f;
    for (size_t t = 0; t < frames; t++) {
        const float *residual = b->h + t * 2 * width, *skip = residual + width;
        for (size_t i = 0; i < width; i++) {
            b->x[t * width + i] = (b->x[t * width + i] + residual[i]) * root_half;
            b->skip[t * width + i] += skip[i];
        }
    }
}

static void network(const model_config *c, const model_parameters *parameters, const float *x,
                    double t, size_t n, buffers *b, float *u) {
    int channels = c->channels, patch = c->patch;
    size_t frames = n * (size_t)model_config_frames_per_hop(c), width = (size_t)channels;
    convolution(model_parameters_weight(parameters, MODEL_INPUT_PROJECTION, 0),
                model_parameters_bias(parameters, MODEL_INPUT_PROJECTION, 0), channels,
                model_config_input(c), 1, 1, 0, x, frames, b->x);
    for (size_t i = 0; c->input_relu && i < frames * width; i++) b->x[i] = fmaxf(0, b->x[i]);
    step_embedding(c, parameters, t, b->embedding);
    for (int layer = 0; layer < c->layers; layer++) {
        condition_layer(c, parameters, layer, b->condition, n, b->projected, b->added);
        residual_layer(c, parameters, layer, frames, b);
    }
    const float scale = 1 / sqrtf((float)c->layers);
    for (size_t i = 0; i < frames * width; i++) b->skip[i] *= scale;
    convolution(model_parameters_weight(parameters, MODEL_SKIP_PROJECTION, 0),
                model_parameters_bias(parameters, MODEL_SKIP_PROJECTION, 0), channels, channels, 1,
                1, 0, b->skip, frames, b->y);
    for (size_t i = 0; i < frames * width; i++) b->y[i] = fmaxf(0, b->y[i]);
    convolution(model_parameters_weight(parameters, MODEL_OUTPUT_PROJECTION, 0),
                model_parameters_bias(parameters, MODEL_OUTPUT_PROJECTION, 0), patch, channels, 1,
                1, 0, b->y, frames, u);
}

lull_status model_reference_run(const model_config *config, const model_parameters *parameters,
                                const float *x, double t, const float *mel, size_t n, float *u,
                                lull_error *error) {
    if (n == 0) return LULL_OK;
    size_t frames = n * (size_t)model_config_frames_per_hop(config);
    size_t row = (size_t)config->channels * sizeof(float);
    size_t condition_floats = config->family == MODEL_DIFFWAVE
                                  ? frames * (size_t)config->mel.bands
                                  : n * (size_t)config->conditioner_channels;
    buffers b = {.embedding = base_alloc((size_t)config->embedding_hidden, sizeof(float)),
                 .step = base_alloc(1, row),
                 .condition = base_alloc(condition_floats, sizeof(float)),
                 .projected = base_alloc(2 * n, row),
                 .added = base_alloc(2 * frames, row),
                 .x = base_alloc(frames, row),
                 .y = base_alloc(frames, row),
                 .h = base_alloc(2 * frames, row),
                 .skip = base_alloc(frames, row)};
    lull_status status = LULL_OK;
    if (!b.embedding || !b.step || !b.condition || !b.projected || !b.added || !b.x || !b.y ||
        !b.h || !b.skip)
        status = base_no_memory(error);
    if (!status)
        status = model_reference_conditioner(config, parameters, mel, n, b.condition, error);
    if (!status) network(config, parameters, x, t, n, &b, u);
    base_free(b.embedding);
    base_free(b.step);
    base_free(b.condition);
    base_free(b.projected);
    base_free(b.added);
    base_free(b.x);
    base_free(b.y);
    base_free(b.h);
    base_free(b.skip);
    return status;
}

/* ---- stacks over frames ---- */

/* A 2-D convolution of 1 or 3 bands × 3 frames, weights [out, in, band, frame], arrays (frame, band,
 * channel): the bands centred, the frames t−2 … t or, with ahead = 1, t−1 … t+1; zeros around. */
static void convolution_2d(const float *weight, const float *bias, int out, int in, int across,
                           int ahead, const float *x, size_t n, int bands, float *y) {
    for (long t = 0; t < (long)n; t++)
        for (int b = 0; b < bands; b++)
            for (int o = 0; o < out; o++) {
                double sum = bias[o];
                for (int i = 0; i < in; i++)
                    for (int j = 0; j < across; j++)
                        for (int k = 0; k < 3; k++) {
                            long frame = t + k - 2 + ahead;
                            int band = b + j - across / 2;
                            if (frame < 0 || frame >= (long)n || band < 0 || band >= bands)
                                continue;
                            sum += (double)weight[((o * in + i) * across + j) * 3 + k] *
                                   x[(frame * bands + band) * in + i];
                        }
                y[(t * bands + b) * out + o] = (float)sum;
            }
}

/* The postnet's end: its input and, of what it has made of a frame, the share that is due. */
static void add_input(const model_frame_stack_shape *shape, const float *in, size_t n, float *out) {
    const size_t width = (size_t)shape->bands * (size_t)shape->last;
    for (size_t t = 0; t < n; t++, in += width, out += width) {
        double power = 0, share = 1;
        for (size_t i = 0; i < width; i++) power += (double)out[i] * out[i] / (double)width;
        if (shape->threshold > 0) share = sqrt(power) / (double)shape->threshold - 1;
        share = fmin(fmax(share, 0), 1);
        for (size_t i = 0; i < width; i++) out[i] = (float)(in[i] + share * out[i]);
    }
}

lull_status model_reference_frame_stack(const model_frame_stack_shape *shape,
                                        const model_parameters *parameters, const float *in,
                                        size_t n, float *out, lull_error *error) {
    const size_t points = n * (size_t)shape->bands, inner = points * (size_t)shape->inner;
    const size_t first = points * (size_t)shape->first;
    float *h = base_alloc(first > inner ? first : inner, sizeof *h);
    float *y = base_alloc(inner, sizeof *y);
    lull_status status = h && y ? LULL_OK : base_no_memory(error);
    for (size_t i = 0; i < first && !status; i++) h[i] = (in[i] + shape->offset) * shape->scale;
    for (int l = 0; l < shape->count && !status; l++) {
        const bool last = l == shape->count - 1;
        convolution_2d(model_parameters_weight(parameters, shape->role, l),
                       model_parameters_bias(parameters, shape->role, l),
                       model_frame_stack_out(shape, l), model_frame_stack_in(shape, l),
                       shape->across, l < shape->look_ahead, h, n, shape->bands, last ? out : y);
        for (size_t i = 0; i < inner && !last; i++) {
            const float active = shape->silu ? silu(y[i]) : y[i] > 0 ? y[i] : 0.1f * y[i];
            h[i] = l > 0 ? h[i] + active : active;
        }
    }
    if (shape->added && !status) add_input(shape, in, n, out);
    base_free(h);
    base_free(y);
    return status;
}
