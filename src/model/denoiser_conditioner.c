/* The denoiser's conditioner as a stream of mel frames: lull's convolutions at the mel rate and the
 * projection for all layers at once, or DiffWave's upsampling to one row a sample. */
#include "model/denoiser.h"

#include "base/error.h"
#include "base/memory.h"
#include "model/denoiser_internal.h"
#include "model/upsampler.h"

#include <string.h>

enum { UPSAMPLER_FRAMES = 3, UPSAMPLER_COLUMNS = 18, MOST_FRAMES = 12 };

struct denoiser_conditioner {
    const denoiser_weights *weights;
    int width, rows_per_frame, look_ahead;
    uint64_t pushed, total; /* total: UINT64_MAX until the end is known */
    uint64_t given;         /* mel frames whose rows are out */
    /* lull: for every convolution its last kernel − 1 inputs and room for MOST_FRAMES more; the
     * last one's outputs. */
    float **history;
    float *output;
    /* DiffWave: the last three mel frames, the first stage's columns around the frame at hand, the
     * result. */
    float *frames, *columns, *rows;
};

denoiser_conditioner_shape denoiser_conditioner_shape_of(const model_config *config, bool bf16) {
    uint64_t bands = (uint64_t)config->mel.bands;
    uint64_t sum = base_memory_add(0, 1, sizeof(denoiser_conditioner));
    if (config->family == MODEL_DIFFWAVE) {
        sum = base_memory_add(sum, UPSAMPLER_FRAMES * bands, sizeof(float));
        sum =
            base_memory_add(sum, UPSAMPLER_FRAMES * MODEL_UPSAMPLER_STRIDE * bands, sizeof(float));
        sum =
            base_memory_add(sum, UPSAMPLER_COLUMNS * MODEL_UPSAMPLER_STRIDE * bands, sizeof(float));
        /* In bf16 two values share a float's place. */
        int width = bf16 ? (config->mel.bands + 1) / 2 : config->mel.bands;
        return (denoiser_conditioner_shape){width, config->mel.hop, 1, 1, sum};
    }
    uint64_t wide = (uint64_t)config->conditioner_channels;
    uint64_t rows = (uint64_t)config->conditioner_kernel - 1 + MOST_FRAMES;
    sum = base_memory_add(sum, (uint64_t)config->conditioner_layers, sizeof(float *));
    sum = base_memory_add(sum, MOST_FRAMES * wide, sizeof(float));
    for (int i = 0; i < config->conditioner_layers; i++)
        sum = base_memory_add(sum, rows * (i ? wide : bands), sizeof(float));
    return (denoiser_conditioner_shape){config->layers * 2 * config->channels, 1,
                                        config->conditioner_layers * config->conditioner_look_ahead,
                                        MOST_FRAMES, sum};
}

static int convolutions(const denoiser_conditioner *conditioner) {
    const model_config *config = &conditioner->weights->config;
    return config->family == MODEL_LULL ? config->conditioner_layers : 0;
}

static int inputs_of(const model_config *config, int layer) {
    return layer ? config->conditioner_channels : config->mel.bands;
}

static bool new_lull(denoiser_conditioner *conditioner) {
    const model_config *config = &conditioner->weights->config;
    conditioner->history =
        base_alloc((size_t)config->conditioner_layers, sizeof *conditioner->history);
    conditioner->output =
        base_alloc(MOST_FRAMES * (size_t)config->conditioner_channels, sizeof *conditioner->output);
    if (!conditioner->history || !conditioner->output) return false;
    for (int i = 0; i < config->conditioner_layers; i++) {
        size_t rows = (size_t)config->conditioner_kernel - 1 + MOST_FRAMES;
        size_t count = rows * (size_t)inputs_of(config, i);
        conditioner->history[i] = base_alloc(count, sizeof **conditioner->history);
        if (!conditioner->history[i]) return false;
    }
    return true;
}

static bool new_diffwave(denoiser_conditioner *conditioner) {
    const denoiser_weights *weights = conditioner->weights;
    size_t bands = (size_t)weights->config.mel.bands;
    conditioner->frames = base_alloc(UPSAMPLER_FRAMES * bands, sizeof(float));
    conditioner->columns =
        base_alloc((UPSAMPLER_FRAMES * MODEL_UPSAMPLER_STRIDE) * bands, sizeof(float));
    conditioner->rows =
        base_alloc((size_t)(UPSAMPLER_COLUMNS * MODEL_UPSAMPLER_STRIDE) * bands, sizeof(float));
    return conditioner->frames && conditioner->columns && conditioner->rows;
}

