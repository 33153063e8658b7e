/* Mel frames from the queue, mended by the postnet. */
#include "vocoder/frames.h"

#include "base/error.h"

#include <math.h>
#include <string.h>

int vocoder_frames_look_ahead(const vocoder_frames *f) {
    return f->config ? f->config->postnet_look_ahead : 0;
}

void vocoder_frames_init(vocoder_frames *f, const mel_convention *convention,
                         const model_config *config, const model_parameters *parameters,
                         size_t queued, size_t capacity) {
    f->config = config;
    f->parameters = parameters;
    f->convention = convention;
    f->hop = convention->hop;
    f->out.width = (size_t)convention->bands;
    f->out.capacity = capacity;
    /* The first frame leaves the queue together with those that the postnet looks ahead. */
    size_t least = (size_t)vocoder_frames_look_ahead(f) + 1;
    f->queue_capacity = queued < least ? least : queued;
}

/* Whether the postnet reads them as frames of another convention. */
static bool are_read(const vocoder_frames *f) {
    return f->config && mel_convention_difference(f->convention, &f->config->mel);
}

static uint64_t bytes(const void *context) {
    const vocoder_frames *f = context;
    uint64_t sum = frame_queue_bytes(f->queue_capacity, (int)f->out.width);
    if (f->config) sum += postnet_bytes(f->config);
    if (are_read(f)) {
        uint64_t kept = (uint64_t)vocoder_frames_look_ahead(f) + 2;
        uint64_t bands = f->out.width + (uint64_t)f->config->mel.bands;
        sum = base_memory_add(sum, kept * bands, sizeof *f->came);
        sum += mel_reader_bytes(f->convention, &f->config->mel);
    }
    return base_memory_add(sum, f->out.width, sizeof *f->fresh) + vocoder_rows_bytes(&f->out);
}

static lull_status allocate_reader(vocoder_frames *f, lull_error *error) {
    lull_status status =
        mel_reader_new(f->convention, &f->config->mel, MEL_READ_HERTZ, &f->reader, error);
    if (status) return status;
    f->bands = (size_t)f->config->mel.bands;
    f->kept = (size_t)vocoder_frames_look_ahead(f) + 1;
    f->came = base_alloc(f->kept * f->out.width, sizeof *f->came);
    f->read = base_alloc(f->kept * f->bands, sizeof *f->read);
    f->mended = base_alloc(f->bands, sizeof *f->mended);
    return f->came && f->read && f->mended ? LULL_OK : base_no_memory(error);
}

static lull_status allocate(void *context, lull_error *error) {
    vocoder_frames *f = context;
    lull_status status = frame_queue_new(f->queue_capacity, (int)f->out.width, &f->queue, error);
    if (!status && f->config) status = postnet_new(f->config, f->parameters, &f->postnet, error);
    if (!status && are_read(f)) status = allocate_reader(f, error);
    if (status) return status;
    f->fresh = base_alloc(f->out.width, sizeof *f->fresh);
    return f->fresh && vocoder_rows_allocate(&f->out) ? LULL_OK : base_no_memory(error);
}

static void clear(void *context) {
    vocoder_frames *f = context;
    frame_queue_free(f->queue);
    model_frame_stack_free(f->postnet);
    mel_reader_free(f->reader);
    base_free(f->came);
    base_free(f->read);
    base_free(f->mended);
    base_free(f->fresh);
    base_free(f->out.data);
}

static void reset(void *context) {
    vocoder_frames *f = context;
    frame_queue_reset(f->queue);
    if (f->postnet) model_frame_stack_reset(f->postnet);
    f->pushed = 0;
    vocoder_rows_reset(&f->out);
}

static void reach(const void *context, vocoder_reach *to) {
    const vocoder_frames *f = context;
    uint64_t ahead = (uint64_t)vocoder_frames_look_ahead(f);
    to->frames = to->frames > ahead ? to->frames - ahead : 0;
    to->samples = to->frames * (uint64_t)f->hop;
}

static size_t plan(void *context, size_t most) {
    vocoder_frames *f = context;
    f->todo = 0;
    if (f->out.ended) return 0;
    /* Whether more can follow is asked before how much is there, so that the two fit together. */
    bool finished = frame_queue_finished(f->queue);
    uint64_t pushed = frame_queue_pushed(f->queue);
    uint64_t behind = f->out.end + (finished ? 0 : (uint64_t)vocoder_frames_look_ahead(f));
    uint64_t waiting = pushed > behind ? pushed - behind : 0;
    if (finished && waiting == 0) f->out.ended = true;
    uint64_t room = vocoder_rows_room(&f->out);
    if (waiting > room) waiting = room;
    if (waiting > most / (size_t)f->hop) waiting = most / (size_t)f->hop;
    f->todo = (int)waiting;
    return (size_t)f->todo * (size_t)f->hop;
}

/* The same for frames that the postnet reads as another convention's: what it changes is read back.
 */
static void mend_read(vocoder_frames *f, float *frame) {
    size_t width = f->out.width, slot = (size_t)((f->out.end - 1) % f->kept);
    for (bool out = false; !out;) {
        size_t at = (size_t)(f->pushed % f->kept);
        float *came = f->came + at * width, *read = f->read + at * f->bands;
        bool more = frame_queue_pop(f->queue, came);
        if (more) mel_reader_run(f->reader, came, read);
        out = model_frame_stack_push(f->postnet, more ? read : NULL, f->mended);
        f->pushed += more;
    }
    memcpy(frame, f->came + slot * width, width * sizeof *frame);
    mel_reader_apply(f->reader, f->read + slot * f->bands, f->mended, frame);
}

/* The next frame, out of the queue and through the postnet. What was planned is there: behind the
 * last frame of the queue its end has come. */
static bool take(vocoder_frames *f) {
    float *frame = vocoder_rows_at(&f->out, f->out.end++);
    if (!f->postnet) {
        frame_queue_pop(f->queue, frame);
        return true;
    }
    if (f->reader) mend_read(f, frame);
    for (bool out = f->reader != NULL; !out;) {
        bool more = frame_queue_pop(f->queue, f->fresh);
        out = model_frame_stack_push(f->postnet, more ? f->fresh : NULL, frame);
    }
    bool finite = true;
    for (size_t b = 0; b < f->out.width; b++) finite = finite && isfinite(frame[b]);
    return finite;
}

static bool run(void *context) {
    vocoder_frames *f = context;
    bool finite = true;
    for (int i = 0; i < f->todo; i++) finite = take(f) && finite;
    return finite;
}

const vocoder_part_kind vocoder_frames_part = {.name = "postnet",
                                               .bytes = bytes,
                                               .allocate = allocate,
                                               .plan = plan,
                                               .run = run,
                                               .reset = reset,
                                               .clear = clear,
                                               .reach = reach};
