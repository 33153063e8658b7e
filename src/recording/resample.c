/* Sample rate conversion: soxr at very high quality. */
#include "recording/resample.h"

#include <soxr.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

/* Beyond any device; keeps products of rates and lengths far from overflow. */
enum { MAX_RATE = 10000000 };

struct recording_resampler {
    soxr_t soxr; /* NULL when the rates are equal: samples pass */
};

static lull_status check_rates(int from, int to, lull_error *error) {
    if (from < 1 || to < 1 || from > MAX_RATE || to > MAX_RATE) {
        return base_fail(error, LULL_INVALID,
                         "cannot resample from %d Hz to %d Hz: rates are 1 to %d", from, to,
                         MAX_RATE);
    }
    return LULL_OK;
}

lull_status recording_resampler_new(int from, int to, recording_resampler **out,
                                    lull_error *error) {
    *out = NULL;
    lull_status status = check_rates(from, to, error);
    if (status) return status;
    recording_resampler *r = base_alloc(1, sizeof *r);
    if (!r) return base_no_memory(error);
    if (from != to) {
        soxr_error_t problem = NULL;
        soxr_io_spec_t io = soxr_io_spec(SOXR_FLOAT32_S, SOXR_FLOAT32_S);
        soxr_quality_spec_t quality = soxr_quality_spec(SOXR_VHQ, 0);
        soxr_runtime_spec_t runtime = soxr_runtime_spec(1);
        r->soxr = soxr_create(from, to, 1, &problem, &io, &quality, &runtime);
        if (!r->soxr || problem) {
            recording_resampler_free(r);
            return base_fail(error, LULL_UNSUPPORTED, "cannot resample from %d Hz to %d Hz: %s",
                             from, to, problem ? problem : "out of memory");
        }
    }
    *out = r;
    return LULL_OK;
}

void recording_resampler_free(recording_resampler *r) {
    if (!r) return;
    if (r->soxr) soxr_delete(r->soxr);
    base_free(r);
}

lull_status recording_resampler_run(recording_resampler *r, const float *in, size_t count,
                                    size_t *consumed, float *out, size_t room, size_t *produced,
                                    bool last, lull_error *error) {
    *consumed = *produced = 0;
    if (!r->soxr) {
        size_t n = count < room ? count : room;
        if (n > 0) memcpy(out, in, n * sizeof *out);
        *consumed = *produced = n;
        return LULL_OK;
    }
    /* soxr takes its input and gives its output piecemeal: go on until nothing moves. No list of
     * channels tells it that the signal has ended; an empty channel does not. Channels are split
     * and not interleaved (all the same for one), because soxr looks at interleaved output as a
     * list of pointers too, and so reads beyond a short one. */
    for (;;) {
        size_t taken = 0, given = 0, left = count - *consumed;
        const float *channels_in[1] = {left > 0 ? in + *consumed : NULL};
        float *channels_out[1] = {*produced < room ? out + *produced : NULL};
        bool ended = left == 0 && last;
        soxr_error_t problem = soxr_process(r->soxr, ended ? NULL : channels_in, left, &taken,
                                            channels_out, room - *produced, &given);
        if (problem) return base_fail(error, LULL_INVALID, "resampling failed: %s", problem);
        *consumed += taken;
        *produced += given;
        if (taken == 0 && given == 0) return LULL_OK;
    }
}

lull_status recording_resample(const float *in, size_t count, int from, int to, float **out,
                               size_t *out_count, lull_error *error) {
    *out = NULL;
    *out_count = 0;
    lull_status status = check_rates(from, to, error);
    if (status) return status;
    size_t scaled;
    if (__builtin_mul_overflow(count, (size_t)to, &scaled)) {
        return base_fail(error, LULL_INVALID, "%zu samples are too many to resample", count);
    }
    size_t length = scaled / (size_t)from + (scaled % (size_t)from != 0);
    recording_resampler *r = NULL;
    float *samples = base_alloc(length, sizeof *samples);
    if (!samples) return base_no_memory(error);
    status = recording_resampler_new(from, to, &r, error);
    size_t taken = 0, made = 0;
    while (!status && made < length) {
        size_t used = 0, given = 0;
        status = recording_resampler_run(r, in + taken, count - taken, &used, samples + made,
                                         length - made, &given, true, error);
        taken += used;
        made += given;
        if (used == 0 && given == 0) break;
    }
    recording_resampler_free(r);
    if (status) {
        base_free(samples);
        return status;
    }
    *out = samples;
    *out_count = made; /* count × to / from, rounded to nearest */
    return LULL_OK;
}
