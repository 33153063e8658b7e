/* Distances between magnitude spectra: see spectral.h. */
#include "eval/spectral.h"

#include <math.h>

#include "base/error.h"
#include "base/memory.h"
#include "mel/front_end.h"
#include "mel/stft.h"

/* Frames from the first sample on; what lies behind the end of a short signal is 0. */
typedef struct analysis {
    mel_stft *stft;
    float *segment, *a, *b; /* magnitudes of the two signals */
} analysis;

static void analysis_free(analysis *a) {
    mel_stft_free(a->stft);
    base_free(a->segment);
    base_free(a->a);
    base_free(a->b);
}

static lull_status analysis_new(int n_fft, int window, int hop, analysis *a, lull_error *error) {
    const mel_stft_grid grid = {.size = n_fft, .window = window, .hop = hop};
    *a = (analysis){0};
    lull_status status = mel_stft_new(&grid, MEL_STFT_FAST, &a->stft, error);
    if (status) return status;
    a->segment = base_alloc((size_t)n_fft, sizeof(float));
    a->a = base_alloc((size_t)a->stft->bins, sizeof(float));
    a->b = base_alloc((size_t)a->stft->bins, sizeof(float));
    return a->segment && a->a && a->b ? LULL_OK : base_no_memory(error);
}

static size_t analysis_frames(const analysis *a, size_t count) {
    size_t frames = mel_stft_frames(a->stft, count);
    return frames ? frames : 1;
}

static void analysis_magnitudes(analysis *a, const float *signal, size_t count, size_t f,
                                float *magnitude) {
    mel_stft_cut(a->stft, signal, count, mel_stft_begin(a->stft, (int64_t)f), false, a->segment);
    mel_stft_analyse(a->stft, a->segment);
    a->stft->kernels->magnitude(a->stft->spectrum, 0, magnitude, a->stft->bins);
}

lull_status eval_spectral_log_distance(const float *a, const float *b, size_t count, int n_fft,
                                       double *distance, lull_error *error) {
    analysis analysis_;
    lull_status status = analysis_new(n_fft, n_fft, n_fft / 4, &analysis_, error);
    int bins = n_fft / 2 + 1;
    if (status == LULL_OK) {
        const float scale = 4.0f / (float)n_fft, floor_ = 1e-5f;
        size_t frames = analysis_frames(&analysis_, count);
        double sum = 0;
        for (size_t f = 0; f < frames; f++) {
            analysis_magnitudes(&analysis_, a, count, f, analysis_.a);
            analysis_magnitudes(&analysis_, b, count, f, analysis_.b);
            for (int k = 0; k < bins; k++)
                sum += fabs(log((double)fmaxf(scale * analysis_.a[k], floor_)) -
                            log((double)fmaxf(scale * analysis_.b[k], floor_)));
        }
        *distance = sum / ((double)frames * bins);
    }
    analysis_free(&analysis_);
    return status;
}

/* One resolution of the multi-resolution distance. */
static lull_status one_resolution(const float *a, const float *b, size_t count, int n_fft, int hop,
                                  int window, double *distance, lull_error *error) {
    analysis analysis_;
    lull_status status = analysis_new(n_fft, window, hop, &analysis_, error);
    int bins = n_fft / 2 + 1;
    if (status == LULL_OK) {
        size_t frames = analysis_frames(&analysis_, count);
        double difference = 0, energy = 0, logarithms = 0;
        for (size_t f = 0; f < frames; f++) {
            analysis_magnitudes(&analysis_, a, count, f, analysis_.a);
            analysis_magnitudes(&analysis_, b, count, f, analysis_.b);
            for (int k = 0; k < bins; k++) {
                double x = fmax(analysis_.a[k], 1e-5), y = fmax(analysis_.b[k], 1e-5);
                difference += (x - y) * (x - y);
                energy += x * x;
                logarithms += fabs(log(x) - log(y));
            }
        }
        *distance = sqrt(difference / energy) + logarithms / ((double)frames * bins);
    }
    analysis_free(&analysis_);
    return status;
}

lull_status eval_spectral_multi_resolution(const float *a, const float *b, size_t count,
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

lull_status eval_spectral_mel_distance(const float *a, const float *b, size_t count, int rate,
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
