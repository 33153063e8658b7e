/* The streaming engine. Frames enter through a queue; `front` makes conditioning rows of them;
 * every stage of the reverse process works behind the one before it; `finish` colours, refines and
 * limits. Between them lie lines of a fixed size, so memory does not grow and a slow consumer stops
 * the work.
 *
 * Work goes in ticks. A tick first plans, on the pulling thread, what each part can do with what is
 * there, then runs the parts: side by side on a thread pool, or one after the other. What a part
 * computes for a sample never depends on how the work was cut, so neither do the samples.
 *
 *     push → queue → front ⇒ rows
 *                              ↓ ↓ … ↓
 *              noise → stage 0 → stage 1 → … → finish → pull
 */
#include "vocoder/vocoder.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/clock.h"
#include "base/thread_pool.h"
#include "model/model.h"
#include "nn/kernels.h"
#include "vocoder/denormals.h"
#include "vocoder/finish.h"
#include "vocoder/front.h"
#include "vocoder/options.h"
#include "vocoder/stage.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK_PATCHES = 128,  /* network frames of a block where a frame is a patch … */
    BLOCK_SAMPLES = 1024, /* … and where it is a sample */
    LINE_BLOCKS = 4       /* blocks of room between two stages */
};

/* The parts of a tick: the stages 0 … stages−1, and these behind them. */
enum { PART_FRONT, PART_FINISH, PART_NOISE, OTHER_PARTS };

struct lull_vocoder {
    const lull_model *model; /* NULL: no network */
    mel_convention convention;
    lull_options options;            /* complete */
    const denoiser_weights *weights; /* the model's */
    diffusion_plan *plan;
    stage *stages;
    int stage_count, block;
    line *lines,
        *carries; /* lines[k] is stage k's input, the last one finish's; carries NULL: none */
    frame_queue *queue;
    front front;
    finish finish;
    noise_source noise;
    thread_pool *pool; /* NULL: one thread */
    vocoder_trace trace;
    size_t latency;

    int *parts;         /* of this tick, for the pool */
    denoiser_rows rows; /* of the front, as this tick sees it */
    uint64_t taken;
    double *seconds; /* of every part, summed */
    bool failed, failure_told;
    _Atomic uint64_t pulled;
};

/* ---- creation ---- */

static size_t block_samples(const lull_vocoder *v) {
    return v->model ? (size_t)v->block * (size_t)v->model->config.patch : 2048;
}

static lull_status new_network(lull_vocoder *v, lull_error *error) {
    const model_config *config = &v->model->config;
    lull_status status =
        diffusion_plan_new(v->options.sampler, config->objective, &config->schedule,
                           v->options.steps, v->options.eta, &v->plan, error);
    if (status) return status;
    bool native = nn_kernels_get()->bf16_native;
    if (v->options.precision == LULL_PRECISION_AUTO)
        v->options.precision = native ? LULL_PRECISION_BF16 : LULL_PRECISION_F32;
    status = denoiser_shelf_get(v->model->shelf, config, v->model->parameters,
                                v->options.precision == LULL_PRECISION_BF16, &v->weights, error);
    if (status) return status;
    v->block = config->patch == 1 ? BLOCK_SAMPLES : BLOCK_PATCHES;
    v->stages = base_alloc((size_t)v->plan->count, sizeof *v->stages);
    if (!v->stages) return base_no_memory(error);
    v->stage_count = v->plan->count;
    for (int k = 0; k < v->stage_count; k++) {
        status = stage_init(&v->stages[k], config, v->weights, v->plan, k, v->block, error);
        if (status) return status;
    }
    return LULL_OK;
}

/* Samples that one stage keeps back. */
static size_t stage_delay(const lull_vocoder *v) {
    if (!v->stage_count) return 0;
    return (size_t)denoiser_stream_look_ahead(v->stages[0].stream) * (size_t)v->model->config.patch;
}

/* Samples between the newest frame taken and the oldest of the signal that finish still needs, with
 * every line as full as it is when all parts have work. */
static size_t span(const lull_vocoder *v) {
    size_t between = stage_delay(v) + block_samples(v);
    return (size_t)v->stage_count * between + 2 * block_samples(v) + (size_t)v->convention.n_fft;
}

