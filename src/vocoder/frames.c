/* Mel frames from the queue, mended by the postnet. */
#include "vocoder/frames.h"

#include "base/error.h"

#include <math.h>
#include <string.h>

static bool keep_frames(vocoder_frames *f, int bands, int read_bands) {
    f->bands = (size_t)read_bands;
    f->kept = (size_t)postnet_look_ahead(f->postnet) + 1;
    f->came = base_alloc(f->kept * (size_t)bands, sizeof *f->came);
    f->read = base_alloc(f->kept * (size_t)read_bands, sizeof *f->read);
    f->mended = base_alloc((size_t)read_bands, sizeof *f->mended);
    return f->came && f->read && f->mended;
}

lull_status vocoder_frames_init(vocoder_frames *f, frame_queue *queue, int bands, postnet *postnet,
                                mel_reader *reader, int read_bands, size_t capacity, int most,
                                lull_error *error) {
    f->queue = queue;
    f->postnet = postnet;
    f->reader = reader;
    if (reader && postnet && !keep_frames(f, bands, read_bands)) return base_no_memory(error);
    f->most = most;
    f->fresh = base_alloc((size_t)bands, sizeof *f->fresh);
    if (!f->fresh || !vocoder_rows_new(&f->out, capacity, (size_t)bands))
        return base_no_memory(error);
    return LULL_OK;
}

int vocoder_frames_look_ahead(const vocoder_frames *f) {
    return f->postnet ? postnet_look_ahead(f->postnet) : 0;
}

static void clear(void *context) {
    vocoder_frames *f = context;
    postnet_free(f->postnet);
    mel_reader_free(f->reader);
    base_free(f->came);
    base_free(f->read);
    base_free(f->mended);
    base_free(f->fresh);
    base_free(f->out.data);
}

static void reset(void *context) {
    vocoder_frames *f = context;
    if (f->postnet) postnet_reset(f->postnet);
    f->pushed = 0;
    vocoder_rows_reset(&f->out);
}

static void reach(const void *context, vocoder_reach *to) {
    const vocoder_frames *f = context;
    uint64_t ahead = (uint64_t)vocoder_frames_look_ahead(f);
    uint64_t hop = to->frames ? to->samples / to->frames : 0;
    to->frames = to->frames > ahead ? to->frames - ahead : 0;
    to->samples = to->frames * hop;
}

static bool plan(void *context) {
    vocoder_frames *f = context;
    f->todo = 0;
    if (f->out.ended) return false;
    /* Whether more can follow is asked before how much is there, so that the two fit together. */
    bool finished = frame_queue_finished(f->queue);
    uint64_t pushed = frame_queue_pushed(f->queue);
    uint64_t behind = f->out.end + (finished ? 0 : (uint64_t)vocoder_frames_look_ahead(f));
    uint64_t waiting = pushed > behind ? pushed - behind : 0;
    if (finished && waiting == 0) f->out.ended = true;
    uint64_t room = vocoder_rows_room(&f->out);
    if (waiting > room) waiting = room;
    f->todo = waiting < (uint64_t)f->most ? (int)waiting : f->most;
    return f->todo > 0;
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
        out = postnet_push(f->postnet, more ? read : NULL, f->mended);
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
        out = postnet_push(f->postnet, more ? f->fresh : NULL, frame);
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

const vocoder_part_kind vocoder_frames_part = {"postnet", false, plan, run, reset, clear, reach};
