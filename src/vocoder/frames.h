/* The first part: takes mel frames out of the queue, sends them through the postnet where there is
 * one, and keeps them for the parts that read mels. */
#ifndef VOCODER_FRAMES_H
#define VOCODER_FRAMES_H

#include "mel/reader.h"
#include "model/postnet.h"
#include "vocoder/frame_queue.h"
#include "vocoder/part.h"
#include "vocoder/rows.h"

typedef struct vocoder_frames {
    frame_queue *queue;
    postnet *postnet; /* NULL: frames are taken as they come */
    float *fresh;
    /* Frames in another convention than the model's: the last look-ahead + 1 of them, as they came
     * and as the postnet read them. reader NULL: there are none. */
    mel_reader *reader;
    float *came, *read, *mended;
    size_t bands, kept;
    uint64_t pushed;
    vocoder_rows out; /* mel frames */
    int most;         /* frames at a time */

    int todo; /* of this tick: frames */
} vocoder_frames;

extern const vocoder_part_kind vocoder_frames_part;

/* The queue is borrowed; the postnet (NULL: none), whose frames have `read_bands` bands, and its
 * reader (NULL: none) are the part's, also when this fails. */
lull_status vocoder_frames_init(vocoder_frames *f, frame_queue *queue, int bands, postnet *postnet,
                                mel_reader *reader, int read_bands, size_t capacity, int most,
                                lull_error *error);

/* Frames by which the postnet runs behind the queue. */
int vocoder_frames_look_ahead(const vocoder_frames *f);

#endif
