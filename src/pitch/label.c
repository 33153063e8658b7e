/* Labels of a recording: see label.h. */
#include "pitch/label.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "mel/fft.h"
#include "pitch/tracker.h"

/* Seconds of the correlated windows; Hz over which a band fades in and out. */
static const double WINDOW = 0.025, FADE = 100;
static const float UNKNOWN_F0 = 150;

/* Pieces of the recording, transformed one at a time; frames in the middle half of a piece are
 * measured there. A quarter of it on each side holds what the filters ring and the longest span. */
typedef struct bands {
    const float *signal;
    size_t count;
    int rate, size;
    mel_fft_pair *transform;
    float *spectrum; /* of the piece: size/2 + 1 complex numbers */
    float *analytic; /* size complex numbers */
    float *envelope; /* size */
} bands;

/* How much of the frequency a band lets through: cosines about its edges, that overlap to 1. */
static float band_gain(int band, double frequency) {
    double low = PITCH_BAND_EDGES[band], high = PITCH_BAND_EDGES[band + 1], gain = 1;
    if (low > 0 && frequency < low + FADE / 2)
        gain *= frequency > low - FADE / 2
                    ? 0.5 - 0.5 * cos(M_PI * (frequency - low + FADE / 2) / FADE)
                    : 0;
    if (frequency > high - FADE / 2)
        gain *= frequency < high + FADE / 2
                    ? 0.5 + 0.5 * cos(M_PI * (frequency - high + FADE / 2) / FADE)
                    : 0;
    return (float)gain;
}

/* The spectrum of the piece that begins at `from`, which may lie outside the signal. */
static void transform_piece(bands *b, int64_t from) {
    float *frames = b->transform->frames;
    memset(frames, 0, (size_t)b->size * 2 * sizeof *frames);
    for (int i = 0; i < b->size; i++)
        if (from + i >= 0 && from + i < (int64_t)b->count) frames[2 * i] = b->signal[from + i];
    mel_fft_pair_forward(b->transform);
    memcpy(b->spectrum, b->transform->spectrum, ((size_t)b->size + 2) * sizeof(float));
}

/* The piece's analytic signal in a band: positive frequencies alone. */
static void filter_piece(bands *b, int band) {
    float *spectrum = b->transform->spectrum;
    memset(spectrum, 0, (size_t)b->size * 2 * sizeof *spectrum);
    double width = (double)b->rate / b->size;
    int first = (int)((PITCH_BAND_EDGES[band] - FADE) / width);
    int last = (int)((PITCH_BAND_EDGES[band + 1] + FADE) / width);
    if (first < 1) first = 1;
    if (last > b->size / 2 - 1) last = b->size / 2 - 1;
    for (int k = first; k <= last; k++) {
        float gain = band_gain(band, k * width);
        spectrum[2 * k] = gain * b->spectrum[2 * k];
        spectrum[2 * k + 1] = gain * b->spectrum[2 * k + 1];
    }
    mel_fft_pair_inverse(b->transform);
    memcpy(b->analytic, b->transform->frames, (size_t)b->size * 2 * sizeof *b->analytic);
    for (int i = 0; i < b->size; i++)
        b->envelope[i] = sqrtf(b->analytic[2 * i] * b->analytic[2 * i] +
                               b->analytic[2 * i + 1] * b->analytic[2 * i + 1]);
}

/* |Σ z(i)·z*(i+lag)|² over the energies, less what noise of `width` Hz has by chance. */
static double waveform_periodicity(const bands *b, int at, int window, int lag, double width) {
    const float *x = b->analytic + 2 * at, *y = x + 2 * lag;
    double re = 0, im = 0, first = 0, second = 0;
    for (int i = 0; i < 2 * window; i += 2) {
        re += (double)x[i] * y[i] + (double)x[i + 1] * y[i + 1];
        im += (double)x[i + 1] * y[i] - (double)x[i] * y[i + 1];
        first += (double)x[i] * x[i] + (double)x[i + 1] * x[i + 1];
        second += (double)y[i] * y[i] + (double)y[i + 1] * y[i + 1];
    }
    if (first <= 0 || second <= 0) return 0;
    double square = (re * re + im * im) / (first * second), chance = 1 / (width * WINDOW);
    return sqrt(fmax(0, (square - chance) / (1 - chance)));
}

/* Correlation of the envelope about its mean. */
static double envelope_periodicity(const bands *b, int at, int window, int lag) {
    const float *x = b->envelope + at, *y = x + lag;
    double mean_x = 0, mean_y = 0, product = 0, first = 0, second = 0;
    for (int i = 0; i < window; i++) {
        mean_x += x[i];
        mean_y += y[i];
    }
    mean_x /= window;
    mean_y /= window;
    for (int i = 0; i < window; i++) {
        double dx = x[i] - mean_x, dy = y[i] - mean_y;
        product += dx * dy;
        first += dx * dx;
        second += dy * dy;
    }
    return first > 0 && second > 0 ? fmax(0, product / sqrt(first * second)) : 0;
}

