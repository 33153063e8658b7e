/* The last word on every sample: no level above 1, no NaN. */
#ifndef VOCODER_LIMITER_H
#define VOCODER_LIMITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Limits n samples in place, without looking ahead: samples up to ±0.98 stay as they are, what is
 * above bends smoothly towards ±1. Adds the number of samples that it changed to *limited. False
 * when a sample was not finite: all n are then 0. */
bool vocoder_limiter_run(float *samples, size_t n, uint64_t *limited);

#endif
