/* The streaming engine. Frames enter through a queue and walk a path of parts (path.h), between
 * which lie lines and rings of a fixed size, so memory does not grow and a slow consumer stops the
 * work.
 *
 * Work goes in ticks. A tick plans, on the pulling thread, what each part can do with what is
 * there, and runs the parts: side by side on a thread pool, or one after the other. What a part
 * computes for a sample never depends on how the work was cut, so neither do the samples. */
#include "vocoder/vocoder.h"

#include "base/error.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/thread_pool.h"
#include "model/model.h"
#include "mel/opening.h"
#include "nn/kernels.h"
#include "vocoder/bell.h"
#include "vocoder/denormals.h"
#include "vocoder/options.h"
#include "vocoder/path.h"
#include "vocoder/pool.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

/* Samples of a tick at most: parts have smaller blocks of their own. */
enum { MOST_BLOCK = 1 << 14 };

struct lull_vocoder {
    vocoder_path path;
    thread_pool *pool; /* NULL: one thread */
    bool own_pool;
    vocoder_bell *bell;
    mel_opening opening; /* the pushing thread's; unused when frames are not checked */
    vocoder_trace trace;
    size_t latency;

    int *ready;         /* parts of this tick, for the pool */
    size_t least_block; /* samples that every part can do something with */
    size_t block;       /* samples that a part may do in this tick */
    bool bounded;       /* the work of a pull is */
    bool failed, failure_told;
    _Atomic uint64_t pulled;
};

/* ---- creation ---- */

static lull_status new_threads(lull_vocoder *v, lull_error *error) {
    const lull_options *options = &v->path.options;
    if (options->pool) v->pool = vocoder_pool_threads(options->pool);
    v->own_pool = !options->pool && options->threads > 1;
    return v->own_pool ? thread_pool_new(options->threads, &v->pool, error) : LULL_OK;
}

static lull_status build(lull_vocoder *v, const lull_model *model, const mel_convention *convention,
                         const lull_options *options, lull_error *error) {
    lull_status status = vocoder_path_init(&v->path, model, convention, options, error);
    if (!status) status = vocoder_path_allocate(&v->path, error);
    if (!status) status = vocoder_bell_new(&v->bell, error);
    if (!status && !v->path.options.unchecked)
        status = mel_opening_init(&v->opening, &v->path.convention, error);
    if (!status) status = new_threads(v, error);
    if (status) return status;
    v->ready = base_alloc((size_t)v->path.parts, sizeof *v->ready);
    if (!v->ready) return base_no_memory(error);
    v->latency = vocoder_path_latency(&v->path);
    for (int i = 0; i < v->path.parts; i++)
        if (v->least_block < v->path.part[i].unit) v->least_block = v->path.part[i].unit;
    return LULL_OK;
}

static lull_status new_vocoder(const lull_model *model, const mel_convention *convention,
                               const lull_options *options, lull_vocoder **result,
                               lull_error *error) {
    lull_vocoder *v = base_alloc(1, sizeof *v);
    if (!v) return base_no_memory(error);
    lull_status status = build(v, model, convention, options, error);
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
    mel_convention convention;
    lull_status status =
        vocoder_find_convention("lull_vocoder_new", model, options, &convention, error);
    return status ? status : new_vocoder(model, &convention, options, vocoder, error);
}

lull_status vocoder_new_reading(const lull_model *model, const mel_convention *convention,
                                const lull_options *options, lull_vocoder **vocoder,
                                lull_error *error) {
    *vocoder = NULL;
    lull_status status = vocoder_check_convention(model, convention, error);
    return status ? status : new_vocoder(model, convention, options, vocoder, error);
}

void lull_vocoder_free(lull_vocoder *v) {
    if (!v) return;
    if (v->own_pool) thread_pool_free(v->pool);
    vocoder_bell_free(v->bell);
    mel_opening_clear(&v->opening);
    vocoder_path_clear(&v->path);
    base_free(v->ready);
    base_free(v);
}

void lull_vocoder_reset(lull_vocoder *v, uint64_t seed) {
    if (!v) return;
    vocoder_path_reset(&v->path, seed);
    v->opening.known = 0;
    v->failed = v->failure_told = false;
    atomic_store(&v->pulled, 0);
}