static lull_status new_front(lull_vocoder *v, lull_error *error) {
    lull_status status =
        frame_queue_new(v->options.queue_frames, v->convention.bands, &v->queue, error);
    if (status) return status;
    size_t frames = span(v) / (size_t)v->convention.hop + 8, rows = frames;
    if (v->model && v->model->config.family == MODEL_DIFFWAVE) rows *= (size_t)v->convention.hop;
    postnet *postnet = NULL;
    if (v->options.postnet > 0)
        status = postnet_new(&v->model->config, v->model->parameters, &postnet, error);
    if (status) return status;
    return front_init(&v->front, v->queue, v->convention.bands, postnet, v->weights, frames, rows,
                      error);
}

static lull_status new_lines(lull_vocoder *v, lull_error *error) {
    size_t count = (size_t)v->stage_count + 1;
    bool carry = v->plan && v->plan->carry;
    v->lines = base_alloc(count, sizeof *v->lines);
    if (carry) v->carries = base_alloc(count, sizeof *v->carries);
    if (!v->lines || (carry && !v->carries)) return base_no_memory(error);
    for (size_t k = 0; k < count; k++) {
        size_t kept = k < count - 1 ? stage_delay(v)
                                    : (size_t)v->convention.n_fft + 2 * (size_t)v->convention.hop;
        size_t capacity = kept + LINE_BLOCKS * block_samples(v);
        if (!line_new(&v->lines[k], capacity)) return base_no_memory(error);
        if (carry && !line_new(&v->carries[k], capacity)) return base_no_memory(error);
    }
    for (int k = 0; k < v->stage_count; k++) {
        stage *s = &v->stages[k];
        s->in = &v->lines[k];
        s->out = &v->lines[k + 1];
        s->carry_in = carry ? &v->carries[k] : NULL;
        s->carry_out = carry ? &v->carries[k + 1] : NULL;
        s->noise = &v->noise;
    }
    v->finish.in = &v->lines[count - 1];
    return LULL_OK;
}

/* Samples of the last line that n frames make possible before the utterance ends. */
static uint64_t signal_of(const lull_vocoder *v, uint64_t frames) {
    uint64_t samples = frames * (uint64_t)v->convention.hop;
    if (!v->stage_count) return samples;
    const model_config *config = &v->model->config;
    const denoiser_stream *first = v->stages[0].stream;
    uint64_t ahead = (uint64_t)denoiser_conditioner_look_ahead(v->front.conditioner);
    uint64_t rows = frames > ahead ? (frames - ahead) * (uint64_t)v->front.rows_per_frame : 0;
    int64_t fed = (int64_t)(samples / (uint64_t)config->patch);
    while (fed > 0 && denoiser_stream_rows_needed(first, (int)fed) > rows) fed--;
    fed -= (int64_t)v->stage_count * denoiser_stream_look_ahead(first);
    return fed > 0 ? (uint64_t)fed * (uint64_t)config->patch : 0;
}

/* What the parts keep back, counted where all of them have work (every further frame gives one more
 * hop). */
static size_t compute_latency(const lull_vocoder *v) {
    uint64_t hop = (uint64_t)v->convention.hop;
    uint64_t frames = (uint64_t)v->stage_count * stage_delay(v) / hop +
                      (uint64_t)v->convention.n_fft / hop + VOCODER_MAX_WINDOW + 64;
    uint64_t given = finish_given(&v->finish, signal_of(v, frames), frames);
    return (size_t)((frames + (uint64_t)front_look_ahead(&v->front)) * hop - given);
}

static lull_status build(lull_vocoder *v, lull_error *error) {
    const model_config *config = v->model ? &v->model->config : NULL;
    lull_status status = v->model ? new_network(v, error) : LULL_OK;
    if (!status) status = new_front(v, error);
    if (!status)
        status =
            finish_init(&v->finish, &v->convention, config ? config->whitened : true,
                        config ? config->tilt_hz : 0, v->options.refine, v->options.refine_window,
                        v->options.refine_momentum, block_samples(v), error);
    if (!status) status = new_lines(v, error);
    if (!status && v->options.threads > 1)
        status = thread_pool_new(v->options.threads, &v->pool, error);
    if (status) return status;
    size_t parts = (size_t)v->stage_count + OTHER_PARTS;
    v->parts = base_alloc(parts, sizeof *v->parts);
    v->seconds = base_alloc(parts, sizeof *v->seconds);
    if (!v->parts || !v->seconds) return base_no_memory(error);
    lull_vocoder_reset(v, v->options.seed);
    v->latency = compute_latency(v);
    return LULL_OK;
}

static lull_status new_vocoder(const lull_model *model, const mel_convention *convention,
                               const lull_options *options, lull_vocoder **result,
                               lull_error *error) {
    lull_vocoder *v = base_alloc(1, sizeof *v);
    if (!v) return base_no_memory(error);
    v->model = model;
    v->convention = *convention;
    lull_status status =
        vocoder_resolve_options(options, model ? &model->config : NULL, &v->options, error);
    if (!status) status = build(v, error);
    if (status) {
        lull_vocoder_free(v);
        return status;
    }
    *result = v;
    return LULL_OK;
}

