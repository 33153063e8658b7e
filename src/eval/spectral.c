/* Distances between magnitude spectra: see spectral.h. */
#include "eval/spectral.h"

#include <math.h>

#include "base/error.h"
#include "base/memory.h"
#include "mel/fft.h"
#include "mel/front_end.h"

/* A transform with its window in the middle of the frame. */
typedef struct analysis {
    fft *transform;
    float *window;
    int n_fft, length, hop;
} analysis;

static void analysis_free(analysis *a) {
    fft_free(a->transform);
    base_free(a->window);
}

static lull_status analysis_new(int n_fft, int length, int hop, analysis *a, lull_error *error) {
    *a = (analysis){NULL, base_alloc((size_t)n_fft, sizeof(float)), n_fft, length, hop};
    if (!a->window) return base_no_memory(error);
    for (int i = 0; i < length; i++)
        a->window[(n_fft - length) / 2 + i] = (float)(0.5 - 0.5 * cos(2 * M_PI * i / length));
    return fft_new(n_fft, &a->transform, error);
}

static size_t analysis_frames(const analysis *a, size_t count) {
    return count < (size_t)a->n_fft ? 1 : 1 + (count - (size_t)a->n_fft) / (size_t)a->hop;
}

/* Magnitudes of frame f; what lies behind the signal is 0. */
static void analysis_magnitudes(const analysis *a, const float *signal, size_t count, size_t f,
                                float *magnitude) {
    size_t first = f * (size_t)a->hop;
    for (int i = 0; i < a->n_fft; i++) {
        size_t at = first + (size_t)i;
        a->transform->real[i] = at < count ? signal[at] * a->window[i] : 0;
    }
    fft_forward(a->transform);
    for (int k = 0; k < a->transform->bins; k++)
        magnitude[k] = hypotf(a->transform->spectrum[2 * k], a->transform->spectrum[2 * k + 1]);
}

lull_status spectral_log_distance(const float *a, const float *b, size_t count, int n_fft,
                                  double *distance, lull_error *error) {
    analysis analysis_;
    lull_status status = analysis_new(n_fft, n_fft, n_fft / 4, &analysis_, error);
    int bins = n_fft / 2 + 1;
    float *spectra = base_alloc(2 * (size_t)bins, sizeof(float));
    if (status == LULL_OK && !spectra) status = base_no_memory(error);
    if (status == LULL_OK) {
        const float scale = 4.0f / (float)n_fft, floor_ = 1e-5f;
        size_t frames = analysis_frames(&analysis_, count);
        double sum = 0;
        for (size_t f = 0; f < frames; f++) {
            analysis_magnitudes(&analysis_, a, count, f, spectra);
            analysis_magnitudes(&analysis_, b, count, f, spectra + bins);
            for (int k = 0; k < bins; k++)
                sum += fabs(log((double)fmaxf(scale * spectra[k], floor_)) -
                            log((double)fmaxf(scale * spectra[bins + k], floor_)));
        }
        *distance = sum / ((double)frames * bins);
    }
    base_free(spectra);
    analysis_free(&analysis_);
    return status;
}

/* One resolution of the multi-resolution distance. */
static lull_status one_resolution(const float *a, const float *b, size_t count, int n_fft, int hop,
                                  int window, double *distance, lull_error *error) {
    analysis analysis_;
    lull_status status = analysis_new(n_fft, window, hop, &analysis_, error);
    int bins = n_fft / 2 + 1;
    float *spectra = base_alloc(2 * (size_t)bins, sizeof(float));
    if (status == LULL_OK && !spectra) status = base_no_memory(error);
    if (status == LULL_OK) {
        size_t frames = analysis_frames(&analysis_, count);
        double difference = 0, energy = 0, logarithms = 0;
        for (size_t f = 0; f < frames; f++) {
            analysis_magnitudes(&analysis_, a, count, f, spectra);
            analysis_magnitudes(&analysis_, b, count, f, spectra + bins);
            for (int k = 0; k < bins; k++) {
                double x = fmax(spectra[k], 1e-5), y = fmax(spectra[bins + k], 1e-5);
                difference += (x - y) * (x - y);
                energy += x * x;
                logarithms += fabs(log(x) - log(y));
            }
        }
        *distance = sqrt(difference / energy) + logarithms / ((double)frames * bins);
    }
    base_free(spectra);
    analysis_free(&analysis_);
    return status;
}

lull_status spectral_multi_resolution(const float *a, const float *b, size_t count,
                                      double *distance, lull_error *error) {
    static const int resolutions[3][3] = {{512, 50, 240}, {1024, 120, 600}, {2048, 240, 1200}};
    *distance = 0;
    for (int i = 0; i < 3; i++) {
        double one = 0;
        lull_status status = one_resolution(a, b, count, resolutions[i][0], resolutions[i][1],
                                            resolutions[i][2], &one, error);
        if (status != LULL_OK) return status;
        *distance += one / 3;
    }
    return LULL_OK;
}

lull_status spectral_mel_distance(const float *a, const float *b, size_t count, int rate,
                                  double *distance, lull_error *error) {
    mel_convention convention;
    float *mel_a = NULL, *mel_b = NULL;
    size_t n = 0;
    lull_status status = mel_convention_named("hifigan", rate, &convention, error);
    if (status == LULL_OK) status = mel_from_samples(&convention, a, count, &mel_a, &n, error);
    if (status == LULL_OK) status = mel_from_samples(&convention, b, count, &mel_b, &n, error);
    if (status == LULL_OK) {
        size_t values = n * (size_t)convention.bands;
        double sum = 0;
        for (size_t i = 0; i < values; i++) sum += fabs((double)mel_a[i] - mel_b[i]);
        *distance = values ? sum / (double)values : NAN;
    }
    base_free(mel_a);
    base_free(mel_b);
    return status;
}
