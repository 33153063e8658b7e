/* Triangular mel filters, stored sparsely: each band is a short run of weights. */
#ifndef MEL_FILTERBANK_H
#define MEL_FILTERBANK_H

#include "mel/convention.h"

/* A matrix whose columns see a few neighbouring rows each, cut into tiles of eight columns: y[8t + j]
 * = Σ weights[8·(first[t] + i) + j]·x[from[t] + i], i < rows[t]. */
typedef struct mel_tiles {
    int count;
    int *from, *rows, *first;
    float *weights;
} mel_tiles;

/* A point between two of a row of values: values[low] + fraction·(values[low + 1] − values[low]). */
typedef struct mel_place {
    int low;
    float fraction;
} mel_place;

typedef struct mel_filterbank {
    int bands, bins;
    int *start,
        *count; /* band b is bins start[b] … start[b] + count[b] − 1; count 0: it holds no bin */
    int *offset; /* of its weights */
    float *weights;
    double *sum;                      /* Σ weights, 0 for an empty band */
    float *log_sum;                   /* ln Σ weights, 0 for an empty band */
    double *centroid;                 /* Hz, Σ weights·frequency / Σ weights */
    int nodes, *node;                 /* the bands that are not empty */
    mel_place *place;                 /* [bins] each bin's among the nodes' centroids */
    mel_tiles filters, interpolation; /* both as tiles: bins → bands; nodes → bins */
} mel_filterbank;

/* The mel scales: Slaney's (Auditory Toolbox, 1998) and HTK's. */
double mel_from_hz(mel_scale scale, double hz);
double mel_to_hz(mel_scale scale, double value);

/* Edge i of bands + 2 in Hz: band b rises from edge b to b + 1 and falls to b + 2. */
double mel_filterbank_edge(const mel_convention *convention, int i);

lull_status mel_filterbank_new(const mel_convention *convention, mel_filterbank **filterbank,
                               lull_error *error);
/* The first `bins` alone, and the bands that lie below them, their weights times `scale`: filters of
 * the same frames at a fraction of the rate. */
lull_status mel_filterbank_new_low(const mel_convention *convention, int bins, double scale,
                                   mel_filterbank **filterbank, lull_error *error);
void mel_filterbank_free(mel_filterbank *filterbank);
/* Bytes that one takes at most. */
uint64_t mel_filterbank_bytes(const mel_convention *convention);

/* Where hz lies among the nodes' centroids; held at the ends. */
mel_place mel_filterbank_place(const mel_filterbank *filterbank, double hz);

/* Moves the values of the nodes to the front, in place, and repeats the last behind them; values
 * has room for bands + 1. What a place among the nodes is read from. */
void mel_filterbank_to_nodes(const mel_filterbank *filterbank, float *values);
static inline float mel_place_read(mel_place at, const float *values) {
    return values[at.low] + at.fraction * (values[at.low + 1] - values[at.low]);
}
/* The transpose: adds x to the two values that a place is read from, by their shares. */
static inline void mel_place_add(mel_place at, float x, float *values) {
    values[at.low] += (1 - at.fraction) * x;
    values[at.low + 1] += at.fraction * x;
}

/* What the filters of the convention sum: the magnitudes themselves, or in place their squares. */
void mel_filterbank_raise(const mel_convention *convention, float *magnitude, int bins);

#endif
