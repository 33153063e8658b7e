/* The pitch source (source.h) as a part: voices of frames in, a line of signal out. */
#ifndef VOCODER_SOURCE_PART_H
#define VOCODER_SOURCE_PART_H

#include "mel/convention.h"
#include "vocoder/line.h"
#include "vocoder/part.h"
#include "vocoder/rows.h"
#include "vocoder/source.h"

typedef struct vocoder_source_context {
    vocoder_source *source;
    const vocoder_noise_source *noise;
    const vocoder_rows *voices; /* pitch_values */
    vocoder_line *out;          /* the path's */
    bool leads;                 /* it is the beginning of the signal, and not something beside it */
    int rate, hop, first_centre, noise_row;
    size_t most;    /* samples at a time */
    uint64_t taken; /* voices read */
    bool finished;  /* what follows the middle of the last frame is out, too */

    int todo; /* of this tick: frames … */
    bool end; /* … and that */
} vocoder_source_context;

extern const vocoder_part_kind vocoder_source_part;

/* Everything is borrowed. noise_row: of the noise. */
void vocoder_source_part_init(vocoder_source_context *s, const mel_convention *convention,
                              const vocoder_noise_source *noise, int noise_row,
                              vocoder_rows *voices, vocoder_line *out, bool leads, size_t most);

#endif
