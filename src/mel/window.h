/* Where the frames of a convention lie, and the window that they are seen through. */
#ifndef MEL_WINDOW_H
#define MEL_WINDOW_H

#include "mel/convention.h"

/* The periodic Hann window of `length` ≥ 1 samples: ½ − ½·cos(2πi/length). The only one in the
 * project. */
void mel_window_hann(int length, float *window);

/* √Σwindow². */
double mel_window_norm(const mel_convention *convention);

/* Samples by which frame 0 begins before sample 0; frame f covers f·hop − lead … f·hop − lead +
 * n_fft − 1. */
int mel_window_lead(const mel_convention *convention);

/* First sample of n_fft where the window may differ from zero. */
int mel_window_first(const mel_convention *convention);

#endif
