/* A soft limiter with continuous slope: y = k + (1−k)·tanh((|x|−k)/(1−k)) above the knee k. */
#include "vocoder/limiter.h"

#include <math.h>
#include <string.h>

static const float KNEE = 0.98f;

bool vocoder_limiter_run(float *samples, size_t n, uint64_t *limited) {
    float peak = 0, zero = 0;
    for (size_t i = 0; i < n; i++) {
        float level = fabsf(samples[i]);
        peak = level > peak ? level : peak;
        zero += samples[i] * 0.0f; /* NaN as soon as one sample is not finite */
    }
    if (zero != 0) {
        memset(samples, 0, n * sizeof *samples);
        return false;
    }
    if (peak <= KNEE) return true;
    for (size_t i = 0; i < n; i++) {
        float level = fabsf(samples[i]);
        if (level <= KNEE) continue;
        float above = (1 - KNEE) * tanhf((level - KNEE) / (1 - KNEE));
        samples[i] = copysignf(fminf(KNEE + above, 1.0f), samples[i]);
        ++*limited;
    }
    return true;
}
