/* Frames of one mel convention as another one would have written them: what lets a network that was
 * trained on one convention listen to all. The log envelope of the frame (mel/envelope.h), levelled
 * for the other's window and rate, is read at the other's bands. Only what a network listens to
 * goes through here; colouring and mel consistency stay in the frame's own convention, because a
 * mel that was converted is a wrong target. */
#ifndef MEL_READER_H
#define MEL_READER_H

#include "mel/convention.h"

typedef struct mel_reader mel_reader;

/* In which unit the reading network counts frequency. */
typedef enum {
    MEL_READ_HERTZ,  /* a frequency is itself: for networks that see nothing but mels */
    MEL_READ_SAMPLES /* … in cycles a sample: for networks that work on samples at the frame's rate
                        and believe that it is the rate which they were trained at */
} mel_read;

/* Reads frames of `from` as frames of `to`. */
lull_status mel_reader_new(const mel_convention *from, const mel_convention *to, mel_read unit,
                           mel_reader **reader, lull_error *error);
void mel_reader_free(mel_reader *reader);
/* Bytes that one takes, at most. */
uint64_t mel_reader_bytes(const mel_convention *from, const mel_convention *to);

/* frame: from's bands; out: to's bands. Outside of from's bands the outermost is held:
 * networks have never seen an edge. */
void mel_reader_run(const mel_reader *reader, const float *frame, float *out);

/* The way back of a change: `frame` (of from, in place) gets what `before` became `after` by (of
 * to), as a gain over frequency; above to's fmax none. */
void mel_reader_apply(const mel_reader *reader, const float *before, const float *after,
                      float *frame);

#endif
