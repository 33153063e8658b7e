/* Between linear mel magnitudes and the numbers that a convention writes. */
#include "mel/compression.h"

#include "mel/window.h"

#include <math.h>

static double scale_of(const mel_convention *convention) {
    return convention->normalized_window ? mel_window_norm(convention) : 1.0;
}

void mel_linear_range(const mel_convention *convention, double *lowest, double *highest) {
    const double scale = scale_of(convention);
    *lowest = convention->floor * scale;
    *highest = HUGE_VAL;
    if (convention->compression == MEL_COMPRESS_DIFFWAVE) {
        *lowest = fmax(convention->floor, 1e-4) * scale; /* 0 is 20·log10(m) − 20 = −100 */
        *highest = 10.0 * scale;                         /* 1 is 20·log10(m) − 20 = 0 */
    }
}

void mel_compress(const mel_convention *convention, const float *linear, float *frame) {
    const float scale = (float)(1.0 / scale_of(convention));
    const float floor = (float)convention->floor;
    for (int b = 0; b < convention->bands; b++) {
        float value = fmaxf(linear[b] * scale, floor);
        switch (convention->compression) {
        case MEL_COMPRESS_LN:
            value = logf(value);
            break;
        case MEL_COMPRESS_LOG10:
            value = log10f(value);
            break;
        case MEL_COMPRESS_DIFFWAVE:
            value = (20.0f * log10f(value) - 20.0f + 100.0f) / 100.0f;
            value = fminf(fmaxf(value, 0.0f), 1.0f);
            break;
        }
        if (convention->statistics)
            value = (value - convention->mean[b]) / convention->deviation[b];
        frame[b] = value;
    }
}

void mel_to_natural_log(const mel_convention *convention, const float *frame, float *natural_log) {
    const float ln10 = (float)M_LN10;
    const float log_scale = (float)log(scale_of(convention));
    for (int b = 0; b < convention->bands; b++) {
        float value = frame[b];
        if (convention->statistics) value = value * convention->deviation[b] + convention->mean[b];
        switch (convention->compression) {
        case MEL_COMPRESS_LN:
            break;
        case MEL_COMPRESS_LOG10:
            value *= ln10;
            break;
        case MEL_COMPRESS_DIFFWAVE:
            value = (value * 100.0f - 80.0f) * (ln10 / 20.0f);
            break;
        }
        /* Far beyond any sound (full scale is near 3): finite input never becomes infinite. */
        value = value < -70.0f ? -70.0f : value > 16.0f ? 16.0f : value;
        natural_log[b] = value + log_scale;
    }
}
