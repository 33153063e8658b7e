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
                         bool pitched, size_t queued, size_t capacity) {
    f->config = config;
    f->parameters = parameters;
    f->convention = convention;
    f->hop = convention->hop;
    f->out.width = (size_t)convention->bands;
    f->out.capacity = capacity;
    /* The first frame leaves the queue together with those that the postnet looks ahead. */
    size_t least = (size_t)vocoder_frames_look_ahead(f) + 1;
    f->queue_capacity = queued < least ? least : queued;
    f->came.width = f->out.width + pitched;
    f->came.capacity = capacity + least;
    vocoder_rows_read_by(&f->came, &f->out.end);
}

/* Whether the postnet reads them as frames of another convention. */
static bool are_read(const vocoder_frames *f) {
    return f->config && mel_convention_difference(f->convention, &f->config->mel);
}

/* Frames as the postnet reads them that are needed at a time. */
static size_t kept(const vocoder_frames *f) {
    return (size_t)vocoder_frames_look_ahead(f) + MODEL_FRAME_STACK_MOST;
}

static uint64_t bytes(const void *context) {
    const vocoder_frames *f = context;
    uint64_t sum = vocoder_frame_queue_bytes(f->queue_capacity, (int)f->came.width);
    if (f->config) {
        sum += postnet_bytes(f->config);
        sum = base_memory_add(sum, MODEL_FRAME_STACK_MOST * (uint64_t)f->config->mel.bands,
                              sizeof *f->mended);
    }
    if (are_read(f)) {
        sum = base_memory_add(sum, kept(f) * (uint64_t)f->config->mel.bands, sizeof *f->read);
        sum += mel_reader_bytes(f->convention, &f->config->mel);
    }
    return sum + vocoder_rows_bytes(&f->came) + vocoder_rows_bytes(&f->out);
}

static lull_status allocate_reader(vocoder_frames *f, lull_error *error) {
    lull_status status =
        mel_reader_new(f->convention, &f->config->mel, MEL_READ_HERTZ, &f->reader, error);
    if (status) return status;
    f->read = base_alloc(kept(f) * f->bands, sizeof *f->read);
    return f->read ? LULL_OK : base_no_memory(error);
}

static lull_status allocate_postnet(vocoder_frames *f, lull_error *error) {
    lull_status status = postnet_new(f->config, f->parameters, &f->postnet, error);
    if (status) return status;
    f->bands = (size_t)f->config->mel.bands;
    f->mended = base_alloc(MODEL_FRAME_STACK_MOST * f->bands, sizeof *f->mended);
    if (!f->mended) return base_no_memory(error);
    return are_read(f) ? allocate_reader(f, error) : LULL_OK;
}

static lull_status allocate(void *context, lull_error *error) {
    vocoder_frames *f = context;
    lull_status status =
        vocoder_frame_queue_new(f->queue_capacity, (int)f->came.width, &f->queue, error);
    if (!status && f->config) status = allocate_postnet(f, error);
    if (status) return status;
    bool made = vocoder_rows_allocate(&f->came) && vocoder_rows_allocate(&f->out);
    return made ? LULL_OK : base_no_memory(error);
}

static void clear(void *context) {
    vocoder_frames *f = context;
    vocoder_frame_queue_free(f->queue);
    model_frame_stack_free(f->postnet);
    mel_reader_free(f->reader);
    base_free(f->read);
    base_free(f->mended);
    base_free(f->came.data);
    base_free(f->out.data);
}

static void reset(void *context) {
    vocoder_frames *f = context;
    vocoder_frame_queue_reset(f->queue);
    if (f->postnet) model_frame_stack_reset(f->postnet);
    vocoder_rows_reset(&f->came);
    vocoder_rows_reset(&f->out);
    f->fed = 0;
}

