/* What is known of a frame's spectrum: see guide.h. */
#include "mel/guide.h"

#include "base/error.h"
#include "base/memory.h"
#include "mel/low_band.h"

#include <math.h>

/* ln of magnitudes lie between: those of samples in ±1 do, and what is beyond would overflow. */
static const float LEAST_LOG = -20, MOST_LOG = 20;
/* A bin fainter than this share of the envelope is as far from its target as one that has it. */
static const float FAINT = 0.05f;
static const float FAINTEST = 1e-12f; /* the square of a magnitude */

static int whole_vectors(int bins) {
    enum { VECTOR = 8 };
    return (bins + VECTOR - 1) / VECTOR * VECTOR;
}

lull_status mel_guide_init(const mel_convention *convention, mel_guide *guide, lull_error *error) {
    const size_t envelope = (size_t)convention->n_fft / 2 + 1;
    guide->bins = mel_low_band_bins(convention);
    guide->count = whole_vectors(guide->bins);
    guide->target = base_alloc((size_t)guide->count, sizeof(float));
    guide->weight = base_alloc((size_t)guide->count, sizeof(float));
    guide->floor = base_alloc((size_t)guide->count, sizeof(float));
    guide->log_envelope = base_alloc(envelope, sizeof(float));
    if (!guide->target || !guide->weight || !guide->floor || !guide->log_envelope)
        return base_no_memory(error);
    for (int k = guide->bins; k < guide->count; k++) guide->floor[k] = 1;
    return LULL_OK;
}

void mel_guide_clear(mel_guide *guide) {
    base_free(guide->target);
    base_free(guide->weight);
    base_free(guide->floor);
    base_free(guide->log_envelope);
}

uint64_t mel_guide_bytes(const mel_convention *convention) {
    const uint64_t count = (uint64_t)whole_vectors(mel_low_band_bins(convention));
    return sizeof(float) * (3 * count + (uint64_t)convention->n_fft / 2 + 1);
}

static float limited(float log) {
    return fmaxf(fminf(log, MOST_LOG), LEAST_LOG);
}

float mel_guide_share(int iterations, int window) {
    const float each = (float)iterations * (float)(window + 1);
    return each > MEL_GUIDE_ITERATIONS ? sqrtf(MEL_GUIDE_ITERATIONS / each) : 1;
}

void mel_guide_read(mel_guide *guide, const mel_envelope *envelope, const float *frame,
                    const float *outputs, float share) {
    const float *relative = outputs, *logit = outputs + guide->bins;
    mel_envelope_log(envelope, frame, guide->log_envelope);
    for (int k = 0; k < guide->bins; k++) {
        const float faint = FAINT * expf(limited(guide->log_envelope[k]));
        guide->target[k] = limited(guide->log_envelope[k] + relative[k]);
        /* No mel holds what is pulled at 0 Hz. */
        guide->weight[k] = k == 0 ? 0 : share / (1 + expf(-MEL_GUIDE_LOGIT - logit[k]));
        guide->floor[k] = faint * faint + FAINTEST;
    }
}
