/* Mel consistency on a sliding window, and on a whole signal. */
#include "mel/consistency.h"

#include "base/error.h"
#include "base/memory.h"
#include "mel/low_band.h"
#include "mel/sliding.h"

#include <string.h>

/* Of most conventions. */
enum { USUAL_DECIMATION = 4 };

struct mel_consistency {
    mel_sliding *whole, *low; /* low NULL: none */
    mel_low_band *band;
    size_t size;
    int hop, delay; /* samples, hops */
    long opened, turn;
};

static lull_status check_iterations(int iterations, lull_error *error) {
    if (iterations >= 0 && iterations <= 100000) return LULL_OK;
    return base_fail(error, LULL_INVALID, "%d refinements: expected 0 to 100000", iterations);
}

static lull_status check(const mel_refinement *r, lull_error *error) {
    lull_status status = check_iterations(r->iterations, error);
    if (!status) status = check_iterations(r->low, error);
    if (status) return status;
    if (r->window < 0 || r->window > 256)
        return base_fail(error, LULL_INVALID, "refinement window of %d frames: expected 0 to 256",
                         r->window);
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

int mel_consistency_delay(const mel_consistency *stage) {
    return stage->delay;
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
    lull_status status =
        check(&(mel_refinement){.iterations = iterations, .momentum = momentum}, error);
    if (status) return status;
    mel_corrector c = {0};
    mel_overlap *overlap = NULL;
    const size_t bands = (size_t)convention->bands, size = (size_t)convention->n_fft;
    const mel_guide *const none[2] = {NULL, NULL};
    float *current = NULL, *previous = NULL, *segment[2] = {0}, *wanted[2] = {0};
    status = mel_corrector_init(&c, convention, 1, error);
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
            mel_corrector_run(&c, (const float *const *)wanted, none,
                              (const float *const *)segment);
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
    mel_corrector_clear(&c);
    return status;
}
