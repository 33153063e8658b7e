/* Mel consistency on a sliding window, and on a whole signal. */
#include "mel/consistency.h"

#include "base/error.h"
#include "base/memory.h"
#include "mel/fft.h"
#include "mel/kernels.h"
#include "mel/overlap.h"
#include "mel/window.h"

#include <math.h>
#include <string.h>

/* Two frames' step: the signal's segments through the window, their spectra pulled to the wanted
 * mels. */
typedef struct corrector {
    const mel_kernels *kernels;
    mel_envelope *envelope;
    fft_pair *transform;
    float *window, *synthesis_window; /* the second divided by n_fft */
    float *magnitude[2], *gain[2];
    float epsilon;
} corrector;

static void corrector_clear(corrector *c) {
    mel_envelope_free(c->envelope);
    fft_pair_free(c->transform);
    base_free(c->window);
    base_free(c->synthesis_window);
    for (int i = 0; i < 2; i++) {
        base_free(c->magnitude[i]);
        base_free(c->gain[i]);
    }
}

static lull_status corrector_init(corrector *c, const mel_convention *convention,
                                  lull_error *error) {
    c->kernels = mel_kernels_get();
    c->epsilon = (float)convention->magnitude_epsilon;
    lull_status status = mel_envelope_new(convention, 0, &c->envelope, error);
    if (status) return status;
    status = fft_pair_new(convention->n_fft, &c->transform, error);
    if (status) return status;
    const size_t size = (size_t)convention->n_fft, bins = size / 2 + 1;
    c->window = base_alloc(size, sizeof(float));
    c->synthesis_window = base_alloc(size, sizeof(float));
    if (!c->window || !c->synthesis_window) return base_no_memory(error);
    for (int i = 0; i < 2; i++) {
        c->magnitude[i] = base_alloc(bins + 31, sizeof(float));
        c->gain[i] = base_alloc(bins, sizeof(float));
        if (!c->magnitude[i] || !c->gain[i]) return base_no_memory(error);
    }
    mel_window_fill(convention, c->window);
    for (size_t i = 0; i < size; i++) c->synthesis_window[i] = c->window[i] / (float)size;
    return LULL_OK;
}

/* irfft(S·E(wanted)/E(mel(S))) of S = rfft(window·segment), n_fft times too large and not yet
 * windowed, for two frames at once: of the first in the real parts of c->transform->frames, of the
 * second in the imaginary ones. */
static void correct(corrector *c, const float *const wanted[2], const float *const segment[2]) {
    fft_pair *t = c->transform;
    const int reach = mel_envelope_reach(c->envelope);
    c->kernels->pair_window(c->window, segment[0], segment[1], t->frames, t->size);
    fft_pair_forward(t);
    c->kernels->pair_magnitude(t->spectrum, c->epsilon, c->magnitude[0], c->magnitude[1], t->size,
                               reach);
    for (int i = 0; i < 2; i++)
        mel_envelope_correction(c->envelope, wanted[i], c->magnitude[i], c->gain[i]);
    c->kernels->pair_gain(t->spectrum, c->gain[0], c->gain[1], t->size, reach);
    fft_pair_inverse(t);
}

/* A frame that is open: it may still change. */
typedef struct open_frame {
    float *wanted; /* [bands] ln of the mel */
    float *signal; /* [n_fft] windowed synthesis signal, with momentum */
    float
        *previous; /* [n_fft] the same of the last iteration without momentum: what is committed */
} open_frame;

struct mel_consistency {
    corrector corrector;
    int iterations, window, hop, size, bands;
    float momentum;
    int delay; /* hops */
    /* Sample 0 of the region is the first of the oldest frame that may be open, the newest begins
     * at window·hop. `margin` samples before it are already final but not yet written. */
    int region, margin, first_out;
    float *power;            /* [size] window² */
    float *committed;        /* [margin + region] Σ of the committed frames */
    float *committed_weight; /* [margin + region] Σ window² of the committed frames */
    float *signal, *inverse; /* [region] of committed and open frames: the sum, 1/Σ window² */
    open_frame *frames;      /* frame f is at f mod (window + 1) */
    long opened, turn;       /* frames opened; frames opened or passed by after the end */
};

static int ceil_divide(int a, int b) {
    return a <= 0 ? 0 : (a + b - 1) / b;
}