/* ---- frames in ---- */

/* How many of n frames the queue takes now: those are looked at. */
static size_t acceptable(const lull_vocoder *v, size_t n) {
    size_t room = vocoder_frame_queue_room(v->path.frames.queue);
    return n < room ? n : room;
}

static lull_status check_convention(lull_vocoder *v, const float *frames, size_t n,
                                    lull_error *error) {
    if (v->path.options.unchecked) return LULL_OK;
    size_t known = v->opening.known;
    lull_status status = mel_opening_check(&v->opening, frames, n, "the mel frames", error);
    if (status) v->opening.known = known; /* they are not taken */
    return status;
}

static lull_status check_finite(const lull_vocoder *v, const float *frames, size_t n,
                                lull_error *error) {
    size_t bands = (size_t)v->path.convention.bands;
    for (size_t i = 0; i < n * bands; i++)
        if (!isfinite(frames[i]))
            return base_fail(
                error, LULL_NOT_FINITE,
                "mel frame %llu, band %zu is %s; mel frames have to be finite",
                (unsigned long long)(vocoder_frame_queue_pushed(v->path.frames.queue) + i / bands),
                i % bands, isnan(frames[i]) ? "NaN" : "infinite");
    return LULL_OK;
}

/* n frames into the queue, each with its pitch behind it where the queue has room for one. Returns
 * how many it took. */
static size_t enqueue(lull_vocoder *v, const float *frames, const float *pitches, size_t n) {
    const vocoder_frames *to = &v->path.frames;
    size_t bands = to->out.width, done = 0;
    if (to->came.width == bands) return vocoder_frame_queue_push(to->queue, frames, n);
    float row[MEL_MAX_BANDS + 1];
    for (; done < n; done++) {
        memcpy(row, frames + done * bands, bands * sizeof *row);
        row[bands] = pitches ? pitches[done] : NAN;
        if (!vocoder_frame_queue_push(to->queue, row, 1)) break;
    }
    return done;
}

static lull_status push(lull_vocoder *v, const float *frames, const float *pitches, size_t n,
                        size_t *accepted, lull_error *error) {
    if (accepted) *accepted = 0;
    if (!v || !accepted || (!frames && n))
        return base_fail(error, LULL_INVALID,
                         "lull_vocoder_push: vocoder, frames or accepted is NULL");
    if (vocoder_frame_queue_finished(v->path.frames.queue))
        return base_fail(
            error, LULL_FINISHED,
            "frames were pushed after finish; lull_vocoder_reset begins a new utterance");
    if (n > SIZE_MAX / (size_t)v->path.convention.bands / sizeof *frames)
        return base_fail(error, LULL_INVALID,
                         "lull_vocoder_push: %zu frames are more than memory holds", n);
    lull_status status = check_finite(v, frames, n, error);
    if (status) return status;
    uint64_t most = UINT64_MAX;
    if (v->path.noise.rows) most = v->path.noise.samples / (size_t)v->path.convention.hop;
    if (n > most || vocoder_frame_queue_pushed(v->path.frames.queue) > most - n)
        return base_fail(
            error, LULL_MISMATCH,
            "the given noise has %zu samples, enough for %llu mel frames; there are more frames",
            v->path.noise.samples, (unsigned long long)most);
    n = acceptable(v, n);
    status = check_convention(v, frames, n, error);
    if (status) return status;
    *accepted = enqueue(v, frames, pitches, n);
    vocoder_bell_ring(v->bell);
    return LULL_OK;
}

lull_status lull_vocoder_push(lull_vocoder *v, const float *frames, size_t n, size_t *accepted,
                              lull_error *error) {
    return push(v, frames, NULL, n, accepted, error);
}

lull_status vocoder_check_pitches(const float *pitches, size_t n, lull_error *error) {
    for (size_t i = 0; i < n; i++)
        if (pitches[i] < 0 || pitches[i] > 5000)
            return base_fail(error, LULL_INVALID,
                             "the pitch of frame %zu is %g Hz; 0 (no voice) to 5000 are possible, "
                             "NaN where it is not known",
                             i, (double)pitches[i]);
    return LULL_OK;
}

