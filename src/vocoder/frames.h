/* The first part: takes mel frames out of the queue, sends them through the postnet where there is
 * one, and keeps both kinds for the parts that read them. */
#ifndef VOCODER_FRAMES_H
#define VOCODER_FRAMES_H

#include "mel/reader.h"
#include "model/postnet.h"
#include "vocoder/frame_queue.h"
#include "vocoder/part.h"
#include "vocoder/rows.h"

typedef struct vocoder_frames {
    const model_config *config; /* of the postnet; NULL: frames are taken as they come */
    const model_parameters *parameters;
    const mel_convention *convention; /* of the frames */
    size_t queue_capacity;            /* frames */
    int hop;

    vocoder_frame_queue *queue;
    vocoder_rows came; /* frames as they were pushed; where pitches are, the pitch behind each */
    model_frame_stack *postnet;
    float *mended; /* some frames, as they leave it */
    uint64_t fed;  /* frames that it has seen, those behind the end included */
    size_t bands;  /* of its frames */
    /* Frames in another convention than the model's, the last of them as the postnet reads them.
     * reader NULL: there are none. */
    mel_reader *reader;
    float *read;
    vocoder_rows out; /* mel frames */

    int todo; /* of this tick: frames */
} vocoder_frames;

extern const vocoder_part_kind vocoder_frames_part;

/* convention: of the frames, borrowed. config and parameters: of the postnet, NULL when there is
 * none. pitched: behind every frame in the queue stands its pitch. queued: frames that push may run
 * ahead of pull; more where the postnet has to see more. capacity: of the rings of frames. */
void vocoder_frames_init(vocoder_frames *f, const mel_convention *convention,
                         const model_config *config, const model_parameters *parameters,
                         bool pitched, size_t queued, size_t capacity);

/* Frames by which the postnet runs behind the queue. */
int vocoder_frames_look_ahead(const vocoder_frames *f);

#endif
