/* Where the glottis closes: the turns of a pulse train that lay its pulses on a recording's. */
#ifndef TRAIN_CLOSURES_H
#define TRAIN_CLOSURES_H

#include <stdbool.h>

#include "lull.h"

enum {
    TRAIN_CLOSURE_HARMONICS = 50, /* at most: of 60 Hz up to the highest frequency that is used */
    TRAIN_CLOSURE_HIGHEST = 3000  /* Hz */
};

/* A frame: the recording's harmonics against those of a pulse train of the same pitch, without the
 * phases that the vocal tract gives them (re, im, from the fundamental on; none where nothing is
 * voiced). */
typedef struct train_closure_frame {
    int harmonics;
    float part[2 * TRAIN_CLOSURE_HARMONICS];
} train_closure_frame;

typedef struct train_closures train_closures;

lull_status train_closures_new(int frames, train_closures **result, lull_error *error);
void train_closures_free(train_closures *c);

/* turn: of each frame, in cycles of the fundamental, continuous from frame to frame. A pulse train
 * turned by τ has e^{2πi·hτ} as its harmonics, so the best path maximizes Σ ±Re(Y_h e^{−2πi·hτ}),
 * every frame's Y of unit length, less the squares of its steps (Viterbi). Returns the sign: −1
 * where the pulses of the recording are negative, as a microphone's wiring may have it. 1 and turns
 * of 0 where nothing is voiced. */
int train_closures_find(train_closures *c, const train_closure_frame *frame, double *turn);

#endif
