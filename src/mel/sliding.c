/* Frames that are open on a sliding window: see sliding.h. */
#include "mel/sliding.h"

#include "base/error.h"
#include "base/memory.h"
#include "mel/window.h"

#include <string.h>

/* A frame that is open: it may still change. */
typedef struct open_frame {
    float *wanted;   /* [bands] ln of the mel */
    mel_guide guide; /* of a low band, and whether there is one of this frame */
    bool guided;
    float *signal;   /* [size] windowed synthesis signal, with momentum */
    float *previous; /* [size] the same of the last iteration without momentum: what is committed */
} open_frame;

struct mel_sliding {
    mel_corrector corrector;
    int iterations, window, hop, size;
    float momentum;
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

int mel_sliding_overlap(const mel_convention *convention) {
    return ceil_divide(mel_window_lead(convention) - mel_window_first(convention), convention->hop);
}

static lull_status allocate_frames(mel_sliding *s, const mel_convention *convention, bool low,
                                   lull_error *error) {
    const size_t slots = (size_t)s->window + 1;
    s->frames = base_alloc(slots, sizeof *s->frames);
    if (!s->frames) return base_no_memory(error);
    for (size_t i = 0; i < slots; i++) {
        open_frame *frame = &s->frames[i];
        frame->wanted = base_alloc((size_t)convention->bands, sizeof(float));
        frame->signal = base_alloc((size_t)s->size, sizeof(float));
        frame->previous = base_alloc((size_t)s->size, sizeof(float));
        if (!frame->wanted || !frame->signal || !frame->previous) return base_no_memory(error);
        if (!low) continue;
        const lull_status status = mel_guide_init(convention, &frame->guide, error);
        if (status) return status;
    }
    return LULL_OK;
}

lull_status mel_sliding_new(const mel_convention *convention, int decimation, int iterations,
                            int window, float momentum, mel_sliding **sliding, lull_error *error) {
    *sliding = NULL;
    mel_sliding *s = base_alloc(1, sizeof *s);
    if (!s) return base_no_memory(error);
    lull_status status = mel_corrector_init(&s->corrector, convention, decimation, error);
    if (status) goto fail;
    const mel_stft_grid *grid = &s->corrector.stft->grid;
    s->iterations = iterations;
    s->window = window;
    s->momentum = momentum;
    s->hop = grid->hop;
    s->size = grid->size;
    s->region = window * s->hop + s->size;
    /* A hop is final when the next frame to be committed begins behind it. */
    const int overlap = mel_sliding_overlap(convention) * s->hop;
    s->margin = overlap > grid->lead ? overlap - grid->lead : 0;
    s->first_out = s->margin + grid->lead - overlap;
    const size_t extent = (size_t)s->margin + (size_t)s->region;
    status = mel_overlap_new(s->corrector.stft, extent, &s->committed, error);
    if (status) goto fail;
    s->signal = base_alloc((size_t)s->region, sizeof(float));
    s->inverse = base_alloc((size_t)s->region, sizeof(float));
    if (!s->signal || !s->inverse) {
        status = base_no_memory(error);
        goto fail;
    }
    status = allocate_frames(s, convention, decimation > 1, error);
    if (status) goto fail;
    *sliding = s;
    return LULL_OK;
fail:
    mel_sliding_free(s);
    return status;
}

void mel_sliding_free(mel_sliding *sliding) {
    if (!sliding) return;
    for (int i = 0; sliding->frames && i <= sliding->window; i++) {
        base_free(sliding->frames[i].wanted);
        mel_guide_clear(&sliding->frames[i].guide);
        base_free(sliding->frames[i].signal);
        base_free(sliding->frames[i].previous);
    }
    base_free(sliding->frames);
    mel_overlap_free(sliding->committed);
    base_free(sliding->signal);
    base_free(sliding->inverse);
    mel_corrector_clear(&sliding->corrector);
    base_free(sliding);
}

void mel_sliding_reset(mel_sliding *sliding) {
    mel_overlap_reset(sliding->committed);
    sliding->opened = sliding->turn = 0;
}

uint64_t mel_sliding_bytes(const mel_convention *convention, int decimation, int window) {
    const uint64_t size = (uint64_t)(convention->n_fft / decimation);
    const uint64_t hop = (uint64_t)(convention->hop / decimation);
    const uint64_t bands = (uint64_t)convention->bands, slots = (uint64_t)window + 1;
    const uint64_t region = (uint64_t)window * hop + size;
    uint64_t sum = base_memory_add(0, 1, sizeof(mel_sliding));
    sum = base_memory_add(sum, slots, sizeof(open_frame));
    for (uint64_t i = 0; i < slots; i++) {
        sum = base_memory_add(sum, bands, sizeof(float));
        if (decimation > 1) sum += mel_guide_bytes(convention);
        sum = base_memory_add(base_memory_add(sum, size, sizeof(float)), size, sizeof(float));
    }
    /* Committed samples and weights, with their margin, and the region's two. */
    for (int i = 0; i < 4; i++) sum = base_memory_add(sum, region + size, sizeof(float));
    /* The corrector: transforms, window, gains, filterbank. */
    sum += mel_filterbank_bytes(convention);
    return base_memory_add(sum, 16 * size + 16 * bands + 1024, sizeof(float));
}

static open_frame *frame_at(mel_sliding *s, long f) {
    return &s->frames[f % (s->window + 1)];
}

/* Where frame f begins in the region, while turn t is the newest. */
static int offset_of(const mel_sliding *s, long f) {
    return (int)(f - s->turn + s->window) * s->hop;
}

/* The first frame that is open in this turn, and the last. */
static long oldest_of(const mel_sliding *s) {
    return s->turn > s->window ? s->turn - s->window : 0;
}

static long newest_of(const mel_sliding *s) {
    return s->turn < s->opened ? s->turn : s->opened - 1;
}

float *mel_sliding_open(mel_sliding *sliding, const float *frame, const float *outputs) {
    open_frame *open = frame_at(sliding, sliding->opened++);
    mel_envelope_wanted(sliding->corrector.envelope, frame, open->wanted);
    open->guided = outputs != NULL;
    if (outputs)
        mel_guide_read(&open->guide, sliding->corrector.envelope, frame, outputs,
                       mel_guide_share(sliding->iterations, sliding->window));
    return open->signal;
}

/* 1/max(Σ window², floor) over the frames committed or open. */
static void weigh(mel_sliding *s, long oldest, long newest) {
    const mel_stft *stft = s->corrector.stft;
    memcpy(s->inverse, s->committed->weight + s->margin, (size_t)s->region * sizeof(float));
    for (long f = oldest; f <= newest; f++)
        stft->kernels->add(stft->power, s->inverse + offset_of(s, f), s->size);
    mel_overlap_invert(s->inverse, (size_t)s->region);
}

/* One iteration: every open frame is taken from the same signal. */
static void iterate(mel_sliding *s, long oldest, long newest, bool first_fresh) {
    const mel_stft *stft = s->corrector.stft;
    memcpy(s->signal, s->committed->sum + s->margin, (size_t)s->region * sizeof(float));
    for (long f = oldest; f <= newest; f++)
        stft->kernels->add(frame_at(s, f)->signal, s->signal + offset_of(s, f), s->size);
    stft->kernels->scale(s->inverse, s->signal, s->region);
    for (long f = oldest; f <= newest; f += 2) {
        /* A last one without a partner is its own. */
        const long both[2] = {f, f < newest ? f + 1 : f};
        const float *wanted[2], *segment[2];
        const mel_guide *guide[2];
        for (int i = 0; i < 2; i++) {
            const open_frame *frame = frame_at(s, both[i]);
            wanted[i] = frame->wanted;
            guide[i] = frame->guided ? &frame->guide : NULL;
            segment[i] = s->signal + offset_of(s, both[i]);
        }
        mel_corrector_run(&s->corrector, wanted, guide, segment);
        for (int i = 0; i < 2 && f + i <= newest; i++) {
            open_frame *frame = frame_at(s, f + i);
            /* The frame that has just been opened has no previous iteration to run ahead of. */
            const float momentum = first_fresh && f + i == s->turn ? 0 : s->momentum;
            stft->kernels->pair_momentum(stft->synthesis, stft->pair->frames + i, momentum,
                                         frame->previous, frame->signal, s->size);
        }
    }
}

void mel_sliding_iterate(mel_sliding *sliding) {
    const long oldest = oldest_of(sliding), newest = newest_of(sliding);
    if (oldest > newest || sliding->iterations == 0) return;
    weigh(sliding, oldest, newest);
    for (int i = 0; i < sliding->iterations; i++) iterate(sliding, oldest, newest, i == 0);
}

float *mel_sliding_leaving(mel_sliding *sliding) {
    const long oldest = oldest_of(sliding);
    if (sliding->turn < sliding->window || oldest > newest_of(sliding)) return NULL;
    open_frame *frame = frame_at(sliding, oldest);
    return sliding->iterations > 0 ? frame->previous : frame->signal;
}

void mel_sliding_commit(mel_sliding *sliding) {
    const float *frame = mel_sliding_leaving(sliding);
    if (!frame) return;
    mel_overlap_add(sliding->committed, sliding->margin + offset_of(sliding, oldest_of(sliding)),
                    frame);
}

void mel_sliding_read(const mel_sliding *sliding, float *out) {
    mel_overlap_read(sliding->committed, (size_t)sliding->first_out, (size_t)sliding->hop, out);
}

void mel_sliding_advance(mel_sliding *sliding) {
    mel_overlap_advance(sliding->committed, (size_t)sliding->hop);
    sliding->turn++;
}
