/* One evaluation of the denoiser as a stream. Every layer keeps the rows of its input that its
 * dilated product still reads, as contiguous rows, so that a tap is a pointer; the residual stream
 * and the sum of the skips lie side by side, one row a network frame, and every layer works on them
 * in place, `delay` frames behind the newest. A layer goes through its block in tiles that stay in
 * the first-level cache: dilated product, conditioning and gate, output product, the next layer's
 * input. */
#include "model/denoiser.h"

#include "base/error.h"
#include "base/memory.h"
#include "model/denoiser_internal.h"
#include "model/embedding.h"

#include <math.h>
#include <string.h>

enum { TILE = 64, MAX_TAPS = 64 };

/* Rows of network frames origin … end−1, the last `keep` of which are still needed. */
typedef struct rows_window {
    unsigned char *data;
    size_t row_bytes;
    int64_t origin, end;
    int keep, capacity;
} rows_window;

struct denoiser_stream {
    const denoiser_weights *weights;
    denoiser_grid grid;
    int max_block;
    uint64_t fed, total; /* network frames; total: UINT64_MAX until the end is known */
    rows_window *input;  /* of every layer: √2^l·(x + step), float or bf16 */
    rows_window state;   /* [x̃ | Σ skip], float */
    float *step;         /* layers × C: √2^l·step + offset */
    float *h;            /* TILE × 2C */
    float *z;            /* TILE × stride; bf16s in half of it */
    float *row;          /* C */
};

/* ---- windows of rows ---- */

static int window_capacity(int keep, int block) {
    return keep + (keep > block ? keep : block);
}

static bool window_new(rows_window *window, int keep, int block, size_t row_bytes) {
    window->row_bytes = row_bytes;
    window->keep = keep;
    window->capacity = window_capacity(keep, block);
    window->data = base_alloc((size_t)window->capacity, row_bytes);
    return window->data != NULL;
}

static void window_reset(rows_window *window) {
    window->origin = -window->keep;
    window->end = 0;
    memset(window->data, 0, (size_t)window->keep * window->row_bytes);
}

static void *window_row(const rows_window *window, int64_t frame) {
    return window->data + (size_t)(frame - window->origin) * window->row_bytes;
}

/* Makes room for n more rows. */
static void window_reserve(rows_window *window, int n) {
    if (window->end - window->origin + n <= window->capacity) return;
    int64_t first = window->end - window->keep;
    memmove(window->data, window_row(window, first), (size_t)window->keep * window->row_bytes);
    window->origin = first;
}

/* ---- new, free ---- */

static int total_delay(const denoiser_weights *w) {
    return w->layer[w->config.layers - 1].delay;
}

static bool compute_steps(denoiser_stream *stream, double t) {
    const denoiser_weights *w = stream->weights;
    int c = w->config.channels, hidden = w->config.embedding_hidden;
    float *embedding = base_alloc((size_t)hidden, sizeof *embedding);
    if (!embedding || !model_embedding(&w->config, w->parameters, t, embedding)) {
        base_free(embedding);
        return false;
    }
    for (int l = 0; l < w->config.layers; l++) {
        const float *weight = model_parameters_weight(w->parameters, MODEL_STEP_PROJECTION, l);
        const float *bias = model_parameters_bias(w->parameters, MODEL_STEP_PROJECTION, l);
        double scale = sqrt(pow(2, l));
        for (int i = 0; i < c; i++) {
            double sum = bias[i];
            for (int j = 0; j < hidden; j++)
                sum += (double)weight[(size_t)i * (size_t)hidden + (size_t)j] * embedding[j];
            stream->step[l * c + i] = (float)(sum * scale + w->layer[l].offset[i]);
        }
    }
    base_free(embedding);
    return true;
}

static bool allocate(denoiser_stream *stream) {
    const denoiser_weights *w = stream->weights;
    const model_config *config = &w->config;
    size_t c = (size_t)config->channels, layers = (size_t)config->layers;
    size_t element = w->bf16 ? sizeof(bf16) : sizeof(float);
    stream->input = base_alloc(layers, sizeof *stream->input);
    stream->step = base_alloc(layers * c, sizeof *stream->step);
    stream->h = base_alloc(TILE * 2 * c, sizeof *stream->h);
    stream->z = base_alloc(TILE * (size_t)w->stride, sizeof *stream->z);
    stream->row = base_alloc(c, sizeof *stream->row);
    if (!stream->input || !stream->step || !stream->h || !stream->z || !stream->row) return false;
    for (size_t l = 0; l < layers; l++)
        if (!window_new(&stream->input[l], (config->kernel - 1) * w->layer[l].dilation,
                        stream->max_block, (size_t)w->stride * element))
            return false;
    return window_new(&stream->state, total_delay(w), stream->max_block, 2 * c * sizeof(float));
}

