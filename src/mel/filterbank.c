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
    f->log_sum[b] = f->sum[b] > 0 ? (float)log(f->sum[b]) : 0;
}

mel_place mel_filterbank_place(const mel_filterbank *f, double hz) {
    int j = 0;
    while (j + 1 < f->nodes && f->centroid[f->node[j + 1]] <= hz) j++;
    const double low = f->centroid[f->node[j]];
    if (j + 1 == f->nodes || hz <= low) return (mel_place){j, 0};
    const double high = f->centroid[f->node[j + 1]];
    return (mel_place){j, (float)((hz - low) / (high - low))};
}

static void fill_nodes(mel_filterbank *f, double bin_width) {
    for (int b = 0; b < f->bands; b++)
        if (f->count[b] > 0) f->node[f->nodes++] = b;
    for (int k = 0; k < f->bins; k++) f->place[k] = mel_filterbank_place(f, k * bin_width);
}

/* ---- tiles ---- */

enum { TILE = 8 };

/* The rows that a column sees. */
typedef struct column {
    int from, rows;
} column;

static column filter_column(const mel_filterbank *f, int b) {
    return (column){f->start[b], f->count[b]};
}

static column interpolation_column(const mel_filterbank *f, int k) {
    return (column){f->place[k].low, f->place[k].fraction > 0 ? 2 : 1};
}

static float filter_weight(const mel_filterbank *f, int b, int i) {
    return f->weights[f->offset[b] + i];
}

static float interpolation_weight(const mel_filterbank *f, int k, int i) {
    return i ? f->place[k].fraction : 1 - f->place[k].fraction;
}

static void clear_tiles(mel_tiles *t) {
    base_free(t->from);
    base_free(t->rows);
    base_free(t->first);
    base_free(t->weights);
}

static bool make_tiles(mel_tiles *t, const mel_filterbank *f, int columns,
                       column (*column_of)(const mel_filterbank *, int),
                       float (*weight_of)(const mel_filterbank *, int, int)) {
    t->count = (columns + TILE - 1) / TILE;
    t->from = base_alloc((size_t)t->count, sizeof(int));
    t->rows = base_alloc((size_t)t->count, sizeof(int));
    t->first = base_alloc((size_t)t->count, sizeof(int));
    if (!t->from || !t->rows || !t->first) return false;
    int total = 0;
    for (int i = 0; i < t->count; i++) {
        int from = 0, end = 0;
        for (int j = i * TILE; j < columns && j < (i + 1) * TILE; j++) {
            const column c = column_of(f, j);
            if (c.rows == 0) continue;
            if (end == 0 || c.from < from) from = c.from;
            if (c.from + c.rows > end) end = c.from + c.rows;
        }
        t->from[i] = from;
        t->rows[i] = end - from;
        t->first[i] = total;
        total += end - from;
    }
    t->weights = base_alloc((size_t)total, TILE * sizeof(float));
    if (!t->weights) return false;
    for (int j = 0; j < columns; j++) {
        const column c = column_of(f, j);
        const int i = j / TILE, before = c.from - t->from[i];
        for (int r = 0; r < c.rows; r++)
            t->weights[TILE * (t->first[i] + before + r) + j % TILE] = weight_of(f, j, r);
    }
    return true;
}

/* ---- creation ---- */

/* Bands that lie below bin number `bins`. */
static int bands_below(const mel_convention *c, int bins) {
    const double width = (double)c->sample_rate / c->n_fft;
    int bands = 0;
    while (bands < c->bands && mel_filterbank_edge(c, bands + 2) <= bins * width) bands++;
    return bands;
}

static lull_status new_filterbank(const mel_convention *convention, int bands, int bins,
                                  double scale, mel_filterbank **filterbank, lull_error *error) {
    *filterbank = NULL;
    const size_t count = (size_t)bands;
    mel_filterbank *f = base_alloc(1, sizeof *f);
    if (!f) return base_no_memory(error);
    f->bands = bands;
    f->bins = bins;
    f->start = base_alloc(count, sizeof(int));
    f->count = base_alloc(count, sizeof(int));
    f->offset = base_alloc(count, sizeof(int));
    f->sum = base_alloc(count, sizeof(double));
    f->centroid = base_alloc(count, sizeof(double));
    f->node = base_alloc(count, sizeof(int));
    f->log_sum = base_alloc(count, sizeof(float));
    f->place = base_alloc((size_t)bins, sizeof *f->place);
    if (!f->start || !f->count || !f->offset || !f->sum || !f->log_sum || !f->centroid ||
        !f->node || !f->place)
        goto fail;
    int total = 0;
    for (int b = 0; b < bands; b++) {
        fill_band(f, convention, b, NULL);
        f->offset[b] = total;
        total += f->count[b];
    }
    f->weights = base_alloc((size_t)total, sizeof(float));
    if (!f->weights) goto fail;
    for (int b = 0; b < bands; b++) fill_band(f, convention, b, f->weights + f->offset[b]);
    for (int i = 0; i < total; i++) f->weights[i] *= (float)scale;
    if (total == 0) {
        mel_filterbank_free(f);
        return base_fail(
            error, LULL_INVALID,
            "mel convention: no bin of a transform of %d samples at %d Hz lies between fmin %g "
            "and fmax %g Hz; expected a larger n_fft or a wider range",
            convention->n_fft, convention->sample_rate, convention->fmin, convention->fmax);
    }
    fill_nodes(f, (double)convention->sample_rate / convention->n_fft);
    if (!make_tiles(&f->filters, f, bands, filter_column, filter_weight) ||
        !make_tiles(&f->interpolation, f, bins, interpolation_column, interpolation_weight))
        goto fail;
    *filterbank = f;
    return LULL_OK;
fail:
    mel_filterbank_free(f);
    return base_no_memory(error);
}

lull_status mel_filterbank_new(const mel_convention *convention, mel_filterbank **filterbank,
                               lull_error *error) {
    return new_filterbank(convention, convention->bands, convention->n_fft / 2 + 1, 1, filterbank,
                          error);
}

lull_status mel_filterbank_new_low(const mel_convention *convention, int bins, double scale,
                                   mel_filterbank **filterbank, lull_error *error) {
    return new_filterbank(convention, bands_below(convention, bins), bins, scale, filterbank,
                          error);
}

uint64_t mel_filterbank_bytes(const mel_convention *convention) {
    const uint64_t size = (uint64_t)convention->n_fft, bands = (uint64_t)convention->bands;
    /* Numbers of a band and of a bin; weights, of which a bin has two at most. */
    uint64_t sum = base_memory_add(sizeof(mel_filterbank) + 1024, bands, 64);
    sum = base_memory_add(sum, 2 * size, sizeof(float));
    /* Eight columns wide: a tile sees the bins of its own bands, which overlap with the next tile's;
     * and the nodes on both sides of its bins. */
    sum = base_memory_add(sum, TILE * (size + bands / 4 + 2), sizeof(float));
    return base_memory_add(sum, TILE * (bands + size / 8 + 4), sizeof(float));
}

void mel_filterbank_free(mel_filterbank *filterbank) {
    if (!filterbank) return;
    base_free(filterbank->start);
    base_free(filterbank->count);
    base_free(filterbank->offset);
    base_free(filterbank->weights);
    base_free(filterbank->sum);
    base_free(filterbank->log_sum);
    base_free(filterbank->centroid);
    base_free(filterbank->node);
    base_free(filterbank->place);
    clear_tiles(&filterbank->filters);
    clear_tiles(&filterbank->interpolation);
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
