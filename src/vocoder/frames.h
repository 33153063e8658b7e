/* The first part: takes mel frames out of the queue, sends them through the postnet where there is
 * one, and keeps them for the parts that read mels. */
#ifndef VOCODER_FRAMES_H
#define VOCODER_FRAMES_H

#include "model/postnet.h"
#include "vocoder/frame_queue.h"
#include "vocoder/part.h"
#include "vocoder/rows.h"

typedef struct vocoder_frames {
    frame_queue *queue;
    postnet *postnet; /* NULL: frames are taken as they come */
    float *fresh;
    vocoder_rows out; /* mel frames */
    int most;         /* frames at a time */

    int todo; /* of this tick: frames */
} vocoder_frames;

extern const vocoder_part_kind vocoder_frames_part;

/* The queue is borrowed; the postnet (NULL: none) is the part's, also when this fails. */
lull_status vocoder_frames_init(vocoder_frames *f, frame_queue *queue, int bands, postnet *postnet,
                                size_t capacity, int most, lull_error *error);

/* Frames by which the postnet runs behind the queue. */
int vocoder_frames_look_ahead(const vocoder_frames *f);

#endif
