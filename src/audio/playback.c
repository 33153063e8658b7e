/* Samples out of a ring, silence with fades when it runs dry. */
#include "audio/playback.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "lull.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/clock.h"

typedef enum { WAITING, PLAYING, FADING_OUT, FADING_IN, DONE } phase;

static const double MOST_LEAD = 0.25; /* seconds that gaps may raise the lead to */

struct audio_playback {
    lull_ring *ring;
    float volume;
    int rate;
    size_t fade, stop_fade; /* lengths, samples */
    float *rise, *fall;     /* fade-in of `fade` weights; fade-out of `stop_fade` weights */
    size_t lead, most_lead; /* samples that start it; only the renderer changes it */
    size_t block;           /* samples that the callback wants this time */
    size_t at;              /* position in the current fade */
    size_t stop_at;         /* position in the last fade */
    bool started;
    atomic_bool ended, stopping; /* from outside */
    /* Written by the renderer alone, read by anybody. */
    atomic_int phase;
    atomic_uint_fast64_t played, silent, gaps;
    atomic_uint_fast64_t device_late;
    atomic_size_t slack; /* SIZE_MAX: not yet known */
    _Atomic double first_sample;
};

void audio_playback_options_init(audio_playback_options *options, int rate) {
    *options = (audio_playback_options){.rate = rate,
                                        .capacity_ms = 1000.0,
                                        .lead_ms = 20.0,
                                        .gap_fade_ms = 5.0,
                                        .stop_fade_ms = 30.0,
                                        .volume = 1.0};
}

static size_t samples_of(double ms, int rate) {
    return (size_t)(ms * rate / 1000.0 + 0.5);
}

/* Weights of a raised cosine from 0 to 1 whose values and their mirror image add up to one. */
static void raised_cosine(float *weights, size_t n) {
    for (size_t i = 0; i < n; i++)
        weights[i] = (float)(0.5 - 0.5 * cos(M_PI * ((double)i + 0.5) / (double)n));
}

lull_status audio_playback_new(const audio_playback_options *options, audio_playback **p,
                               lull_error *error) {
    const audio_playback_options *o = options;
    if (o->rate < 1 || o->rate > 1000000 || !(o->volume >= 0.0 && o->volume <= 100.0) ||
        !(o->lead_ms >= 0.0 && o->gap_fade_ms >= 0.0 && o->stop_fade_ms >= 0.0) ||
        !(o->capacity_ms > o->lead_ms + o->gap_fade_ms && o->capacity_ms <= 60000.0))
        return base_fail(error, LULL_INVALID, "playback: rate, volume or lengths out of range");
    audio_playback *q = base_alloc(1, sizeof *q);
    if (!q) return base_no_memory(error);
    q->rate = o->rate;
    q->volume = (float)o->volume;
    q->fade = samples_of(o->gap_fade_ms, o->rate);
    q->stop_fade = samples_of(o->stop_fade_ms, o->rate);
    q->lead = samples_of(o->lead_ms, o->rate);
    q->rise = base_alloc(q->fade, sizeof(float));
    q->fall = base_alloc(q->stop_fade, sizeof(float));
    if (!q->rise || !q->fall) {
        audio_playback_free(q);
        return base_no_memory(error);
    }
    lull_status status = lull_ring_new(samples_of(o->capacity_ms, o->rate) + 1, &q->ring, error);
    if (status) {
        audio_playback_free(q);
        return status;
    }
    raised_cosine(q->rise, q->fade);
    raised_cosine(q->fall, q->stop_fade);
    for (size_t i = 0; i < q->stop_fade; i++) q->fall[i] = 1.0f - q->fall[i];
    /* The renderer plays only what lies beyond the part that it keeps back. */
    size_t least = q->fade + 1, most = lull_ring_capacity(q->ring) / 2;
    if (q->lead < least) q->lead = least;
    q->most_lead = (size_t)(MOST_LEAD * o->rate);
    if (q->most_lead > most) q->most_lead = most;
    if (q->most_lead < q->lead) q->most_lead = q->lead;
    atomic_init(&q->ended, false);
    atomic_init(&q->stopping, false);
    atomic_init(&q->phase, WAITING);
    atomic_init(&q->slack, SIZE_MAX);
    atomic_init(&q->first_sample, 0.0);
    *p = q;
    return LULL_OK;
}

void audio_playback_free(audio_playback *p) {
    if (!p) return;
    lull_ring_free(p->ring);
    base_free(p->rise);
    base_free(p->fall);
    base_free(p);
}

size_t audio_playback_write(audio_playback *p, const float *samples, size_t n) {
    return lull_ring_write(p->ring, samples, n);
}

void audio_playback_end(audio_playback *p) {
    atomic_store_explicit(&p->ended, true, memory_order_release);
}

void audio_playback_stop(audio_playback *p) {
    atomic_store_explicit(&p->stopping, true, memory_order_release);
}

void audio_playback_device_late(audio_playback *p) {
    atomic_fetch_add_explicit(&p->device_late, 1, memory_order_relaxed);
}

