/* Fast Griffin-Lim (Perraudin, Balazs & Søndergaard 2013): the classical baseline. */
#include "mel/griffin_lim.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"
#include "mel/compression.h"
#include "mel/filterbank.h"
#include "mel/overlap.h"

#include <math.h>
#include <string.h>

typedef struct griffin {
    const mel_convention *convention;
    mel_filterbank *filterbank;
    mel_stft *stft;
    mel_overlap *overlap;
    float *segment;
    size_t n, count, bins;
    float *magnitude; /* [n, bins] wanted */
    float *projected; /* [n, bins, 2] the spectra of the last consistent signal */
    float *current;   /* [n, bins, 2] those that the next signal is made of */
    float *signal;    /* [count] */
} griffin;

static void griffin_clear(griffin *g) {
    mel_filterbank_free(g->filterbank);
    mel_overlap_free(g->overlap);
    mel_stft_free(g->stft);
    base_free(g->segment);
    base_free(g->magnitude);
    base_free(g->projected);
    base_free(g->current);
    base_free(g->signal);
}

static float weight_at(const mel_filterbank *f, int b, int k) {
    const int i = k - f->start[b];
    return i < 0 || i >= f->count[b] ? 0 : f->weights[f->offset[b] + i];
}

/* Σ over bins of the weights of bands a and b. */
static double product_of(const mel_filterbank *f, int a, int b) {
    double sum = 0;
    for (int i = 0; i < f->count[a]; i++)
        sum += (double)f->weights[f->offset[a] + i] * (double)weight_at(f, b, f->start[a] + i);
    return sum;
}

/* The pseudo-inverse of the filterbank W is Wᵀ(WWᵀ)⁻¹, and WWᵀ has three diagonals, because a
 * filter overlaps with its neighbours alone: y = (WWᵀ)⁻¹m by elimination, then magnitudes Wᵀy. A
 * band that adds nothing to the others (empty, or the same bins as its neighbour) is left out. */
static void invert(const mel_filterbank *f, const double *mel, float *magnitude) {
    double pivot[MEL_MAX_BANDS] = {0}, above[MEL_MAX_BANDS] = {0}, y[MEL_MAX_BANDS] = {0};
    const int bands = f->bands;
    for (int b = 0; b < bands; b++) {
        const double diagonal = product_of(f, b, b);
        above[b] = b + 1 < bands ? product_of(f, b, b + 1) : 0;
        pivot[b] = diagonal;
        y[b] = mel[b];
        if (b > 0 && pivot[b - 1] > 0) {
            const double factor = above[b - 1] / pivot[b - 1];
            pivot[b] -= factor * above[b - 1];
            y[b] -= factor * y[b - 1];
        }
        if (pivot[b] <= 1e-9 * diagonal) pivot[b] = 0;
    }
    for (int b = bands - 1; b >= 0; b--) {
        const double next = b + 1 < bands ? above[b] * y[b + 1] : 0;
        y[b] = pivot[b] > 0 ? (y[b] - next) / pivot[b] : 0;
    }
    double sum[MEL_MAX_FFT / 2 + 1] = {0};
    for (int b = 0; b < bands; b++)
        for (int i = 0; i < f->count[b]; i++)
            sum[f->start[b] + i] += y[b] * (double)f->weights[f->offset[b] + i];
    for (int k = 0; k < f->bins; k++) magnitude[k] = (float)fmax(sum[k], 1e-5);
}

static void fill_magnitudes(griffin *g, const float *frames) {
    float logs[MEL_MAX_BANDS];
    double mel[MEL_MAX_BANDS] = {0};
    const size_t bands = (size_t)g->convention->bands;
    for (size_t f = 0; f < g->n; f++) {
        mel_to_natural_log(g->convention, frames + f * bands, logs);
        /* Of powers, what amplitudes of the same envelope would have given. */
        const double power = g->convention->power;
        for (size_t b = 0; b < bands; b++) {
            const double sum = g->filterbank->log_sum[b];
            mel[b] = exp(power > 1 ? ((double)logs[b] - sum) / power + sum : (double)logs[b]);
        }
        invert(g->filterbank, mel, g->magnitude + f * g->bins);
    }
}

