/* Could these numbers be mel frames of a convention? What cannot be is named, with the way to
 * convert it. */
#include "mel/look.h"

#include "base/error.h"
#include "mel/filterbank.h"
#include "mel/window.h"

#include <math.h>
#include <stdio.h>

/* Fewer frames than this say too little about levels and contrasts. */
enum { ENOUGH_FRAMES = 16 };

static lull_status check_finite(const float *frames, size_t n, size_t bands, const char *name,
                                lull_error *error) {
    for (size_t i = 0; i < n * bands; i++)
        if (!isfinite(frames[i]))
            return base_fail(error, LULL_NOT_FINITE,
                             "%s: band %zu of frame %zu is %s: expected finite numbers", name,
                             i % bands, i / bands, isnan(frames[i]) ? "NaN" : "infinite");
    return LULL_OK;
}

/* The sound of the same numbers read as values of another scale, or as filters of the other norm.
 */
static bool possible_as(const mel_convention *c, mel_values values, const float *frames, size_t n,
                        mel_sound *sound) {
    mel_convention other = *c;
    mel_convention_set_values(&other, values);
    mel_look_listen(&other, frames, n, sound);
    return mel_sound_is_possible(sound) && sound->loudest > -60;
}

static bool possible_without_norm(const mel_convention *c, const float *frames, size_t n) {
    mel_sound sound;
    mel_convention other = *c;
    if (c->norm != MEL_NORM_SLANEY) return false;
    other.norm = MEL_NORM_NONE;
    mel_look_listen(&other, frames, n, &sound);
    return mel_sound_is_possible(&sound) && sound.loudest > -50;
}

static bool near(double value, double wanted, double margin) {
    return fabs(value - wanted) <= margin;
}

static const char *logarithm_of(const mel_convention *c) {
    return c->compression == MEL_COMPRESS_LOG10 ? "log10"
           : c->compression == MEL_COMPRESS_LN  ? "ln"
                                                : "linear";
}

/* The range that numbers were mapped to, from their ends: the lowest within `margin` of the range's
 * width; false: none of the usual ones. */
static bool find_range(const mel_look *s, double margin, double *low, double *high) {
    static const double ranges[][2] = {{-1, 1}, {0, 1}, {-4, 4}, {0, 4}, {-2, 2}, {0, 2}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        const double width = ranges[i][1] - ranges[i][0];
        *low = ranges[i][0];
        *high = ranges[i][1];
        if (near(s->lowest, *low, margin * width) && s->highest <= *high + 0.02 * width &&
            s->highest > *high - 0.35 * width)
            return true;
    }
    return false;
}

static lull_status name_whisper(const mel_convention *c, const mel_look *s, const char *name,
                                lull_error *error) {
    return base_fail(
        error, LULL_MISMATCH,
        "%s: values from %.4g to %.4g look like Whisper's log-mel, a logarithm of power squeezed "
        "to a width of 2, whose window and filters are not those of '%s': compute the mel as 'lull "
        "info --conventions' says",
        name, s->lowest, s->highest, c->name);
}

/* Numbers that were shifted and scaled: which way. LULL_OK: none that is known. */
static lull_status name_scaled(const mel_convention *c, const mel_look *s, const char *name,
                               lull_error *error) {
    const double low = s->lowest, high = s->highest;
    double from = 0, to = 0;
    const bool small = low > -1.6 && high < 2.5;
    if (small && near(high - low, 2, 4e-3) && s->at_lowest > 0.002 && !near(low, -1, 1e-3) &&
        !near(low, 0, 1e-3))
        return name_whisper(c, s, name, error);
    bool mapped = find_range(s, 1e-4, &from, &to);
    if (!mapped && fabs(s->mean) < 0.6 && s->deviation > 0.6 && s->deviation < 1.6 && low > -9 &&
        high < 9)
        return base_fail(
            error, LULL_MISMATCH,
            "%s: values from %.4g to %.4g of mean %.2g and deviation %.2g look standardised: give "
            "the mean and deviation with --statistics FILE",
            name, low, high, s->mean, s->deviation);
    if (!mapped) mapped = find_range(s, 0.02, &from, &to);
    if (mapped)
        return base_fail(
            error, LULL_MISMATCH,
            "%s: values from %.4g to %.4g look mapped to [%g, %g]: undo it with --from "
            "range:%g,%g:MIN,MAX, where MIN and MAX are what these ends stood for, in %s (or say "
            "the convention with -c, as 'diffwave-22k' or 'coqui-22k'); linear mels convert with "
            "--from linear",
            name, low, high, from, to, from, to, logarithm_of(c));
    if (small && high - low <= 2.004 && low < 0) return name_whisper(c, s, name, error);
    return LULL_OK;
}

