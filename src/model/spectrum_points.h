/* Where the spectrum network speaks (model/spectrum.h): at frequencies that do not depend on the
 * convention. Between them what it says is interpolated, at the bins of the low band of whatever
 * convention the frames are of. */
#ifndef MODEL_SPECTRUM_POINTS_H
#define MODEL_SPECTRUM_POINTS_H

#include "mel/filterbank.h"

/* As far apart as the bins of the commonest frames, 1024 samples at 22.05 kHz; the last lies above
 * the low band of every convention. */
enum { SPECTRUM_POINTS = 120, SPECTRUM_OUTPUTS = 2 * SPECTRUM_POINTS };
#define SPECTRUM_POINT_HZ (22050.0 / 1024)

/* Where the bins of a convention lie among the points. */
typedef struct spectrum_points {
    int bins; /* mel_low_band_bins */
    mel_place *place;
} spectrum_points;

/* A convention that has a low band. */
lull_status spectrum_points_init(const mel_convention *convention, spectrum_points *points,
                                 lull_error *error);
/* After a failure, too. */
void spectrum_points_clear(spectrum_points *points);
/* Bytes that one takes, at most. */
uint64_t spectrum_points_bytes(const mel_convention *convention);

/* outputs (SPECTRUM_OUTPUTS): ln of magnitudes and logits of weights at the points; at_bins
 * (2·bins): both at the bins, as mel_guide_read takes them. */
void spectrum_points_to_bins(const spectrum_points *points, const float *outputs, float *at_bins);
/* The transpose, for training: the gradient by the outputs (overwritten) from that by the bins. */
void spectrum_points_gather(const spectrum_points *points, const float *at_bins, float *outputs);

#endif
