/* What numbers that should be a mel look like. */
#include "mel/look.h"

#include "mel/compression.h"
#include "mel/filterbank.h"
#include "mel/window.h"

#include <math.h>
#include <string.h>

/* Of long inputs this many frames, evenly spread, say enough about levels. */
enum { MOST_FRAMES = 600 };

/* A histogram is enough for medians, and needs no memory that could be missing. */
enum { BINS = 1024 };
typedef struct histogram {
    double low, step;
    uint32_t count[BINS];
    size_t total;
} histogram;

static void histogram_init(histogram *h, double low, double high) {
    memset(h, 0, sizeof *h);
    h->low = low;
    h->step = (high - low) / BINS;
}

static void histogram_add(histogram *h, double value) {
    const double place = (value - h->low) / h->step;
    /* Differences of what overflows may be NaN: those are below everything. */
    h->count[place >= BINS ? BINS - 1 : place > 0 ? (int)place : 0]++;
    h->total++;
}

/* The value that a share of the others lies below. */
static double histogram_at(const histogram *h, double share) {
    size_t below = 0;
    for (int i = 0; i < BINS; i++) {
        below += h->count[i];
        if ((double)below >= share * (double)h->total && below > 0)
            return h->low + (i + 0.5) * h->step;
    }
    return h->low;
}

/* Mean square of a frame = Σ weight·(linear mel)^(2/power): the bins that a band stands for (half
 * the distance between its neighbours' peaks) times the square of mel/Σ weights, a triangle's area.
 */
static void level_weights(const mel_convention *c, double *weight) {
    const double width = (double)c->sample_rate / c->n_fft, norm = mel_window_norm(c);
    for (int b = 0; b < c->bands; b++) {
        const double low = mel_filterbank_edge(c, b), high = mel_filterbank_edge(c, b + 2);
        const double bins = fmax((high - low) / 2 / width, 0.5);
        const double height =
            c->norm == MEL_NORM_SLANEY ? 2 / ((high - low) * mel_convention_filter_factor(c)) : 1;
        const double sum = height * bins;
        weight[b] = 2 * bins / (c->n_fft * norm * norm) / (c->power == 2 ? sum : sum * sum);
    }
}

void mel_look_listen(const mel_convention *convention, const float *frames, size_t n,
                     mel_sound *sound) {
    const mel_convention *c = convention;
    const int bands = c->bands, lower = (bands + 5) / 6;
    const double to_amplitude = 1.0 / c->power;
    const size_t step = n / MOST_FRAMES + 1;
    double weight[MEL_MAX_BANDS], sum = 0, squares = 0, lowest, highest, beyond = 0;
    float logs[3][MEL_MAX_BANDS];
    size_t above = 0, looked = 0;
    histogram levels, differences;
    histogram_init(&levels, -160, 160);
    histogram_init(&differences, 0, 16);
    level_weights(c, weight);
    mel_linear_range(c, &lowest, &highest);
    const double floor = log(lowest) * to_amplitude + 0.1;
    for (size_t f = 0; f < n; f += step, looked++) {
        double power = 0;
        for (size_t i = 0; i < 3 && f + i < n; i++)
            mel_to_natural_log(c, frames + (f + i) * (size_t)bands, logs[i]);
        for (int b = 0; b < bands; b++) {
            const double x = (double)logs[0][b] * to_amplitude;
            power += weight[b] * exp(2 * x);
            if (x <= floor) continue;
            sum += x;
            squares += x * x;
            above++;
        }
        for (int b = 0; f + 2 < n && b < lower; b++)
            histogram_add(&differences,
                          fabs((double)(logs[2][b] - 2 * logs[1][b] + logs[0][b])) * to_amplitude);
        histogram_add(&levels, 10 * log10(fmax(power, 1e-16)));
        beyond += erfc(1 / sqrt(2 * fmax(power, 1e-16)));
    }
    const double mean = above ? sum / (double)above : 0;
    sound->contrast = above ? sqrt(fmax(squares / (double)above - mean * mean, 0)) : 0;
    sound->loudest = histogram_at(&levels, 0.95);
    sound->median = histogram_at(&levels, 0.5);
    sound->beyond = looked ? beyond / (double)looked : 0;
    sound->roughness = differences.total ? histogram_at(&differences, 0.5) : 0;
}

bool mel_sound_is_possible(const mel_sound *sound) {
    const bool flat = sound->contrast < 0.8 && sound->roughness < 0.25;
    return sound->loudest <= 1 && !(flat && sound->beyond > 0.05);
}

static bool is_constant(const float *frame, size_t bands) {
    for (size_t b = 1; b < bands; b++)
        if (frame[b] != frame[0]) return false;
    return bands > 1;
}

/* The number that silence is written as in a band. */
static void silent_frame(const mel_convention *c, float *frame) {
    float nothing[MEL_MAX_BANDS] = {0};
    mel_compress(c, nothing, frame);
}

/* Is a frame of one number another thing than silence? Acoustic models do not hit the floor
 * exactly.
 */
