/* Mel consistency on a sliding window: see consistency.h. */
#include "mel/consistency.h"

#include "base/error.h"
#include "base/memory.h"
#include "mel/low_band.h"
#include "mel/sliding.h"

#include <string.h>

enum { MOST_ITERATIONS = 100000, MOST_WINDOW = 256 };
/* Of the low band of most conventions. */
enum { USUAL_DECIMATION = 4 };

struct mel_consistency {
    mel_sliding *whole, *low; /* low NULL: none */
    mel_low_band *band;
    size_t size;
    int hop, delay; /* samples, hops */
    long opened, turn;
};

static lull_status check_iterations(int iterations, lull_error *error) {
    if (iterations >= 0 && iterations <= MOST_ITERATIONS) return LULL_OK;
    return base_fail(error, LULL_INVALID, "%d refinements: expected 0 to %d", iterations,
                     MOST_ITERATIONS);
}

static lull_status check(const mel_refinement *r, lull_error *error) {
    lull_status status = check_iterations(r->iterations, error);
    if (!status) status = check_iterations(r->low, error);
    if (status) return status;
    if (r->window < 0 || r->window > MOST_WINDOW)
        return base_fail(error, LULL_INVALID, "refinement window of %d frames: expected 0 to %d",
                         r->window, MOST_WINDOW);
    if (!(r->momentum >= 0 && r->momentum < 1))
        return base_fail(error, LULL_INVALID, "refinement momentum %g: expected 0 to below 1",
                         r->momentum);
    return LULL_OK;
}

/* Iterations of the whole band: where no low band can be had, it has to do with as much work. */
static int iterations_of(const mel_refinement *r, int decimation) {
    const int instead = decimation > 1 ? 0 : (r->low + USUAL_DECIMATION - 1) / USUAL_DECIMATION;
    return r->iterations > instead ? r->iterations : instead;
}

lull_status mel_consistency_new(const mel_convention *convention, const mel_refinement *refinement,
                                mel_consistency **stage, lull_error *error) {
    *stage = NULL;
    lull_status status = check(refinement, error);
    if (!status) status = mel_convention_check(convention, error);
    if (status) return status;
    mel_consistency *s = base_alloc(1, sizeof *s);
    if (!s) return base_no_memory(error);
    const int decimation = mel_low_band_decimation(convention), window = refinement->window;
    const float momentum = (float)refinement->momentum;
    s->size = (size_t)convention->n_fft;
    s->hop = convention->hop;
    s->delay = mel_consistency_delay_of(convention, window);
    status = mel_sliding_new(convention, 1, iterations_of(refinement, decimation), window, momentum,
                             &s->whole, error);
    if (!status && refinement->low > 0 && decimation > 1) {
        status = mel_low_band_new(convention, decimation, &s->band, error);
        if (!status)
            status = mel_sliding_new(convention, decimation, refinement->low, window, momentum,
                                     &s->low, error);
    }
    if (status) {
        mel_consistency_free(s);
        return status;
    }
    *stage = s;
    return LULL_OK;
}

void mel_consistency_free(mel_consistency *stage) {
    if (!stage) return;
    mel_sliding_free(stage->whole);
    mel_sliding_free(stage->low);
    mel_low_band_free(stage->band);
    base_free(stage);
}

void mel_consistency_reset(mel_consistency *stage) {
    mel_sliding_reset(stage->whole);
    if (stage->low) mel_sliding_reset(stage->low);
    stage->opened = stage->turn = 0;
}

int mel_consistency_delay_of(const mel_convention *convention, int window) {
    return window + mel_sliding_overlap(convention);
}

uint64_t mel_consistency_bytes(const mel_convention *convention, const mel_refinement *refinement) {
    const int decimation = mel_low_band_decimation(convention);
    uint64_t sum = sizeof(mel_consistency) + mel_sliding_bytes(convention, 1, refinement->window);
    if (refinement->low > 0 && decimation > 1)
        sum += mel_low_band_bytes(convention) +
               mel_sliding_bytes(convention, decimation, refinement->window);
    return sum;
}

/* Iterates what is open, commits what leaves the window, writes what became final. */
static size_t take_turn(mel_consistency *s, float *out) {
    mel_sliding_iterate(s->whole);
    float *leaving = mel_sliding_leaving(s->whole);
    if (s->low) {
        mel_sliding_iterate(s->low);
        if (leaving) mel_low_band_put(s->band, mel_sliding_leaving(s->low), leaving);
        mel_sliding_commit(s->low);
        mel_sliding_advance(s->low);
    }
    mel_sliding_commit(s->whole);
    const bool due = s->turn >= s->delay && s->turn - s->delay < s->opened;
    if (due) mel_sliding_read(s->whole, out);
    mel_sliding_advance(s->whole);
    s->turn++;
    return due ? (size_t)s->hop : 0;
}

size_t mel_consistency_push(mel_consistency *stage, const float *frame, const float *synthesis,
                            const float *spectrum, float *out) {
    memcpy(mel_sliding_open(stage->whole, frame, NULL), synthesis, stage->size * sizeof(float));
    if (stage->low)
        mel_low_band_take(stage->band, synthesis, mel_sliding_open(stage->low, frame, spectrum));
    stage->opened++;
    return take_turn(stage, out);
}

size_t mel_consistency_finish(mel_consistency *stage, float *out) {
    while (stage->turn - stage->delay < stage->opened)
        if (take_turn(stage, out)) return (size_t)stage->hop;
    return 0;
}
