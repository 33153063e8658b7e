/* The picture of a run: training loss (smoothed) and validation losses over the steps. */
#ifndef PICTURE_CURVE_H
#define PICTURE_CURVE_H

#include "lull.h"

typedef struct train_points {
    double *step, *value;
    size_t count, step_capacity, value_capacity;
} train_points;

/* False when memory is out: the point is then left out. */
bool train_points_add(train_points *points, double step, double value);
void train_points_free(train_points *points);

/* Writes a PNG of 900 × 520 pixels. Any of the series may be empty. */
lull_status curve_write(const char *path, const train_points *training,
                              const train_points *valid, const train_points *degraded,
                              lull_error *error);

#endif
