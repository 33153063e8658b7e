/* Weighted overlap-add of a whole signal: frames cut out, and added up again. */
#include "mel/overlap.h"

#include "base/error.h"
#include "base/memory.h"
#include "mel/window.h"

#include <string.h>

struct mel_overlap {
    size_t count, hop, size, lead;
    float *sum, *weight; /* [count] */
    float *power;        /* [size] window² */
};

lull_status mel_overlap_new(const mel_convention *convention, size_t count, mel_overlap **overlap,
                            lull_error *error) {
    *overlap = NULL;
    mel_overlap *o = base_alloc(1, sizeof *o);
    if (!o) return base_no_memory(error);
    o->count = count;
    o->hop = (size_t)convention->hop;
    o->size = (size_t)convention->n_fft;
    o->lead = (size_t)mel_window_lead(convention);
    o->sum = base_alloc(count, sizeof(float));
    o->weight = base_alloc(count, sizeof(float));
    o->power = base_alloc(o->size, sizeof(float));
    if (!o->sum || !o->weight || !o->power) {
        mel_overlap_free(o);
        return base_no_memory(error);
    }
    mel_window_fill(convention, o->power);
    for (size_t i = 0; i < o->size; i++) o->power[i] *= o->power[i];
    *overlap = o;
    return LULL_OK;
}

void mel_overlap_free(mel_overlap *overlap) {
    if (!overlap) return;
    base_free(overlap->sum);
    base_free(overlap->weight);
    base_free(overlap->power);
    base_free(overlap);
}

bool mel_overlap_reaches(const mel_overlap *overlap, size_t f) {
    return f * overlap->hop < overlap->count + overlap->lead;
}

/* The part [*from, *to) of frame f that lies inside the signal, and where in the signal it begins.
 */
static size_t inside(const mel_overlap *o, size_t f, size_t *from, size_t *to) {
    const size_t begin = f * o->hop; /* in samples that start `lead` before the signal */
    *from = begin < o->lead ? o->lead - begin : 0;
    if (*from > o->size) *from = o->size;
    const size_t left = begin < o->count + o->lead ? o->count + o->lead - begin : 0;
    *to = left < o->size ? left : o->size;
    if (*to < *from) *to = *from;
    return begin + *from - o->lead;
}

void mel_overlap_segment(const mel_overlap *overlap, const float *signal, size_t f,
                         float *segment) {
    size_t from, to;
    const size_t begin = inside(overlap, f, &from, &to);
    memset(segment, 0, from * sizeof(float));
    memset(segment + to, 0, (overlap->size - to) * sizeof(float));
    if (to > from) memcpy(segment + from, signal + begin, (to - from) * sizeof(float));
}

void mel_overlap_add(mel_overlap *overlap, size_t f, const float *synthesis) {
    size_t from, to;
    const size_t begin = inside(overlap, f, &from, &to);
    for (size_t i = from; i < to; i++) {
        overlap->sum[begin + i - from] += synthesis[i];
        overlap->weight[begin + i - from] += overlap->power[i];
    }
}

void mel_overlap_take(mel_overlap *overlap, float *signal) {
    for (size_t i = 0; i < overlap->count; i++) {
        const float weight = overlap->weight[i];
        signal[i] = overlap->sum[i] / (weight > 0.01f ? weight : 0.01f);
    }
    memset(overlap->sum, 0, overlap->count * sizeof(float));
    memset(overlap->weight, 0, overlap->count * sizeof(float));
}
