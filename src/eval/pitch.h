/* Fundamental frequency and periodicity by YIN (de Cheveigné & Kawahara 2002, steps 1–5):
 * difference function, cumulative mean normalisation, absolute threshold, parabolic interpolation.
 */
#ifndef EVAL_PITCH_H
#define EVAL_PITCH_H

#include "lull.h"

typedef struct eval_pitch_frame {
    double f0;          /* Hz, 0 = not voiced */
    double periodicity; /* 1 − d'(τ) at the chosen lag, in [0, 1] */
    double power;       /* mean square of the frame */
} eval_pitch_frame;

/* Frames every 5 ms, 60…500 Hz, integration window 25 ms, threshold 0.15. A frame is voiced when d'
 * falls below the threshold and its power is above 1e-4 of the loudest frame's. *frames is freed
 * with base_free. */
lull_status eval_pitch_track(const float *signal, size_t count, int rate, eval_pitch_frame **frames,
                             size_t *n, lull_error *error);

/* Of the signal that frame 0 describes, the middle, and how far apart frames are: seconds. A frame
 * is compared with what comes a period later; the middle is that at 150 Hz. */
void eval_pitch_times(int rate, double *first, double *step);

typedef struct eval_pitch_errors {
    double cents;       /* root mean square over frames voiced in both, gross errors left out */
    double gross;       /* share of frames voiced in both that are more than 20 % off */
    double voicing;     /* share of frames whose decision differs */
    double periodicity; /* root mean square over frames voiced in the reference */
} eval_pitch_errors;

/* NaN where nothing is there to compare. */
lull_status eval_pitch_compare(const float *reference, const float *output, size_t count, int rate,
                               eval_pitch_errors *errors, lull_error *error);

#endif
