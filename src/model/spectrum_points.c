/* Where the spectrum network speaks: see spectrum_points.h. */
#include "model/spectrum_points.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "mel/low_band.h"

lull_status spectrum_points_init(const mel_convention *c, spectrum_points *points,
                                 lull_error *error) {
    points->bins = mel_low_band_bins(c);
    points->place = base_alloc((size_t)points->bins, sizeof *points->place);
    if (!points->place) return base_no_memory(error);
    for (int k = 0; k < points->bins; k++) {
        const double at = (double)k * c->sample_rate / c->n_fft / SPECTRUM_POINT_HZ;
        const int low = at < SPECTRUM_POINTS - 2 ? (int)at : SPECTRUM_POINTS - 2;
        points->place[k] = (mel_place){low, (float)(at - low)};
    }
    return LULL_OK;
}

void spectrum_points_clear(spectrum_points *points) {
    base_free(points->place);
}

uint64_t spectrum_points_bytes(const mel_convention *convention) {
    const uint64_t bins = (uint64_t)mel_low_band_bins(convention);
    return base_memory_add(0, bins, sizeof(mel_place));
}

void spectrum_points_to_bins(const spectrum_points *points, const float *outputs, float *at_bins) {
    for (int half = 0; half < 2; half++) {
        const float *from = outputs + half * SPECTRUM_POINTS;
        float *to = at_bins + half * points->bins;
        for (int k = 0; k < points->bins; k++) to[k] = mel_place_read(points->place[k], from);
    }
}

void spectrum_points_gather(const spectrum_points *points, const float *at_bins, float *outputs) {
    memset(outputs, 0, SPECTRUM_OUTPUTS * sizeof *outputs);
    for (int half = 0; half < 2; half++) {
        const float *from = at_bins + half * points->bins;
        float *to = outputs + half * SPECTRUM_POINTS;
        for (int k = 0; k < points->bins; k++) mel_place_add(points->place[k], from[k], to);
    }
}