uint64_t denoiser_stream_bytes(const model_config *config, bool bf16, int max_block) {
    uint64_t c = (uint64_t)config->channels, layers = (uint64_t)config->layers;
    uint64_t stride = bf16 ? (c + 1) / 2 * 2 : c, element = bf16 ? 2 : sizeof(float);
    uint64_t sum = base_memory_add(0, 1, sizeof(denoiser_stream));
    sum = base_memory_add(sum, layers, sizeof(rows_window));
    sum = base_memory_add(sum, layers * c, sizeof(float));
    /* The step's embedding, while it is made. */
    uint64_t hidden = (uint64_t)config->embedding_hidden;
    uint64_t inputs = (uint64_t)model_config_embedding_inputs(config);
    sum = base_memory_add(sum, 2 * hidden + inputs + 32, sizeof(float));
    sum = base_memory_add(sum, TILE * 2 * c, sizeof(float));
    sum = base_memory_add(sum, TILE * stride, sizeof(float));
    sum = base_memory_add(sum, c, sizeof(float));
    int delay = 0;
    for (int l = 0; l < config->layers; l++) {
        int keep = (config->kernel - 1) * config->dilation[l];
        sum = base_memory_add(sum, (uint64_t)window_capacity(keep, max_block), stride * element);
        delay += config->look_ahead[l];
    }
    return base_memory_add(sum, (uint64_t)window_capacity(delay, max_block), 2 * c * sizeof(float));
}

lull_status denoiser_stream_new(const denoiser_weights *weights, double t, int max_block,
                                const denoiser_grid *grid, denoiser_stream **result,
                                lull_error *error) {
    *result = NULL;
    denoiser_stream *stream = base_alloc(1, sizeof *stream);
    if (!stream) return base_no_memory(error);
    stream->weights = weights;
    stream->max_block = max_block;
    const mel_convention *mel = &weights->config.mel;
    stream->grid = grid ? *grid : (denoiser_grid){mel->hop, mel_convention_first_centre(mel)};
    if (!allocate(stream) || !compute_steps(stream, t)) {
        denoiser_stream_free(stream);
        return base_no_memory(error);
    }
    denoiser_stream_reset(stream);
    *result = stream;
    return LULL_OK;
}

void denoiser_stream_free(denoiser_stream *stream) {
    if (!stream) return;
    for (int l = 0; stream->input && l < stream->weights->config.layers; l++)
        base_free(stream->input[l].data);
    base_free(stream->input);
    base_free(stream->state.data);
    base_free(stream->step);
    base_free(stream->h);
    base_free(stream->z);
    base_free(stream->row);
    base_free(stream);
}

void denoiser_stream_reset(denoiser_stream *stream) {
    stream->fed = 0;
    stream->total = UINT64_MAX;
    for (int l = 0; l < stream->weights->config.layers; l++) window_reset(&stream->input[l]);
    window_reset(&stream->state);
}

int denoiser_stream_look_ahead(const denoiser_stream *stream) {
    return total_delay(stream->weights);
}

/* ---- conditioning rows ---- */