static lull_status check_options(int iterations, int window, double momentum, lull_error *error) {
    if (iterations < 0 || iterations > 100000)
        return base_fail(error, LULL_INVALID, "%d refinements: expected 0 to 100000", iterations);
    if (window < 0 || window > 256)
        return base_fail(error, LULL_INVALID, "refinement window of %d frames: expected 0 to 256",
                         window);
    if (!(momentum >= 0 && momentum < 1))
        return base_fail(error, LULL_INVALID, "refinement momentum %g: expected 0 to below 1",
                         momentum);
    return LULL_OK;
}

static lull_status allocate_frames(mel_consistency *s, lull_error *error) {
    const size_t slots = (size_t)s->window + 1;
    s->frames = base_alloc(slots, sizeof *s->frames);
    if (!s->frames) return base_no_memory(error);
    for (size_t i = 0; i < slots; i++) {
        open_frame *frame = &s->frames[i];
        frame->wanted = base_alloc((size_t)s->bands, sizeof(float));
        frame->signal = base_alloc((size_t)s->size, sizeof(float));
        frame->previous = base_alloc((size_t)s->size, sizeof(float));
        if (!frame->wanted || !frame->signal || !frame->previous) return base_no_memory(error);
    }
    return LULL_OK;
}

lull_status mel_consistency_new(const mel_convention *convention, int iterations, int window,
                                double momentum, mel_consistency **stage, lull_error *error) {
    *stage = NULL;
    lull_status status = check_options(iterations, window, momentum, error);
    if (status) return status;
    mel_consistency *s = base_alloc(1, sizeof *s);
    if (!s) return base_no_memory(error);
    status = corrector_init(&s->corrector, convention, error);
    if (status) goto fail;
    s->iterations = iterations;
    s->window = window;
    s->momentum = (float)momentum;
    s->hop = convention->hop;
    s->size = convention->n_fft;
    s->bands = convention->bands;
    s->region = window * s->hop + s->size;
    /* A hop is final when the next frame to be committed begins behind it. */
    const int lead = mel_window_lead(convention);
    const int overlap = ceil_divide(lead - mel_window_first(convention), s->hop);
    s->delay = window + overlap;
    s->margin = overlap * s->hop > lead ? overlap * s->hop - lead : 0;
    s->first_out = s->margin + lead - overlap * s->hop;
    const size_t extent = (size_t)s->margin + (size_t)s->region;
    s->power = base_alloc((size_t)s->size, sizeof(float));
    s->committed = base_alloc(extent, sizeof(float));
    s->committed_weight = base_alloc(extent, sizeof(float));
    s->signal = base_alloc((size_t)s->region, sizeof(float));
    s->inverse = base_alloc((size_t)s->region, sizeof(float));
    if (!s->power || !s->committed || !s->committed_weight || !s->signal || !s->inverse) {
        status = base_no_memory(error);
        goto fail;
    }
    s->corrector.kernels->product(s->corrector.window, s->corrector.window, s->power, s->size);
    status = allocate_frames(s, error);
    if (status) goto fail;
    *stage = s;
    return LULL_OK;
fail:
    mel_consistency_free(s);
    return status;
}

void mel_consistency_free(mel_consistency *stage) {
    if (!stage) return;
    for (int i = 0; stage->frames && i <= stage->window; i++) {
        base_free(stage->frames[i].wanted);
        base_free(stage->frames[i].signal);
        base_free(stage->frames[i].previous);
    }
    base_free(stage->frames);
    base_free(stage->power);
    base_free(stage->committed);
    base_free(stage->committed_weight);
    base_free(stage->signal);
    base_free(stage->inverse);
    corrector_clear(&stage->corrector);
    base_free(stage);
}

void mel_consistency_reset(mel_consistency *stage) {
    const size_t extent = (size_t)stage->margin + (size_t)stage->region;
    memset(stage->committed, 0, extent * sizeof(float));
    memset(stage->committed_weight, 0, extent * sizeof(float));
    stage->opened = stage->turn = 0;
}

int mel_consistency_delay_of(const mel_convention *convention, int window) {
    return window + ceil_divide(mel_window_lead(convention) - mel_window_first(convention),
                                convention->hop);
}