lull_status lull_vocoder_new(const lull_model *model, const lull_options *options,
                             lull_vocoder **vocoder, lull_error *error) {
    if (!vocoder) return base_fail(error, LULL_INVALID, "lull_vocoder_new: vocoder is NULL");
    *vocoder = NULL;
    if (!model) return base_fail(error, LULL_INVALID, "lull_vocoder_new: model is NULL");
    return new_vocoder(model, &model->config.mel, options, vocoder, error);
}

lull_status vocoder_new_noise(const mel_convention *convention, const lull_options *options,
                              lull_vocoder **vocoder, lull_error *error) {
    *vocoder = NULL;
    lull_status status = mel_convention_check(convention, error);
    return status ? status : new_vocoder(NULL, convention, options, vocoder, error);
}

void lull_vocoder_free(lull_vocoder *v) {
    if (!v) return;
    thread_pool_free(v->pool);
    for (int k = 0; k < v->stage_count; k++) stage_clear(&v->stages[k]);
    for (int k = 0; v->lines && k <= v->stage_count; k++) base_free(v->lines[k].data);
    for (int k = 0; v->carries && k <= v->stage_count; k++) base_free(v->carries[k].data);
    base_free(v->stages);
    base_free(v->lines);
    base_free(v->carries);
    front_clear(&v->front);
    finish_clear(&v->finish);
    frame_queue_free(v->queue);
    diffusion_plan_free(v->plan);
    base_free(v->parts);
    base_free(v->seconds);
    base_free(v);
}

void lull_vocoder_reset(lull_vocoder *v, uint64_t seed) {
    if (!v) return;
    frame_queue_reset(v->queue);
    front_reset(&v->front);
    for (int k = 0; k < v->stage_count; k++) {
        stage_reset(&v->stages[k]);
        line_reset(&v->lines[k], 0);
    }
    line_reset(&v->lines[v->stage_count], -finish_lead(&v->finish));
    for (int k = 0; v->carries && k <= v->stage_count; k++) line_reset(&v->carries[k], 0);
    finish_reset(&v->finish);
    v->options.seed = v->noise.seed = seed;
    v->failed = v->failure_told = false;
    atomic_store(&v->pulled, 0);
}

/* ---- frames in ---- */

static lull_status check_finite(const lull_vocoder *v, const float *frames, size_t n,
                                lull_error *error) {
    size_t bands = (size_t)v->convention.bands;
    for (size_t i = 0; i < n * bands; i++)
        if (!isfinite(frames[i]))
            return base_fail(error, LULL_NOT_FINITE,
                             "mel frame %llu, band %zu is %s; mel frames have to be finite",
                             (unsigned long long)(frame_queue_pushed(v->queue) + i / bands),
                             i % bands, isnan(frames[i]) ? "NaN" : "infinite");
    return LULL_OK;
}

lull_status lull_vocoder_push(lull_vocoder *v, const float *frames, size_t n, size_t *accepted,
                              lull_error *error) {
    if (accepted) *accepted = 0;
    if (!v || !accepted || (!frames && n))
        return base_fail(error, LULL_INVALID,
                         "lull_vocoder_push: vocoder, frames or accepted is NULL");
    if (frame_queue_finished(v->queue))
        return base_fail(
            error, LULL_FINISHED,
            "frames were pushed after finish; lull_vocoder_reset begins a new utterance");
    if (n > SIZE_MAX / (size_t)v->convention.bands / sizeof *frames)
        return base_fail(error, LULL_INVALID,
                         "lull_vocoder_push: %zu frames are more than memory holds", n);
    lull_status status = check_finite(v, frames, n, error);
    if (status) return status;
    uint64_t most = UINT64_MAX;
    if (v->noise.rows) most = v->noise.samples / (size_t)v->convention.hop;
    if (n > most || frame_queue_pushed(v->queue) > most - n)
        return base_fail(
            error, LULL_MISMATCH,
            "the given noise has %zu samples, enough for %llu mel frames; there are more frames",
            v->noise.samples, (unsigned long long)most);
    *accepted = frame_queue_push(v->queue, frames, n);
    return LULL_OK;
}

lull_status lull_vocoder_finish(lull_vocoder *v) {
    if (!v) return LULL_INVALID;
    frame_queue_finish(v->queue);
    return LULL_OK;
}

