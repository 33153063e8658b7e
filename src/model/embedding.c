/* Sinusoidal encoding of the diffusion step. */
#include "model/embedding.h"

#include <math.h>

int model_embedding_inputs(const model_config *config) {
    return 2 * config->embedding_frequencies;
}

/* DiffWave's table is float32 all the way: at step 49 the fastest angles are near 490000 radians,
 * where a float32 is 0.03 apart. Networks were trained with those angles, so they are the
 * definition. */
static double diffwave_angle(int j, double step) {
    float exponent = (float)j * 4.0f / 63.0f;
    return (double)((float)step * powf(10.0f, exponent));
}

static void diffwave_input(int n, double t, float *out) {
    double low = floor(t), high = ceil(t);
    for (int j = 0; j < n; j++) {
        double from = diffwave_angle(j, low), to = diffwave_angle(j, high);
        out[j] = (float)(sin(from) + (t - low) * (sin(to) - sin(from)));
        out[n + j] = (float)(cos(from) + (t - low) * (cos(to) - cos(from)));
    }
}

void model_embedding_input(const model_config *config, double t, float *out) {
    int n = config->embedding_frequencies;
    if (config->family == MODEL_DIFFWAVE) {
        diffwave_input(n, t, out);
        return;
    }
    for (int j = 0; j < n; j++) {
        double position = n > 1 ? (double)j / (n - 1) : 0;
        double w =
            config->embedding_from * pow(config->embedding_to / config->embedding_from, position);
        out[j] = (float)sin(t * w);
        out[n + j] = (float)cos(t * w);
    }
}