lull_status denoiser_conditioner_new(const denoiser_weights *weights, denoiser_conditioner **result,
                                     lull_error *error) {
    *result = NULL;
    denoiser_conditioner *conditioner = base_alloc(1, sizeof *conditioner);
    if (!conditioner) return base_no_memory(error);
    conditioner->weights = weights;
    denoiser_conditioner_shape shape =
        denoiser_conditioner_shape_of(&weights->config, weights->bf16);
    conditioner->width = shape.width;
    conditioner->rows_per_frame = shape.rows_per_frame;
    conditioner->look_ahead = shape.look_ahead;
    bool made = weights->config.family == MODEL_DIFFWAVE ? new_diffwave(conditioner)
                                                         : new_lull(conditioner);
    if (!made) {
        denoiser_conditioner_free(conditioner);
        return base_no_memory(error);
    }
    denoiser_conditioner_reset(conditioner);
    *result = conditioner;
    return LULL_OK;
}

void denoiser_conditioner_free(denoiser_conditioner *conditioner) {
    if (!conditioner) return;
    for (int i = 0; conditioner->history && i < convolutions(conditioner); i++)
        base_free(conditioner->history[i]);
    base_free(conditioner->history);
    base_free(conditioner->output);
    base_free(conditioner->frames);
    base_free(conditioner->columns);
    base_free(conditioner->rows);
    base_free(conditioner);
}

void denoiser_conditioner_reset(denoiser_conditioner *conditioner) {
    const model_config *config = &conditioner->weights->config;
    conditioner->pushed = conditioner->given = 0;
    conditioner->total = UINT64_MAX;
    for (int i = 0; i < convolutions(conditioner); i++)
        memset(conditioner->history[i], 0,
               (size_t)(config->conditioner_kernel - 1) * (size_t)inputs_of(config, i) *
                   sizeof(float));
    if (conditioner->frames)
        memset(conditioner->frames, 0,
               UPSAMPLER_FRAMES * (size_t)config->mel.bands * sizeof(float));
}

int denoiser_conditioner_width(const denoiser_conditioner *conditioner) {
    return conditioner->width;
}

int denoiser_conditioner_rows_per_frame(const denoiser_conditioner *conditioner) {
    return conditioner->rows_per_frame;
}

int denoiser_conditioner_look_ahead(const denoiser_conditioner *conditioner) {
    return conditioner->look_ahead;
}

/* Moves a history of `rows` rows on by one; the newest row is zero: what lies outside the signal.
 */
static float *shift(float *history, int rows, int width) {
    memmove(history, history + width, (size_t)(rows - 1) * (size_t)width * sizeof *history);
    float *newest = history + (size_t)(rows - 1) * (size_t)width;
    memset(newest, 0, (size_t)width * sizeof *newest);
    return newest;
}

/* The normalized frames; what lies outside the signal is zero. */
static void write_frames(const model_config *config, const float *const *frames, int n,
                         float *rows) {
    for (int r = 0; r < n; r++)
        for (int i = 0; i < config->mel.bands; i++, rows++)
            *rows =
                frames[r] ? (float)((frames[r][i] + config->mel_offset) * config->mel_scale) : 0;
}

/* Zeroes those of n rows of frames t … that lie outside the signal; returns how many do not, and
 * the first of them. */
static int keep_inside(const denoiser_conditioner *conditioner, int64_t t, int n, int width,
                       float *rows, int *first) {
    int kept = 0;
    *first = 0;
    for (int r = 0; r < n; r++)
        if (t + r < 0 || (uint64_t)(t + r) >= conditioner->total)
            memset(rows + (size_t)r * (size_t)width, 0, (size_t)width * sizeof *rows);
        else if (kept++ == 0)
            *first = r;
    return kept;
}

/* lull: each convolution moves on by n frames; its output of frame t needs its input up to t +
 * look-ahead. Rows of its history overlap: `kernel` of them are one long row of its product. */
