/* Could these numbers be mel frames of a convention? What cannot be is named, with the way to
 * convert it. */
#include "mel/convention.h"

#include "base/error.h"
#include "mel/window.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What the rules below look at, in the convention's logarithm. */
typedef struct summary {
    float lowest, highest, median;
    size_t at_lowest; /* values equal to the lowest within 1e-4 */
    float roughness;  /* median of |second difference in time| over the lower bands */
} summary;

/* Fewer frames than this say too little about medians. */
enum { ENOUGH_FRAMES = 16 };

/* A histogram is enough for medians, and needs no memory that could be missing. */
enum { BINS = 2048 };
static const float histogram_low = -32, histogram_step = 64.0f / BINS;

static void count_value(uint32_t histogram[BINS], float value) {
    const float place = (value - histogram_low) / histogram_step;
    const int bin = place < 0 ? 0 : place >= BINS ? BINS - 1 : (int)place;
    histogram[bin]++;
}

static float median_of(const uint32_t histogram[BINS]) {
    size_t total = 0, below = 0;
    for (int i = 0; i < BINS; i++) total += histogram[i];
    for (int i = 0; i < BINS; i++) {
        below += histogram[i];
        if (2 * below >= total && total > 0)
            return histogram_low + ((float)i + 0.5f) * histogram_step;
    }
    return histogram_low;
}

/* floor: values down here (the clamp of silence) do not count for the median. */
static void summarize(const float *frames, size_t n, size_t bands, float floor, summary *s) {
    uint32_t histogram[BINS] = {0}; /* of the values, then of the differences */
    s->lowest = s->highest = frames[0];
    s->at_lowest = 0;
    for (size_t i = 0; i < n * bands; i++) {
        s->lowest = fminf(s->lowest, frames[i]);
        s->highest = fmaxf(s->highest, frames[i]);
        if (frames[i] > floor) count_value(histogram, frames[i]);
    }
    for (size_t i = 0; i < n * bands; i++) s->at_lowest += frames[i] - s->lowest < 1e-4f;
    s->median = median_of(histogram);
    memset(histogram, 0, sizeof histogram);
    for (size_t f = 1; f + 1 < n; f++)
        for (size_t b = 0; b < (bands + 5) / 6; b++) {
            const float *x = frames + f * bands + b;
            count_value(histogram, fabsf(x[bands] - 2 * x[0] + x[-(long)bands]));
        }
    s->roughness = median_of(histogram);
}

static lull_status check_finite(const float *frames, size_t n, size_t bands, const char *name,
                                lull_error *error) {
    for (size_t i = 0; i < n * bands; i++)
        if (!isfinite(frames[i]))
            return base_fail(error, LULL_NOT_FINITE,
                             "%s: band %zu of frame %zu is %s: expected finite numbers", name,
                             i % bands, i / bands, isnan(frames[i]) ? "NaN" : "infinite");
    return LULL_OK;
}

static lull_status check_unit_range(const mel_convention *c, const summary *s, const char *name,
                                    lull_error *error) {
    /* Acoustic models overshoot the clamp a little. */
    const double margin = 0.5 * (c->clip_high - c->clip_low);
    if (s->lowest >= c->clip_low - margin && s->highest <= c->clip_high + margin) return LULL_OK;
    return base_fail(
        error, LULL_MISMATCH,
        "%s: values from %.4g to %.4g, but the '%s' convention lies between %g and %g: if these "
        "are logarithms of its mels, convert with --from ln, --from log10 or --from db",
        name, (double)s->lowest, (double)s->highest, c->name, c->clip_low, c->clip_high);
}

/* Samples beyond full scale by 24 dB, and nothing but one vowel of them, reach this. */
static double highest_legal(const mel_convention *c) {
    /* |S| ≤ Σ window · peak, and a slaney filter's weights sum up to one bin's worth of 1/Hz, an
     * HTK filter's to at most the number of bins. */
    const double width = (double)c->sample_rate / c->n_fft, window_sum = 0.5 * c->window;
    const double weights = c->scale == MEL_SCALE_SLANEY ? 2 / width : c->n_fft / 2.0;
    const double linear =
        16 * window_sum * weights / (c->normalized_window ? mel_window_norm(c) : 1);
    return c->compression == MEL_COMPRESS_LN ? log(linear) : log10(linear);
}

/* Speech in ln spans over 9 (median below −3.6, lowest below −7.8 in the recordings looked at), in
 * log10 under
 * 6. Loud noise lies where log10 speech does, but is rougher in time, because fluctuations of noise
 * have one size; loud steady tones are smoother. */
