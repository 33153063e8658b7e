/* White noise, as long as the frames are: where the reverse process begins, and the source of those
 * who have no pitch. */
#ifndef VOCODER_START_H
#define VOCODER_START_H

#include "vocoder/line.h"
#include "vocoder/noise.h"
#include "vocoder/part.h"
#include "vocoder/rows.h"

typedef struct vocoder_start {
    const vocoder_noise_source *noise;
    const vocoder_rows *frames;
    vocoder_line *out, *carry; /* carry: zeros, NULL when the sampler carries nothing */
    int row;                   /* of the noise */
    int hop, patch;            /* the last patch is drawn whole */
    size_t most;               /* samples at a time */

    size_t todo; /* of this tick: samples */
} vocoder_start;

extern const vocoder_part_kind vocoder_start_part;

#endif