static int push_lull(denoiser_conditioner *conditioner, const float *const *frames, int n,
                     float *rows) {
    const denoiser_weights *w = conditioner->weights;
    const model_config *config = &w->config;
    int kernel = config->conditioner_kernel, wide = config->conditioner_channels;
    int layers = config->conditioner_layers, first = 0, kept = 0;
    int64_t t = (int64_t)conditioner->pushed;
    write_frames(config, frames, n,
                 conditioner->history[0] + (size_t)(kernel - 1) * (size_t)config->mel.bands);
    for (int i = 0; i < layers; i++) {
        size_t in = (size_t)inputs_of(config, i);
        float *history = conditioner->history[i];
        float *output = i + 1 < layers
                            ? conditioner->history[i + 1] + (size_t)(kernel - 1) * (size_t)wide
                            : conditioner->output;
        const float *taps[1] = {history};
        w->kernels->product_f32(n, wide, kernel * (int)in, 1, taps, in, w->convolution[i],
                                w->convolution_bias[i], false, output, (size_t)wide);
        w->kernels->silu(output, output, (size_t)n * (size_t)wide);
        memmove(history, history + (size_t)n * in, (size_t)(kernel - 1) * in * sizeof *history);
        t -= config->conditioner_look_ahead;
        kept = keep_inside(conditioner, t, n, wide, output, &first);
    }
    const float *taps[1] = {conditioner->output + (size_t)first * (size_t)wide};
    w->kernels->product_f32(kept, conditioner->width, wide, 1, taps, (size_t)wide, w->projection,
                            NULL, false, rows, (size_t)conditioner->width);
    conditioner->given += (uint64_t)kept;
    return kept;
}

/* DiffWave: the rows of mel frame g come from first-stage columns 16g−1 … 16g+16 and those from mel
 * frames g−1 … g+1. Both stages run on the little that matters; columns outside the signal are
 * zero. */
static int push_diffwave(denoiser_conditioner *conditioner, const float *frame, float *out) {
    const denoiser_weights *w = conditioner->weights;
    const model_parameters *p = w->parameters;
    int bands = w->config.mel.bands, hop = w->config.mel.hop;
    float *newest = shift(conditioner->frames, UPSAMPLER_FRAMES, bands);
    if (frame) memcpy(newest, frame, (size_t)bands * sizeof *newest);
    if (conditioner->pushed == 0 || conditioner->given >= conditioner->total) return 0;

    float *columns = conditioner->columns;
    model_upsampler_forward(conditioner->frames, UPSAMPLER_FRAMES, bands,
                            model_parameters_weight(p, MODEL_UPSAMPLER_CONVOLUTION, 0),
                            *model_parameters_bias(p, MODEL_UPSAMPLER_CONVOLUTION, 0), columns);
    float *around = columns + (size_t)(MODEL_UPSAMPLER_STRIDE - 1) * (size_t)bands;
    if (conditioner->given == 0) memset(around, 0, (size_t)bands * sizeof *around);
    if (conditioner->given + 1 == conditioner->total)
        memset(around + (size_t)(UPSAMPLER_COLUMNS - 1) * (size_t)bands, 0,
               (size_t)bands * sizeof *around);
    model_upsampler_forward(around, UPSAMPLER_COLUMNS, bands,
                            model_parameters_weight(p, MODEL_UPSAMPLER_CONVOLUTION, 1),
                            *model_parameters_bias(p, MODEL_UPSAMPLER_CONVOLUTION, 1),
                            conditioner->rows);
    const float *rows = conditioner->rows + (size_t)MODEL_UPSAMPLER_STRIDE * (size_t)bands;
    if (w->bf16)
        for (int i = 0; i < hop; i++)
            w->kernels->to_bf16(rows + (size_t)i * (size_t)bands,
                                (bf16 *)(out + (size_t)i * (size_t)conditioner->width),
                                (size_t)bands);
    else
        memcpy(out, rows, (size_t)hop * (size_t)bands * sizeof *out);
    conditioner->given++;
    return hop;
}

int denoiser_conditioner_push(denoiser_conditioner *conditioner, const float *const *frames, int n,
                              float *rows) {
    int real = 0, given = 0;
    while (real < n && frames[real]) real++;
    if (real < n && conditioner->total == UINT64_MAX)
        conditioner->total = conditioner->pushed + (uint64_t)real;
    if (conditioner->given >= conditioner->total) return 0;
    if (conditioner->weights->config.family == MODEL_DIFFWAVE)
        given = push_diffwave(conditioner, frames[0], rows);
    else
        given = push_lull(conditioner, frames, n, rows);
    conditioner->pushed += (uint64_t)n;
    return given;
}
