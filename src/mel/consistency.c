/* Mel consistency on a sliding window, and on a whole signal. */
#include "mel/consistency.h"

#include "base/error.h"
#include "base/memory.h"
#include "mel/overlap.h"
#include "mel/window.h"

#include <math.h>
#include <string.h>

/* Two frames' step: the signal's segments through the window, their spectra pulled to the wanted
 * mels. */
typedef struct corrector {
    mel_envelope *envelope;
    mel_stft *stft; /* two frames at a time */
    float *magnitude[2], *gain[2];
    float epsilon;
} corrector;

static void corrector_clear(corrector *c) {
    mel_envelope_free(c->envelope);
    mel_stft_free(c->stft);
    for (int i = 0; i < 2; i++) {
        base_free(c->magnitude[i]);
        base_free(c->gain[i]);
    }
}

static lull_status corrector_init(corrector *c, const mel_convention *convention,
                                  lull_error *error) {
    c->epsilon = (float)convention->magnitude_epsilon;
    lull_status status = mel_envelope_new(convention, 0, &c->envelope, error);
    if (status) return status;
    const mel_stft_grid grid = mel_stft_grid_of(convention);
    status = mel_stft_new(&grid, MEL_STFT_PAIRS, &c->stft, error);
    if (status) return status;
    const size_t bins = (size_t)c->stft->bins;
    for (int i = 0; i < 2; i++) {
        c->magnitude[i] = base_alloc(bins + 31, sizeof(float));
        c->gain[i] = base_alloc(bins, sizeof(float));
        if (!c->magnitude[i] || !c->gain[i]) return base_no_memory(error);
    }
    return LULL_OK;
}

/* irfft(S·E(wanted)/E(mel(S))) of S = rfft(window·segment), n_fft times too large and not yet
 * windowed, for two frames at once: of the first in the real parts of c->stft->pair->frames, of the
 * second in the imaginary ones. */
static void correct(corrector *c, const float *const wanted[2], const float *const segment[2]) {
    mel_stft *stft = c->stft;
    const int size = stft->grid.size, reach = mel_envelope_reach(c->envelope);
    float *spectrum = stft->pair->spectrum;
    mel_stft_analyse_pair(stft, segment[0], segment[1]);
    stft->kernels->pair_magnitude(spectrum, c->epsilon, c->magnitude[0], c->magnitude[1], size,
                                  reach);
    for (int i = 0; i < 2; i++)
        mel_envelope_correction(c->envelope, wanted[i], c->magnitude[i], c->gain[i]);
    stft->kernels->pair_gain(spectrum, c->gain[0], c->gain[1], size, reach);
    mel_stft_invert_pair(stft);
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
    mel_overlap *committed;  /* [margin + region] the committed frames */
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
    status = mel_overlap_new(s->corrector.stft, extent, &s->committed, error);
    if (status) goto fail;
    s->signal = base_alloc((size_t)s->region, sizeof(float));
    s->inverse = base_alloc((size_t)s->region, sizeof(float));
    if (!s->signal || !s->inverse) {
        status = base_no_memory(error);
        goto fail;
    }
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
    mel_overlap_free(stage->committed);
    base_free(stage->signal);
    base_free(stage->inverse);
    corrector_clear(&stage->corrector);
    base_free(stage);
}

void mel_consistency_reset(mel_consistency *stage) {
    mel_overlap_reset(stage->committed);
    stage->opened = stage->turn = 0;
}

int mel_consistency_delay_of(const mel_convention *convention, int window) {
    return window +
           ceil_divide(mel_window_lead(convention) - mel_window_first(convention), convention->hop);
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

/* 1/max(Σ window², floor) over the frames committed or open. */
static void weigh(mel_consistency *s, long oldest, long newest) {
    const mel_stft *stft = s->corrector.stft;
    memcpy(s->inverse, s->committed->weight + s->margin, (size_t)s->region * sizeof(float));
    for (long f = oldest; f <= newest; f++)
        stft->kernels->add(stft->power, s->inverse + offset_of(s, f), s->size);
    mel_overlap_invert(s->inverse, (size_t)s->region);
}

/* One iteration: every open frame is taken from the same signal. */
static void iterate(mel_consistency *s, long oldest, long newest, bool first_fresh) {
    const mel_stft *stft = s->corrector.stft;
    memcpy(s->signal, s->committed->sum + s->margin, (size_t)s->region * sizeof(float));
    for (long f = oldest; f <= newest; f++)
        stft->kernels->add(frame_at(s, f)->signal, s->signal + offset_of(s, f), s->size);
    stft->kernels->scale(s->inverse, s->signal, s->region);
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
            stft->kernels->pair_momentum(stft->synthesis, stft->pair->frames + i, momentum,
                                         frame->previous, frame->signal, s->size);
        }
    }
}

/* Takes the oldest open frame, without momentum, into what is final. */
static void commit(mel_consistency *s, long f) {
    const open_frame *frame = frame_at(s, f);
    mel_overlap_add(s->committed, s->margin + offset_of(s, f),
                    s->iterations > 0 ? frame->previous : frame->signal);
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
    if (due) mel_overlap_read(s->committed, (size_t)s->first_out, (size_t)s->hop, out);
    mel_overlap_advance(s->committed, (size_t)s->hop);
    s->turn++;
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

/* z ← r + momentum·(r − previous r) */
static void go_beyond(float *signal, float *previous, size_t count, float momentum) {
    for (size_t j = 0; j < count; j++) {
        const float r = signal[j];
        if (momentum > 0) signal[j] = r + momentum * (r - previous[j]);
        previous[j] = r;
    }
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
    status = mel_overlap_new(c.stft, count, &overlap, error);
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
        mel_overlap_reset(overlap);
        for (size_t f = 0; f < n && mel_stft_begin(c.stft, (int64_t)f) < (int64_t)count; f += 2) {
            const int both = f + 1 < n ? 2 : 1;
            for (int k = 0; k < 2; k++) {
                const size_t frame = f + (size_t)(k < both ? k : 0);
                mel_envelope_wanted(c.envelope, frames + frame * bands, wanted[k]);
                mel_stft_cut(c.stft, current, count, mel_stft_begin(c.stft, (int64_t)frame), false,
                             segment[k]);
            }
            correct(&c, (const float *const *)wanted, (const float *const *)segment);
            for (int k = 0; k < both; k++) {
                for (size_t j = 0; j < size; j++)
                    segment[k][j] = c.stft->pair->frames[2 * j + (size_t)k] * c.stft->synthesis[j];
                mel_overlap_add(overlap, mel_stft_begin(c.stft, (int64_t)f + k), segment[k]);
            }
        }
        mel_overlap_read(overlap, 0, count, current);
        /* The first iteration has none before it. */
        go_beyond(current, previous, count, i > 0 ? (float)momentum : 0);
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