lull_status lull_vocoder_push_pitch(lull_vocoder *v, const float *frames, const float *pitches,
                                    size_t n, size_t *accepted, lull_error *error) {
    if (accepted) *accepted = 0;
    if (!pitches && n)
        return base_fail(error, LULL_INVALID, "lull_vocoder_push_pitch: pitches is NULL");
    lull_status status = vocoder_check_pitches(pitches, n, error);
    return status ? status : push(v, frames, pitches, n, accepted, error);
}

lull_status lull_vocoder_finish(lull_vocoder *v) {
    if (!v) return LULL_INVALID;
    vocoder_frame_queue_finish(v->path.frames.queue);
    vocoder_bell_ring(v->bell);
    return LULL_OK;
}

/* ---- a tick ---- */

static bool plan_part(const lull_vocoder *v, vocoder_part *part) {
    size_t n = part->kind->plan(part->context, part->left < v->block ? part->left : v->block);
    if (v->bounded) part->left -= n;
    return n > 0;
}

static void run_part(vocoder_part *part) {
    uint64_t before = vocoder_denormals_off();
    double start = base_now();
    part->lost = !part->kind->run(part->context);
    part->seconds += base_now() - start;
    vocoder_denormals_restore(before);
}

static void run_task(void *context, int i, int worker) {
    (void)worker;
    lull_vocoder *v = context;
    run_part(&v->path.part[v->ready[i]]);
}

/* One thread: the parts in the order of the signal, each with what the one before has just made.
 * Returns how many had something to do. */
static int tick_in_order(lull_vocoder *v) {
    int count = 0;
    for (int i = 0; i < v->path.parts; i++) {
        if (!plan_part(v, &v->path.part[i])) continue;
        run_part(&v->path.part[i]);
        v->ready[count++] = i;
    }
    return count;
}

/* Several threads: all that was ready when the tick began, side by side. The output comes first: it
 * takes the longest. */
static int tick_side_by_side(lull_vocoder *v) {
    int count = 0;
    /* Planned in the order of the signal, so that an end that is seen is passed on. */
    for (int i = 0; i < v->path.parts; i++)
        if (plan_part(v, &v->path.part[i])) v->ready[count++] = i;
    for (int i = 0, j = count - 1; i < j; i++, j--) {
        int part = v->ready[i];
        v->ready[i] = v->ready[j];
        v->ready[j] = part;
    }
    thread_pool_run_inside(v->pool, count, run_task, v);
    return count;
}

/* False when nothing could be done. */
static bool tick(lull_vocoder *v) {
    /* A pool that is at work elsewhere leaves no one to help. */
    bool helped = v->pool && thread_pool_idle(v->pool);
    int count = helped ? tick_side_by_side(v) : tick_in_order(v);
    for (int i = 0; i < count; i++)
        if (v->path.part[v->ready[i]].lost) v->failed = true;
    return count > 0;
}

/* ---- samples out ---- */

/* Samples that the frames pushed so far make possible. */
static uint64_t due(const lull_vocoder *v) {
    /* Whether it is the end is asked before how much there is, so that the two fit together. */
    bool finished = vocoder_frame_queue_finished(v->path.frames.queue);
    uint64_t all =
        vocoder_frame_queue_pushed(v->path.frames.queue) * (uint64_t)v->path.convention.hop;
    if (finished) return all;
    return all > v->latency ? all - v->latency : 0;
}

/* Those of them that were not pulled yet. */
static uint64_t owed(const lull_vocoder *v) {
    return due(v) - atomic_load_explicit(&v->pulled, memory_order_relaxed);
}

/* Where frames are no whole patches some samples are ready sooner than others: none leaves before
 * the latency says, so that a host can count on when they come. */
static size_t take_ready(lull_vocoder *v, float *samples, size_t n) {
    vocoder_line *out = &v->path.output.out;
    size_t ready = (size_t)(out->end - out->first);
    const uint64_t left = owed(v);
    if (n > ready) n = ready;
    if (n > left) n = (size_t)left;
    memcpy(samples, vocoder_line_at(out, out->first), n * sizeof *samples);
    out->first += (int64_t)n;
    return n;
}

