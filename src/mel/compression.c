/* Between linear mel magnitudes and the numbers that a convention writes. */
#include "mel/compression.h"

#include "mel/window.h"

#include <math.h>

static double scale_of(const mel_convention *convention) {
    const double norm = convention->normalized_window ? mel_window_norm(convention) : 1.0;
    return convention->power == 2 ? norm * norm : norm;
}

/* The linear mel (in the convention's normalisation) that one of its values stands for. */
static double linear_of(const mel_convention *c, double value) {
    const double inner = (value - c->offset) / c->gain;
    const double linear = c->compression == MEL_COMPRESS_LN      ? exp(inner)
                          : c->compression == MEL_COMPRESS_LOG10 ? pow(10, inner)
                                                                 : inner;
    return c->floor_added ? linear - c->floor : linear;
}

void mel_linear_range(const mel_convention *convention, double *lowest, double *highest) {
    const mel_convention *c = convention;
    const double scale = scale_of(c);
    /* Of a sum with the floor nothing is left far below it. */
    *lowest = c->floor_added ? 0.1 * c->floor : c->floor;
    *highest = HUGE_VAL;
    if (mel_convention_clips(c)) {
        const double low = linear_of(c, c->gain > 0 ? c->clip_low : c->clip_high);
        const double high = linear_of(c, c->gain > 0 ? c->clip_high : c->clip_low);
        *lowest = fmax(*lowest, low);
        *highest = fmax(high, *lowest);
    }
    *lowest *= scale;
    *highest *= scale;
}

void mel_compress(const mel_convention *convention, const float *linear, float *frame) {
    const mel_convention *c = convention;
    const float scale = (float)(1.0 / scale_of(c)), floor = (float)c->floor;
    const float gain = (float)c->gain, offset = (float)c->offset;
    const bool clips = mel_convention_clips(c);
    for (int b = 0; b < c->bands; b++) {
        float value = linear[b] * scale;
        value = c->floor_added ? value + floor : fmaxf(value, floor);
        if (c->compression == MEL_COMPRESS_LN)
            value = logf(value);
        else if (c->compression == MEL_COMPRESS_LOG10)
            value = log10f(value);
        value = gain * value + offset;
        if (clips) value = fminf(fmaxf(value, (float)c->clip_low), (float)c->clip_high);
        if (c->statistics) value = (value - c->mean[b]) / c->deviation[b];
        frame[b] = value;
    }
}

void mel_to_natural_log(const mel_convention *convention, const float *frame, float *natural_log) {
    const mel_convention *c = convention;
    const float log_scale = (float)log(scale_of(c));
    const float per_log = c->compression == MEL_COMPRESS_LOG10 ? (float)M_LN10 : 1.0f;
    const float slope = per_log / (float)c->gain, offset = (float)c->offset;
    const float least = -70.0f * (float)c->power, most = 16.0f * (float)c->power;
    const double lowest = (c->floor_added ? 0.1 : 1.0) * c->floor;
    for (int b = 0; b < c->bands; b++) {
        float value = frame[b];
        if (c->statistics) value = value * c->deviation[b] + c->mean[b];
        value = (value - offset) * slope;
        if (c->compression == MEL_COMPRESS_LINEAR)
            value = (float)log(fmax(value - (c->floor_added ? c->floor : 0), lowest));
        else if (c->floor_added)
            value = (float)log(fmax(exp(fmin(value, 64)) - c->floor, lowest));
        /* Far beyond any sound (full scale is near 3): finite input never becomes infinite. */
        value = value < least ? least : value > most ? most : value;
        natural_log[b] = value + log_scale;
    }
}
