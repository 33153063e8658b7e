/* Mel frames in, conditioning rows out. */
#include "vocoder/front.h"

#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <string.h>

lull_status front_init(front *f, frame_queue *queue, int bands, postnet *postnet,
                       const denoiser_weights *weights, size_t frame_capacity, size_t row_capacity,
                       lull_error *error) {
    f->queue = queue;
    f->bands = bands;
    f->postnet = postnet;
    f->frame_capacity = frame_capacity;
    f->frames = base_alloc(frame_capacity * (size_t)bands, sizeof *f->frames);
    f->fresh_frame = base_alloc((size_t)bands, sizeof *f->fresh_frame);
    if (!f->frames || !f->fresh_frame) return base_no_memory(error);
    if (!weights) return LULL_OK;
    lull_status status = denoiser_conditioner_new(weights, &f->conditioner, error);
    if (status) return status;
    f->width = (size_t)denoiser_conditioner_width(f->conditioner);
    f->rows_per_frame = denoiser_conditioner_rows_per_frame(f->conditioner);
    size_t most = (size_t)denoiser_conditioner_most(f->conditioner);
    f->rows.capacity = row_capacity;
    f->ring = base_alloc(row_capacity * f->width, sizeof *f->ring);
    f->fresh = base_alloc(most * (size_t)f->rows_per_frame * f->width, sizeof *f->fresh);
    if (!f->ring || !f->fresh) return base_no_memory(error);
    f->rows.rows = f->ring;
    return LULL_OK;
}

void front_clear(front *f) {
    postnet_free(f->postnet);
    denoiser_conditioner_free(f->conditioner);
    base_free(f->fresh_frame);
    base_free(f->frames);
    base_free(f->ring);
    base_free(f->fresh);
}

void front_reset(front *f) {
    if (f->postnet) postnet_reset(f->postnet);
    if (f->conditioner) denoiser_conditioner_reset(f->conditioner);
    f->rows.first = f->rows.end = 0;
    f->rows.ended = false;
    f->taken = 0;
    f->finite = true;
    f->total = UINT64_MAX;
}

int front_look_ahead(const front *f) {
    return f->postnet ? postnet_look_ahead(f->postnet) : 0;
}

/* Frames that can be taken now, of those that were pushed. */
static uint64_t available(const front *f, uint64_t pushed, bool finished) {
    uint64_t behind = f->taken + (finished ? 0 : (uint64_t)front_look_ahead(f));
    return pushed > behind ? pushed - behind : 0;
}

bool front_plan(front *f, uint64_t oldest_frame, uint64_t oldest_row, int most) {
    /* Whether more can follow is asked before how much is there, so that the two fit together. */
    bool finished = frame_queue_finished(f->queue);
    uint64_t waiting = available(f, frame_queue_pushed(f->queue), finished);
    if (finished && waiting == 0) f->total = f->taken;
    f->rows.first = oldest_row;
    f->todo = most;
    if (f->conditioner) {
        uint64_t room =
            (f->rows.capacity - (size_t)(f->rows.end - oldest_row)) / (uint64_t)f->rows_per_frame;
        if ((uint64_t)f->todo > room) f->todo = (int)room;
    }
    if (f->total != UINT64_MAX) {
        if (!f->conditioner || f->rows.end == f->total * (uint64_t)f->rows_per_frame) {
            f->rows.ended = true;
            f->todo = 0;
        }
        return f->todo > 0;
    }
    uint64_t room = f->frame_capacity - (f->taken - oldest_frame);
    if ((uint64_t)f->todo > room) f->todo = (int)room;
    if ((uint64_t)f->todo > waiting) f->todo = (int)waiting;
    return f->todo > 0;
}

static void condition(front *f, const float *const *frames, int count) {
    int n = denoiser_conditioner_push(f->conditioner, frames, count, f->fresh);
    for (int i = 0; i < n; i++, f->rows.end++)
        memcpy(f->ring + (size_t)(f->rows.end % f->rows.capacity) * f->width,
               f->fresh + (size_t)i * f->width, f->width * sizeof *f->ring);
}

/* The next frame, out of the queue and through the postnet; NULL behind the last. */
static const float *take(front *f) {
    if (f->total != UINT64_MAX) return NULL;
    float *frame = (float *)front_frame(f, f->taken);
    if (!f->postnet) {
        frame_queue_pop(f->queue, frame);
    } else {
        /* What was planned is there: after the last frame of the queue its end has come. */
        bool out = false;
        while (!out) {
            bool more = frame_queue_pop(f->queue, f->fresh_frame);
            out = postnet_push(f->postnet, more ? f->fresh_frame : NULL, frame);
        }
        for (int b = 0; b < f->bands; b++)
            if (!isfinite(frame[b])) f->finite = false;
    }
    f->taken++;
    return frame;
}

void front_run(front *f) {
    enum { MOST = 16 };
    const float *frames[MOST];
    int most = f->conditioner ? denoiser_conditioner_most(f->conditioner) : MOST;
    if (most > MOST) most = MOST;
    for (int done = 0, n; done < f->todo; done += n) {
        n = f->todo - done < most ? f->todo - done : most;
        for (int i = 0; i < n; i++) frames[i] = take(f);
        if (f->conditioner) condition(f, frames, n);
    }
}
