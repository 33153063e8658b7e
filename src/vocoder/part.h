/* A part of the vocoder: one streaming piece of work between the queue and the samples. The path is
 * a table of parts in the order of the signal (path.h). A tick plans every part, on the pulling
 * thread and between the runs of all of them, and then runs those that have something to do, side
 * by side or one after the other. So a part follows one rule:
 *
 *     init   (its own) says what there will be: sizes, look-ahead; allocates nothing, so that
 *            latency and memory are known before anything is made;
 *     plan   looks at the others (lines, rings, ends) and copies what run needs to know of them;
 *     run    touches its own state, appends to its own outputs, reads inputs up to where plan saw
 *            them, and moves its own reading positions on.
 *
 * What a part computes for a sample never depends on how much was planned at a time. */
#ifndef VOCODER_PART_H
#define VOCODER_PART_H

#include "lull.h"

/* What n pushed frames have made possible before the utterance ends, as it is known where the path
 * has come to. */
typedef struct vocoder_reach {
    uint64_t came;    /* out of the queue */
    uint64_t frames;  /* and through the postnet */
    uint64_t voices;  /* of frames */
    uint64_t source;  /* samples of the pitch source */
    uint64_t rows;    /* of conditioning */
    uint64_t samples; /* of the signal: of those that the frames span, then of each line in turn */
    uint64_t waited;  /* samples that this part held back only because another one had not come
                         farther: … */
    const struct vocoder_part_kind *on; /* … this one, whose latency they are */
} vocoder_reach;

typedef struct vocoder_part_kind {
    const char *name; /* as the latency names it */
    /* Bytes that allocate takes, at most. NULL: none. */
    uint64_t (*bytes)(const void *context);
    lull_status (*allocate)(void *context, lull_error *error);
    /* Decides what can be done now, of at most `most` samples of the signal, and says how many
     * samples' work it is; 0: nothing. Whole frames, patches, … only: a part whose unit is longer
     * than `most` does nothing. */
    size_t (*plan)(void *context, size_t most);
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
    size_t unit;    /* samples of the least that it can do: a frame, a patch, one */
    size_t latency; /* samples that this part keeps back */
    double seconds; /* that its runs took */
    size_t left;    /* samples that it may still do in this pull */
    bool lost;      /* its last run was not finite */
} vocoder_part;

#endif
