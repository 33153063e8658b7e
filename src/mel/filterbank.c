/* Triangular mel filters, stored sparsely: each band is a short run of weights. */
#include "mel/filterbank.h"

#include "base/error.h"
#include "base/memory.h"

#include <math.h>

/* Slaney's scale (Auditory Toolbox, 1998): linear below 1 kHz, 27 steps for a factor 6.4 above. */
static double slaney_from_hz(double hz) {
    return hz < 1000 ? hz * 3 / 200 : 15 + 27 * log(hz / 1000) / log(6.4);
}

static double slaney_to_hz(double mel) {
    return mel < 15 ? mel * 200 / 3 : 1000 * exp((mel - 15) * log(6.4) / 27);
}

/* HTK's: 2595·log10(1 + f/700). */
static double htk_from_hz(double hz) {
    return 2595 * log10(1 + hz / 700);
}

static double htk_to_hz(double mel) {
    return 700 * (pow(10, mel / 2595) - 1);
}

double mel_from_hz(mel_scale scale, double hz) {
    return scale == MEL_SCALE_SLANEY ? slaney_from_hz(hz) : htk_from_hz(hz);
}

double mel_to_hz(mel_scale scale, double value) {
    return scale == MEL_SCALE_SLANEY ? slaney_to_hz(value) : htk_to_hz(value);
}

double mel_filterbank_edge(const mel_convention *c, int i) {
    const double part = (double)i / (c->bands + 1), factor = mel_convention_filter_factor(c);
    const double low = mel_from_hz(c->scale, c->fmin * factor);
    const double high = mel_from_hz(c->scale, c->fmax * factor);
    return mel_to_hz(c->scale, low + (high - low) * part) / factor;
}

static double weight(const mel_convention *c, const double edges[3], double hz) {
    const double rising = (hz - edges[0]) / (edges[1] - edges[0]);
    const double falling = (edges[2] - hz) / (edges[2] - edges[1]);
    const double width = (edges[2] - edges[0]) * mel_convention_filter_factor(c);
    const double height = c->norm == MEL_NORM_SLANEY ? 2 / width : 1;
    return fmax(0, fmin(rising, falling)) * height;
}

static int padded(int count) {
    return (count + 15) / 16 * 16;
}

/* Fills in band b; with weights NULL only measures start and count. */
static void fill_band(mel_filterbank *f, const mel_convention *c, int b, float *weights) {
    const double edges[3] = {mel_filterbank_edge(c, b), mel_filterbank_edge(c, b + 1),
                             mel_filterbank_edge(c, b + 2)};
    const double width = (double)c->sample_rate / c->n_fft;
    int start = -1, last = -1;
    f->sum[b] = f->centroid[b] = 0;
    const int low = (int)fmax(0, floor(edges[0] / width) - 1);
    const int high = (int)fmin(f->bins - 1, ceil(edges[2] / width) + 1);
    for (int k = low; k <= high; k++) {
        const double w = weight(c, edges, k * width);
        if (w <= 0) continue;
        if (start < 0) start = k;
        last = k;
        f->sum[b] += w;
        f->centroid[b] += w * k * width;
        if (weights) weights[k - start] = (float)w;
    }
    f->start[b] = start < 0 ? 0 : start;
    f->count[b] = start < 0 ? 0 : last - start + 1;
    if (f->sum[b] > 0) f->centroid[b] /= f->sum[b];
}

static void fill_interpolation(mel_filterbank *f, double bin_width) {
    for (int b = 0; b < f->bands; b++)
        if (f->count[b] > 0) f->node[f->nodes++] = b;
    int j = 0, node = 0;
    for (int k = 0; k < f->bins; k++) {
        const double hz = k * bin_width;
        while (j + 1 < f->nodes && f->centroid[f->node[j + 1]] <= hz) j++;
        while (node <= j) f->first[node++] = k;
        f->lower[k] = j;
        const double low = f->centroid[f->node[j]];
        if (j + 1 == f->nodes || hz <= low) continue;
        const double high = f->centroid[f->node[j + 1]];
        f->fraction[k] = (float)((hz - low) / (high - low));
    }
    while (node <= f->nodes) f->first[node++] = f->bins;
}

lull_status mel_filterbank_new(const mel_convention *convention, mel_filterbank **filterbank,
                               lull_error *error) {
    *filterbank = NULL;
    const size_t bands = (size_t)convention->bands;
    mel_filterbank *f = base_alloc(1, sizeof *f);
    if (!f) return base_no_memory(error);
    f->bands = convention->bands;
    f->bins = convention->n_fft / 2 + 1;
    f->start = base_alloc(bands, sizeof(int));
    f->count = base_alloc(bands, sizeof(int));
    f->offset = base_alloc(bands, sizeof(int));
    f->sum = base_alloc(bands, sizeof(double));
    f->centroid = base_alloc(bands, sizeof(double));
    f->node = base_alloc(bands, sizeof(int));
    f->first = base_alloc(bands + 1, sizeof(int));
    f->lower = base_alloc((size_t)padded(f->bins), sizeof(int));
    f->fraction = base_alloc((size_t)padded(f->bins), sizeof(float));
    if (!f->start || !f->count || !f->offset || !f->sum || !f->centroid || !f->node || !f->first ||
        !f->lower || !f->fraction)
        goto fail;
    int total = 0;
    for (int b = 0; b < f->bands; b++) {
        fill_band(f, convention, b, NULL);
        f->offset[b] = total;
        total += padded(f->count[b]);
    }
    f->weights = base_alloc((size_t)total, sizeof(float));
    if (!f->weights) goto fail;
    for (int b = 0; b < f->bands; b++) fill_band(f, convention, b, f->weights + f->offset[b]);
    if (total == 0) {
        mel_filterbank_free(f);
        return base_fail(
            error, LULL_INVALID,
            "mel convention: no bin of a transform of %d samples at %d Hz lies between fmin %g "
            "and fmax %g Hz; expected a larger n_fft or a wider range",
            convention->n_fft, convention->sample_rate, convention->fmin, convention->fmax);
    }
    fill_interpolation(f, (double)convention->sample_rate / convention->n_fft);
    *filterbank = f;
    return LULL_OK;
fail:
    mel_filterbank_free(f);
    return base_no_memory(error);
}

void mel_filterbank_free(mel_filterbank *filterbank) {
    if (!filterbank) return;
    base_free(filterbank->start);
    base_free(filterbank->count);
    base_free(filterbank->offset);
    base_free(filterbank->weights);
    base_free(filterbank->sum);
    base_free(filterbank->centroid);
    base_free(filterbank->node);
    base_free(filterbank->first);
    base_free(filterbank->lower);
    base_free(filterbank->fraction);
    base_free(filterbank);
}

void mel_filterbank_raise(const mel_convention *convention, float *magnitude, int bins) {
    if (convention->power != 2) return;
    for (int k = 0; k < bins; k++) magnitude[k] *= magnitude[k];
}

void mel_filterbank_to_nodes(const mel_filterbank *filterbank, float *values) {
    const int nodes = filterbank->nodes;
    if (nodes < filterbank->bands)
        for (int j = 0; j < nodes; j++) values[j] = values[filterbank->node[j]];
    values[nodes] = values[nodes - 1];
}