static void reach(const void *context, vocoder_reach *to) {
    const vocoder_frames *f = context;
    uint64_t ahead = (uint64_t)vocoder_frames_look_ahead(f);
    to->frames = to->came > ahead ? to->came - ahead : 0;
    to->samples = to->frames * (uint64_t)f->hop;
}

static size_t plan(void *context, size_t most) {
    vocoder_frames *f = context;
    f->todo = 0;
    if (f->out.ended) return 0;
    /* Whether more can follow is asked before how much is there, so that the two fit together. */
    bool finished = vocoder_frame_queue_finished(f->queue);
    uint64_t pushed = vocoder_frame_queue_pushed(f->queue),
             ahead = (uint64_t)vocoder_frames_look_ahead(f);
    uint64_t behind = f->out.end + (finished ? 0 : ahead);
    uint64_t waiting = pushed > behind ? pushed - behind : 0;
    if (finished && waiting == 0) f->out.ended = f->came.ended = true;
    uint64_t room = vocoder_rows_room(&f->out);
    if (waiting > room) waiting = room;
    /* What comes in for them is looked ahead, and some of it is there already. */
    room = vocoder_rows_room(&f->came) + (f->came.end - f->out.end);
    room = room > ahead ? room - ahead : 0;
    if (waiting > room) waiting = room;
    if (waiting > most / (size_t)f->hop) waiting = most / (size_t)f->hop;
    f->todo = (int)waiting;
    return (size_t)f->todo * (size_t)f->hop;
}

/* The next frame out of the queue, NULL behind the last one. */
static const float *pop(vocoder_frames *f) {
    float *frame = vocoder_rows_at(&f->came, f->came.end);
    if (!vocoder_frame_queue_pop(f->queue, frame)) return NULL;
    f->came.end++;
    return frame;
}

/* The same as the postnet reads it. */
static const float *pop_to_mend(vocoder_frames *f) {
    const float *frame = pop(f);
    if (!frame || !f->reader) return frame;
    float *read = f->read + (size_t)((f->came.end - 1) % kept(f)) * f->bands;
    mel_reader_run(f->reader, frame, read);
    return read;
}

/* The next frame goes on, as the postnet mended it (NULL: as it came). */
static bool leave(vocoder_frames *f, const float *mended) {
    float *frame = vocoder_rows_at(&f->out, f->out.end);
    const float *as_is = mended && !f->reader ? mended : vocoder_rows_at(&f->came, f->out.end);
    memcpy(frame, as_is, f->out.width * sizeof *frame);
    if (f->reader)
        mel_reader_apply(f->reader, f->read + (size_t)(f->out.end % kept(f)) * f->bands, mended,
                         frame);
    f->out.end++;
    bool finite = true;
    for (size_t b = 0; b < f->out.width; b++) finite = finite && isfinite(frame[b]);
    return finite;
}

/* Frames through the postnet, which hears its look-ahead, too, and NULL behind the last one. What
 * was planned is there: behind the last frame of the queue its end has come. */
static bool mend(vocoder_frames *f) {
    const uint64_t ahead = (uint64_t)vocoder_frames_look_ahead(f);
    const uint64_t wanted = f->out.end + (uint64_t)f->todo + ahead;
    bool finite = true;
    while (f->todo && f->fed < wanted) {
        const float *frames[MODEL_FRAME_STACK_MOST];
        int n = 0;
        for (; n < MODEL_FRAME_STACK_MOST && f->fed < wanted; n++, f->fed++)
            frames[n] = pop_to_mend(f);
        const int made = model_frame_stack_push(f->postnet, frames, n, f->mended);
        for (int i = 0; i < made; i++)
            finite = leave(f, f->mended + (size_t)i * f->bands) && finite;
    }
    return finite;
}

static bool run(void *context) {
    vocoder_frames *f = context;
    if (f->postnet) return mend(f);
    bool finite = true;
    for (int i = 0; i < f->todo; i++) {
        pop(f);
        finite = leave(f, NULL) && finite;
    }
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
