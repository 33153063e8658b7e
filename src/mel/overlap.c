/* Weighted overlap-add: see overlap.h. */
#include "mel/overlap.h"

#include "base/error.h"
#include "base/memory.h"

#include <string.h>

lull_status mel_overlap_new(const mel_stft *stft, size_t count, mel_overlap **overlap,
                            lull_error *error) {
    *overlap = NULL;
    mel_overlap *o = base_alloc(1, sizeof *o);
    if (!o) return base_no_memory(error);
    o->stft = stft;
    o->count = count;
    o->sum = base_alloc(count, sizeof(float));
    o->weight = base_alloc(count, sizeof(float));
    if (!o->sum || !o->weight) {
        mel_overlap_free(o);
        return base_no_memory(error);
    }
    *overlap = o;
    return LULL_OK;
}

void mel_overlap_free(mel_overlap *overlap) {
    if (!overlap) return;
    base_free(overlap->sum);
    base_free(overlap->weight);
    base_free(overlap);
}

void mel_overlap_reset(mel_overlap *overlap) {
    memset(overlap->sum, 0, overlap->count * sizeof(float));
    memset(overlap->weight, 0, overlap->count * sizeof(float));
}

void mel_overlap_add(mel_overlap *overlap, int64_t begin, const float *synthesis) {
    const mel_stft *stft = overlap->stft;
    const int64_t from = begin < 0 ? -begin : 0, left = (int64_t)overlap->count - begin;
    const int64_t to = left < stft->grid.size ? left : stft->grid.size;
    if (to <= from) return;
    stft->kernels->add(synthesis + from, overlap->sum + begin + from, (int)(to - from));
    stft->kernels->add(stft->power + from, overlap->weight + begin + from, (int)(to - from));
}

static float floored(float weight) {
    return weight > MEL_OVERLAP_FLOOR ? weight : MEL_OVERLAP_FLOOR;
}

void mel_overlap_read(const mel_overlap *overlap, size_t from, size_t n, float *out) {
    const float *sum = overlap->sum + from, *weight = overlap->weight + from;
    for (size_t i = 0; i < n; i++) out[i] = sum[i] / floored(weight[i]);
}

void mel_overlap_advance(mel_overlap *overlap, size_t n) {
    float *both[] = {overlap->sum, overlap->weight};
    for (int i = 0; i < 2; i++) {
        memmove(both[i], both[i] + n, (overlap->count - n) * sizeof(float));
        memset(both[i] + overlap->count - n, 0, n * sizeof(float));
    }
}

void mel_overlap_invert(float *weight, size_t n) {
    for (size_t i = 0; i < n; i++) weight[i] = 1.0f / floored(weight[i]);
}
