/* What the spectrum network is trained on: see spectrum_loss.h. */
#include "train/spectrum_loss.h"

#include <math.h>

static const double POWER = 0.4;
/* What is further from its envelope is as if it lay there. */
static const double LEAST = 0.001, MOST = 20;

void train_spectrum_target(const float *spectrum, const float *log_envelope, int bins,
                           double silent, float *target) {
    for (int k = 0; k < bins; k++) {
        const double envelope = exp(log_envelope[k]);
        const double ratio = hypot(spectrum[2 * k], spectrum[2 * k + 1]) / envelope;
        target[k] = envelope < silent ? NAN : (float)log(fmin(fmax(ratio, LEAST), MOST));
    }
}

double train_spectrum_loss(const float *outputs, const float *targets, size_t n, float *gradient) {
    double sum = 0;
    size_t known = 0;
    for (size_t i = 0; i < n; i++) known += !isnan(targets[i]);
    for (size_t i = 0; i < n; i++) {
        gradient[i] = 0;
        if (isnan(targets[i])) continue;
        const double made = exp(POWER * outputs[i]);
        const double difference = made - exp(POWER * targets[i]);
        sum += difference * difference / (double)known;
        gradient[i] = (float)(2 * difference * POWER * made / (double)known);
    }
    return sum;
}
