/* A part of the vocoder: one streaming piece of work between the queue and the samples. The path is
 * a table of parts in the order of the signal (path.h). A tick plans every part, on the pulling
 * thread and between the runs of all of them, and then runs those that have something to do, side
 * by side or one after the other. So a part follows one rule:
 *
 *     plan   looks at the others (lines, rings, ends) and copies what run needs to know of them;
 *     run    touches its own state, appends to its own outputs, reads inputs up to where plan saw
 *            them, and moves its own reading positions on.
 *
 * What a part computes for a sample never depends on how much was planned at a time. */
#ifndef VOCODER_PART_H
#define VOCODER_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What n pushed frames have made possible before the utterance ends, as it is known where the path
 * has come to. */
typedef struct vocoder_reach {
    uint64_t frames;  /* out of the queue and through the postnet */
    uint64_t rows;    /* of conditioning */
    uint64_t samples; /* of the signal: of those that the frames span, then of each line in turn */
    uint64_t waited;  /* samples that this part held back only because a side part (below) had not
                         come farther */
} vocoder_reach;

typedef struct vocoder_part_kind {
    const char *name; /* as the latency names it */
    /* On a side path: makes what a later part needs beside the signal. What that one waits for it
     * is counted as this one's latency. */
    bool side;
    /* Decides what can be done now; false: nothing. */
    bool (*plan)(void *context);
    /* Does it. False: a value is not finite, and the utterance is lost. */
    bool (*run)(void *context);
    /* Back to the beginning of an utterance. Rings are reset by the part that appends, lines by the
     * path. NULL: there is nothing. */
    void (*reset)(void *context);
    /* Frees what the context owns, also after a failed initialisation; not the context. NULL: it
     * owns nothing. */
    void (*clear)(void *context);
    /* Moves the reach behind this part. NULL: it keeps nothing back. */
    void (*reach)(const void *context, vocoder_reach *reach);
} vocoder_part_kind;

typedef struct vocoder_part {
    const vocoder_part_kind *kind;
    void *context;
    size_t latency; /* samples that this part keeps back */
    double seconds; /* that its runs took */
    bool lost;      /* its last run was not finite */
} vocoder_part;

#endif
