/* Frames of one mel convention as another one would have written them. */
#include "mel/reader.h"

#include "base/error.h"
#include "base/memory.h"
#include "mel/compression.h"
#include "mel/filterbank.h"
#include "mel/window.h"

#include <math.h>

struct mel_reader {
    mel_convention from, to;
    mel_filterbank *source, *target;
    float level;     /* ln of what an amplitude of from is in to */
    mel_place *at;   /* [to's bands] among from's nodes */
    mel_place *back; /* [from's bands] among to's nodes; low < 0: above to's fmax */
};

static double edge_of(const mel_filterbank *f) {
    return f->nodes ? f->centroid[f->node[f->nodes - 1]] : 0;
}

static bool fill(mel_reader *r, mel_read unit) {
    const mel_convention *from = &r->from, *to = &r->to;
    const double rates = (double)from->sample_rate / to->sample_rate;
    const double stretch = unit == MEL_READ_SAMPLES ? rates : 1;
    /* Of noise of a power per hertz the transform has |S|² = power·rate·Σw². */
    r->level =
        (float)(log(mel_window_norm(to) / mel_window_norm(from)) + 0.5 * log(stretch / rates));
    r->at = base_alloc((size_t)to->bands, sizeof *r->at);
    r->back = base_alloc((size_t)from->bands, sizeof *r->back);
    if (!r->at || !r->back) return false;
    for (int b = 0; b < to->bands; b++)
        r->at[b] = mel_filterbank_place(r->source, r->target->centroid[b] * stretch);
    for (int b = 0; b < from->bands; b++) {
        const double hz = r->source->centroid[b] / stretch;
        r->back[b] = mel_filterbank_place(r->target, hz);
        if (hz > fmax(to->fmax, edge_of(r->target))) r->back[b].low = -1;
    }
    return true;
}

lull_status mel_reader_new(const mel_convention *from, const mel_convention *to, mel_read unit,
                           mel_reader **reader, lull_error *error) {
    *reader = NULL;
    mel_reader *r = base_alloc(1, sizeof *r);
    if (!r) return base_no_memory(error);
    r->from = *from;
    r->to = *to;
    lull_status status = mel_convention_check(from, error);
    if (!status) status = mel_convention_check(to, error);
    if (!status) status = mel_filterbank_new(from, &r->source, error);
    if (!status) status = mel_filterbank_new(to, &r->target, error);
    if (!status && !fill(r, unit)) status = base_no_memory(error);
    if (status) {
        mel_reader_free(r);
        return status;
    }
    *reader = r;
    return LULL_OK;
}

uint64_t mel_reader_bytes(const mel_convention *from, const mel_convention *to) {
    uint64_t sizes = (uint64_t)from->n_fft + (uint64_t)to->n_fft;
    uint64_t bands = (uint64_t)from->bands + (uint64_t)to->bands;
    uint64_t sum = base_memory_add(0, 1, sizeof(mel_reader));
    sum += mel_filterbank_bytes(from) + mel_filterbank_bytes(to);
    return base_memory_add(sum, 2 * sizes + 16 * bands + 1024, sizeof(float));
}

void mel_reader_free(mel_reader *r) {
    if (!r) return;
    mel_filterbank_free(r->source);
    mel_filterbank_free(r->target);
    base_free(r->at);
    base_free(r->back);
    base_free(r);
}

void mel_reader_run(const mel_reader *r, const float *frame, float *out) {
    float values[MEL_MAX_BANDS + 1], linear[MEL_MAX_BANDS];
    const float root = r->from.power == 2 ? 0.5f : 1.0f, power = r->to.power == 2 ? 2.0f : 1.0f;
    mel_to_natural_log(&r->from, frame, values);
    for (int b = 0; b < r->from.bands; b++) values[b] = root * (values[b] - r->source->log_sum[b]);
    mel_filterbank_to_nodes(r->source, values);
    for (int b = 0; b < r->to.bands; b++)
        linear[b] = r->target->sum[b] <= 0
                        ? 0
                        : expf(power * (mel_place_read(r->at[b], values) + r->level) +
                               r->target->log_sum[b]);
    mel_compress(&r->to, linear, out);
}

void mel_reader_apply(const mel_reader *r, const float *before, const float *after, float *frame) {
    float change[MEL_MAX_BANDS + 1], other[MEL_MAX_BANDS + 1], linear[MEL_MAX_BANDS];
    const float root = r->to.power == 2 ? 0.5f : 1.0f, power = r->from.power == 2 ? 2.0f : 1.0f;
    mel_to_natural_log(&r->to, after, change);
    mel_to_natural_log(&r->to, before, other);
    for (int b = 0; b < r->to.bands; b++) change[b] = root * (change[b] - other[b]);
    mel_filterbank_to_nodes(r->target, change);
    mel_to_natural_log(&r->from, frame, other);
    for (int b = 0; b < r->from.bands; b++) {
        const float gain = r->back[b].low < 0 ? 0 : mel_place_read(r->back[b], change);
        linear[b] = expf(other[b] + power * gain);
    }
    mel_compress(&r->from, linear, frame);
}
