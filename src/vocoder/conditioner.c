/* Mel frames in, conditioning rows out. */
#include "vocoder/conditioner.h"

#include "base/error.h"

#include <string.h>

enum { MOST = 16 }; /* frames at once */

void vocoder_conditioner_init(vocoder_conditioner *c, const model_config *config, bool bf16,
                              const mel_convention *convention, vocoder_rows *frames,
                              size_t frame_capacity) {
    c->convention = convention;
    c->model_mel = &config->mel;
    c->bands = config->mel.bands;
    c->shape = denoiser_conditioner_shape_of(config, bf16);
    c->frames = frames;
    c->hop = convention->hop;
    c->out.width = (size_t)c->shape.width;
    c->out.capacity = frame_capacity * (size_t)c->shape.rows_per_frame;
    vocoder_rows_read_by(frames, &c->taken);
}

/* Rows that a push may bring. */
static size_t at_once(const vocoder_conditioner *c) {
    return (size_t)c->shape.most * (size_t)c->shape.rows_per_frame;
}

/* Whether the frames are of another convention than the model's. */
static bool are_read(const vocoder_conditioner *c) {
    return mel_convention_difference(c->convention, c->model_mel) != NULL;
}

static uint64_t bytes(const void *context) {
    const vocoder_conditioner *c = context;
    uint64_t sum = base_memory_add(c->shape.bytes, at_once(c), c->out.width * sizeof *c->fresh);
    sum = base_memory_add(sum, MOST * (uint64_t)c->bands, sizeof *c->read);
    if (are_read(c)) sum += mel_reader_bytes(c->convention, c->model_mel);
    return sum + vocoder_rows_bytes(&c->out);
}

static lull_status allocate(void *context, lull_error *error) {
    vocoder_conditioner *c = context;
    lull_status status = denoiser_conditioner_new(c->weights, &c->conditioner, error);
    if (!status && are_read(c))
        status = mel_reader_new(c->convention, c->model_mel, MEL_READ_SAMPLES, &c->reader, error);
    if (status) return status;
    c->fresh = base_alloc(at_once(c), c->out.width * sizeof *c->fresh);
    c->read = base_alloc(MOST * (size_t)c->bands, sizeof *c->read);
    return c->fresh && c->read && vocoder_rows_allocate(&c->out) ? LULL_OK : base_no_memory(error);
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
    uint64_t ahead = (uint64_t)c->shape.look_ahead;
    to->rows = to->frames > ahead ? (to->frames - ahead) * (uint64_t)c->shape.rows_per_frame : 0;
}

static size_t plan(void *context, size_t most) {
    vocoder_conditioner *c = context;
    c->todo = 0;
    if (c->out.ended) return 0;
    uint64_t waiting = c->frames->end - c->taken;
    c->flush = waiting == 0 && c->frames->ended;
    if (c->flush && c->out.end == c->frames->end * (uint64_t)c->shape.rows_per_frame) {
        c->out.ended = true;
        return 0;
    }
    uint64_t todo = vocoder_rows_room(&c->out) / (uint64_t)c->shape.rows_per_frame;
    if (todo > most / (size_t)c->hop) todo = most / (size_t)c->hop;
    if (!c->flush && todo > waiting) todo = waiting;
    c->todo = (int)todo;
    return (size_t)c->todo * (size_t)c->hop;
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
    int most = c->shape.most < MOST ? c->shape.most : MOST;
    for (int done = 0, n; done < c->todo; done += n) {
        n = c->todo - done < most ? c->todo - done : most;
        for (int i = 0; i < n; i++) frames[i] = c->flush ? NULL : take(c, i);
        append(c, frames, n);
        if (!c->flush) c->taken += (uint64_t)n;
    }
    return true;
}

const vocoder_part_kind vocoder_conditioner_part = {.name = "conditioner",
                                                    .bytes = bytes,
                                                    .allocate = allocate,
                                                    .plan = plan,
                                                    .run = run,
                                                    .reset = reset,
                                                    .clear = clear,
                                                    .reach = reach};
