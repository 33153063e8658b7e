/* Losses of a crop: see loss.h. */
#include "train/loss.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/low_pass.h"
#include "base/memory.h"
#include "mel/stft.h"

double train_loss_l2(const float *u, const float *target, size_t n, float *du) {
    double sum = 0.0;
    float scale = 2.0f / (float)n;
    for (size_t i = 0; i < n; i++) {
        float difference = u[i] - target[i];
        sum += (double)difference * difference;
        du[i] = scale * difference;
    }
    return sum / (double)n;
}

double train_loss_l1(const float *u, const float *target, size_t n, float *du) {
    double sum = 0.0;
    float scale = 1.0f / (float)n;
    for (size_t i = 0; i < n; i++) {
        float difference = u[i] - target[i];
        sum += fabs((double)difference);
        du[i] = difference > 0.0f ? scale : difference < 0.0f ? -scale : 0.0f;
    }
    return sum / (double)n;
}

/* ---- below a frequency -------------------------------------------------------------------- */

static const float ALL_BANDS = 0.01f; /* what the error over all frequencies counts */

struct train_band_loss {
    size_t length, half;
    float *taps;
    float *error, *low; /* half zeros on both sides */
};

lull_status train_band_loss_new(int sample_rate, double hertz, size_t length,
                                train_band_loss **result, lull_error *error) {
    *result = NULL;
    train_band_loss *loss = base_alloc(1, sizeof *loss);
    if (loss == NULL) return base_no_memory(error);
    loss->length = length;
    loss->half = (size_t)low_pass_half(sample_rate);
    loss->taps = base_alloc(2 * loss->half + 1, sizeof(float));
    loss->error = base_alloc(length + 2 * loss->half, sizeof(float));
    loss->low = base_alloc(length + 2 * loss->half, sizeof(float));
    if (!loss->taps || !loss->error || !loss->low) {
        train_band_loss_free(loss);
        return base_no_memory(error);
    }
    low_pass_design(hertz / sample_rate, (int)loss->half, loss->taps);
    *result = loss;
    return LULL_OK;
}

void train_band_loss_free(train_band_loss *loss) {
    if (loss == NULL) return;
    base_free(loss->taps);
    base_free(loss->error);
    base_free(loss->low);
    base_free(loss);
}

/* out[i] = Σ taps[k] · in[i + k]; the taps are symmetric, so this is its own adjoint. */
static void filter(const train_band_loss *loss, const float *in, float *restrict out) {
    memset(out, 0, loss->length * sizeof *out);
    for (size_t k = 0; k <= 2 * loss->half; k++) {
        const float tap = loss->taps[k];
        const float *restrict x = in + k;
        for (size_t i = 0; i < loss->length; i++) out[i] += tap * x[i];
    }
}

double train_band_loss_run(train_band_loss *loss, const float *u, const float *target, float *du) {
    const size_t n = loss->length;
    float *error = loss->error + loss->half, *low = loss->low + loss->half;
    double below = 0, all = 0;
    for (size_t i = 0; i < n; i++) error[i] = u[i] - target[i];
    filter(loss, loss->error, low);
    for (size_t i = 0; i < n; i++) below += (double)low[i] * low[i];
    filter(loss, loss->low, du);
    for (size_t i = 0; i < n; i++) {
        all += (double)error[i] * error[i];
        du[i] = 2.0f / (float)n * (du[i] + ALL_BANDS * error[i]);
    }
    return (below + (double)ALL_BANDS * all) / (double)n;
}

/* ---- multi-resolution STFT ---------------------------------------------------------------- */

enum { RESOLUTIONS = 3 };

typedef struct resolution {
    mel_stft *stft;
    size_t frames;
    float *made;      /* one frame */
    float *spectrum;  /* frames × bins × (re, im) of u */
    float *magnitude; /* frames × bins of the target */
} resolution;

struct train_stft_loss {
    size_t length;
    resolution resolutions[RESOLUTIONS];
};

/* Added to the power, so that the root and the logarithm have gradients everywhere. */
static const double POWER_FLOOR = 1e-7;

static lull_status resolution_new(resolution *r, int size, int window_length, int hop,
                                  size_t length, lull_error *error) {
    const mel_stft_grid grid = {.size = size, .window = window_length, .hop = hop};
    lull_status status = mel_stft_new(&grid, MEL_STFT_FAST, &r->stft, error);
    if (status) return status;
    r->frames = mel_stft_frames(r->stft, length);
    size_t cells = r->frames * (size_t)r->stft->bins;
    r->made = base_alloc((size_t)size, sizeof(float));
    r->spectrum = base_alloc(cells * 2, sizeof(float));
    r->magnitude = base_alloc(cells, sizeof(float));
    if (!r->made || !r->spectrum || !r->magnitude) return base_no_memory(error);
    return LULL_OK;
}

