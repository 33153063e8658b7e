/* DiffWave's transposed convolutions, forward and backward, side by side. Output row τ and input
 * row i meet in tap k = τ + 8 − 16·i, output band f and input band g in tap j = f + 1 − g. */
#include "model/upsampler.h"

#include <string.h>

enum { TAPS = 32, BANDS = 3, PADDING = 8 };

static const float SLOPE = 0.4f;

/* Calls for every pair of rows that meet. */
#define FOR_PAIRS(i, k, tau, n)                                                                    \
    for (int i = 0; i < (n); i++)                                                                  \
        for (int k = 0, tau = MODEL_UPSAMPLER_STRIDE * i - PADDING; k < TAPS; k++, tau++)          \
            if (tau >= 0 && tau < MODEL_UPSAMPLER_STRIDE * (n))

/* a[f] += w · b[f + shift], inside the bands. */
static void add_shifted(float *a, const float *b, int bands, int shift, float w) {
    int from = shift < 0 ? -shift : 0, to = shift > 0 ? bands - shift : bands;
    for (int f = from; f < to; f++) a[f] += w * b[f + shift];
}

void model_upsampler_forward(const float *in, int n, int bands, const float *weight, float bias,
                             float *out) {
    int rows = MODEL_UPSAMPLER_STRIDE * n;
    for (int i = 0; i < rows * bands; i++) out[i] = bias;
    FOR_PAIRS(i, k, tau, n) {
        for (int j = 0; j < BANDS; j++)
            add_shifted(out + (long)tau * bands, in + (long)i * bands, bands, 1 - j,
                        weight[j * TAPS + k]);
    }
    for (int i = 0; i < rows * bands; i++)
        if (out[i] < 0) out[i] *= SLOPE;
}

void model_upsampler_backward(const float *in, int n, int bands, const float *weight,
                              const float *out, float *dout, float *din, float *dweight,
                              float *dbias) {
    int rows = MODEL_UPSAMPLER_STRIDE * n;
    double sum = 0;
    for (int i = 0; i < rows * bands; i++) {
        if (out[i] < 0) dout[i] *= SLOPE;
        sum += dout[i];
    }
    *dbias += (float)sum;
    if (din) memset(din, 0, (unsigned long)n * (unsigned long)bands * sizeof(float));
    FOR_PAIRS(i, k, tau, n) {
        const float *x = in + (long)i * bands, *d = dout + (long)tau * bands;
        for (int j = 0; j < BANDS; j++) {
            int shift = 1 - j, from = shift < 0 ? -shift : 0,
                to = shift > 0 ? bands - shift : bands;
            float product = 0;
            for (int f = from; f < to; f++) product += d[f] * x[f + shift];
            dweight[j * TAPS + k] += product;
            if (din) add_shifted(din + (long)i * bands, d, bands, -shift, weight[j * TAPS + k]);
        }
    }
}
