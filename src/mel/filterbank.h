/* Triangular mel filters, stored sparsely: each band is a short run of weights. */
#ifndef MEL_FILTERBANK_H
#define MEL_FILTERBANK_H

#include "mel/convention.h"

typedef struct mel_filterbank {
    int bands, bins;
    int *start,
        *count; /* band b is bins start[b] … start[b] + count[b] − 1; count 0: it holds no bin */
    int *offset; /* of its weights; each run is padded with zeros to a multiple of 16 */
    float *weights;
    double *sum;      /* Σ weights, 0 for an empty band */
    double *centroid; /* Hz, Σ weights·frequency / Σ weights */
    int nodes, *node; /* the bands that are not empty */
    int *
        lower; /* [bins, padded to 16] interpolation over frequency between the nodes' centroids, */
    int *first;      /* [nodes + 1] bins first[j] … first[j + 1] − 1 have lower = j */
    float *fraction; /* [bins, padded to 16] held at the ends: v = values[lower] +
                        fraction·(values[lower + 1] − values[lower]) */
} mel_filterbank;

/* The mel scales: Slaney's (Auditory Toolbox, 1998) and HTK's. */
double mel_from_hz(mel_scale scale, double hz);
double mel_to_hz(mel_scale scale, double value);

/* Edge i of bands + 2 in Hz: band b rises from edge b to b + 1 and falls to b + 2. */
double mel_filterbank_edge(const mel_convention *convention, int i);

lull_status mel_filterbank_new(const mel_convention *convention, mel_filterbank **filterbank,
                               lull_error *error);
void mel_filterbank_free(mel_filterbank *filterbank);

/* Moves the values of the nodes to the front, in place, and repeats the last behind them; values
 * has room for bands + 1. What the interpolation above reads. */
void mel_filterbank_to_nodes(const mel_filterbank *filterbank, float *values);

/* What the filters of the convention sum: the magnitudes themselves, or in place their squares. */
void mel_filterbank_raise(const mel_convention *convention, float *magnitude, int bins);

#endif