/* ---- a tick ---- */

static uint64_t total_samples(const lull_vocoder *v) {
    uint64_t total = v->front.total;
    return total == UINT64_MAX ? total : total * (uint64_t)v->convention.hop;
}

/* Without a network the signal is noise. */
static bool plan_noise(const lull_vocoder *v) {
    line *out = &v->lines[0];
    if (v->stage_count) return false;
    line_compact(out, block_samples(v));
    return line_room(out) > 0 && (uint64_t)out->end < v->taken * (uint64_t)v->convention.hop;
}

static void run_noise(lull_vocoder *v) {
    line *out = &v->lines[0];
    size_t n = (size_t)(v->taken * (uint64_t)v->convention.hop - (uint64_t)out->end);
    if (n > line_room(out)) n = line_room(out);
    if (n > block_samples(v)) n = block_samples(v);
    noise_draw(&v->noise, 0, (uint64_t)out->end, line_at(out, out->end), n);
    out->end += (int64_t)n;
}

/* What all parts of this tick see of the front, which runs beside them. */
static void look_at_front(lull_vocoder *v) {
    v->rows = v->front.rows;
    v->taken = v->front.taken;
}

static bool plan_part(lull_vocoder *v, int part) {
    if (part < v->stage_count)
        return stage_plan(&v->stages[part], &v->rows, v->taken * (uint64_t)v->convention.hop,
                          total_samples(v));
    if (part == v->stage_count + PART_FRONT) {
        uint64_t oldest_frame = v->finish.consistency ? v->finish.opened : v->front.taken;
        uint64_t oldest_row =
            v->stage_count ? denoiser_stream_oldest_row(v->stages[v->stage_count - 1].stream) : 0;
        return front_plan(&v->front, oldest_frame, oldest_row, v->finish.most);
    }
    if (part == v->stage_count + PART_FINISH)
        return finish_plan(&v->finish, v->taken, v->front.total);
    return plan_noise(v);
}

static void run_part(lull_vocoder *v, int part) {
    uint64_t before = denormals_off();
    double start = base_now();
    if (part < v->stage_count)
        stage_run(&v->stages[part], &v->rows);
    else if (part == v->stage_count + PART_FRONT)
        front_run(&v->front);
    else if (part == v->stage_count + PART_FINISH)
        finish_run(&v->finish, &v->front);
    else
        run_noise(v);
    v->seconds[part] += base_now() - start;
    denormals_restore(before);
}

static void run_task(void *context, int i, int worker) {
    (void)worker;
    lull_vocoder *v = context;
    run_part(v, v->parts[i]);
}

/* One thread: the parts in the order of the signal, each with what the one before has just made. */
static bool tick_in_order(lull_vocoder *v) {
    bool progress = false;
    int order[] = {PART_FRONT, PART_NOISE, PART_FINISH};
    for (int i = -1; i <= v->stage_count + 1; i++) {
        int part = i < 0                ? v->stage_count + order[0]
                   : i < v->stage_count ? i
                                        : v->stage_count + order[i - v->stage_count + 1];
        bool ready = plan_part(v, part);
        if (i < 0) look_at_front(v); /* the plan may have seen the end */
        if (!ready) continue;
        run_part(v, part);
        if (i < 0) look_at_front(v);
        progress = true;
    }
    return progress;
}

/* Several threads: all that was ready when the tick began, side by side. The longest part comes
 * first. */
static bool tick_side_by_side(lull_vocoder *v) {
    int count = 0, order[] = {PART_FINISH, PART_NOISE, PART_FRONT};
    bool front_ready = plan_part(v, v->stage_count + PART_FRONT);
    look_at_front(v);
    for (int i = 0; i < 2; i++)
        if (plan_part(v, v->stage_count + order[i])) v->parts[count++] = v->stage_count + order[i];
    for (int k = 0; k < v->stage_count; k++)
        if (plan_part(v, k)) v->parts[count++] = k;
    if (front_ready) v->parts[count++] = v->stage_count + PART_FRONT;
    thread_pool_run(v->pool, count, run_task, v);
    return count > 0;
}

static bool tick(lull_vocoder *v) {
    bool progress = v->pool ? tick_side_by_side(v) : tick_in_order(v);
    bool finite = v->finish.finite && v->front.finite;
    for (int k = 0; k < v->stage_count; k++) finite = finite && v->stages[k].finite;
    if (!finite) v->failed = true;
    return progress;
}

/* ---- samples out ---- */