static lull_status name_decibels(const mel_convention *c, const mel_look *s, const float *frames,
                                 size_t n, const char *name, lull_error *error) {
    mel_sound amplitude, power;
    const bool relative = fabs(s->highest) < 1e-3;
    const bool can = possible_as(c, MEL_VALUES_DB, frames, n, &amplitude);
    possible_as(c, MEL_VALUES_POWER_DB, frames, n, &power);
    if (relative)
        return base_fail(
            error, LULL_MISMATCH,
            "%s: values from %.4g to 0 are decibels below their own maximum (librosa's ref=max): "
            "the level is lost; compute them with ref=1, then --from power-db (power_to_db) or "
            "--from db (amplitude_to_db)",
            name, s->lowest);
    const bool first = can && amplitude.loudest <= -6;
    return base_fail(error, LULL_MISMATCH,
                     "%s: values from %.4g to %.4g look like decibels: convert with --from %s (the "
                     "loudest frames at %.0f dB of full scale) or, when they are %s, --from %s "
                     "(%.0f dB)",
                     name, s->lowest, s->highest, first ? "db" : "power-db",
                     first ? amplitude.loudest : power.loudest,
                     first ? "of power (librosa's power_to_db)" : "of amplitude (20·log10)",
                     first ? "power-db" : "db", first ? power.loudest : amplitude.loudest);
}

/* ln of the linear mel of samples beyond full scale by 24 dB, and of nothing but one vowel of them.
 */
static double highest_legal(const mel_convention *c) {
    /* |S| ≤ Σ window · peak, and a slaney filter's weights sum up to one bin's worth of 1/Hz, other
     * ones to at most the number of bins. */
    const double width = (double)c->sample_rate / c->n_fft, window_sum = 0.5 * c->window;
    const double weights = c->norm == MEL_NORM_SLANEY ? 2 / width : c->n_fft / 2.0;
    const double magnitude = 16 * window_sum / (c->normalized_window ? mel_window_norm(c) : 1);
    return log(weights) + c->power * log(magnitude);
}

/* What the convention writes for ln of a linear mel in its own normalisation. */
static double value_of(const mel_convention *c, double natural_log) {
    const double inner = c->compression == MEL_COMPRESS_LN      ? natural_log
                         : c->compression == MEL_COMPRESS_LOG10 ? natural_log / M_LN10
                                                                : exp(natural_log);
    return c->gain * inner + c->offset;
}

