/* Sinusoidal encoding of the diffusion step. */
#include "model/embedding.h"

#include <math.h>

int model_embedding_inputs(const model_config *config) {
    return 2 * config->embedding_frequencies;
}

static double frequency(const model_config *config, int j) {
    double position =
        config->embedding_frequencies > 1 ? (double)j / (config->embedding_frequencies - 1) : 0;
    if (config->family == MODEL_DIFFWAVE) return pow(10.0, 4.0 * position);
    return config->embedding_from * pow(config->embedding_to / config->embedding_from, position);
}

void model_embedding_input(const model_config *config, double t, float *out) {
    int n = config->embedding_frequencies;
    /* The table has a row for every whole step; only DiffWave's is a table. */
    double low = config->family == MODEL_DIFFWAVE ? floor(t) : t;
    double high = config->family == MODEL_DIFFWAVE ? ceil(t) : t;
    double weight = t - low;
    for (int j = 0; j < n; j++) {
        double w = frequency(config, j);
        out[j] = (float)(sin(low * w) + weight * (sin(high * w) - sin(low * w)));
        out[n + j] = (float)(cos(low * w) + weight * (cos(high * w) - cos(low * w)));
    }
}