uint64_t mel_consistency_bytes(const mel_convention *convention, int window) {
    uint64_t size = (uint64_t)convention->n_fft, bands = (uint64_t)convention->bands;
    uint64_t slots = (uint64_t)window + 1;
    uint64_t region = (uint64_t)window * (uint64_t)convention->hop + size;
    uint64_t sum = base_memory_add(0, 1, sizeof(mel_consistency));
    sum = base_memory_add(sum, slots, sizeof(open_frame));
    for (uint64_t i = 0; i < slots; i++) {
        sum = base_memory_add(sum, bands, sizeof(float));
        sum = base_memory_add(base_memory_add(sum, size, sizeof(float)), size, sizeof(float));
    }
    /* Committed samples and weights, with their margin, and the region's two. */
    for (int i = 0; i < 4; i++) sum = base_memory_add(sum, region + size, sizeof(float));
    /* The corrector: transforms, window, gains, filterbank. */
    return base_memory_add(sum, 16 * size + 16 * bands + 1024, sizeof(float));
}

int mel_consistency_delay(const mel_consistency *stage) {
    return stage->delay;
}

static open_frame *frame_at(mel_consistency *s, long f) {
    return &s->frames[f % (s->window + 1)];
}

/* Where frame f begins in the region, while turn t is the newest. */
static int offset_of(const mel_consistency *s, long f) {
    return (int)(f - s->turn + s->window) * s->hop;
}

/* 1/max(Σ window², 0.01) over the frames committed or open. */
static void weigh(mel_consistency *s, long oldest, long newest) {
    memcpy(s->inverse, s->committed_weight + s->margin, (size_t)s->region * sizeof(float));
    for (long f = oldest; f <= newest; f++)
        s->corrector.kernels->add(s->power, s->inverse + offset_of(s, f), s->size);
    for (int i = 0; i < s->region; i++)
        s->inverse[i] = 1.0f / (s->inverse[i] > 0.01f ? s->inverse[i] : 0.01f);
}

/* One iteration: every open frame is taken from the same signal. */
static void iterate(mel_consistency *s, long oldest, long newest, bool first_fresh) {
    const mel_kernels *kernels = s->corrector.kernels;
    memcpy(s->signal, s->committed + s->margin, (size_t)s->region * sizeof(float));
    for (long f = oldest; f <= newest; f++)
        kernels->add(frame_at(s, f)->signal, s->signal + offset_of(s, f), s->size);
    kernels->scale(s->inverse, s->signal, s->region);
    for (long f = oldest; f <= newest; f += 2) {
        /* A last one without a partner is its own. */
        const long both[2] = {f, f < newest ? f + 1 : f};
        const float *wanted[2], *segment[2];
        for (int i = 0; i < 2; i++) {
            wanted[i] = frame_at(s, both[i])->wanted;
            segment[i] = s->signal + offset_of(s, both[i]);
        }
        correct(&s->corrector, wanted, segment);
        for (int i = 0; i < 2 && f + i <= newest; i++) {
            open_frame *frame = frame_at(s, f + i);
            /* The frame that has just been opened has no previous iteration to run ahead of. */
            const float momentum = first_fresh && f + i == s->turn ? 0 : s->momentum;
            kernels->pair_momentum(s->corrector.synthesis_window,
                                   s->corrector.transform->frames + i, momentum, frame->previous,
                                   frame->signal, s->size);
        }
    }
}

/* Takes the oldest open frame, without momentum, into what is final. */
static void commit(mel_consistency *s, long f) {
    const open_frame *frame = frame_at(s, f);
    float *to = s->committed + s->margin + offset_of(s, f);
    s->corrector.kernels->add(s->iterations > 0 ? frame->previous : frame->signal, to, s->size);
    s->corrector.kernels->add(s->power, s->committed_weight + s->margin + offset_of(s, f), s->size);
}

/* Moves the region on by one hop. */
static void advance(mel_consistency *s) {
    const size_t hop = (size_t)s->hop, extent = (size_t)s->margin + (size_t)s->region;
    memmove(s->committed, s->committed + hop, (extent - hop) * sizeof(float));
    memmove(s->committed_weight, s->committed_weight + hop, (extent - hop) * sizeof(float));
    memset(s->committed + extent - hop, 0, hop * sizeof(float));
    memset(s->committed_weight + extent - hop, 0, hop * sizeof(float));
    s->turn++;
}