static bool is_padding(const mel_convention *c, const float *frame, const float *silent) {
    if (!is_constant(frame, (size_t)c->bands)) return false;
    if (c->statistics) return true;
    const float ratio = c->compression == MEL_COMPRESS_LINEAR ? 1.0f : 0.2f;
    return fabsf(frame[0] - silent[0]) > ratio * fabsf(silent[0]) + 0.05f;
}

size_t mel_look_silence_padding(const mel_convention *convention, float *frames, size_t n) {
    const size_t bands = (size_t)convention->bands;
    float silent[MEL_MAX_BANDS];
    size_t count = 0;
    silent_frame(convention, silent);
    for (size_t f = 0; f < n; f++)
        if (is_padding(convention, frames + f * bands, silent)) {
            memcpy(frames + f * bands, silent, bands * sizeof *frames);
            count++;
        }
    return count;
}

static void add_difference(histogram *h, double difference) {
    histogram_add(h, log10(fabs(difference) + 1e-12));
}

static double median_difference(const histogram *h) {
    return h->total ? pow(10, histogram_at(h, 0.5)) : 0;
}

void mel_look_at(const mel_convention *convention, const float *frames, size_t n, mel_look *look) {
    const size_t bands = (size_t)convention->bands;
    double sum = 0, squares = 0;
    float silent[MEL_MAX_BANDS];
    histogram time, across; /* of differences' logarithms: of any unit */
    histogram_init(&time, -9, 7);
    histogram_init(&across, -9, 7);
    silent_frame(convention, silent);
    *look = (mel_look){.frames = n, .bands = bands, .lowest = HUGE_VAL, .highest = -HUGE_VAL};
    size_t used = 0, lowest = 0;
    for (size_t f = 0; f < n; f++) {
        const float *x = frames + f * bands;
        if (is_padding(convention, x, silent)) {
            look->padded++;
            continue; /* says nothing about the rest */
        }
        for (size_t b = 0; b < bands; b++) {
            const double v = (double)x[b];
            look->lowest = fmin(look->lowest, v);
            look->highest = fmax(look->highest, v);
            sum += v;
            squares += v * v;
            if (b > 0) add_difference(&across, v - (double)x[b - 1]);
            if (f > 0) add_difference(&time, v - (double)(x - bands)[b]);
        }
        used += bands;
    }
    if (used == 0) {
        look->lowest = look->highest = look->mean = (double)frames[0];
        look->constant = true;
        mel_look_listen(convention, frames, n, &look->sound);
        return;
    }
    for (size_t i = 0; i < n * bands; i++) lowest += (double)frames[i] - look->lowest < 1e-4;
    look->at_lowest = (double)lowest / (double)(n * bands);
    look->constant = look->lowest == look->highest;
    look->mean = sum / (double)used;
    look->deviation = sqrt(fmax(squares / (double)used - look->mean * look->mean, 0));
    look->along_time = median_difference(&time);
    look->along_bands = median_difference(&across);
    mel_look_listen(convention, frames, n, &look->sound);
}

double mel_look_unevenness(const float *values, size_t count, size_t bands) {
    histogram time, across;
    histogram_init(&time, -9, 7);
    histogram_init(&across, -9, 7);
    for (size_t i = bands; i < count / bands * bands; i++) {
        add_difference(&time, (double)values[i] - (double)values[i - bands]);
        if (i % bands > 0) add_difference(&across, (double)values[i] - (double)values[i - 1]);
    }
    return across.total ? median_difference(&time) / median_difference(&across) : 0;
}

bool mel_look_is_float64(const float *values, size_t count) {
    /* The lower half of a float64 is noise, or zeros where it was a float32: no mel is below 1e-9
     * or above 1e6 in a fifth of its values. The upper half is a number near its exponent. */
    size_t wild = 0, zero = 0, upper_zero = 0, sane = 0;
    const size_t pairs = count / 2;
    for (size_t i = 0; i < pairs; i++) {
        const float low = fabsf(values[2 * i]);
        double value;
        memcpy(&value, values + 2 * i, sizeof value);
        wild += !(low < 1e6f) || (low < 1e-9f && low > 0);
        zero += low == 0;
        upper_zero += values[2 * i + 1] == 0;
        sane +=
            fabs(value) < 1e5 && (fabs(value) > 1e-9 || value == 0) && isfinite(values[2 * i + 1]);
    }
    return pairs >= 16 && sane * 50 >= pairs * 49 &&
           (wild * 5 >= pairs || (zero + wild) * 2 > pairs) && zero < pairs &&
           4 * upper_zero < zero + wild;
}

/* A few frames of a recording's silent beginning can be as rough along time as a turned mel. */
enum { ENOUGH_TO_TURN = 24 };

bool mel_look_is_turned(const mel_look *look) {
    return look->frames - look->padded >= ENOUGH_TO_TURN && look->bands >= 8 &&
           look->along_time > 2.5 * look->along_bands && look->along_time > 0.3 * look->deviation &&
           look->along_bands > 0.03 * look->deviation;
}
