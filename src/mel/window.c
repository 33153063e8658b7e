/* Where the frames of a convention lie, and the window that they are seen through. */
#include "mel/window.h"

#include <math.h>

int mel_window_first(const mel_convention *convention) {
    return (convention->n_fft - convention->window) / 2;
}

void mel_window_hann(int length, float *window) {
    /* In float32 as the programs compute it that the mels come from: the rounding of the window
     * leaks into bands that hold nothing else. */
    const float step = (float)(2 * M_PI / length);
    for (int i = 0; i < length; i++)
        window[i] = (float)cos((double)((float)i * step)) * -0.5f + 0.5f;
}

double mel_window_norm(const mel_convention *convention) {
    /* Σ sin⁴(πi/w) over one period is 3w/8 exactly (w > 2). */
    if (convention->window > 2) return sqrt(0.375 * convention->window);
    return convention->window == 2 ? 1.0 : 0.0;
}

int mel_window_lead(const mel_convention *convention) {
    return convention->centred ? convention->n_fft / 2 : (convention->n_fft - convention->hop) / 2;
}
