/* The embedding of the diffusion step: a sinusoidal encoding and two layers. */
#include "model/embedding.h"

#include "base/memory.h"

#include <math.h>

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

/* y = SiLU(W·x + bias), summed in double. */
static void layer(const model_parameters *parameters, int index, int out, int in, const float *x,
                  float *y) {
    const float *weight = model_parameters_weight(parameters, MODEL_EMBEDDING_PROJECTION, index);
    const float *bias = model_parameters_bias(parameters, MODEL_EMBEDDING_PROJECTION, index);
    for (int o = 0; o < out; o++) {
        double sum = bias[o];
        const float *w = weight + (size_t)o * (size_t)in;
        for (int i = 0; i < in; i++) sum += (double)w[i] * x[i];
        float z = (float)sum;
        y[o] = z / (1 + expf(-z));
    }
}

bool model_embedding(const model_config *config, const model_parameters *parameters, double t,
                     float *embedding) {
    int inputs = model_config_embedding_inputs(config), hidden = config->embedding_hidden;
    float *input = base_alloc((size_t)inputs + (size_t)hidden, sizeof *input);
    if (!input) return false;
    float *between = input + inputs;
    model_embedding_input(config, t, input);
    layer(parameters, 0, hidden, inputs, input, between);
    layer(parameters, 1, hidden, hidden, between, embedding);
    base_free(input);
    return true;
}