/* As said, the sound would be louder than can be: why? */
static lull_status name_loud(const mel_convention *c, const mel_look *s, const float *frames,
                             size_t n, const char *name, lull_error *error) {
    mel_sound sound;
    const double int16 =
        log(32768) * c->power * c->gain / (c->compression == MEL_COMPRESS_LOG10 ? M_LN10 : 1);
    const lull_status scaled = name_scaled(c, s, name, error);
    if (scaled) return scaled;
    if (s->highest - s->lowest > 30 && s->lowest < -12)
        if (s->highest > 8 || s->lowest < -35) return name_decibels(c, s, frames, n, name, error);
    if (s->lowest >= 0 && s->sound.contrast < 0.6 * s->highest + 4 &&
        possible_as(c, MEL_VALUES_LINEAR, frames, n, &sound) && s->mean < 0.2 * s->highest)
        return base_fail(
            error, LULL_MISMATCH,
            "%s: no value is negative (%.4g to %.4g), but the '%s' convention is a logarithm (%s): "
            "linear mels convert with --from linear, decibels with --from db",
            name, s->lowest, s->highest, c->name, logarithm_of(c));
    if (c->compression != MEL_COMPRESS_LINEAR && s->sound.loudest > 40 && s->highest - int16 < 4 &&
        s->lowest > log(c->floor) * c->gain / M_LN10)
        return base_fail(error, LULL_MISMATCH,
                         "%s: values from %.4g to %.4g look like a mel of audio in int16 units "
                         "(the loudest frames would be at %+.0f dB of full scale): divide the "
                         "audio by 32768 before the analysis",
                         name, s->lowest, s->highest, s->sound.loudest);
    if (c->power == 1 && c->compression == MEL_COMPRESS_LOG10 && s->sound.contrast > 3.4 &&
        possible_as(c, MEL_VALUES_LN, frames, n, &sound))
        return base_fail(
            error, LULL_MISMATCH,
            "%s: values from %.4g to %.4g look like ln, but the '%s' convention is log10: convert "
            "with --from ln (or, if they are log10 of power, --from log10-power)",
            name, s->lowest, s->highest, c->name);
    if (c->power == 1 && s->sound.contrast > 3.4 &&
        possible_as(
            c, c->compression == MEL_COMPRESS_LOG10 ? MEL_VALUES_LOG10_POWER : MEL_VALUES_LN_POWER,
            frames, n, &sound))
        return base_fail(
            error, LULL_MISMATCH,
            "%s: values from %.4g to %.4g look like %s of power, but the '%s' convention is of "
            "amplitude: convert with --from %s-power",
            name, s->lowest, s->highest, logarithm_of(c), c->name, logarithm_of(c));
    /* Peaks of 1 in place of an area of 1 are 30 to 50 dB more. */
    if (s->sound.loudest > 15 && possible_without_norm(c, frames, n))
        return base_fail(
            error, LULL_MISMATCH,
            "%s: values from %.4g to %.4g (the loudest frames would be at %+.0f dB of full scale) "
            "look like filters that were not normalised (peaks of 1): say so with -c "
            "%s,norm=none, or for HTK filters -c %s,scale=htk,norm=none",
            name, s->lowest, s->highest, s->sound.loudest, c->name, c->name);
    if (s->lowest >= 0)
        return base_fail(
            error, LULL_MISMATCH,
            "%s: no value is negative (%.4g to %.4g), but the '%s' convention is a logarithm (%s): "
            "linear mels convert with --from linear, decibels with --from db",
            name, s->lowest, s->highest, c->name, logarithm_of(c));
    return base_fail(error, LULL_MISMATCH,
                     "%s: values from %.4g to %.4g, but mels of the '%s' convention lie between "
                     "%.3g and %.2g (the loudest frames would be at %+.0f dB of full scale): 'lull "
                     "synth --explain-mel' shows what they look like, --force goes on",
                     name, s->lowest, s->highest, c->name, value_of(c, log(c->floor)),
                     value_of(c, highest_legal(c)), s->sound.loudest);
}

/* Speech in ln spans over 9 (median below −3.6, lowest below −6.9 in the recordings looked at), in
 * log10 under 6, its lowest mostly above −5.5. Loud noise lies where log10 speech does, but is rougher in time, because
 * fluctuations of noise have one size; loud steady tones are smoother. */
