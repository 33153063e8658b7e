/* The picture of a run: training loss (smoothed) and validation losses over the steps. */
#ifndef PICTURE_CURVE_H
#define PICTURE_CURVE_H

#include "lull.h"

typedef struct picture_points {
    double *step, *value;
    size_t count, step_capacity, value_capacity;
} picture_points;

/* False when memory is out: the point is then left out. */
bool picture_points_add(picture_points *points, double step, double value);
void picture_points_free(picture_points *points);

/* Writes a PNG of 900 × 520 pixels. Any of the series may be empty. */
lull_status picture_curve_write(const char *path, const picture_points *training,
                                const picture_points *valid, const picture_points *degraded,
                                lull_error *error);

#endif