/* After the network lost itself: silence in place of every sample that there would have been. */
static size_t take_silence(lull_vocoder *v, float *samples, size_t n) {
    while (vocoder_frame_queue_pop(v->path.frames.queue, NULL)) continue;
    const uint64_t left = owed(v);
    if (n > left) n = (size_t)left;
    memset(samples, 0, n * sizeof *samples);
    return n;
}

static size_t round_up(size_t n, size_t unit) {
    return (n + unit - 1) / unit * unit;
}

/* What a pull of n samples may do: all that is there, or for each part as much as the options say,
 * in whole units of its own. */
static void allow_work(lull_vocoder *v) {
    size_t most = (size_t)v->path.options.pull_work;
    v->bounded = most > 0;
    for (int i = 0; i < v->path.parts; i++) {
        vocoder_part *part = &v->path.part[i];
        part->left = v->bounded ? round_up(most, part->unit) : SIZE_MAX;
    }
}

static size_t count_pulled(lull_vocoder *v, size_t n) {
    atomic_fetch_add_explicit(&v->pulled, n, memory_order_relaxed);
    return n;
}

/* Whether a pull that has its samples goes on: what is left of the work that was allowed goes into
 * the next frame, so that the load is even. */
static bool works_ahead(const lull_vocoder *v, size_t hop) {
    const vocoder_line *out = &v->path.output.out;
    return v->bounded && (size_t)(out->end - out->first) < hop;
}

/* Ticks until n samples are there, nothing more can be done, or the work allowed is done. */
static size_t synthesize(lull_vocoder *v, float *samples, size_t n) {
    size_t got = 0, hop = (size_t)v->path.convention.hop;
    allow_work(v);
    while (!v->failed) {
        got += count_pulled(v, take_ready(v, samples + got, n - got));
        if (got == n && !works_ahead(v, hop)) break;
        /* No more at a time than was asked for: who pulls little wants it soon. */
        v->block = n - got < MOST_BLOCK ? round_up(n - got, hop) : MOST_BLOCK;
        if (v->block < v->least_block) v->block = v->least_block;
        if (!tick(v)) break;
    }
    return got;
}

lull_status lull_vocoder_pull(lull_vocoder *v, float *samples, size_t n, size_t *produced,
                              lull_error *error) {
    if (produced) *produced = 0;
    if (!v || !produced || (!samples && n))
        return base_fail(error, LULL_INVALID,
                         "lull_vocoder_pull: vocoder, samples or produced is NULL");
    if (v->pool) thread_pool_enter(v->pool);
    size_t got = synthesize(v, samples, n);
    if (v->pool) thread_pool_leave(v->pool);
    if (v->failed && v->failure_told)
        got += count_pulled(v, take_silence(v, samples + got, n - got));
    vocoder_bell_try_ring(v->bell);
    *produced = got;
    if (v->failed && !v->failure_told) {
        v->failure_told = true;
        return base_fail(
            error, LULL_NOT_FINITE,
            "the model made values that are not finite from these mel frames; the rest of the "
            "utterance is silence");
    }
    return LULL_OK;
}

bool lull_vocoder_ended(const lull_vocoder *v) {
    if (!v) return true;
    if (!vocoder_frame_queue_finished(v->path.frames.queue)) return false;
    return atomic_load_explicit(&v->pulled, memory_order_relaxed) ==
           vocoder_frame_queue_pushed(v->path.frames.queue) * (uint64_t)v->path.convention.hop;
}

/* Whether a pull would take frames out of the queue: the postnet's look-ahead leaves it together
 * with the first of them. */
static bool frames_wait(const lull_vocoder *v) {
    bool begun;
    size_t waiting = vocoder_frame_queue_waiting(v->path.frames.queue, &begun);
    return waiting > (begun ? 0 : (size_t)vocoder_frames_look_ahead(&v->path.frames));
}

static int ready(const void *vocoder) {
    const lull_vocoder *v = vocoder;
    int set = lull_vocoder_ended(v) ? LULL_READY_END : 0;
    if (vocoder_frame_queue_room(v->path.frames.queue) > 0) set |= LULL_READY_PUSH;
    if (due(v) > atomic_load(&v->pulled) || frames_wait(v)) set |= LULL_READY_PULL;
    return set;
}