static bool looks_like_log10(const mel_convention *c, const mel_look *s) {
    /* Filters of peak 1 in place of area 1 are louder by the widths of their bands. */
    double higher = 0;
    for (int b = 0; c->norm == MEL_NORM_NONE && b < c->bands; b++)
        higher += log10((mel_filterbank_edge(c, b + 2) - mel_filterbank_edge(c, b)) / 2) / c->bands;

    /* Those of ln spread further down, by the widths again. */
    const double lowest = c->norm == MEL_NORM_NONE ? -5.05 + higher : -5.5;
    const bool clamped = s->at_lowest * (double)(s->frames * s->bands) >= 2 &&
                         s->highest > s->lowest + 1 &&
                         (near(s->lowest, -5, 1e-4) || near(s->lowest, -10, 1e-4));
    return clamped ||
           (s->frames >= ENOUGH_FRAMES && s->lowest > lowest && s->mean > -3.4 + higher &&
            s->highest - s->lowest > 3.8 && s->sound.roughness < 0.33 && s->sound.roughness > 0.08);
}

static bool looks_like_ln(const mel_convention *c, const mel_look *s) {
    const bool floored = near(s->lowest, log10(c->floor), 1e-4) &&
                         s->at_lowest * (double)(s->frames * s->bands) >= 2;
    const double roughness = s->sound.roughness / M_LN10; /* in the unit of the numbers */
    const bool clamped =
        s->at_lowest * (double)(s->frames * s->bands) >= 2 && near(s->lowest, -11.5129, 1e-3);
    return clamped || (!floored && s->frames >= ENOUGH_FRAMES && s->highest > 0.4 &&
                       s->highest - s->mean > 4.2 && roughness > 0.28);
}

/* A plain logarithm: no gain, offset or bounds. */
static bool is_plain(const mel_convention *c, mel_compression compression) {
    return c->compression == compression && c->gain == 1 && c->offset == 0 && !c->statistics &&
           c->power == 1 && !mel_convention_clips(c);
}

static lull_status check_logarithm(const mel_convention *c, const mel_look *s, const char *name,
                                   lull_error *error) {
    if (is_plain(c, MEL_COMPRESS_LN) && looks_like_log10(c, s))
        return base_fail(error, LULL_MISMATCH,
                         "%s: values from %.4g to %.4g look like log10, but the '%s' convention is "
                         "ln: convert with --from log10 when everything else is as '%s' (%d Hz, "
                         "hop %d, %g-%g Hz), or say whose mel it is with -c, as "
                         "parallelwavegan-24k or speecht5-16k",
                         name, s->lowest, s->highest, c->name, c->name, c->sample_rate, c->hop,
                         c->fmin, c->fmax);
    if (is_plain(c, MEL_COMPRESS_LOG10) && looks_like_ln(c, s))
        return base_fail(error, LULL_MISMATCH,
                         "%s: values from %.4g to %.4g look like ln, but the '%s' convention is "
                         "log10: convert with --from ln",
                         name, s->lowest, s->highest, c->name);
    return LULL_OK;
}

/* Bounds of what a convention writes, with room for models that overshoot. */
static lull_status check_bounds(const mel_convention *c, const mel_look *s, const char *name,
                                lull_error *error) {
    if (c->statistics) {
        if (s->lowest > -100 && s->highest < 100) return LULL_OK;
        return base_fail(
            error, LULL_MISMATCH,
            "%s: values from %.4g to %.4g, but the '%s' convention's are normalised to mean 0 and "
            "deviation 1: expected nothing beyond -100 and 100",
            name, s->lowest, s->highest, c->name);
    }
    if (mel_convention_clips(c)) {
        const double margin = 0.5 * (c->clip_high - c->clip_low);
        if (s->lowest >= c->clip_low - margin && s->highest <= c->clip_high + margin)
            return LULL_OK;
        return base_fail(
            error, LULL_MISMATCH,
            "%s: values from %.4g to %.4g, but the '%s' convention lies between %g and %g: if "
            "these are logarithms of its mels, convert with --from ln, --from log10 or --from db",
            name, s->lowest, s->highest, c->name, c->clip_low, c->clip_high);
    }
    return LULL_OK;
}

