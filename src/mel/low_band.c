/* The band of a frame below MEL_LOW_HZ: see low_band.h. */
#include "mel/low_band.h"

#include "base/error.h"
#include "base/memory.h"
#include "mel/fft.h"
#include "mel/filterbank.h"
#include "mel/window.h"

#include <math.h>
#include <string.h>

/* Of a smaller division an iteration costs more than it is worth. Half of the lower rate is above
 * the band by the width of a window's main lobe and more. */
enum { LEAST_DECIMATION = 4, BEYOND = 150, LEAST_HALF_RATE = 1350, LEAST_BINS = 16 };

struct mel_low_band {
    int decimation;
    mel_fft *whole, *part;
    int bins;     /* of the part's spectrum that count: without that of half its rate */
    float *share; /* [bins] how much of the whole's is replaced: 1, and a ramp to 0 */
};

static bool divides(const mel_convention *c, int d) {
    return c->n_fft % (2 * d) == 0 && c->n_fft / d / 2 >= LEAST_BINS && c->hop % d == 0 &&
           c->window % d == 0 && mel_window_lead(c) % d == 0 && mel_window_first(c) % d == 0;
}

int mel_low_band_decimation(const mel_convention *c) {
    if (c->bands < 2 || mel_filterbank_edge(c, 3) > LEAST_HALF_RATE) return 1;
    /* The cheapest that holds the whole band, or else the widest. */
    for (int d = c->sample_rate / (2 * (MEL_LOW_HZ + BEYOND)); d >= LEAST_DECIMATION; d--)
        if (divides(c, d)) return d;
    for (int d = LEAST_DECIMATION; d <= c->sample_rate / (2 * LEAST_HALF_RATE); d++)
        if (divides(c, d)) return d;
    return 1;
}

double mel_low_band_edge(const mel_convention *c) {
    return fmin(MEL_LOW_HZ, c->sample_rate / 2.0 / mel_low_band_decimation(c) - BEYOND);
}

int mel_low_band_bins(const mel_convention *c) {
    return (int)ceil(mel_low_band_edge(c) * c->n_fft / c->sample_rate);
}

static void fill_share(mel_low_band *b, const mel_convention *c) {
    const double width = (double)c->sample_rate / c->n_fft;
    const double edge = mel_low_band_edge(c);
    for (int k = 0; k < b->bins; k++) {
        const double left = (edge - k * width) / MEL_LOW_RAMP_HZ;
        b->share[k] = (float)(left >= 1 ? 1 : left <= 0 ? 0 : 0.5 - 0.5 * cos(M_PI * left));
    }
}

lull_status mel_low_band_new(const mel_convention *convention, int decimation, mel_low_band **band,
                             lull_error *error) {
    *band = NULL;
    mel_low_band *b = base_alloc(1, sizeof *b);
    if (!b) return base_no_memory(error);
    const int size = convention->n_fft;
    b->decimation = decimation;
    b->bins = size / decimation / 2;
    lull_status status = mel_fft_new(size, MEL_FFT_FAST, &b->whole, error);
    if (!status) status = mel_fft_new(size / decimation, MEL_FFT_FAST, &b->part, error);
    if (!status) {
        b->share = base_alloc((size_t)b->bins, sizeof(float));
        if (!b->share) status = base_no_memory(error);
    }
    if (status) {
        mel_low_band_free(b);
        return status;
    }
    fill_share(b, convention);
    *band = b;
    return LULL_OK;
}

void mel_low_band_free(mel_low_band *band) {
    if (!band) return;
    mel_fft_free(band->whole);
    mel_fft_free(band->part);
    base_free(band->share);
    base_free(band);
}

uint64_t mel_low_band_bytes(const mel_convention *convention) {
    return base_memory_add(sizeof(mel_low_band) + 4096, 8 * (uint64_t)convention->n_fft,
                           sizeof(float));
}

void mel_low_band_take(mel_low_band *b, const float *frame, float *low) {
    const size_t size = (size_t)b->part->size, kept = 2 * (size_t)b->bins;
    memcpy(b->whole->real, frame, (size_t)b->whole->size * sizeof(float));
    mel_fft_forward(b->whole);
    const float scale = MEL_LOW_QUIET / (float)b->whole->size;
    for (size_t i = 0; i < kept; i++) b->part->spectrum[i] = scale * b->whole->spectrum[i];
    b->part->spectrum[kept] = b->part->spectrum[kept + 1] = 0;
    mel_fft_inverse(b->part);
    memcpy(low, b->part->real, size * sizeof(float));
}

void mel_low_band_put(mel_low_band *b, const float *low, float *frame) {
    const size_t size = (size_t)b->whole->size;
    memcpy(b->whole->real, frame, size * sizeof(float));
    mel_fft_forward(b->whole);
    memcpy(b->part->real, low, (size_t)b->part->size * sizeof(float));
    mel_fft_forward(b->part);
    float *to = b->whole->spectrum;
    const float *from = b->part->spectrum;
    const float scale = (float)b->decimation;
    for (int k = 0; k < b->bins; k++)
        for (int i = 2 * k; i < 2 * k + 2; i++) to[i] += b->share[k] * (scale * from[i] - to[i]);
    mel_fft_inverse(b->whole);
    const float norm = 1.0f / (float)size;
    for (size_t i = 0; i < size; i++) frame[i] = norm * b->whole->real[i];
}
