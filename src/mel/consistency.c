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

/* One frame's step: the signal's segment through the window, its spectrum pulled to the wanted mel. */
typedef struct corrector {
    const mel_kernels *kernels;
    mel_envelope *envelope;
    fft *transform;
    float *window, *synthesis_window; /* the second divided by n_fft */
    float *magnitude, *gain;
    float epsilon;
} corrector;

static void corrector_clear(corrector *c)
{
    mel_envelope_free(c->envelope);
    fft_free(c->transform);
    base_free(c->window);
    base_free(c->synthesis_window);
    base_free(c->magnitude);
    base_free(c->gain);
}

static lull_status corrector_init(corrector *c, const mel_convention *convention, lull_error *error)
{
    c->kernels = mel_kernels_get();
    c->epsilon = (float)convention->magnitude_epsilon;
    lull_status status = mel_envelope_new(convention, 0, &c->envelope, error);
    if (status) return status;
    status = fft_new(convention->n_fft, &c->transform, error);
    if (status) return status;
    const size_t size = (size_t)convention->n_fft, bins = (size_t)c->transform->bins;
    c->window = base_alloc(size, sizeof(float));
    c->synthesis_window = base_alloc(size, sizeof(float));
    c->magnitude = base_alloc(bins + 31, sizeof(float));
    c->gain = base_alloc(bins, sizeof(float));
    if (!c->window || !c->synthesis_window || !c->magnitude || !c->gain) return base_no_memory(error);
    mel_window_fill(convention, c->window);
    for (size_t i = 0; i < size; i++) c->synthesis_window[i] = c->window[i] / (float)size;
    return LULL_OK;
}

/* irfft(S·E(wanted)/E(mel(S))) of S = rfft(window·segment), not yet scaled or windowed, in
 * c->transform->real. */
static void correct(corrector *c, const float *wanted, const float *segment)
{
    fft *t = c->transform;
    c->kernels->product(segment, c->window, t->real, t->size);
    fft_forward(t);
    c->kernels->magnitude(t->spectrum, c->epsilon, c->magnitude, t->bins);
    mel_envelope_correction(c->envelope, wanted, c->magnitude, c->gain);
    c->kernels->apply_gain(t->spectrum, c->gain, t->bins);
    fft_inverse(t);
}

/* A frame that is open: it may still change. */
typedef struct open_frame {
    float *wanted;   /* [bands] ln of the mel */
    float *signal;   /* [n_fft] windowed synthesis signal, with momentum */
    float *previous; /* [n_fft] the same of the last iteration without momentum: what is committed */
} open_frame;

struct mel_consistency {
    corrector corrector;
    int iterations, window, hop, size, bands;
    float momentum;
    int delay; /* hops */
    /* Sample 0 of the region is the first of the oldest frame that may be open, the newest begins at
     * window·hop. `margin` samples before it are already final but not yet written. */
    int region, margin, first_out;
    float *power;            /* [size] window² */
    float *committed;        /* [margin + region] Σ of the committed frames */
    float *committed_weight; /* [margin + region] Σ window² of the committed frames */
    float *signal, *inverse; /* [region] of committed and open frames: the sum, 1/Σ window² */
    open_frame *frames;      /* frame f is at f mod (window + 1) */
    long opened, turn;       /* frames opened; frames opened or passed by after the end */
};

static int ceil_divide(int a, int b)
{
    return a <= 0 ? 0 : (a + b - 1) / b;
}

static lull_status check_options(int iterations, int window, double momentum, lull_error *error)
{
    if (iterations < 0 || iterations > 100000)
        return base_fail(error, LULL_INVALID, "%d refinements: expected 0 to 100000", iterations);
    if (window < 0 || window > 256)
        return base_fail(error, LULL_INVALID, "refinement window of %d frames: expected 0 to 256", window);
    if (!(momentum >= 0 && momentum < 1))
        return base_fail(error, LULL_INVALID, "refinement momentum %g: expected 0 to below 1", momentum);
    return LULL_OK;
}

