/* Mels as acoustic models write them: smoothed over time and bands, noisy, off in level. A network
 * that learns to complete such mels copes with predicted ones. */
#ifndef TRAIN_DEGRADE_H
#define TRAIN_DEGRADE_H

#include "mel/convention.h"

/* One degradation. Amounts are in natural-logarithm units, whatever the convention's own unit is.
 */
typedef struct train_degrade {
    int passes; /* 0 = leave the mel alone; else 1 or 2 smoothings */
    double time_kernel[2],
        band_kernel[2]; /* k of [k, 1−2k, k] in each pass; 0 = not in that direction */
    double noise;       /* standard deviation of what is added to every value */
    double offset;      /* added to the whole mel */
} train_degrade;

/* A degradation drawn from `uniform`, 8 numbers in [0, 1): kernels up to 0.34 over time, bands or
 * both, once or twice; noise up to 0.15; offset within ±0.3. */
void train_degrade_draw(const double uniform[8], train_degrade *degrade);

/* Applies it to frames (n × bands) in place; before the first and after the last frame the mel is
 * taken to go on as it is there. noise: n × bands normal deviates; scratch: n × bands floats. */
void train_degrade_apply(const train_degrade *degrade, const mel_convention *convention,
                         float *frames, size_t n, const float *noise, float *scratch);

#endif
