/* Colouring, mel consistency and the limiter, frame by frame. */
#include "vocoder/finish.h"

#include "base/error.h"
#include "mel/window.h"
#include "vocoder/limiter.h"

#include <string.h>

static lull_status init_frames(finish *f, const mel_convention *convention, double tilt_hz,
                               lull_error *error) {
    lull_status status = mel_envelope_new(convention, tilt_hz, &f->envelope, error);
    if (status) return status;
    status = mel_frame_filter_new(convention, &f->filter, error);
    if (status) return status;
    int bins = mel_envelope_bins(f->envelope);
    f->gain = base_alloc((size_t)bins, sizeof *f->gain);
    f->segment = base_alloc((size_t)f->n_fft, sizeof *f->segment);
    f->synthesis = base_alloc((size_t)f->n_fft, sizeof *f->synthesis);
    if (!f->gain || !f->segment || !f->synthesis) return base_no_memory(error);
    for (int i = 0; i < bins; i++) f->gain[i] = 1; /* what a signal that is speech already gets */
    return LULL_OK;
}

lull_status finish_init(finish *f, const mel_convention *convention, bool coloured, double tilt_hz,
                        int iterations, int window, double momentum, size_t block_samples,
                        lull_error *error) {
    f->hop = convention->hop;
    f->n_fft = convention->n_fft;
    f->coloured = coloured;
    f->most = (int)((block_samples + (size_t)f->hop - 1) / (size_t)f->hop);
    size_t piece = (size_t)f->most * (size_t)f->hop;
    if (!line_new(&f->out, 4 * piece)) return base_no_memory(error);
    if (!coloured && iterations == 0) return LULL_OK;
    f->lead = mel_window_lead(convention);
    f->reach = f->n_fft - (mel_window_first(convention) > 0 ? mel_window_first(convention) - 1 : 0);
    lull_status status = init_frames(f, convention, tilt_hz, error);
    if (status) return status;
    return mel_consistency_new(convention, iterations, iterations ? window : 0, momentum,
                               &f->consistency, error);
}

void finish_clear(finish *f) {
    mel_envelope_free(f->envelope);
    mel_frame_filter_free(f->filter);
    mel_consistency_free(f->consistency);
    base_free(f->gain);
    base_free(f->segment);
    base_free(f->synthesis);
    base_free(f->out.data);
}

void finish_reset(finish *f) {
    if (f->consistency) mel_consistency_reset(f->consistency);
    line_reset(&f->out, 0);
    f->opened = f->limited = 0;
    f->finite = true;
}

int finish_lead(const finish *f) {
    return f->lead;
}

/* Frames whose window is covered by the first `samples` of the signal. */
static uint64_t openable(const finish *f, uint64_t samples) {
    int64_t beyond = (int64_t)samples - (f->reach - f->lead);
    return beyond < 0 ? 0 : (uint64_t)(beyond / f->hop) + 1;
}

uint64_t finish_given(const finish *f, uint64_t samples, uint64_t frames) {
    if (!f->consistency) return samples;
    uint64_t open = openable(f, samples), delay = (uint64_t)mel_consistency_delay(f->consistency);
    if (open > frames) open = frames;
    return open > delay ? (open - delay) * (uint64_t)f->hop : 0;
}

bool finish_plan(finish *f, uint64_t frames, uint64_t total_frames) {
    f->end = f->in->end;
    line_compact(&f->out, (size_t)f->most * (size_t)f->hop);
    size_t room = line_room(&f->out);
    f->todo = f->todo_last = 0;
    if (!f->consistency) {
        size_t waiting = (size_t)(f->end - f->in->first);
        if (room > (size_t)f->most * (size_t)f->hop) room = (size_t)f->most * (size_t)f->hop;
        f->todo = (int)(waiting < room ? waiting : room);
        return f->todo > 0;
    }
    int most = (int)(room / (size_t)f->hop);
    if (most > f->most) most = f->most;
    bool whole = total_frames != UINT64_MAX && (uint64_t)f->end == total_frames * (uint64_t)f->hop;
    uint64_t open = whole ? total_frames : openable(f, (uint64_t)f->end);
    if (open > frames) open = frames;
    uint64_t fresh = open - f->opened;
    f->todo = fresh < (uint64_t)most ? (int)fresh : most;
    if (whole && f->opened + (uint64_t)f->todo == total_frames) {
        uint64_t left = total_frames - (uint64_t)f->out.end / (uint64_t)f->hop;
        int room_left = most - f->todo;
        f->todo_last = left < (uint64_t)room_left ? (int)left : room_left;
    }
    return f->todo > 0 || f->todo_last > 0;
}

/* Appends n samples that are at the out line's end already. */
static void leave(finish *f, size_t n) {
    if (!limiter_run(line_at(&f->out, f->out.end), n, &f->limited)) f->finite = false;
    f->out.end += (int64_t)n;
}

static void pass(finish *f) {
    size_t n = (size_t)f->todo;
    memcpy(line_at(&f->out, f->out.end), line_at(f->in, f->in->first), n * sizeof(float));
    f->in->first += f->todo;
    leave(f, n);
}

/* The frame's part of the signal; what lies behind its end is zero. */
static const float *segment(finish *f) {
    int64_t first = (int64_t)f->opened * f->hop - f->lead;
    int64_t there = f->end - first < f->reach ? f->end - first : f->reach;
    if (there >= f->n_fft) return line_at(f->in, first);
    if (there < 0) there = 0;
    if (there > 0) memcpy(f->segment, line_at(f->in, first), (size_t)there * sizeof(float));
    memset(f->segment + there, 0, (size_t)(f->n_fft - there) * sizeof(float));
    return f->segment;
}

static void open_frame(finish *f, const float *mel) {
    if (f->coloured) mel_envelope_colouring_gain(f->envelope, mel, f->gain);
    mel_frame_filter_run(f->filter, f->gain, segment(f), f->synthesis);
    leave(f, mel_consistency_push(f->consistency, mel, f->synthesis, line_at(&f->out, f->out.end)));
    f->opened++;
    int64_t needed = (int64_t)f->opened * f->hop - f->lead;
    f->in->first = needed < f->end ? needed : f->end;
}

void finish_run(finish *f, const front *frames) {
    if (!f->consistency) {
        pass(f);
        return;
    }
    for (int i = 0; i < f->todo; i++) open_frame(f, front_frame(frames, f->opened));
    for (int i = 0; i < f->todo_last; i++)
        leave(f, mel_consistency_finish(f->consistency, line_at(&f->out, f->out.end)));
}