lull_status train_stft_loss_new(int sample_rate, size_t length, train_stft_loss **result,
                                lull_error *error) {
    static const int windows[RESOLUTIONS] = {600, 1200, 240}, hops[RESOLUTIONS] = {120, 240, 50};
    train_stft_loss *loss = base_alloc(1, sizeof *loss);
    *result = NULL;
    if (loss == NULL) return base_no_memory(error);
    loss->length = length;
    lull_status status = LULL_OK;
    for (int i = 0; i < RESOLUTIONS && !status; i++) {
        int window = (int)lround(windows[i] * (double)sample_rate / 24000.0);
        int hop = (int)lround(hops[i] * (double)sample_rate / 24000.0), size = 2;
        while (size < window) size *= 2;
        status =
            resolution_new(&loss->resolutions[i], size, window, hop > 0 ? hop : 1, length, error);
        if (!status && loss->resolutions[i].frames == 0)
            status = base_fail(
                error, LULL_INVALID,
                "crops of %zu samples are too short for the STFT loss, which needs %d: raise "
                "--crop-frames",
                length, size);
    }
    if (status) {
        train_stft_loss_free(loss);
        return status;
    }
    *result = loss;
    return LULL_OK;
}

void train_stft_loss_free(train_stft_loss *loss) {
    if (loss == NULL) return;
    for (int i = 0; i < RESOLUTIONS; i++) {
        mel_stft_free(loss->resolutions[i].stft);
        base_free(loss->resolutions[i].made);
        base_free(loss->resolutions[i].spectrum);
        base_free(loss->resolutions[i].magnitude);
    }
    base_free(loss);
}

/* As a float, which is how the target's are kept: equal spectra are then exactly equal. */
static float magnitude_of(const float *cell) {
    return (float)sqrt((double)cell[0] * cell[0] + (double)cell[1] * cell[1] + POWER_FLOOR);
}

/* Both spectra, and the three norms that the loss is made of. */
static void analyse(resolution *r, const float *u, const float *target, double *difference,
                    double *norm, double *log_difference) {
    size_t bins = (size_t)r->stft->bins;
    *difference = *norm = *log_difference = 0.0;
    for (size_t f = 0; f < r->frames; f++) {
        float *magnitude = r->magnitude + f * bins, *spectrum = r->spectrum + f * bins * 2;
        const int64_t begin = mel_stft_begin(r->stft, (int64_t)f);
        mel_stft_analyse(r->stft, target + begin);
        for (size_t k = 0; k < bins; k++) magnitude[k] = magnitude_of(r->stft->spectrum + 2 * k);
        mel_stft_analyse(r->stft, u + begin);
        memcpy(spectrum, r->stft->spectrum, bins * 2 * sizeof(float));
        for (size_t k = 0; k < bins; k++) {
            double ours = magnitude_of(spectrum + 2 * k), theirs = magnitude[k];
            *difference += (theirs - ours) * (theirs - ours);
            *norm += theirs * theirs;
            *log_difference += fabs(log(theirs) - log(ours));
        }
    }
    *difference = sqrt(*difference);
    *norm = sqrt(*norm);
}

/* The gradient by the samples is the analysis's adjoint of the gradient by the spectrum: synthesis,
 * which divides by the transform's size and counts interior bins twice. */
static void add_gradient(resolution *r, double by_convergence, double by_log, float *du) {
    size_t bins = (size_t)r->stft->bins;
    for (size_t f = 0; f < r->frames; f++) {
        const float *magnitude = r->magnitude + f * bins, *spectrum = r->spectrum + f * bins * 2;
        for (size_t k = 0; k < bins; k++) {
            double ours = magnitude_of(spectrum + 2 * k), theirs = magnitude[k];
            double by_magnitude = by_convergence * (ours - theirs);
            if (ours > theirs) by_magnitude += by_log / ours;
            if (ours < theirs) by_magnitude -= by_log / ours;
            double scale =
                by_magnitude / ours * r->stft->grid.size * (k == 0 || k + 1 == bins ? 1.0 : 0.5);
            r->stft->spectrum[2 * k] = (float)(scale * spectrum[2 * k]);
            r->stft->spectrum[2 * k + 1] = (float)(scale * spectrum[2 * k + 1]);
        }
        mel_stft_synthesise(r->stft, r->made);
        r->stft->kernels->add(r->made, du + mel_stft_begin(r->stft, (int64_t)f),
                              r->stft->grid.size);
    }
}

double train_stft_loss_run(train_stft_loss *loss, const float *u, const float *target,
                           double weight, float *du) {
    double total = 0.0, part = weight / RESOLUTIONS;
    for (int i = 0; i < RESOLUTIONS; i++) {
        resolution *r = &loss->resolutions[i];
        double difference, norm, log_difference;
        analyse(r, u, target, &difference, &norm, &log_difference);
        double cells = (double)r->frames * r->stft->bins;
        total += part * (difference / norm + log_difference / cells);
        double by_convergence = difference > 0.0 ? part / (difference * norm) : 0.0;
        add_gradient(r, by_convergence, part / cells, du);
    }
    return total;
}
