/* The phase that comes with a magnitude: see minimum_phase.h. */
#include "train/minimum_phase.h"

void train_minimum_phase(mel_fft *transform, const float *log_magnitude, float *phase) {
    int size = transform->size, bins = transform->bins;
    for (int k = 0; k < bins; k++) {
        transform->spectrum[2 * k] = log_magnitude[k] / (float)size;
        transform->spectrum[2 * k + 1] = 0;
    }
    mel_fft_inverse(transform);
    for (int i = 1; i < size / 2; i++) transform->real[i] *= 2;
    for (int i = size / 2 + 1; i < size; i++) transform->real[i] = 0;
    mel_fft_forward(transform);
    for (int k = 0; k < bins; k++) phase[k] = transform->spectrum[2 * k + 1];
}
