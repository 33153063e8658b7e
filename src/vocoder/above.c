/* What lies above a mel: see above.h. */
#include "vocoder/above.h"

#include "base/error.h"
#include "base/memory.h"

#include <string.h>

uint64_t vocoder_above_bytes(const vocoder_above *a) {
    if (!a->wanted) return 0;
    const uint64_t size = (uint64_t)a->convention->n_fft, hop = (uint64_t)a->convention->hop;
    uint64_t sum = bandwidth_bytes(a->config, a->convention);
    sum += mel_consistency_bytes(a->convention, &(mel_refinement){.window = a->window});
    /* Gain, segment, hop. */
    return base_memory_add(sum, 2 * size + hop + 64, sizeof(float));
}

lull_status vocoder_above_allocate(vocoder_above *a, lull_error *error) {
    if (!a->wanted) return LULL_OK;
    const mel_convention *c = a->convention;
    lull_status status = bandwidth_new(a->config, a->parameters, c, &a->bandwidth, error);
    /* Without iterations it is an overlap-add that keeps back what the output's does. */
    if (!status)
        status = mel_consistency_new(c, &(mel_refinement){.window = a->window}, &a->overlap, error);
    if (status) return status;
    a->gain = base_alloc((size_t)c->n_fft / 2 + 1, sizeof *a->gain);
    a->segment = base_alloc((size_t)c->n_fft, sizeof *a->segment);
    a->hop = base_alloc((size_t)c->hop, sizeof *a->hop);
    return a->gain && a->segment && a->hop ? LULL_OK : base_no_memory(error);
}

void vocoder_above_clear(vocoder_above *a) {
    bandwidth_free(a->bandwidth);
    mel_consistency_free(a->overlap);
    base_free(a->gain);
    base_free(a->segment);
    base_free(a->hop);
}

void vocoder_above_reset(vocoder_above *a) {
    if (!a->wanted) return;
    bandwidth_reset(a->bandwidth);
    mel_consistency_reset(a->overlap);
}

/* Noise of the segment's samples; before the signal there is none. */
static const float *draw(vocoder_above *a, int64_t first) {
    const int64_t size = a->convention->n_fft, before = first < 0 ? -first : 0;
    memset(a->segment, 0, (size_t)size * sizeof *a->segment);
    if (before < size)
        vocoder_noise_draw(a->noise, a->noise_row, (uint64_t)(first + before), a->segment + before,
                           (size_t)(size - before));
    return a->segment;
}

static void add(const vocoder_above *a, float *out, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] += a->hop[i];
}

void vocoder_above_push(vocoder_above *a, mel_frame_filter *filter, const float *frame,
                        const float *segment, int64_t first, float *out, size_t n) {
    if (!a->wanted) return;
    bandwidth_gain(a->bandwidth, frame, a->gain);
    mel_frame_filter_run(filter, a->gain, a->noise ? draw(a, first) : segment, a->segment);
    mel_consistency_push(a->overlap, frame, a->segment, a->hop);
    add(a, out, n);
}

void vocoder_above_finish(vocoder_above *a, float *out, size_t n) {
    if (!a->wanted) return;
    mel_consistency_finish(a->overlap, a->hop);
    add(a, out, n);
}
