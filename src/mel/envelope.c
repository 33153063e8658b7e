/* The spectral envelope that a mel frame implies, and the gains made of it. */
#include "mel/envelope.h"

#include "base/error.h"
#include "base/memory.h"
#include "mel/compression.h"
#include "mel/filterbank.h"
#include "mel/kernels.h"
#include "mel/window.h"

#include <math.h>
#include <string.h>

struct mel_envelope {
    mel_convention convention;
    const mel_kernels *kernels;
    mel_filterbank *filterbank;
    float lowest, highest;  /* of the linear mels that the convention tells apart */
    float *unity;           /* [bins] 1, and 0 above fmax: the shape of every gain */
    int reach;              /* bins from here on have unity 0; a multiple of 16, or all bins */
    float *whiten, *colour; /* [bins] TL·K and its reciprocal, times unity */
};

/* 0 up to 0.9·fmin, 1 from 1.1·fmin on, a cosine between: below it no filter looks, just above it
 * the first one looks away, and what the envelope is held at there says nothing. A deep voice's
 * first harmonic lies in the first band: where the gain is 1 down to fmin, mel consistency makes
 * its level up of whatever is below it. */
static double above_fmin(const mel_convention *c, double hz) {
    if (hz >= 1.1 * c->fmin) return 1;
    const double part = (hz - 0.9 * c->fmin) / (0.2 * c->fmin);
    return part <= 0 ? 0 : 0.5 - 0.5 * cos(M_PI * part);
}

double mel_envelope_below_fmax(const mel_convention *c, double hz) {
    if (c->fmax >= c->sample_rate / 2.0) return 1;
    const double part = (hz - (c->fmax - 100)) / 400;
    if (part <= 0) return 1;
    return part >= 1 ? 0 : 0.5 + 0.5 * cos(M_PI * part);
}

static void fill_gains(mel_envelope *e, double tilt_hz) {
    const mel_convention *c = &e->convention;
    const int bins = e->filterbank->bins;
    const double norm = mel_window_norm(c), width = (double)c->sample_rate / c->n_fft;
    double power = 0;
    for (int k = 0; k < bins; k++) power += tilt_hz > 0 ? 1 / (1 + k * width / tilt_hz) : 1;
    for (int k = 0; k < bins; k++) {
        const double unity = above_fmin(c, k * width) * mel_envelope_below_fmax(c, k * width);
        const double tilt_power = tilt_hz > 0 ? 1 / (1 + k * width / tilt_hz) : 1;
        const double level = sqrt(tilt_power * bins / power) * norm;
        e->unity[k] = (float)unity;
        if (unity > 0) e->reach = k + 1;
        e->whiten[k] = (float)(unity * level);
        e->colour[k] = (float)(unity / level);
    }
    e->reach = (e->reach + 15) / 16 * 16;
    if (e->reach > bins) e->reach = bins;
    double lowest, highest;
    mel_linear_range(c, &lowest, &highest);
    e->lowest = (float)lowest;
    e->highest = (float)fmin(highest, 1e9);
}

static lull_status new_filterbank(const mel_convention *c, int decimation, mel_filterbank **f,
                                  lull_error *error) {
    if (decimation == 1) return mel_filterbank_new(c, f, error);
    const double scale = pow(decimation, c->power);
    return mel_filterbank_new_low(c, c->n_fft / decimation / 2, scale, f, error);
}

static lull_status new_envelope(const mel_convention *convention, int decimation, double tilt_hz,
                                mel_envelope **envelope, lull_error *error) {
    *envelope = NULL;
    lull_status status = mel_convention_check(convention, error);
    if (status) return status;
    if (!(tilt_hz >= 0 && tilt_hz <= 1e6))
        return base_fail(error, LULL_INVALID, "tilt of %g Hz: expected 0 (none) to 1000000",
                         tilt_hz);
    mel_envelope *e = base_alloc(1, sizeof *e);
    if (!e) return base_no_memory(error);
    e->convention = *convention;
    e->kernels = mel_kernels_get();
    status = new_filterbank(convention, decimation, &e->filterbank, error);
    if (status) {
        mel_envelope_free(e);
        return status;
    }
    e->convention.bands = e->filterbank->bands;
    const size_t bins = (size_t)e->filterbank->bins;
    e->unity = base_alloc(bins, sizeof(float));
    e->whiten = base_alloc(bins, sizeof(float));
    e->colour = base_alloc(bins, sizeof(float));
    if (!e->unity || !e->whiten || !e->colour) {
        mel_envelope_free(e);
        return base_no_memory(error);
    }
    fill_gains(e, tilt_hz);
    *envelope = e;
    return LULL_OK;
}

