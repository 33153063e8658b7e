/* Samples to mel frames, as a stream or whole. */
#include "mel/front_end.h"

#include "base/error.h"
#include "base/memory.h"
#include "mel/analysis.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

struct mel_front_end {
    mel_convention convention;
    mel_analysis *analysis;
    int lead;
    /* The samples, reflected at both ends; the first of them is number `begin` of the extended
     * signal, whose frame f begins at f·hop. Until the beginning has been reflected they are the
     * bare samples. */
    float *samples;
    size_t count, capacity;
    size_t begin, next_frame;
    bool started, finished;
};

lull_status mel_front_end_new(const mel_convention *convention, mel_front_end **front_end,
                              lull_error *error) {
    *front_end = NULL;
    mel_front_end *e = base_alloc(1, sizeof *e);
    if (!e) return base_no_memory(error);
    e->convention = *convention;
    const lull_status status = mel_analysis_new(convention, &e->analysis, error);
    if (status) {
        mel_front_end_free(e);
        return status;
    }
    e->lead = mel_analysis_stft(e->analysis)->grid.lead;
    *front_end = e;
    return LULL_OK;
}

void mel_front_end_reset(mel_front_end *front_end) {
    front_end->count = front_end->begin = front_end->next_frame = 0;
    front_end->started = front_end->finished = false;
}

void mel_front_end_free(mel_front_end *front_end) {
    if (!front_end) return;
    mel_analysis_free(front_end->analysis);
    base_free(front_end->samples);
    base_free(front_end);
}

/* Puts the padding of the beginning before the samples. */
static lull_status reflect_beginning(mel_front_end *e, lull_error *error) {
    const size_t lead = (size_t)e->lead;
    if (!base_grow((void **)&e->samples, &e->capacity, e->count + lead, sizeof(float)))
        return base_no_memory(error);
    memmove(e->samples + lead, e->samples, e->count * sizeof(float));
    const bool zeros = e->convention.padding == MEL_PADDING_ZEROS;
    for (size_t i = 0; i < lead; i++)
        e->samples[i] =
            zeros ? 0 : e->samples[lead + mel_stft_mirrored((int64_t)i - (int64_t)lead, e->count)];
    e->count += lead;
    e->started = true;
    return LULL_OK;
}

/* Forgets samples that neither a frame nor the reflection of the end can need. */
static void drop_used(mel_front_end *e) {
    const size_t keep = (size_t)e->lead + 1;
    if (!e->started || e->count < keep) return;
    const size_t wanted = e->next_frame * (size_t)e->convention.hop - e->begin;
    const size_t spare = wanted < e->count - keep ? wanted : e->count - keep;
    /* Moving is worth it when at least half of the buffer goes. */
    if (spare < e->count - spare) return;
    memmove(e->samples, e->samples + spare, (e->count - spare) * sizeof(float));
    e->begin += spare;
    e->count -= spare;
}

lull_status mel_front_end_push(mel_front_end *front_end, const float *samples, size_t n,
                               lull_error *error) {
    mel_front_end *e = front_end;
    if (e->finished)
        return base_fail(error, LULL_FINISHED,
                         "samples after the end of the recording was announced");
    for (size_t i = 0; i < n; i++)
        if (!isfinite(samples[i]))
            return base_fail(error, LULL_NOT_FINITE,
                             "sample %zu of the %zu given is %s: expected finite numbers", i, n,
                             isnan(samples[i]) ? "NaN" : "infinite");
    if (n == 0) return LULL_OK;
    drop_used(e);
    if (n > SIZE_MAX / sizeof(float) - e->count ||
        !base_grow((void **)&e->samples, &e->capacity, e->count + n, sizeof(float)))
        return base_no_memory(error);
    memcpy(e->samples + e->count, samples, n * sizeof(float));
    e->count += n;
    if (!e->started && e->count > (size_t)e->lead) {
        const lull_status status = reflect_beginning(e, error);
        if (status) {
            e->count -= n;
            return status;
        }
    }
    return LULL_OK;
}

lull_status mel_front_end_finish(mel_front_end *front_end, lull_error *error) {
    mel_front_end *e = front_end;
    if (e->finished || e->count == 0) {
        e->finished = true;
        return LULL_OK;
    }
    if (!e->started) {
        const lull_status status = reflect_beginning(e, error);
        if (status) return status;
    }
    const size_t lead = (size_t)e->lead;
    if (!base_grow((void **)&e->samples, &e->capacity, e->count + lead, sizeof(float)))
        return base_no_memory(error);
    /* A recording shorter than the reflection is here as a whole, behind its reflected beginning;
     * of a longer one the last lead + 1 samples are enough. */
    const size_t behind = e->begin == 0 ? lead : 0;
    const size_t available = e->count - behind;
    const bool zeros = e->convention.padding == MEL_PADDING_ZEROS;
    for (size_t i = 0; i < lead; i++)
        e->samples[e->count + i] =
            zeros ? 0 : e->samples[behind + mel_stft_mirrored((int64_t)(available + i), available)];
    e->count += lead;
    e->finished = true;
    return LULL_OK;
}

size_t mel_front_end_pull(mel_front_end *front_end, float *frames, size_t n) {
    mel_front_end *e = front_end;
    const size_t hop = (size_t)e->convention.hop, n_fft = (size_t)e->convention.n_fft;
    size_t given = 0;
    while (e->started && given < n) {
        const size_t offset = e->next_frame * hop - e->begin;
        if (offset + n_fft > e->count) break;
        mel_analysis_frame(e->analysis, e->samples + offset,
                           frames + given * (size_t)e->convention.bands);
        e->next_frame++;
        given++;
    }
    return given;
}

lull_status mel_from_samples(const mel_convention *convention, const float *samples, size_t count,
                             float **frames, size_t *n, lull_error *error) {
    *frames = NULL;
    *n = 0;
    mel_front_end *e = NULL;
    lull_status status = mel_front_end_new(convention, &e, error);
    if (status) return status;
    status = mel_front_end_push(e, samples, count, error);
    if (!status) status = mel_front_end_finish(e, error);
    if (status) goto end;
    const size_t total = mel_stft_frames(mel_analysis_stft(e->analysis), count);
    *frames = base_alloc(total * (size_t)convention->bands, sizeof(float));
    if (!*frames) {
        status = base_no_memory(error);
        goto end;
    }
    *n = mel_front_end_pull(e, *frames, total);
end:
    mel_front_end_free(e);
    return status;
}
