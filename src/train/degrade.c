/* Degraded mels: see degrade.h. */
#include "train/degrade.h"

#include <math.h>
#include <string.h>

enum { TIME = 1, BANDS = 2 };

void train_degrade_draw(const double uniform[8], train_degrade *degrade) {
    memset(degrade, 0, sizeof *degrade);
    degrade->passes = uniform[0] < 0.5 ? 1 : 2;
    /* Over time, over bands, or (twice as often) over both. */
    int directions = uniform[1] < 0.25 ? TIME : uniform[1] < 0.5 ? BANDS : TIME | BANDS;
    for (int pass = 0; pass < degrade->passes; pass++) {
        if (directions & TIME) degrade->time_kernel[pass] = 0.34 * uniform[2 + pass];
        if (directions & BANDS) degrade->band_kernel[pass] = 0.34 * uniform[4 + pass];
    }
    degrade->noise = 0.15 * uniform[6];
    degrade->offset = 0.3 * (2.0 * uniform[7] - 1.0);
}

/* One pass of [k, 1−2k, k] over rows (stride = bands) of a n × bands array. */
static void smooth_time(float *frames, size_t n, size_t bands, float k, float *scratch) {
    memcpy(scratch, frames, n * bands * sizeof *frames);
    for (size_t f = 0; f < n; f++) {
        const float *here = scratch + f * bands;
        const float *before = f > 0 ? here - bands : here;
        const float *after = f + 1 < n ? here + bands : here;
        float *out = frames + f * bands;
        for (size_t b = 0; b < bands; b++)
            out[b] = (1.0f - 2.0f * k) * here[b] + k * (before[b] + after[b]);
    }
}

static void smooth_bands(float *frames, size_t n, size_t bands, float k) {
    for (size_t f = 0; f < n; f++) {
        float *row = frames + f * bands, before = row[0];
        for (size_t b = 0; b < bands; b++) {
            float here = row[b], after = b + 1 < bands ? row[b + 1] : here;
            row[b] = (1.0f - 2.0f * k) * here + k * (before + after);
            before = here;
        }
    }
}

/* What one natural-logarithm unit of amplitude is in the convention's unit. */
static float unit(const mel_convention *convention, size_t band) {
    double per_ln = convention->gain * convention->power;
    if (convention->compression == MEL_COMPRESS_LOG10) per_ln /= log(10.0);
    if (convention->statistics) per_ln /= convention->deviation[band];
    return (float)per_ln;
}

void train_degrade_apply(const train_degrade *degrade, const mel_convention *convention,
                         float *frames, size_t n, const float *noise, float *scratch) {
    size_t bands = (size_t)convention->bands;
    if (degrade->passes == 0 || n == 0) return;
    for (int pass = 0; pass < degrade->passes; pass++) {
        if (degrade->time_kernel[pass] > 0.0)
            smooth_time(frames, n, bands, (float)degrade->time_kernel[pass], scratch);
        if (degrade->band_kernel[pass] > 0.0)
            smooth_bands(frames, n, bands, (float)degrade->band_kernel[pass]);
    }
    bool clamped = mel_convention_clips(convention) && !convention->statistics;
    const float low = (float)convention->clip_low, high = (float)convention->clip_high;
    for (size_t b = 0; b < bands; b++) {
        float spread = (float)degrade->noise * unit(convention, b);
        float offset = (float)degrade->offset * unit(convention, b);
        for (size_t f = 0; f < n; f++) {
            float value = frames[f * bands + b] + offset + spread * noise[f * bands + b];
            if (clamped) value = value < low ? low : value > high ? high : value;
            frames[f * bands + b] = value;
        }
    }
}