static bool looks_like_log10(const summary *s, size_t n) {
    const bool clamped = s->at_lowest >= 2 && s->highest > s->lowest + 1 &&
                         (fabsf(s->lowest + 5) < 1e-4f || fabsf(s->lowest + 10) < 1e-4f);
    return clamped ||
           (n >= ENOUGH_FRAMES && s->lowest > -5.05f && s->median > -3.1f &&
            s->highest - s->lowest > 3.8f && s->roughness < 0.33f && s->roughness > 0.08f);
}

static bool looks_like_ln(const summary *s, size_t n) {
    const bool clamped = s->at_lowest >= 2 && fabsf(s->lowest + 11.5129f) < 1e-3f;
    return clamped || (n >= ENOUGH_FRAMES && s->highest > 0.4f && s->highest - s->median > 4.2f &&
                       s->roughness > 0.28f);
}

static lull_status check_logarithm(const mel_convention *c, const summary *s, size_t n,
                                   const char *name, lull_error *error) {
    const bool ln = c->compression == MEL_COMPRESS_LN;
    const double low = s->lowest, high = s->highest, legal = highest_legal(c);
    const double floor = ln ? log(c->floor) : log10(c->floor);
    if (low >= 0 && high <= 1)
        return base_fail(
            error, LULL_MISMATCH,
            "%s: values from %.4g to %.4g, but the '%s' convention is a logarithm (%s, mostly "
            "negative): mels scaled to [0, 1], as the 'diffwave' convention writes them, need a "
            "model of that convention; linear mels convert with --from linear",
            name, low, high, c->name, ln ? "ln" : "log10");
    if (low >= 0)
        return base_fail(
            error, LULL_MISMATCH,
            "%s: no value is negative (%.4g to %.4g), but the '%s' convention is a logarithm "
            "(%s): linear mels convert with --from linear, decibels with --from db",
            name, low, high, c->name, ln ? "ln" : "log10");
    if (high > legal || low < 1.6 * floor - 1)
        return base_fail(
            error, LULL_MISMATCH,
            "%s: values from %.4g to %.4g, but mels of the '%s' convention (%s) lie between %.3g "
            "and %.2g: decibels convert with --from db, linear mels with --from linear",
            name, low, high, c->name, ln ? "ln" : "log10", floor, legal);
    if (ln && looks_like_log10(s, n))
        return base_fail(
            error, LULL_MISMATCH,
            "%s: values from %.4g to %.4g look like log10, but the '%s' convention is ln: convert "
            "with --from log10",
            name, low, high, c->name);
    if (!ln && looks_like_ln(s, n))
        return base_fail(
            error, LULL_MISMATCH,
            "%s: values from %.4g to %.4g look like ln, but the '%s' convention is log10: convert "
            "with --from ln",
            name, low, high, c->name);
    return LULL_OK;
}

lull_status mel_convention_check_frames(const mel_convention *convention, const float *frames,
                                        size_t n, const char *name, lull_error *error) {
    const size_t bands = (size_t)convention->bands;
    if (n == 0) return LULL_OK;
    const lull_status status = check_finite(frames, n, bands, name, error);
    if (status) return status;
    const bool unit = mel_convention_clips(convention);
    if (!unit && (convention->gain != 1 || convention->offset != 0 || convention->power != 1 ||
                  convention->compression == MEL_COMPRESS_LINEAR))
        return LULL_OK;
    const double floor = unit                                         ? convention->clip_low
                         : convention->compression == MEL_COMPRESS_LN ? log(convention->floor)
                                                                      : log10(convention->floor);
    summary s;
    summarize(frames, n, bands, convention->statistics ? -1e9f : (float)floor + 0.1f, &s);
    if (convention->statistics) {
        /* Deviations from a mean: nothing is as far out as this. */
        if (s.lowest > -100 && s.highest < 100) return LULL_OK;
        return base_fail(
            error, LULL_MISMATCH,
            "%s: values from %.4g to %.4g, but the '%s' convention's are normalised to mean 0 and "
            "deviation 1: expected nothing beyond -100 and 100",
            name, (double)s.lowest, (double)s.highest, convention->name);
    }
    /* Silence is one value everywhere: the clamp, which is checked with a wide margin because
     * acoustic models do not hit it. */
    if (s.lowest == s.highest && n >= 2 && bands >= 2 &&
        fabs(s.lowest - floor) > 0.2 * fabs(floor) + 0.05)
        return base_fail(
            error, LULL_MISMATCH,
            "%s: all %zu × %zu values are %.4g: expected mel frames (silence would be %.4g)", name,
            n, bands, (double)s.lowest, floor);
    return unit ? check_unit_range(convention, &s, name, error)
                : check_logarithm(convention, &s, n, name, error);
}
