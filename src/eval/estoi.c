/* Extended short-time objective intelligibility: see estoi.h. */
#include "eval/estoi.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "recording/resample.h"
#include "mel/fft.h"
#include "mel/window.h"

enum { RATE = 10000, FRAME = 256, HOP = 128, SIZE = 512, BANDS = 15, SEGMENT = 30 };

static const double LOWEST_BAND = 150, RANGE_DB = 40, TINY = 2.2e-16;

/* The authors' window: Hann's without its zero, ½ − ½·cos(2π(i + 1)/(FRAME + 1)). */
static void fill_window(float *window) {
    float hann[FRAME + 1];
    mel_window_hann(FRAME + 1, hann);
    memcpy(window, hann + 1, FRAME * sizeof *window);
}

/* Frames that begin before the last FRAME samples: as in the authors' program, one that ends with
 * the signal is left out. */
static size_t frames_in(size_t count) {
    return count > FRAME ? (count - FRAME - 1) / HOP + 1 : 0;
}

/* Keeps the frames of both signals whose reference is loud enough, overlap-added closely again;
 * returns the new number of samples. */
static size_t remove_silence(const float *window, const float *x, const float *y, size_t count,
                             float *x_out, float *y_out, double *levels) {
    size_t frames = frames_in(count), kept = 0;
    double loudest = -INFINITY;
    for (size_t f = 0; f < frames; f++) {
        double sum = 0;
        for (int i = 0; i < FRAME; i++) {
            double v = (double)window[i] * x[f * HOP + (size_t)i];
            sum += v * v;
        }
        levels[f] = 20 * log10(sqrt(sum) + TINY);
        loudest = fmax(loudest, levels[f]);
    }
    for (size_t f = 0; f < frames; f++) {
        if (levels[f] <= loudest - RANGE_DB) continue;
        for (int i = 0; i < FRAME; i++) {
            x_out[kept * HOP + (size_t)i] += window[i] * x[f * HOP + (size_t)i];
            y_out[kept * HOP + (size_t)i] += window[i] * y[f * HOP + (size_t)i];
        }
        kept++;
    }
    return kept ? (kept - 1) * HOP + FRAME : 0;
}

/* First and one-past-last transform bin of third-octave band b. */
static void band_edges(int b, int *low, int *high) {
    double centre = LOWEST_BAND * pow(2, b / 3.0);
    *low = (int)lround(centre * pow(2, -1 / 6.0) * SIZE / RATE);
    *high = (int)lround(centre * pow(2, 1 / 6.0) * SIZE / RATE);
}

/* BANDS magnitudes of every frame. */
static void bands_of(mel_fft *transform, const float *window, const float *signal, size_t frames,
                     double *bands) {
    for (size_t f = 0; f < frames; f++) {
        memset(transform->real, 0, SIZE * sizeof(float));
        for (int i = 0; i < FRAME; i++)
            transform->real[i] = window[i] * signal[f * HOP + (size_t)i];
        mel_fft_forward(transform);
        for (int b = 0; b < BANDS; b++) {
            int low, high;
            double power = 0;
            band_edges(b, &low, &high);
            for (int k = low; k < high; k++) {
                double re = transform->spectrum[2 * k], im = transform->spectrum[2 * k + 1];
                power += re * re + im * im;
            }
            bands[f * BANDS + (size_t)b] = sqrt(power);
        }
    }
}

/* Zero mean and unit norm of n values `stride` apart. */
static void normalize(double *values, int n, int stride) {
    double mean = 0, norm = 0;
    for (int i = 0; i < n; i++) mean += values[i * stride] / n;
    for (int i = 0; i < n; i++) {
        values[i * stride] -= mean;
        norm += values[i * stride] * values[i * stride];
    }
    norm = sqrt(norm) + TINY;
    for (int i = 0; i < n; i++) values[i * stride] /= norm;
}

/* Segment (frame, band): every band over time first, then every frame over bands. */
static void normalize_segment(const double *bands, double *segment) {
    memcpy(segment, bands, SEGMENT * BANDS * sizeof(double));
    for (int b = 0; b < BANDS; b++) normalize(segment + b, SEGMENT, BANDS);
    for (int f = 0; f < SEGMENT; f++) normalize(segment + f * BANDS, BANDS, 1);
}

static double mean_correlation(const double *x, const double *y, size_t frames) {
    if (frames < SEGMENT) return NAN;
    size_t segments = frames - SEGMENT + 1;
    double sum = 0;
    for (size_t m = 0; m < segments; m++) {
        double a[SEGMENT * BANDS], b[SEGMENT * BANDS];
        normalize_segment(x + m * BANDS, a);
        normalize_segment(y + m * BANDS, b);
        for (int i = 0; i < SEGMENT * BANDS; i++) sum += a[i] * b[i] / SEGMENT;
    }
    return sum / (double)segments;
}

static lull_status at_10_khz(const float *x, const float *y, size_t count, double *score,
                             lull_error *error) {
    float window[FRAME];
    mel_fft *transform = NULL;
    float *x_kept = base_alloc(count + FRAME, sizeof(float));
    float *y_kept = base_alloc(count + FRAME, sizeof(float));
    size_t most = count / HOP + 1;
    double *levels = base_alloc(most, sizeof(double));
    double *x_bands = base_alloc(most * BANDS, sizeof(double));
    double *y_bands = base_alloc(most * BANDS, sizeof(double));
    lull_status status = mel_fft_new(SIZE, MEL_FFT_FAST, &transform, error);
    if (status == LULL_OK && (!x_kept || !y_kept || !levels || !x_bands || !y_bands))
        status = base_no_memory(error);
    if (status == LULL_OK) {
        fill_window(window);
        size_t kept = remove_silence(window, x, y, count, x_kept, y_kept, levels);
        size_t frames = frames_in(kept);
        bands_of(transform, window, x_kept, frames, x_bands);
        bands_of(transform, window, y_kept, frames, y_bands);
        *score = mean_correlation(x_bands, y_bands, frames);
    }
    mel_fft_free(transform);
    base_free(x_kept);
    base_free(y_kept);
    base_free(levels);
    base_free(x_bands);
    base_free(y_bands);
    return status;
}

lull_status eval_estoi(const float *reference, const float *output, size_t count, int rate,
                       double *score, lull_error *error) {
    float *x = NULL, *y = NULL;
    size_t nx = 0, ny = 0;
    lull_status status = recording_resample(reference, count, rate, RATE, &x, &nx, error);
    if (status == LULL_OK) status = recording_resample(output, count, rate, RATE, &y, &ny, error);
    if (status == LULL_OK) status = at_10_khz(x, y, nx < ny ? nx : ny, score, error);
    base_free(x);
    base_free(y);
    return status;
}
