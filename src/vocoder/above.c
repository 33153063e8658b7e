/* What lies above a mel: see above.h. */
#include "vocoder/above.h"

#include "base/error.h"
#include "base/memory.h"
#include "mel/window.h"

#include <string.h>

/* Where the frame that is opened begins in the overlap. */
static int64_t begin(const vocoder_above *a) {
    return (int64_t)a->delay * a->convention->hop - mel_window_lead(a->convention);
}

static size_t extent(const vocoder_above *a) {
    return (size_t)(begin(a) + a->convention->n_fft);
}

uint64_t vocoder_above_bytes(const vocoder_above *a) {
    if (!a->wanted) return 0;
    const uint64_t size = (uint64_t)a->convention->n_fft, hop = (uint64_t)a->convention->hop;
    uint64_t sum = bandwidth_bytes(a->config, a->convention);
    /* Gain, segment, hop; the overlap. */
    sum = base_memory_add(sum, 2 * size + hop + 64, sizeof(float));
    return base_memory_add(sum, 2 * extent(a) + sizeof *a->overlap, sizeof(float));
}

lull_status vocoder_above_allocate(vocoder_above *a, mel_frame_filter *filter, lull_error *error) {
    if (!a->wanted) return LULL_OK;
    const mel_convention *c = a->convention;
    lull_status status = bandwidth_new(a->config, a->parameters, c, &a->bandwidth, error);
    a->filter = filter;
    if (!status)
        status = mel_overlap_new(mel_frame_filter_stft(filter), extent(a), &a->overlap, error);
    if (status) return status;
    a->gain = base_alloc((size_t)c->n_fft / 2 + 1, sizeof *a->gain);
    a->segment = base_alloc((size_t)c->n_fft, sizeof *a->segment);
    a->hop = base_alloc((size_t)c->hop, sizeof *a->hop);
    return a->gain && a->segment && a->hop ? LULL_OK : base_no_memory(error);
}

void vocoder_above_clear(vocoder_above *a) {
    bandwidth_free(a->bandwidth);
    mel_overlap_free(a->overlap);
    base_free(a->gain);
    base_free(a->segment);
    base_free(a->hop);
}

void vocoder_above_reset(vocoder_above *a) {
    if (!a->wanted) return;
    bandwidth_reset(a->bandwidth);
    mel_overlap_reset(a->overlap);
    a->turns = 0;
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

/* The hop that thereby became final is added, where the output has come to it. */
static void take_turn(vocoder_above *a, float *out, size_t n) {
    mel_overlap_read(a->overlap, 0, n, a->hop);
    for (size_t i = 0; i < n; i++) out[i] += a->hop[i];
    mel_overlap_advance(a->overlap, (size_t)a->convention->hop);
    a->turns += a->turns < a->delay;
}

void vocoder_above_push(vocoder_above *a, const float *frame, int64_t first, float *out, size_t n) {
    if (!a->wanted) return;
    bandwidth_gain(a->bandwidth, frame, a->gain);
    if (a->noise)
        mel_frame_filter_run(a->filter, a->gain, draw(a, first), a->segment);
    else
        mel_frame_filter_again(a->filter, a->gain, a->segment);
    mel_overlap_add(a->overlap, begin(a), a->segment);
    take_turn(a, out, n);
}

void vocoder_above_finish(vocoder_above *a, float *out, size_t n) {
    if (!a->wanted) return;
    /* A short signal ends before its first hop is due. */
    while (a->turns < a->delay) take_turn(a, out, 0);
    take_turn(a, out, n);
}
