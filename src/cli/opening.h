/* The check of a stream's frames: can they be of the convention? A few frames say little, so the
 * first ones are looked at again as they become more. */
#ifndef CLI_OPENING_H
#define CLI_OPENING_H

#include "mel/convention.h"

enum { OPENING_FRAMES = 64 };

typedef struct opening {
    const mel_convention *convention; /* borrowed */
    float *frames;                    /* the first ones */
    size_t known;
} opening;

lull_status opening_init(opening *o, const mel_convention *convention, lull_error *error);

/* Looks at n more frames. Only the first OPENING_FRAMES of a stream matter. */
lull_status opening_check(opening *o, const float *frames, size_t n, const char *name,
                          lull_error *error);

void opening_clear(opening *o);

#endif