/* Iterates what is open, commits what has left the window, writes what became final. */
static size_t take_turn(mel_consistency *s, float *out) {
    const long oldest = s->turn > s->window ? s->turn - s->window : 0;
    const long newest = s->turn < s->opened ? s->turn : s->opened - 1;
    if (oldest <= newest && s->iterations > 0) {
        weigh(s, oldest, newest);
        for (int i = 0; i < s->iterations; i++) iterate(s, oldest, newest, i == 0);
    }
    if (s->turn >= s->window && oldest <= newest) commit(s, oldest);
    const bool due = s->turn >= s->delay && s->turn - s->delay < s->opened;
    if (due) {
        const float *sum = s->committed + s->first_out,
                    *weight = s->committed_weight + s->first_out;
        for (int i = 0; i < s->hop; i++) out[i] = sum[i] / (weight[i] > 0.01f ? weight[i] : 0.01f);
    }
    advance(s);
    return due ? (size_t)s->hop : 0;
}

size_t mel_consistency_push(mel_consistency *stage, const float *frame, const float *synthesis,
                            float *out) {
    open_frame *open = frame_at(stage, stage->opened);
    mel_envelope_wanted(stage->corrector.envelope, frame, open->wanted);
    memcpy(open->signal, synthesis, (size_t)stage->size * sizeof(float));
    stage->opened++;
    return take_turn(stage, out);
}

size_t mel_consistency_finish(mel_consistency *stage, float *out) {
    while (stage->turn - stage->delay < stage->opened)
        if (take_turn(stage, out)) return (size_t)stage->hop;
    return 0;
}

lull_status mel_consistency_whole(const mel_convention *convention, const float *frames, size_t n,
                                  const float *signal, size_t count, int iterations,
                                  double momentum, float *out, lull_error *error) {
    lull_status status = check_options(iterations, 0, momentum, error);
    if (status) return status;
    corrector c = {0};
    mel_overlap *overlap = NULL;
    const size_t bands = (size_t)convention->bands, size = (size_t)convention->n_fft;
    float *current = NULL, *previous = NULL, *segment[2] = {0}, *wanted[2] = {0};
    status = corrector_init(&c, convention, error);
    if (status) goto end;
    status = mel_overlap_new(convention, count, &overlap, error);
    if (status) goto end;
    current = base_alloc(count, sizeof(float));
    previous = base_alloc(count, sizeof(float));
    for (int k = 0; k < 2; k++) {
        segment[k] = base_alloc(size, sizeof(float));
        wanted[k] = base_alloc(bands, sizeof(float));
    }
    if (!current || !previous || !segment[0] || !segment[1] || !wanted[0] || !wanted[1]) {
        status = base_no_memory(error);
        goto end;
    }
    memcpy(current, signal, count * sizeof(float));
    for (int i = 0; i < iterations; i++) {
        for (size_t f = 0; f < n && mel_overlap_reaches(overlap, f); f += 2) {
            const int both = f + 1 < n ? 2 : 1;
            for (int k = 0; k < 2; k++) {
                const size_t frame = f + (size_t)(k < both ? k : 0);
                mel_envelope_wanted(c.envelope, frames + frame * bands, wanted[k]);
                mel_overlap_segment(overlap, current, frame, segment[k]);
            }
            correct(&c, (const float *const *)wanted, (const float *const *)segment);
            for (int k = 0; k < both; k++) {
                for (size_t j = 0; j < size; j++)
                    segment[k][j] = c.transform->frames[2 * j + (size_t)k] * c.synthesis_window[j];
                mel_overlap_add(overlap, f + (size_t)k, segment[k]);
            }
        }
        mel_overlap_take(overlap, current);
        /* z ← r + momentum·(r − previous r), from the second iteration on. */
        for (size_t j = 0; j < count; j++) {
            const float r = current[j];
            if (i > 0) current[j] = r + (float)momentum * (r - previous[j]);
            previous[j] = r;
        }
    }
    memcpy(out, current, count * sizeof(float));
end:
    base_free(current);
    base_free(previous);
    for (int k = 0; k < 2; k++) {
        base_free(segment[k]);
        base_free(wanted[k]);
    }
    mel_overlap_free(overlap);
    corrector_clear(&c);
    return status;
}