/* The aperiodicity of band `band` at sample `middle` of the piece. */
static float measure(const bands *b, int band, int middle, float f0) {
    int lag = (int)lrint(b->rate / (double)f0), window = (int)(WINDOW * b->rate);
    int at = middle - (window + lag) / 2;
    double top = PITCH_BAND_EDGES[band + 1];
    if (top > b->rate / 2.0) top = b->rate / 2.0;
    double periodicity = waveform_periodicity(b, at, window, lag, top - PITCH_BAND_EDGES[band]);
    if (band > 0) periodicity = fmax(periodicity, envelope_periodicity(b, at, window, lag));
    return (float)(1 - fmin(periodicity, 1));
}

/* Frames whose times lie in [begin, end) samples. */
static void frames_between(double first, double hop, double begin, double end, size_t n,
                           size_t *from, size_t *to) {
    double low = ceil((begin - first) / hop), high = ceil((end - first) / hop);
    *from = low < 0 ? 0 : low > (double)n ? n : (size_t)low;
    *to = high < 0 ? 0 : high > (double)n ? n : (size_t)high;
}

static lull_status measure_bands(bands *b, double first, double hop, const pitch_estimate *track,
                                 pitch_values *values, size_t n, lull_error *error) {
    for (b->size = 4096; b->size < b->rate / 6; b->size *= 2) {
    }
    lull_status status = mel_fft_pair_new(b->size, &b->transform, error);
    if (status) return status;
    b->spectrum = base_alloc((size_t)b->size + 2, sizeof *b->spectrum);
    b->analytic = base_alloc((size_t)b->size * 2, sizeof *b->analytic);
    b->envelope = base_alloc((size_t)b->size, sizeof *b->envelope);
    if (!b->spectrum || !b->analytic || !b->envelope) return base_no_memory(error);
    int quarter = b->size / 4;
    for (int64_t begin = 0; begin < (int64_t)b->count; begin += 2 * quarter) {
        size_t from, to;
        bool voiced = false;
        frames_between(first, hop, (double)begin, (double)(begin + 2 * quarter), n, &from, &to);
        for (size_t f = from; f < to; f++) voiced = voiced || track[f].f0 > 0;
        if (!voiced) continue;
        transform_piece(b, begin - quarter);
        for (int band = 0; band < PITCH_BANDS; band++) {
            if (PITCH_BAND_EDGES[band] + FADE >= b->rate / 2.0) break;
            filter_piece(b, band);
            for (size_t f = from; f < to; f++) {
                int middle = (int)(first + (double)f * hop - (double)begin) + quarter;
                if (track[f].f0 > 0)
                    values[f].aperiodicity[band] = measure(b, band, middle, track[f].f0);
            }
        }
    }
    return LULL_OK;
}

/* f0 through what is not voiced. */
static void bridge(const pitch_estimate *track, pitch_values *values, size_t n) {
    size_t before = SIZE_MAX;
    for (size_t f = 0; f < n;) {
        if (track[f].f0 > 0) {
            values[f].f0 = track[f].f0;
            before = f++;
            continue;
        }
        size_t end = f;
        while (end < n && track[end].f0 <= 0) end++;
        float left = before != SIZE_MAX ? track[before].f0 : end < n ? track[end].f0 : UNKNOWN_F0;
        float right = end < n ? track[end].f0 : left;
        for (size_t gap = end - f + 1, i = 1; f < end; f++, i++)
            values[f].f0 = left * powf(right / left, (float)i / (float)gap);
    }
}

lull_status pitch_label(const float *signal, size_t count, int rate, double first, double hop,
                        pitch_values *values, size_t n, lull_error *error) {
    pitch_estimate *track = base_alloc(n, sizeof *track);
    bands b = {.signal = signal, .count = count, .rate = rate};
    lull_status status = track ? pitch_track(signal, count, rate, first, hop, track, n, error)
                               : base_no_memory(error);
    for (size_t f = 0; !status && f < n; f++) {
        values[f].voicing = track[f].f0 > 0;
        for (int band = 0; band < PITCH_BANDS; band++) values[f].aperiodicity[band] = 1;
    }
    if (!status) bridge(track, values, n);
    if (!status) status = measure_bands(&b, first, hop, track, values, n, error);
    mel_fft_pair_free(b.transform);
    base_free(b.spectrum);
    base_free(b.analytic);
    base_free(b.envelope);
    base_free(track);
    return status;
}
