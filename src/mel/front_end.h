/* Samples to mel frames, as a stream or whole. */
#ifndef MEL_FRONT_END_H
#define MEL_FRONT_END_H

#include "mel/convention.h"

typedef struct mel_front_end mel_front_end;

lull_status mel_front_end_new(const mel_convention *convention, mel_front_end **front_end,
                              lull_error *error);
lull_status mel_front_end_push(mel_front_end *front_end, const float *samples, size_t n,
                               lull_error *error);
size_t mel_front_end_pull(mel_front_end *front_end, float *frames, size_t n); /* frames given */
lull_status mel_front_end_finish(mel_front_end *front_end, lull_error *error);
/* Back to the beginning of a signal; keeps all memory. */
void mel_front_end_reset(mel_front_end *front_end);
void mel_front_end_free(mel_front_end *front_end);

/* Whole signal: *frames (freed with base_free) is *n × bands. */
lull_status mel_from_samples(const mel_convention *convention, const float *samples, size_t count,
                             float **frames, size_t *n, lull_error *error);

#endif
