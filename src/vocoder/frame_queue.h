/* Mel frames from the thread that pushes to the one that pulls: one producer, one consumer, no
 * locks. */
#ifndef VOCODER_FRAME_QUEUE_H
#define VOCODER_FRAME_QUEUE_H

#include "lull.h"

typedef struct frame_queue frame_queue;

lull_status frame_queue_new(size_t capacity, int bands, frame_queue **queue, lull_error *error);
/* Bytes that a queue takes. */
uint64_t frame_queue_bytes(size_t capacity, int bands);
void frame_queue_free(frame_queue *queue);
void frame_queue_reset(frame_queue *queue); /* no other thread may use it meanwhile */

/* Producer: copies in as many of n frames as there is room for and says how many. */
size_t frame_queue_push(frame_queue *queue, const float *frames, size_t n);
/* Frames that fit in now. Any thread. */
size_t frame_queue_room(const frame_queue *queue);
/* Frames in it now, and whether any has left it. Any thread. */
size_t frame_queue_waiting(const frame_queue *queue, bool *begun);
/* Producer: no frame follows. */
void frame_queue_finish(frame_queue *queue);
bool frame_queue_finished(const frame_queue *queue);

/* Frames pushed since the reset. Any thread; final when frame_queue_finished was true before. */
uint64_t frame_queue_pushed(const frame_queue *queue);

/* Consumer: copies the next frame to `frame` (NULL drops it). False when there is none. */
bool frame_queue_pop(frame_queue *queue, float *frame);

#endif