/* Far below the floor of a logarithm only decibels lie. */
static bool is_below(const mel_convention *c, const mel_look *s) {
    if (c->compression == MEL_COMPRESS_LINEAR || c->statistics || mel_convention_clips(c) ||
        c->gain < 0)
        return false;
    const double floor = c->compression == MEL_COMPRESS_LN ? log(c->floor) : log10(c->floor);
    const double least = c->gain * 1.6 * floor + c->offset - c->gain;
    return s->lowest < least;
}

/* The number of bands of another known convention that makes frames of these numbers, or 0. */
static int find_bands(const mel_convention *c, const float *values, size_t count) {
    mel_convention other;
    const char *name;
    double least = fmin(1.5, mel_look_unevenness(values, count, (size_t)c->bands) / 2);
    int found = 0;
    for (int i = 0; (name = mel_convention_name_at(i, NULL, NULL)) != NULL; i++) {
        if (mel_convention_named(name, 0, &other, NULL) != LULL_OK || other.bands == c->bands ||
            other.bands == found || count / (size_t)other.bands < ENOUGH_FRAMES)
            continue;
        const double unevenness = mel_look_unevenness(values, count, (size_t)other.bands);
        if (unevenness < least) least = unevenness, found = other.bands;
    }
    return found;
}

/* Frames of another length than is read come out rough along time, too: that is the likelier. */
static lull_status name_turned(const mel_convention *c, const mel_look *s, const float *frames,
                               size_t n, const char *name, lull_error *error) {
    char names[160];
    const int found = find_bands(c, frames, n * s->bands);
    if (found == 0)
        return base_fail(error, LULL_MISMATCH,
                         "%s: the numbers are smooth along bands and rough along time (%.2g and "
                         "%.2g): the order looks turned, expected frame after frame of %zu bands "
                         "(array.T, or --layout)",
                         name, s->along_bands, s->along_time, s->bands);
    mel_conventions_of_bands(found, names, sizeof names);
    return base_fail(error, LULL_MISMATCH,
                     "%s: the numbers look like frames of %d bands, but are read as '%s', of %zu: "
                     "say whose mel it is with -c, as %s (frames in a pipe do not say it "
                     "themselves); else the order is turned (array.T, or --layout)",
                     name, found, c->name, s->bands, names);
}

lull_status mel_convention_check_frames(const mel_convention *convention, const float *frames,
                                        size_t n, const char *name, lull_error *error) {
    const mel_convention *c = convention;
    const size_t bands = (size_t)c->bands;
    mel_look s;
    if (n == 0) return LULL_OK;
    if (mel_look_is_float64(frames, n * bands))
        return base_fail(error, LULL_MISMATCH,
                         "%s: the numbers look like float64 (8 bytes each), expected float32: "
                         "array.astype('float32')",
                         name);
    lull_status status = check_finite(frames, n, bands, name, error);
    if (status) return status;
    mel_look_at(c, frames, n, &s);
    if (s.padded == n && n >= 2)
        return base_fail(error, LULL_MISMATCH,
                         "%s: all %zu × %zu values are %.4g or of one number in a frame: expected "
                         "mel frames",
                         name, n, bands, s.lowest);
    if (s.padded == n || s.constant) return LULL_OK;
    if (mel_look_is_turned(&s)) return name_turned(c, &s, frames, n, name, error);
    status = check_bounds(c, &s, name, error);
    if (status) return status;
    if (is_below(c, &s)) return name_decibels(c, &s, frames, n, name, error);
    const bool beyond = !c->statistics && c->gain > 0 && s.highest > value_of(c, highest_legal(c));
    const bool enough = n - s.padded >= ENOUGH_FRAMES;
    if (beyond || (enough ? !mel_sound_is_possible(&s.sound) : s.sound.median > 6))
        return name_loud(c, &s, frames, n, name, error);
    return check_logarithm(c, &s, name, error);
}
