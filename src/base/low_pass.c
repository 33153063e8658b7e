/* A low-pass filter: see low_pass.h. */
#include "base/low_pass.h"

#include <math.h>

/* From the pass band to the stop band. A Hamming window needs about 3.3 / (2 · half) of the rate for
 * it (Oppenheim & Schafer, Discrete-Time Signal Processing, 7.5). */
static const double TRANSITION = 1000;

int low_pass_half(int rate) {
    return (int)ceil(1.65 * rate / TRANSITION);
}

/* Tap i, before all are divided by their sum. */
static double tap_of(double cut, int half, int i) {
    double sinc = i ? sin(2 * M_PI * cut * i) / (M_PI * i) : 2 * cut;
    return sinc * (0.54 + 0.46 * cos(M_PI * i / (half + 1.0)));
}

void low_pass_design(double cut, int half, float *taps) {
    double sum = 0;
    for (int i = -half; i <= half; i++) sum += tap_of(cut, half, i);
    for (int i = -half; i <= half; i++) taps[i + half] = (float)(tap_of(cut, half, i) / sum);
}
