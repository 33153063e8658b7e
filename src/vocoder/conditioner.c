/* Mel frames in, conditioning rows out. */
#include "vocoder/conditioner.h"

#include "base/error.h"

#include <string.h>

enum { MOST = 16 }; /* frames at once */

lull_status vocoder_conditioner_init(vocoder_conditioner *c, const denoiser_weights *weights,
                                     mel_reader *reader, int bands, vocoder_rows *frames,
                                     size_t frame_capacity, int most, lull_error *error) {
    c->reader = reader;
    c->bands = bands;
    lull_status status = denoiser_conditioner_new(weights, &c->conditioner, error);
    if (status) return status;
    c->frames = frames;
    c->most = most;
    c->rows_per_frame = denoiser_conditioner_rows_per_frame(c->conditioner);
    size_t width = (size_t)denoiser_conditioner_width(c->conditioner), rows;
    size_t at_once = (size_t)denoiser_conditioner_most(c->conditioner) * (size_t)c->rows_per_frame;
    if (__builtin_mul_overflow(frame_capacity, (size_t)c->rows_per_frame, &rows))
        return base_no_memory(error);
    c->fresh = base_alloc(at_once * width, sizeof *c->fresh);
    c->read = base_alloc(MOST * (size_t)bands, sizeof *c->read);
    if (!c->fresh || !c->read || !vocoder_rows_new(&c->out, rows, width))
        return base_no_memory(error);
    vocoder_rows_read_by(frames, &c->taken);
    return LULL_OK;
}

static void clear(void *context) {
    vocoder_conditioner *c = context;
    denoiser_conditioner_free(c->conditioner);
    mel_reader_free(c->reader);
    base_free(c->read);
    base_free(c->fresh);
    base_free(c->out.data);
}

static void reset(void *context) {
    vocoder_conditioner *c = context;
    denoiser_conditioner_reset(c->conditioner);
    vocoder_rows_reset(&c->out);
    c->taken = 0;
}

static void reach(const void *context, vocoder_reach *to) {
    const vocoder_conditioner *c = context;
    uint64_t ahead = (uint64_t)denoiser_conditioner_look_ahead(c->conditioner);
    to->rows = to->frames > ahead ? (to->frames - ahead) * (uint64_t)c->rows_per_frame : 0;
}

static bool plan(void *context) {
    vocoder_conditioner *c = context;
    c->todo = 0;
    if (c->out.ended) return false;
    uint64_t waiting = c->frames->end - c->taken;
    c->flush = waiting == 0 && c->frames->ended;
    if (c->flush && c->out.end == c->frames->end * (uint64_t)c->rows_per_frame) {
        c->out.ended = true;
        return false;
    }
    uint64_t todo = vocoder_rows_room(&c->out) / (uint64_t)c->rows_per_frame;
    if (todo > (uint64_t)c->most) todo = (uint64_t)c->most;
    if (!c->flush && todo > waiting) todo = waiting;
    c->todo = (int)todo;
    return todo > 0;
}

static void append(vocoder_conditioner *c, const float *const *frames, int count) {
    int n = denoiser_conditioner_push(c->conditioner, frames, count, c->fresh);
    for (int i = 0; i < n; i++)
        memcpy(vocoder_rows_at(&c->out, c->out.end++), c->fresh + (size_t)i * c->out.width,
               c->out.width * sizeof *c->fresh);
}

/* Frame i of those that follow, as the model knows it. */
static const float *take(vocoder_conditioner *c, int i) {
    const float *frame = vocoder_rows_at(c->frames, c->taken + (uint64_t)i);
    if (!c->reader) return frame;
    float *read = c->read + (size_t)i * (size_t)c->bands;
    mel_reader_run(c->reader, frame, read);
    return read;
}

static bool run(void *context) {
    vocoder_conditioner *c = context;
    const float *frames[MOST];
    int most = denoiser_conditioner_most(c->conditioner);
    if (most > MOST) most = MOST;
    for (int done = 0, n; done < c->todo; done += n) {
        n = c->todo - done < most ? c->todo - done : most;
        for (int i = 0; i < n; i++) frames[i] = c->flush ? NULL : take(c, i);
        append(c, frames, n);
        if (!c->flush) c->taken += (uint64_t)n;
    }
    return true;
}

const vocoder_part_kind vocoder_conditioner_part = {"conditioner", true,  plan, run,
                                                    reset,         clear, reach};