static int64_t floor_divide(int64_t a, int64_t b) {
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

/* lull: where the centre of a patch lies among the mel frames' centres, times 2·hop. Ends are held.
 */
static int64_t patch_position(const model_config *config, const denoiser_grid *grid,
                              int64_t frame) {
    int64_t at = (2 * frame + 1) * config->patch - 2 * grid->first_centre;
    return at > 0 ? at : 0;
}

/* The conditioning rows that a network frame is between: low and high (the same when it is on one),
 * and the weight of the higher. A function of the frame's number alone, so that cuts do not matter.
 */
typedef struct row_pair {
    uint64_t low, high;
    float weight;
} row_pair;

static row_pair rows_of_frame(const model_config *config, const denoiser_grid *grid,
                              int64_t frame) {
    if (config->family == MODEL_DIFFWAVE) return (row_pair){(uint64_t)frame, (uint64_t)frame, 0};
    int64_t at = patch_position(config, grid, frame), unit = 2 * grid->hop;
    int64_t low = floor_divide(at, unit);
    float weight = (float)((double)(at - low * unit) / (double)unit);
    return (row_pair){(uint64_t)low, (uint64_t)(at > low * unit ? low + 1 : low), weight};
}

uint64_t denoiser_stream_oldest_row(const denoiser_stream *stream) {
    int64_t oldest = (int64_t)stream->fed - total_delay(stream->weights);
    return rows_of_frame(&stream->weights->config, &stream->grid, oldest > 0 ? oldest : 0).low;
}

uint64_t denoiser_rows_needed(const model_config *config, const denoiser_grid *grid,
                              uint64_t frames) {
    int64_t newest = (int64_t)frames - 1 - config->look_ahead[0];
    return newest < 0 ? 0 : rows_of_frame(config, grid, newest).high + 1;
}

uint64_t denoiser_stream_rows_needed(const denoiser_stream *stream, int frames) {
    if (frames <= 0) return 0;
    return denoiser_rows_needed(&stream->weights->config, &stream->grid,
                                stream->fed + (uint64_t)frames);
}

/* ---- the network ---- */

/* The part of frames from … to−1 of the signal that layer works on: its tiles. */
typedef struct tile {
    int64_t first;
    int rows;
} tile;

/* Writes rows of a layer's input: the residual stream plus the layer's constant. */
static void write_input(denoiser_stream *stream, int l, tile t) {
    const denoiser_weights *w = stream->weights;
    int c = w->config.channels;
    const float *step = stream->step + (size_t)l * (size_t)c;
    for (int r = 0; r < t.rows; r++) {
        const float *x = window_row(&stream->state, t.first + r);
        void *to = window_row(&stream->input[l], t.first + r);
        float *y = w->bf16 ? stream->row : to;
        for (int i = 0; i < c; i++) y[i] = x[i] + step[i];
        if (w->bf16) w->kernels->to_bf16(y, to, (size_t)c);
    }
}

static void product(const denoiser_weights *w, int rows, int n, int k, int taps,
                    const void *const *a, size_t lda, const denoiser_matrix *b, const float *bias,
                    float *c) {
    size_t ldc = 2 * (size_t)w->config.channels;
    bool add = !bias;
    if (w->bf16) {
        const bf16 *at[MAX_TAPS];
        for (int i = 0; i < taps; i++) at[i] = a[i];
        w->kernels->product_bf16(rows, n, k, taps, at, lda, b->bf16, bias, add, c, ldc);
    } else {
        const float *at[MAX_TAPS];
        for (int i = 0; i < taps; i++) at[i] = a[i];
        w->kernels->product_f32(rows, n, k, taps, at, lda, b->f32, bias, add, c, ldc);
    }
}

/* h of a tile: the dilated product (Kong et al. 2021, figure 2, bias included). */
static void dilated_product(denoiser_stream *stream, int l, tile t) {
    const denoiser_weights *w = stream->weights;
    const denoiser_layer *layer = &w->layer[l];
    int kernel = w->config.kernel;
    const void *taps[MAX_TAPS];
    for (int k = 0; k < kernel; k++)
        taps[k] =
            window_row(&stream->input[l],
                       t.first + (int64_t)(k - (kernel - 1)) * layer->dilation + layer->look_ahead);
    product(w, t.rows, 2 * w->config.channels, w->stride, kernel, taps, (size_t)w->stride,
            &layer->dilated, layer->dilated_bias, stream->h);
}

/* DiffWave: each layer projects the upsampled mel itself. The ring of rows may wrap inside the
 * tile. */
static void add_condition(denoiser_stream *stream, int l, tile t, const denoiser_rows *rows) {
    const denoiser_weights *w = stream->weights;
    size_t width = (size_t)(w->bf16 ? w->mel_stride / 2 : w->mel_stride);
    for (int r = 0; r < t.rows;) {
        size_t slot = (size_t)((uint64_t)(t.first + r) % rows->capacity);
        int n = t.rows - r;
        if ((size_t)n > rows->capacity - slot) n = (int)(rows->capacity - slot);
        const void *a[1] = {rows->rows + slot * width};
        product(w, n, 2 * w->config.channels, w->mel_stride, 1, a, (size_t)w->mel_stride,
                &w->layer[l].condition, NULL,
                stream->h + (size_t)r * 2 * (size_t)w->config.channels);
        r += n;
    }
}

/* The gated unit of a tile, with lull's conditioning interpolated on the way. */
static void gate(denoiser_stream *stream, int l, tile t, const denoiser_rows *rows) {
    const denoiser_weights *w = stream->weights;
    const model_config *config = &w->config;
    size_t c = (size_t)config->channels, width = (size_t)config->layers * 2 * c;
    for (int r = 0; r < t.rows; r++) {
        const float *low = NULL, *high = NULL;
        row_pair pair = {0};
        if (config->family == MODEL_LULL) {
            pair = rows_of_frame(config, &stream->grid, t.first + r);
            uint64_t last = rows->end - 1;
            if (pair.low > last) pair.low = last;
            if (pair.high > last) pair.high = last;
            low = rows->rows + (size_t)(pair.low % rows->capacity) * width + (size_t)l * 2 * c;
            high = rows->rows + (size_t)(pair.high % rows->capacity) * width + (size_t)l * 2 * c;
        }
        size_t at = (size_t)r * (size_t)w->stride;
        w->kernels->gate((int)c, stream->h + (size_t)r * 2 * c, low, 1 - pair.weight, high,
                         pair.weight, w->bf16 ? NULL : stream->z + at,
                         w->bf16 ? (bf16 *)stream->z + at : NULL, NULL, NULL);
    }
}

static void run_tile(denoiser_stream *stream, int l, tile t, const denoiser_rows *rows) {
    const denoiser_weights *w = stream->weights;
    int c = w->config.channels;
    bool last = l == w->config.layers - 1;
    dilated_product(stream, l, t);
    if (w->config.family == MODEL_DIFFWAVE) add_condition(stream, l, t, rows);
    gate(stream, l, t, rows);
    float *state = window_row(&stream->state, t.first);
    const void *z[1] = {stream->z};
    product(w, t.rows, last ? c : 2 * c, w->stride, 1, z, (size_t)w->stride, &w->layer[l].output,
            NULL, last ? state + c : state);
    if (!last) write_input(stream, l + 1, t);
}

/* Input projection of n new frames. */
static void project_input(denoiser_stream *stream, const float *x, int n) {
    const denoiser_weights *w = stream->weights;
    size_t c = (size_t)w->config.channels;
    float *state = window_row(&stream->state, (int64_t)stream->fed);
    const float *a[1] = {x};
    int width = model_config_input(&w->config);
    w->kernels->product_f32(n, (int)c, width, 1, a, (size_t)width, w->input, w->input_bias, false,
                            state, 2 * c);
    for (int r = 0; r < n; r++, state += 2 * c) {
        for (size_t i = 0; w->config.input_relu && i < c; i++)
            state[i] = state[i] > 0 ? state[i] : 0;
        memset(state + c, 0, c * sizeof *state);
    }
    write_input(stream, 0, (tile){(int64_t)stream->fed, n});
}

/* Σ skip/√L → 1×1 → ReLU → 1×1. */
static void run_head(denoiser_stream *stream, tile t, float *u) {
    const denoiser_weights *w = stream->weights;
    int c = w->config.channels, patch = w->config.patch;
    const float *skip[1] = {(const float *)window_row(&stream->state, t.first) + c};
    const float *h[1] = {stream->h};
    w->kernels->product_f32(t.rows, c, c, 1, skip, 2 * (size_t)c, w->skip, w->skip_bias, false,
                            stream->h, (size_t)c);
    for (int i = 0; i < t.rows * c; i++) stream->h[i] = stream->h[i] > 0 ? stream->h[i] : 0;
    w->kernels->product_f32(t.rows, patch, c, 1, h, (size_t)c, w->head, w->head_bias, false, u,
                            (size_t)patch);
}

/* Frames that a stage `delay` behind the newest can now do and could not before the last n: those
 * of the signal (real), and how many in all. */
static tile new_frames(const denoiser_stream *stream, int n, int delay, int *real) {
    int64_t from = (int64_t)stream->fed - delay, to = from + n, total = (int64_t)stream->total;
    if (from < 0) from = 0;
    if (to < from) to = from;
    int64_t end = stream->total != UINT64_MAX && to > total ? total : to;
    *real = end > from ? (int)(end - from) : 0;
    return (tile){from, (int)(to - from)};
}

/* Appends the input rows of a layer that lie behind the end of the signal. */
static void zero_input(denoiser_stream *stream, int l, tile all, int real) {
    if (all.rows > real)
        memset(window_row(&stream->input[l], all.first + real), 0,
               (size_t)(all.rows - real) * stream->input[l].row_bytes);
    stream->input[l].end = all.first + all.rows;
}

int denoiser_stream_run(denoiser_stream *stream, const float *x, int n, const denoiser_rows *rows,
                        float *u) {
    const denoiser_weights *w = stream->weights;
    int layers = w->config.layers, real = 0;
    if (!x && stream->total == UINT64_MAX) stream->total = stream->fed;

    tile all = new_frames(stream, n, 0, &real);
    window_reserve(&stream->state, n);
    window_reserve(&stream->input[0], n);
    if (real) project_input(stream, x, real);
    zero_input(stream, 0, all, real);
    stream->state.end += n;

    for (int l = 0; l < layers; l++) {
        all = new_frames(stream, n, w->layer[l].delay, &real);
        if (l + 1 < layers) window_reserve(&stream->input[l + 1], all.rows);
        for (int done = 0; done < real; done += TILE) {
            int size = real - done < TILE ? real - done : TILE;
            run_tile(stream, l, (tile){all.first + done, size}, rows);
        }
        if (l + 1 < layers) zero_input(stream, l + 1, all, real);
    }
    for (int done = 0; done < real; done += TILE) {
        int size = real - done < TILE ? real - done : TILE;
        run_head(stream, (tile){all.first + done, size},
                 u + (size_t)done * (size_t)w->config.patch);
    }
    stream->fed += (uint64_t)n;
    return real;
}