static lull_status allocate_frames(mel_consistency *s, lull_error *error)
{
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
                                double momentum, mel_consistency **stage, lull_error *error)
{
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

void mel_consistency_free(mel_consistency *stage)
{
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

void mel_consistency_reset(mel_consistency *stage)
{
    const size_t extent = (size_t)stage->margin + (size_t)stage->region;
    memset(stage->committed, 0, extent * sizeof(float));
    memset(stage->committed_weight, 0, extent * sizeof(float));
    stage->opened = stage->turn = 0;
}

int mel_consistency_delay(const mel_consistency *stage)
{
    return stage->delay;
}

static open_frame *frame_at(mel_consistency *s, long f)
{
    return &s->frames[f % (s->window + 1)];
}

/* Where frame f begins in the region, while turn t is the newest. */
static int offset_of(const mel_consistency *s, long f)
{
    return (int)(f - s->turn + s->window) * s->hop;
}

/* 1/max(Σ window², 0.01) over the frames committed or open. */
static void weigh(mel_consistency *s, long oldest, long newest)
{
    memcpy(s->inverse, s->committed_weight + s->margin, (size_t)s->region * sizeof(float));
    for (long f = oldest; f <= newest; f++)
        s->corrector.kernels->add(s->power, s->inverse + offset_of(s, f), s->size);
    for (int i = 0; i < s->region; i++)
        s->inverse[i] = 1.0f / (s->inverse[i] > 0.01f ? s->inverse[i] : 0.01f);
}

/* One iteration: every open frame is taken from the same signal. */
static void iterate(mel_consistency *s, long oldest, long newest, int first_fresh)
{
    const mel_kernels *kernels = s->corrector.kernels;
    memcpy(s->signal, s->committed + s->margin, (size_t)s->region * sizeof(float));
    for (long f = oldest; f <= newest; f++)
        kernels->add(frame_at(s, f)->signal, s->signal + offset_of(s, f), s->size);
    kernels->scale(s->inverse, s->signal, s->region);
    for (long f = oldest; f <= newest; f++) {
        open_frame *frame = frame_at(s, f);
        correct(&s->corrector, frame->wanted, s->signal + offset_of(s, f));
        /* The frame that has just been opened has no previous iteration to run ahead of. */
        kernels->momentum(s->corrector.synthesis_window, s->corrector.transform->real,
                          first_fresh && f == s->turn ? 0 : s->momentum, frame->previous, frame->signal,
                          s->size);
    }
}

/* Takes the oldest open frame, without momentum, into what is final. */
static void commit(mel_consistency *s, long f)
{
    const open_frame *frame = frame_at(s, f);
    float *to = s->committed + s->margin + offset_of(s, f);
    s->corrector.kernels->add(s->iterations > 0 ? frame->previous : frame->signal, to, s->size);
    s->corrector.kernels->add(s->power, s->committed_weight + s->margin + offset_of(s, f), s->size);
}

/* Moves the region on by one hop. */
static void advance(mel_consistency *s)
{
    const size_t hop = (size_t)s->hop, extent = (size_t)s->margin + (size_t)s->region;
    memmove(s->committed, s->committed + hop, (extent - hop) * sizeof(float));
    memmove(s->committed_weight, s->committed_weight + hop, (extent - hop) * sizeof(float));
    memset(s->committed + extent - hop, 0, hop * sizeof(float));
    memset(s->committed_weight + extent - hop, 0, hop * sizeof(float));
    s->turn++;
}

/* Iterates what is open, commits what has left the window, writes what became final. */
static size_t take_turn(mel_consistency *s, float *out)
{
    const long oldest = s->turn > s->window ? s->turn - s->window : 0;
    const long newest = s->turn < s->opened ? s->turn : s->opened - 1;
    if (oldest <= newest && s->iterations > 0) {
        weigh(s, oldest, newest);
        for (int i = 0; i < s->iterations; i++) iterate(s, oldest, newest, i == 0);
    }
    if (s->turn >= s->window && oldest <= newest) commit(s, oldest);
    const bool due = s->turn >= s->delay && s->turn - s->delay < s->opened;
    if (due) {
        const float *sum = s->committed + s->first_out, *weight = s->committed_weight + s->first_out;
        for (int i = 0; i < s->hop; i++) out[i] = sum[i] / (weight[i] > 0.01f ? weight[i] : 0.01f);
    }
    advance(s);
    return due ? (size_t)s->hop : 0;
}

size_t mel_consistency_push(mel_consistency *stage, const float *frame, const float *synthesis, float *out)
{
    open_frame *open = frame_at(stage, stage->opened);
    mel_envelope_wanted(stage->corrector.envelope, frame, open->wanted);
    memcpy(open->signal, synthesis, (size_t)stage->size * sizeof(float));
    stage->opened++;
    return take_turn(stage, out);
}

size_t mel_consistency_finish(mel_consistency *stage, float *out)
{
    while (stage->turn - stage->delay < stage->opened)
        if (take_turn(stage, out)) return (size_t)stage->hop;
    return 0;
}

lull_status mel_consistency_whole(const mel_convention *convention, const float *frames, size_t n,
                                  const float *signal, size_t count, int iterations, double momentum,
                                  float *out, lull_error *error)
{
    lull_status status = check_options(iterations, 0, momentum, error);
    if (status) return status;
    corrector c = {0};
    mel_overlap *overlap = NULL;
    float *current = NULL, *previous = NULL, *segment = NULL, *wanted = NULL;
    status = corrector_init(&c, convention, error);
    if (status) goto end;
    status = mel_overlap_new(convention, count, &overlap, error);
    if (status) goto end;
    current = base_alloc(count, sizeof(float));
    previous = base_alloc(count, sizeof(float));
    segment = base_alloc((size_t)convention->n_fft, sizeof(float));
    wanted = base_alloc((size_t)convention->bands, sizeof(float));
    if (!current || !previous || !segment || !wanted) {
        status = base_no_memory(error);
        goto end;
    }
    memcpy(current, signal, count * sizeof(float));
    for (int i = 0; i < iterations; i++) {
        for (size_t f = 0; f < n && mel_overlap_reaches(overlap, f); f++) {
            mel_envelope_wanted(c.envelope, frames + f * (size_t)convention->bands, wanted);
            mel_overlap_segment(overlap, current, f, segment);
            correct(&c, wanted, segment);
            c.kernels->product(c.transform->real, c.synthesis_window, segment, c.transform->size);
            mel_overlap_add(overlap, f, segment);
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
    base_free(segment);
    base_free(wanted);
    mel_overlap_free(overlap);
    corrector_clear(&c);
    return status;
}
