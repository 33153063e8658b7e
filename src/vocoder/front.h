/* The beginning of the vocoder: takes mel frames from the queue, sends them through the postnet
 * where there is one, keeps them for the colouring, and makes the conditioning rows that all stages
 * share.
 */
#ifndef VOCODER_FRONT_H
#define VOCODER_FRONT_H

#include "model/denoiser.h"
#include "model/postnet.h"
#include "vocoder/frame_queue.h"

typedef struct front {
    frame_queue *queue;
    int bands;
    postnet *postnet; /* NULL: frames are taken as they come */
    float *fresh_frame;
    float *frames; /* ring of mel frames; frame f at f mod capacity */
    size_t frame_capacity;
    denoiser_conditioner *conditioner; /* NULL without a network */
    float *ring, *fresh;
    size_t width;
    int rows_per_frame;
    denoiser_rows rows;
    uint64_t taken; /* frames out of the queue and through the postnet */
    bool finite;    /* so far, behind the postnet */
    uint64_t total; /* frames of the utterance; UINT64_MAX until known */

    int todo; /* of this tick: frames, or flushes after the last */
} front;

/* frame_capacity, row_capacity: of the rings. weights may be NULL: no network. The queue is
 * borrowed; the postnet (NULL: none) is the front's, also when this fails. */
lull_status front_init(front *f, frame_queue *queue, int bands, postnet *postnet,
                       const denoiser_weights *weights, size_t frame_capacity, size_t row_capacity,
                       lull_error *error);
void front_clear(front *f);
void front_reset(front *f);

/* Frames before `oldest_frame` and rows before `oldest_row` are no longer needed; at most `most`
 * frames. */
bool front_plan(front *f, uint64_t oldest_frame, uint64_t oldest_row, int most);
void front_run(front *f);

/* Frames by which the postnet runs behind the queue. */
int front_look_ahead(const front *f);

static inline const float *front_frame(const front *f, uint64_t i) {
    return f->frames + (size_t)(i % f->frame_capacity) * (size_t)f->bands;
}

#endif
