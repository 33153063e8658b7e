/* Losses of a crop: see loss.h. */
#include "train/loss.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "mel/fft.h"

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

/* ---- multi-resolution STFT ---------------------------------------------------------------- */

enum { RESOLUTIONS = 3 };

typedef struct resolution {
    fft *transform;
    int window_length, hop;
    size_t frames;
    float *window;    /* Hann, centred in the transform */
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
    lull_status status = fft_new(size, &r->transform, error);
    if (status) return status;
    r->window_length = window_length;
    r->hop = hop;
    r->frames = length >= (size_t)size ? (length - (size_t)size) / (size_t)hop + 1 : 0;
    size_t cells = r->frames * (size_t)r->transform->bins;
    r->window = base_alloc((size_t)size, sizeof(float));
    r->spectrum = base_alloc(cells * 2, sizeof(float));
    r->magnitude = base_alloc(cells, sizeof(float));
    if (!r->window || !r->spectrum || !r->magnitude) return base_no_memory(error);
    int before = (size - window_length) / 2;
    for (int i = 0; i < window_length; i++)
        r->window[before + i] = (float)(0.5 - 0.5 * cos(6.283185307179586 * i / window_length));
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
        fft_free(loss->resolutions[i].transform);
        base_free(loss->resolutions[i].window);
        base_free(loss->resolutions[i].spectrum);
        base_free(loss->resolutions[i].magnitude);
    }
    base_free(loss);
}

static void transform_frame(const resolution *r, const float *signal, size_t frame) {
    const float *from = signal + frame * (size_t)r->hop;
    for (int i = 0; i < r->transform->size; i++) r->transform->real[i] = from[i] * r->window[i];
    fft_forward(r->transform);
}

/* As a float, which is how the target's are kept: equal spectra are then exactly equal. */
static float magnitude_of(const float *cell) {
    return (float)sqrt((double)cell[0] * cell[0] + (double)cell[1] * cell[1] + POWER_FLOOR);
}

/* Both spectra, and the three norms that the loss is made of. */
static void analyse(resolution *r, const float *u, const float *target, double *difference,
                    double *norm, double *log_difference) {
    size_t bins = (size_t)r->transform->bins;
    *difference = *norm = *log_difference = 0.0;
    for (size_t f = 0; f < r->frames; f++) {
        float *magnitude = r->magnitude + f * bins, *spectrum = r->spectrum + f * bins * 2;
        transform_frame(r, target, f);
        for (size_t k = 0; k < bins; k++)
            magnitude[k] = magnitude_of(r->transform->spectrum + 2 * k);
        transform_frame(r, u, f);
        memcpy(spectrum, r->transform->spectrum, bins * 2 * sizeof(float));
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

/* The gradient by the samples is the transform's adjoint of the gradient by the spectrum. With an
 * un-normalised complex-to-real transform, interior bins count twice: they enter with half. */
static void add_gradient(resolution *r, double by_convergence, double by_log, float *du) {
    size_t bins = (size_t)r->transform->bins;
    for (size_t f = 0; f < r->frames; f++) {
        const float *magnitude = r->magnitude + f * bins, *spectrum = r->spectrum + f * bins * 2;
        for (size_t k = 0; k < bins; k++) {
            double ours = magnitude_of(spectrum + 2 * k), theirs = magnitude[k];
            double by_magnitude = by_convergence * (ours - theirs);
            if (ours > theirs) by_magnitude += by_log / ours;
            if (ours < theirs) by_magnitude -= by_log / ours;
            double scale = by_magnitude / ours * (k == 0 || k + 1 == bins ? 1.0 : 0.5);
            r->transform->spectrum[2 * k] = (float)(scale * spectrum[2 * k]);
            r->transform->spectrum[2 * k + 1] = (float)(scale * spectrum[2 * k + 1]);
        }
        fft_inverse(r->transform);
        float *to = du + f * (size_t)r->hop;
        for (int i = 0; i < r->transform->size; i++) to[i] += r->transform->real[i] * r->window[i];
    }
}

double train_stft_loss_run(train_stft_loss *loss, const float *u, const float *target,
                           double weight, float *du) {
    double total = 0.0, part = weight / RESOLUTIONS;
    for (int i = 0; i < RESOLUTIONS; i++) {
        resolution *r = &loss->resolutions[i];
        double difference, norm, log_difference;
        analyse(r, u, target, &difference, &norm, &log_difference);
        double cells = (double)r->frames * r->transform->bins;
        total += part * (difference / norm + log_difference / cells);
        double by_convergence = difference > 0.0 ? part / (difference * norm) : 0.0;
        add_gradient(r, by_convergence, part / cells, du);
    }
    return total;
}
