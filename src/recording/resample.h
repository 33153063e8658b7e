/* Sample rate conversion: soxr at very high quality. */
#ifndef RECORDING_RESAMPLE_H
#define RECORDING_RESAMPLE_H

#include "lull.h"

/* A whole signal. *out is freed with base_free. */
lull_status recording_resample(const float *in, size_t count, int from, int to, float **out,
                               size_t *out_count, lull_error *error);

/* As a stream (live output at the device's rate). */
typedef struct recording_resampler recording_resampler;
lull_status recording_resampler_new(int from, int to, recording_resampler **r, lull_error *error);
/* Consumes all `count` input samples (NULL, 0 with last = true flushes) and writes at most `room`.
 */
lull_status recording_resampler_run(recording_resampler *r, const float *in, size_t count,
                                    size_t *consumed, float *out, size_t room, size_t *produced,
                                    bool last, lull_error *error);
void recording_resampler_free(recording_resampler *r);

#endif