static void add(atomic_uint_fast64_t *counter, size_t n) {
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* Enough has gathered (for the whole block, too), or will never. */
static bool may_start(const audio_playback *p, bool ended) {
    size_t wanted = p->fade + p->block, most = lull_ring_capacity(p->ring);
    if (wanted < p->lead) wanted = p->lead;
    return ended || lull_ring_readable(p->ring) >= (wanted < most ? wanted : most);
}

static void gap_begins(audio_playback *p) {
    add(&p->gaps, 1);
    p->lead = p->lead * 2 < p->most_lead ? p->lead * 2 : p->most_lead;
    p->at = 0;
}

/* Plays what lies beyond the part kept back. */
static size_t play(audio_playback *p, bool ended, float *out, size_t n) {
    size_t readable = lull_ring_readable(p->ring), kept = ended ? 0 : p->fade;
    size_t take = readable > kept ? readable - kept : 0;
    take = lull_ring_read(p->ring, out, take < n ? take : n);
    add(&p->played, take);
    return take;
}

/* The part kept back, fading out; it stays in the ring. */
static size_t fade_out(audio_playback *p, float *out, size_t n) {
    size_t left = p->fade - p->at;
    size_t take = lull_ring_peek(p->ring, p->at, out, left < n ? left : n);
    for (size_t i = 0; i < take; i++) out[i] *= 1.0f - p->rise[p->at + i];
    p->at += take;
    return take;
}

static size_t fade_in(audio_playback *p, float *out, size_t n) {
    size_t left = p->fade - p->at;
    size_t take = lull_ring_read(p->ring, out, left < n ? left : n);
    for (size_t i = 0; i < take; i++) out[i] *= p->rise[p->at + i];
    p->at += take;
    add(&p->played, take);
    return take;
}

/* One step of the state machine: fills some of out (perhaps nothing, when only the phase changes).
 */
static size_t step(audio_playback *p, phase *now, bool ended, float *out, size_t n) {
    size_t filled = 0;
    switch (*now) {
    case WAITING:
        if (may_start(p, ended)) {
            *now = p->started ? FADING_IN : PLAYING;
            p->at = 0;
            p->started = true;
            break;
        }
        memset(out, 0, n * sizeof *out);
        if (p->started) add(&p->silent, n);
        return n;
    case PLAYING:
        filled = play(p, ended, out, n);
        if (filled == n) break;
        if (!ended) gap_begins(p);
        *now = ended ? DONE : FADING_OUT;
        break;
    case FADING_OUT:
        filled = fade_out(p, out, n);
        if (p->at >= p->fade) *now = WAITING;
        break;
    case FADING_IN:
        filled = fade_in(p, out, n);
        if (p->at >= p->fade || filled == 0) *now = PLAYING;
        break;
    case DONE:
        memset(out, 0, n * sizeof *out);
        return n;
    }
    return filled;
}

/* The last fade, over whatever is playing. */
static void fade_to_stop(audio_playback *p, phase *now, float *out, size_t n) {
    if (*now == WAITING) *now = DONE;
    for (size_t i = 0; i < n; i++, p->stop_at++)
        out[i] *= p->stop_at < p->stop_fade ? p->fall[p->stop_at] : 0.0f;
    if (p->stop_at >= p->stop_fade) *now = DONE;
}

static void note_slack(audio_playback *p, bool ended, size_t n) {
    if (ended || !p->started) return;
    size_t readable = lull_ring_readable(p->ring), used = n + p->fade;
    size_t left = readable > used ? readable - used : 0;
    if (left < atomic_load_explicit(&p->slack, memory_order_relaxed))
        atomic_store_explicit(&p->slack, left, memory_order_relaxed);
}

bool audio_playback_render(audio_playback *p, float *out, size_t n) {
    /* Before the ring is looked at: an end that is seen here has all its samples in the ring. */
    bool ended = atomic_load_explicit(&p->ended, memory_order_acquire);
    bool stopping = atomic_load_explicit(&p->stopping, memory_order_acquire);
    phase now = (phase)atomic_load_explicit(&p->phase, memory_order_relaxed);
    bool had_started = p->started;
    p->block = n;
    if (now == PLAYING) note_slack(p, ended, n);
    for (size_t i = 0; i < n;) i += step(p, &now, ended, out + i, n - i);
    if (p->volume != 1.0f)
        for (size_t i = 0; i < n; i++) out[i] *= p->volume;
    if (stopping && now != DONE) fade_to_stop(p, &now, out, n);
    if (p->started && !had_started)
        atomic_store_explicit(&p->first_sample, base_now(), memory_order_relaxed);
    atomic_store_explicit(&p->phase, now, memory_order_release);
    return now != DONE;
}

void audio_playback_get_figures(const audio_playback *p, audio_playback_figures *figures) {
    int now = atomic_load_explicit(&p->phase, memory_order_acquire);
    size_t slack = atomic_load_explicit(&p->slack, memory_order_relaxed);
    /* Both counters move on meanwhile: the difference may exceed what fits. */
    size_t ahead = lull_ring_readable(p->ring), most = lull_ring_capacity(p->ring);
    *figures = (audio_playback_figures){
        .played = atomic_load_explicit(&p->played, memory_order_relaxed),
        .silent = atomic_load_explicit(&p->silent, memory_order_relaxed),
        .gaps = atomic_load_explicit(&p->gaps, memory_order_relaxed),
        .device_late = atomic_load_explicit(&p->device_late, memory_order_relaxed),
        .slack = slack == SIZE_MAX ? -1.0 : (double)slack / p->rate,
        .first_sample = atomic_load_explicit(&p->first_sample, memory_order_relaxed),
        .ahead = ahead < most ? ahead : most,
        .waiting = now == WAITING || now == FADING_OUT,
        .done = now == DONE};
}
