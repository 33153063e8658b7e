/* A low-pass filter of linear phase: a sinc under a Hamming window. */
#ifndef BASE_LOW_PASS_H
#define BASE_LOW_PASS_H

/* Taps on each side of the middle one, for 1 kHz from the pass band to the stop band. */
int low_pass_half(int rate);

/* The 2 · half + 1 taps, which add up to one. cut: cycles a sample, below 1/2. */
void low_pass_design(double cut, int half, float *taps);

#endif