static size_t take_ready(lull_vocoder *v, float *samples, size_t n) {
    line *out = &v->finish.out;
    size_t ready = (size_t)(out->end - out->first);
    if (n > ready) n = ready;
    memcpy(samples, line_at(out, out->first), n * sizeof *samples);
    out->first += (int64_t)n;
    return n;
}

/* After the network lost itself: silence in place of every sample that there would have been. */
static size_t take_silence(lull_vocoder *v, float *samples, size_t n) {
    bool finished = frame_queue_finished(v->queue);
    while (frame_queue_pop(v->queue, NULL)) continue;
    uint64_t due = frame_queue_pushed(v->queue) * (uint64_t)v->convention.hop;
    if (!finished) due = due > v->latency ? due - v->latency : 0;
    uint64_t left = due - atomic_load_explicit(&v->pulled, memory_order_relaxed);
    if (n > left) n = (size_t)left;
    memset(samples, 0, n * sizeof *samples);
    return n;
}

lull_status lull_vocoder_pull(lull_vocoder *v, float *samples, size_t n, size_t *produced,
                              lull_error *error) {
    if (produced) *produced = 0;
    if (!v || !produced || (!samples && n))
        return base_fail(error, LULL_INVALID,
                         "lull_vocoder_pull: vocoder, samples or produced is NULL");
    size_t got = 0;
    while (got < n) {
        size_t fresh = v->failed ? 0 : take_ready(v, samples + got, n - got);
        got += fresh;
        atomic_fetch_add_explicit(&v->pulled, fresh, memory_order_relaxed);
        if (got == n || v->failed || !tick(v)) break;
    }
    if (v->failed && !v->failure_told) {
        v->failure_told = true;
        *produced = got;
        return base_fail(
            error, LULL_NOT_FINITE,
            "the model made values that are not finite from these mel frames; the rest of the "
            "utterance is silence");
    }
    if (v->failed) {
        size_t silent = take_silence(v, samples + got, n - got);
        got += silent;
        atomic_fetch_add_explicit(&v->pulled, silent, memory_order_relaxed);
    }
    *produced = got;
    return LULL_OK;
}

bool lull_vocoder_ended(const lull_vocoder *v) {
    if (!v) return true;
    if (!frame_queue_finished(v->queue)) return false;
    return atomic_load_explicit(&v->pulled, memory_order_relaxed) ==
           frame_queue_pushed(v->queue) * (uint64_t)v->convention.hop;
}

size_t lull_vocoder_latency(const lull_vocoder *v) {
    return v ? v->latency : 0;
}

uint64_t lull_vocoder_limited(const lull_vocoder *v) {
    return v ? v->finish.limited : 0;
}

/* ---- for the program ---- */

int vocoder_noise_rows(const lull_vocoder *v) {
    return v->plan ? v->plan->noise_rows : 1;
}

const diffusion_plan *vocoder_plan(const lull_vocoder *v) {
    return v->plan;
}

const lull_options *vocoder_options(const lull_vocoder *v) {
    return &v->options;
}

lull_status vocoder_set_noise(lull_vocoder *v, const float *rows, size_t row_count, size_t samples,
                              lull_error *error) {
    if (rows && row_count != (size_t)vocoder_noise_rows(v))
        return base_fail(
            error, LULL_MISMATCH,
            "the given noise has %zu rows; these steps draw %d (the start, then one for each "
            "step that draws)",
            row_count, vocoder_noise_rows(v));
    v->noise.rows = rows;
    v->noise.row_count = row_count;
    v->noise.samples = samples;
    return LULL_OK;
}

void vocoder_set_trace(lull_vocoder *v, const vocoder_trace *trace) {
    if (trace) v->trace = *trace;
    for (int k = 0; k < v->stage_count; k++) v->stages[k].trace = trace ? &v->trace : NULL;
}

int vocoder_stages(const lull_vocoder *v) {
    return v->stage_count;
}

vocoder_stats vocoder_get_stats(const lull_vocoder *v) {
    vocoder_stats stats = {.threads = v->options.threads, .block = v->block, .kernels = ""};
    for (int k = 0; k < v->stage_count; k++) {
        stats.blocks += v->stages[k].blocks;
        stats.network += v->seconds[k];
    }
    stats.conditioner = v->seconds[v->stage_count + PART_FRONT];
    stats.consistency = v->seconds[v->stage_count + PART_FINISH];
    if (v->model) {
        stats.kernels = nn_kernels_get()->name;
        stats.bf16 = v->options.precision == LULL_PRECISION_BF16;
        stats.weight_bytes = denoiser_weights_bytes(v->weights);
    }
    return stats;
}