static int ready_to_push(const void *vocoder) {
    return ready(vocoder) & (LULL_READY_PUSH | LULL_READY_END);
}

static int ready_to_pull(const void *vocoder) {
    return ready(vocoder) & (LULL_READY_PULL | LULL_READY_END);
}

static int ended(const void *vocoder) {
    return ready(vocoder) & LULL_READY_END;
}

int lull_vocoder_wait(lull_vocoder *v, int what, double seconds) {
    if (!v) return LULL_READY_END;
    bool push = what & LULL_READY_PUSH, pull = what & LULL_READY_PULL;
    /* A pull rings without waiting, so that whoever waits for one has to look now and then. */
    const double patience = push || !pull ? 0.01 : 60;
    return vocoder_bell_wait(v->bell,
                             push && pull ? ready
                             : push       ? ready_to_push
                             : pull       ? ready_to_pull
                                          : ended,
                             v, seconds, patience);
}

size_t lull_vocoder_latency(const lull_vocoder *v) {
    return v ? v->latency : 0;
}

uint64_t lull_vocoder_limited(const lull_vocoder *v) {
    return v ? v->path.output.limited : 0;
}

/* ---- for the program ---- */

int vocoder_noise_rows(const lull_vocoder *v) {
    return vocoder_path_noise_rows(&v->path);
}

const diffusion_plan *vocoder_plan(const lull_vocoder *v) {
    return v->path.plan;
}

const lull_options *vocoder_options(const lull_vocoder *v) {
    return &v->path.options;
}

lull_status vocoder_set_noise(lull_vocoder *v, const float *rows, size_t row_count, size_t samples,
                              lull_error *error) {
    if (rows && row_count != (size_t)vocoder_noise_rows(v))
        return base_fail(
            error, LULL_MISMATCH,
            "the given noise has %zu rows; this vocoder draws %d (the start, one for each step "
            "that draws, one for a source beside the network, one for what lies above the mel)",
            row_count, vocoder_noise_rows(v));
    v->path.noise.rows = rows;
    v->path.noise.row_count = row_count;
    v->path.noise.samples = samples;
    return LULL_OK;
}

void vocoder_set_trace(lull_vocoder *v, const vocoder_trace *trace) {
    if (trace) v->trace = *trace;
    for (int k = 0; k < v->path.steps; k++) v->path.step[k].trace = trace ? &v->trace : NULL;
}

int vocoder_stages(const lull_vocoder *v) {
    return v->path.steps;
}

int vocoder_delays(const lull_vocoder *v, vocoder_delay delays[VOCODER_MAX_DELAYS]) {
    int count = 0;
    for (int i = 0; i < v->path.parts; i++) {
        const vocoder_part *part = &v->path.part[i];
        if (!part->latency) continue;
        if (count == 0 || strcmp(delays[count - 1].name, part->kind->name) != 0) {
            if (count == VOCODER_MAX_DELAYS) break;
            delays[count++] = (vocoder_delay){part->kind->name, 0, 0};
        }
        delays[count - 1].parts++;
        delays[count - 1].samples += part->latency;
    }
    return count;
}

vocoder_stats vocoder_get_stats(const lull_vocoder *v) {
    const vocoder_path *path = &v->path;
    vocoder_stats stats = {.threads = path->options.threads, .block = path->block, .kernels = ""};
    for (int k = 0; k < path->steps; k++) stats.blocks += path->step[k].blocks;
    for (int i = 0; i < path->parts; i++) {
        const vocoder_part *part = &path->part[i];
        if (part->kind == &vocoder_step_part)
            stats.network += part->seconds;
        else if (part->kind == &vocoder_output_part)
            stats.consistency += part->seconds;
        else if (part->kind == &vocoder_start_part || part->kind == &vocoder_voices_part ||
                 part->kind == &vocoder_source_part || part->kind == &vocoder_crossover_part)
            stats.source += part->seconds;
        else
            stats.conditioner += part->seconds;
    }
    if (path->model) {
        stats.kernels = nn_kernels_get()->name;
        stats.bf16 = path->options.precision == LULL_PRECISION_BF16;
        stats.weight_bytes = denoiser_weights_bytes(path->weights);
    }
    return stats;
}
