/* The check of a stream's frames: can they be of the convention? A few frames say little, so the
 * first ones are looked at again as they become more. */
#ifndef MEL_OPENING_H
#define MEL_OPENING_H

#include "mel/convention.h"

enum { MEL_OPENING_FRAMES = 64 };

typedef struct mel_opening {
    const mel_convention *convention; /* borrowed */
    float *frames;                    /* the first ones */
    size_t known;
} mel_opening;

lull_status mel_opening_init(mel_opening *o, const mel_convention *convention, lull_error *error);

/* Looks at n more frames. Only the first MEL_OPENING_FRAMES of a stream matter. */
lull_status mel_opening_check(mel_opening *o, const float *frames, size_t n, const char *name,
                              lull_error *error);

void mel_opening_clear(mel_opening *o);

#endif
