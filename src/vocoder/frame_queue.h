/* Mel frames from the thread that pushes to the one that pulls: one producer, one consumer, no
 * locks. */
#ifndef VOCODER_FRAME_QUEUE_H
#define VOCODER_FRAME_QUEUE_H

#include "lull.h"

typedef struct vocoder_frame_queue vocoder_frame_queue;

lull_status vocoder_frame_queue_new(size_t capacity, int bands, vocoder_frame_queue **queue,
                                    lull_error *error);
/* Bytes that a queue takes. */
uint64_t vocoder_frame_queue_bytes(size_t capacity, int bands);
void vocoder_frame_queue_free(vocoder_frame_queue *queue);
void vocoder_frame_queue_reset(
    vocoder_frame_queue *queue); /* no other thread may use it meanwhile */

/* Producer: copies in as many of n frames as there is room for and says how many. */
size_t vocoder_frame_queue_push(vocoder_frame_queue *queue, const float *frames, size_t n);
/* Frames that fit in now. Any thread. */
size_t vocoder_frame_queue_room(const vocoder_frame_queue *queue);
/* Frames in it now, and whether any has left it. Any thread. */
size_t vocoder_frame_queue_waiting(const vocoder_frame_queue *queue, bool *begun);
/* Producer: no frame follows. */
void vocoder_frame_queue_finish(vocoder_frame_queue *queue);
bool vocoder_frame_queue_finished(const vocoder_frame_queue *queue);

/* Frames pushed since the reset. Any thread; final when vocoder_frame_queue_finished was true before. */
uint64_t vocoder_frame_queue_pushed(const vocoder_frame_queue *queue);

/* Consumer: copies the next frame to `frame` (NULL drops it). False when there is none. */
bool vocoder_frame_queue_pop(vocoder_frame_queue *queue, float *frame);

#endif