static lull_status griffin_init(griffin *g, const mel_convention *convention, size_t n,
                                lull_error *error) {
    lull_status status = mel_convention_check(convention, error);
    if (status) return status;
    g->convention = convention;
    g->n = n;
    g->bins = (size_t)convention->n_fft / 2 + 1;
    if (n > SIZE_MAX / (size_t)convention->hop)
        return base_fail(error, LULL_INVALID, "%zu frames of %d samples do not fit into memory", n,
                         convention->hop);
    g->count = n * (size_t)convention->hop;
    if ((status = mel_filterbank_new(convention, &g->filterbank, error))) return status;
    const mel_stft_grid grid = mel_stft_grid_of(convention);
    if ((status = mel_stft_new(&grid, MEL_STFT_FAST, &g->stft, error))) return status;
    if ((status = mel_overlap_new(g->stft, g->count, &g->overlap, error))) return status;
    g->segment = base_alloc((size_t)convention->n_fft, sizeof(float));
    g->magnitude = base_alloc(n, g->bins * sizeof(float));
    g->projected = base_alloc(n, 2 * g->bins * sizeof(float));
    g->current = base_alloc(n, 2 * g->bins * sizeof(float));
    g->signal = base_alloc(g->count, sizeof(float));
    if (!g->segment || !g->magnitude || !g->projected || !g->current || !g->signal)
        return base_no_memory(error);
    return LULL_OK;
}

/* current → signal: spectra with the wanted magnitudes and current's phases, overlap-added. */
static void to_signal(griffin *g) {
    mel_overlap_reset(g->overlap);
    for (size_t f = 0; f < g->n; f++) {
        const float *spectrum = g->current + 2 * f * g->bins, *wanted = g->magnitude + f * g->bins;
        float *made = g->stft->spectrum;
        for (size_t k = 0; k < g->bins; k++) {
            const float re = spectrum[2 * k], im = spectrum[2 * k + 1];
            const float gain = wanted[k] / sqrtf(re * re + im * im + 1e-30f);
            made[2 * k] = re * gain;
            made[2 * k + 1] = im * gain;
        }
        mel_stft_synthesise(g->stft, g->segment);
        mel_overlap_add(g->overlap, mel_stft_begin(g->stft, (int64_t)f), g->segment);
    }
    mel_overlap_read(g->overlap, 0, g->count, g->signal);
}

/* signal → its spectra c; current = c + momentum·(c − the spectra before). */
static void to_spectra(griffin *g, float momentum) {
    for (size_t f = 0; f < g->n; f++) {
        mel_stft_cut(g->stft, g->signal, g->count, mel_stft_begin(g->stft, (int64_t)f), false,
                     g->segment);
        mel_stft_analyse(g->stft, g->segment);
        float *projected = g->projected + 2 * f * g->bins, *current = g->current + 2 * f * g->bins;
        for (size_t k = 0; k < 2 * g->bins; k++) {
            const float c = g->stft->spectrum[k];
            current[k] = c + momentum * (c - projected[k]);
            projected[k] = c;
        }
    }
}

lull_status mel_griffin_lim(const mel_convention *convention, const float *frames, size_t n,
                            int iterations, uint64_t seed, float *out, lull_error *error) {
    return mel_griffin_lim_while(convention, frames, n, iterations, seed, NULL, NULL, out, error);
}

lull_status mel_griffin_lim_while(const mel_convention *convention, const float *frames, size_t n,
                                  int iterations, uint64_t seed, bool (*go_on)(void *context),
                                  void *context, float *out, lull_error *error) {
    if (iterations < 0 || iterations > 100000)
        return base_fail(error, LULL_INVALID, "%d Griffin-Lim iterations: expected 0 to 100000",
                         iterations);
    griffin g = {0};
    lull_status status = griffin_init(&g, convention, n, error);
    if (status) goto end;
    fill_magnitudes(&g, frames);
    /* Normal deviates as real and imaginary parts: phases are uniform. */
    for (size_t f = 0; f < n; f++)
        random_normal(seed, 0, 2 * f * g.bins, g.current + 2 * f * g.bins, 2 * g.bins);
    to_signal(&g);
    for (int i = 0; i < iterations; i++) {
        if (go_on && !go_on(context)) {
            status = base_fail(error, LULL_FINISHED, "interrupted");
            goto end;
        }
        to_spectra(&g, i > 0 ? 0.99f : 0);
        to_signal(&g);
    }
    memcpy(out, g.signal, g.count * sizeof(float));
end:
    griffin_clear(&g);
    return status;
}