lull_status mel_envelope_new(const mel_convention *convention, double tilt_hz,
                             mel_envelope **envelope, lull_error *error) {
    return new_envelope(convention, 1, tilt_hz, envelope, error);
}

lull_status mel_envelope_new_low(const mel_convention *convention, int decimation,
                                 mel_envelope **envelope, lull_error *error) {
    return new_envelope(convention, decimation, 0, envelope, error);
}

void mel_envelope_free(mel_envelope *envelope) {
    if (!envelope) return;
    mel_filterbank_free(envelope->filterbank);
    base_free(envelope->unity);
    base_free(envelope->whiten);
    base_free(envelope->colour);
    base_free(envelope);
}

int mel_envelope_bins(const mel_envelope *envelope) {
    return envelope->filterbank->bins;
}

int mel_envelope_reach(const mel_envelope *envelope) {
    return envelope->reach;
}

/* ln of the linear mels at the nodes less ln Σ weights, as of amplitudes; values has room for
 * MEL_MAX_BANDS + 1. */
static void node_values(const mel_envelope *e, const float *frame, float sign, float *values) {
    mel_to_natural_log(&e->convention, frame, values);
    if (e->convention.power == 2) sign *= 0.5f;
    for (int b = 0; b < e->convention.bands; b++)
        values[b] = sign * (values[b] - e->filterbank->log_sum[b]);
    mel_filterbank_to_nodes(e->filterbank, values);
}

void mel_envelope_log(const mel_envelope *envelope, const float *frame, float *log_envelope) {
    const mel_filterbank *f = envelope->filterbank;
    float values[MEL_MAX_BANDS + 1];
    node_values(envelope, frame, 1, values);
    for (int k = 0; k < f->bins; k++) log_envelope[k] = mel_place_read(f->place[k], values);
}

void mel_envelope_whitening_gain(const mel_envelope *envelope, const float *frame, float *gain) {
    const mel_filterbank *f = envelope->filterbank;
    float values[MEL_MAX_BANDS + 1];
    node_values(envelope, frame, -1, values);
    envelope->kernels->interpolated_gain(f, values, envelope->whiten, gain, f->bins);
}

void mel_envelope_colouring_gain(const mel_envelope *envelope, const float *frame, float *gain) {
    const mel_filterbank *f = envelope->filterbank;
    float values[MEL_MAX_BANDS + 1];
    node_values(envelope, frame, 1, values);
    envelope->kernels->interpolated_gain(f, values, envelope->colour, gain, f->bins);
}

void mel_envelope_wanted(const mel_envelope *envelope, const float *frame, float *wanted) {
    const float low = logf(envelope->lowest), high = logf(envelope->highest);
    mel_to_natural_log(&envelope->convention, frame, wanted);
    for (int b = 0; b < envelope->convention.bands; b++)
        wanted[b] = fminf(fmaxf(wanted[b], low), high);
}

/* By itself, so that only conventions of power take its stack. */
__attribute__((noinline)) static void bands_of_squares(const mel_envelope *envelope,
                                                       const float *magnitude, float *mel) {
    enum { PIECE = 512 };
    const mel_filterbank *f = envelope->filterbank;
    float squares[PIECE];
    for (int b = 0; b < f->bands; b++) {
        const float *weights = f->weights + f->offset[b], *x = magnitude + f->start[b];
        float sum = 0;
        for (int from = 0; from < f->count[b]; from += PIECE) {
            const int n = f->count[b] - from < PIECE ? f->count[b] - from : PIECE;
            for (int i = 0; i < n; i++) squares[i] = x[from + i] * x[from + i];
            for (int i = 0; i < n; i++) sum += weights[from + i] * squares[i];
        }
        mel[b] = sum;
    }
}

void mel_envelope_correction(const mel_envelope *envelope, const float *wanted,
                             const float *magnitude, float *gain) {
    const mel_filterbank *f = envelope->filterbank;
    const mel_kernels *kernels = envelope->kernels;
    float mel[MEL_MAX_BANDS], values[MEL_MAX_BANDS + 1];
    if (envelope->convention.power == 2) {
        bands_of_squares(envelope, magnitude, mel);
    } else {
        kernels->tiles(&f->filters, magnitude, mel, f->bands);
    }
    kernels->log_ratio(wanted, mel, envelope->lowest, envelope->highest, values, f->bands);
    if (envelope->convention.power == 2)
        for (int b = 0; b < f->bands; b++) values[b] *= 0.5f;
    mel_filterbank_to_nodes(f, values);
    kernels->interpolated_gain(f, values, envelope->unity, gain, envelope->reach);
}
