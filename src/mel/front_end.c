/* Samples to mel frames, as a stream or whole. */
#include "mel/front_end.h"

#include "base/error.h"
#include "base/memory.h"
#include "mel/compression.h"
#include "mel/fft.h"
#include "mel/filterbank.h"
#include "mel/kernels.h"
#include "mel/plain_fft.h"
#include "mel/window.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

struct mel_front_end {
    mel_convention convention;
    const mel_kernels *kernels;
    mel_filterbank *filterbank;
    fft *transform;
    plain_fft *plain; /* NULL for sizes that it cannot do */
    float *window, *magnitude, *mel;
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
    lull_status status = mel_convention_check(convention, error);
    if (status) return status;
    mel_front_end *e = base_alloc(1, sizeof *e);
    if (!e) return base_no_memory(error);
    e->convention = *convention;
    e->kernels = mel_kernels_get();
    e->lead = mel_window_lead(convention);
    status = mel_filterbank_new(convention, &e->filterbank, error);
    if (status) goto fail;
    status = fft_new(convention->n_fft, &e->transform, error);
    if (status) goto fail;
    if (plain_fft_can(convention->n_fft)) {
        status = plain_fft_new(convention->n_fft, &e->plain, error);
        if (status) goto fail;
    }
    e->window = base_alloc((size_t)convention->n_fft, sizeof(float));
    e->magnitude = base_alloc((size_t)e->transform->bins + 31, sizeof(float));
    e->mel = base_alloc((size_t)convention->bands, sizeof(float));
    if (!e->window || !e->magnitude || !e->mel) {
        status = base_no_memory(error);
        goto fail;
    }
    mel_window_fill(convention, e->window);
    *front_end = e;
    return LULL_OK;
fail:
    mel_front_end_free(e);
    return status;
}

void mel_front_end_free(mel_front_end *front_end) {
    if (!front_end) return;
    mel_filterbank_free(front_end->filterbank);
    fft_free(front_end->transform);
    plain_fft_free(front_end->plain);
    base_free(front_end->window);
    base_free(front_end->magnitude);
    base_free(front_end->mel);
    base_free(front_end->samples);
    base_free(front_end);
}

/* Index −i or count − 1 + i mirrored into a signal of `count` samples without repeating its ends,
 * as often as a short signal needs it. */
static size_t mirrored(long index, size_t count) {
    if (count == 1) return 0;
    const long period = 2 * ((long)count - 1);
    long i = index % period;
    if (i < 0) i += period;
    return (size_t)(i < (long)count ? i : period - i);
}

/* Puts the padding of the beginning before the samples. */
static lull_status reflect_beginning(mel_front_end *e, lull_error *error) {
    const size_t lead = (size_t)e->lead;
    if (!base_grow((void **)&e->samples, &e->capacity, e->count + lead, sizeof(float)))
        return base_no_memory(error);
    memmove(e->samples + lead, e->samples, e->count * sizeof(float));
    const bool zeros = e->convention.padding == MEL_PADDING_ZEROS;
    for (size_t i = 0; i < lead; i++)
        e->samples[i] = zeros ? 0 : e->samples[lead + mirrored((long)i - (long)lead, e->count)];
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
            zeros ? 0 : e->samples[behind + mirrored((long)(available + i), available)];
    e->count += lead;
    e->finished = true;
    return LULL_OK;
}

static void frame_at(mel_front_end *e, const float *samples, float *frame) {
    fft *t = e->transform;
    e->kernels->product(samples, e->window, t->real, t->size);
    if (e->plain)
        plain_fft_forward(e->plain, t->real, t->spectrum);
    else
        fft_forward(t);
    e->kernels->magnitude(t->spectrum, (float)e->convention.magnitude_epsilon, e->magnitude,
                          t->bins);
    mel_filterbank_raise(&e->convention, e->magnitude, t->bins);
    mel_filterbank_apply(e->filterbank, e->magnitude, e->mel);
    mel_compress(&e->convention, e->mel, frame);
}

size_t mel_front_end_pull(mel_front_end *front_end, float *frames, size_t n) {
    mel_front_end *e = front_end;
    const size_t hop = (size_t)e->convention.hop, n_fft = (size_t)e->convention.n_fft;
    size_t given = 0;
    while (e->started && given < n) {
        const size_t offset = e->next_frame * hop - e->begin;
        if (offset + n_fft > e->count) break;
        frame_at(e, e->samples + offset, frames + given * (size_t)e->convention.bands);
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
    const size_t n_fft = (size_t)convention->n_fft, hop = (size_t)convention->hop;
    const size_t total = e->count < n_fft ? 0 : (e->count - n_fft) / hop + 1;
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
