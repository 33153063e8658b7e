/* Colouring, mel consistency and the limiter, frame by frame. */
#include "vocoder/output.h"

#include "base/error.h"
#include "mel/window.h"
#include "vocoder/limiter.h"

#include <math.h>
#include <string.h>

void vocoder_output_init(vocoder_output *o, const mel_convention *convention, bool coloured,
                         double tilt_hz, const mel_refinement *refinement, vocoder_rows *frames,
                         size_t block_samples) {
    o->convention = convention;
    o->hop = convention->hop;
    o->n_fft = convention->n_fft;
    o->coloured = coloured;
    o->tilt_hz = tilt_hz;
    o->refinement = *refinement;
    const bool refined = refinement->iterations > 0 || refinement->low > 0;
    if (!refined) o->refinement.window = 0;
    o->above.convention = convention;
    o->above.delay = mel_consistency_delay_of(convention, o->refinement.window);
    o->frames = frames;
    o->most = (int)((block_samples + (size_t)o->hop - 1) / (size_t)o->hop);
    o->out.capacity = 4 * (size_t)o->most * (size_t)o->hop;
    o->passes = !coloured && !refined;
    if (o->passes) return;
    vocoder_rows_read_by(frames, &o->opened);
    o->lead = mel_window_lead(convention);
    o->reach = o->n_fft - (mel_window_first(convention) > 0 ? mel_window_first(convention) - 1 : 0);
}

static uint64_t bytes(const void *context) {
    const vocoder_output *o = context;
    uint64_t sum = vocoder_line_bytes(&o->out);
    if (o->passes) return sum;
    /* Envelope, filter, gain and segments. */
    uint64_t size = (uint64_t)o->n_fft, bands = (uint64_t)o->convention->bands;
    sum += mel_filterbank_bytes(o->convention);
    sum = base_memory_add(sum, 16 * size + 16 * bands + 1024, sizeof(float));
    if (o->config) {
        sum += spectrum_bytes(o->config, o->convention);
        sum = base_memory_add(sum, MODEL_FRAME_STACK_MOST * 2 * size, sizeof(float));
    }
    return sum + mel_consistency_bytes(o->convention, &o->refinement) +
           vocoder_above_bytes(&o->above);
}

static lull_status allocate_spectrum(vocoder_output *o, lull_error *error) {
    lull_status status = spectrum_new(o->config, o->parameters, o->convention, &o->spectrum, error);
    if (status) return status;
    o->guide = base_alloc(MODEL_FRAME_STACK_MOST * spectrum_width(o->spectrum), sizeof *o->guide);
    return o->guide ? LULL_OK : base_no_memory(error);
}

static lull_status allocate(void *context, lull_error *error) {
    vocoder_output *o = context;
    if (!vocoder_line_allocate(&o->out)) return base_no_memory(error);
    if (o->passes) return LULL_OK;
    lull_status status = mel_envelope_new(o->convention, o->tilt_hz, &o->envelope, error);
    if (!status) status = mel_frame_filter_new(o->convention, &o->filter, error);
    if (status) return status;
    int bins = mel_envelope_bins(o->envelope);
    o->gain = base_alloc((size_t)bins, sizeof *o->gain);
    o->segment = base_alloc((size_t)o->n_fft, sizeof *o->segment);
    o->synthesis = base_alloc((size_t)o->n_fft, sizeof *o->synthesis);
    if (!o->gain || !o->segment || !o->synthesis) return base_no_memory(error);
    for (int i = 0; i < bins; i++) o->gain[i] = 1; /* what a signal that is speech already gets */
    status = mel_consistency_new(o->convention, &o->refinement, &o->consistency, error);
    if (!status && o->config) status = allocate_spectrum(o, error);
    return status ? status : vocoder_above_allocate(&o->above, o->filter, error);
}

static void clear(void *context) {
    vocoder_output *o = context;
    mel_envelope_free(o->envelope);
    mel_frame_filter_free(o->filter);
    mel_consistency_free(o->consistency);
    vocoder_above_clear(&o->above);
    spectrum_free(o->spectrum);
    base_free(o->guide);
    base_free(o->gain);
    base_free(o->segment);
    base_free(o->synthesis);
    base_free(o->out.data);
}

static void reset(void *context) {
    vocoder_output *o = context;
    if (o->consistency) {
        mel_consistency_reset(o->consistency);
        if (o->spectrum) spectrum_reset(o->spectrum);
        vocoder_above_reset(&o->above);
    }
    vocoder_line_reset(&o->out, 0);
    o->opened = o->limited = 0;
}

int vocoder_output_lead(const vocoder_output *o) {
    return o->lead;
}

/* Frames whose window is covered by the first `samples` of the signal. */
static uint64_t openable(const vocoder_output *o, uint64_t samples) {
    int64_t beyond = (int64_t)samples - (o->reach - o->lead);
    return beyond < 0 ? 0 : (uint64_t)(beyond / o->hop) + 1;
}

static void reach(const void *context, vocoder_reach *to) {
    const vocoder_output *o = context;
    if (o->passes) return;
    uint64_t open = openable(o, to->samples);
    uint64_t delay = (uint64_t)mel_consistency_delay_of(o->convention, o->refinement.window);
    if (open > to->frames) open = to->frames;
    to->samples = open > delay ? (open - delay) * (uint64_t)o->hop : 0;
}

static size_t plan(void *context, size_t at_most) {
    vocoder_output *o = context;
    uint64_t total = vocoder_rows_total(o->frames);
    /* The last patch of the network may reach beyond the last frame. */
    o->end = o->in->end;
    bool whole = total != UINT64_MAX && (uint64_t)o->end >= total * (uint64_t)o->hop;
    if (whole) o->end = (int64_t)(total * (uint64_t)o->hop);
    vocoder_line_compact(&o->out, (size_t)o->most * (size_t)o->hop);
    size_t room = vocoder_line_room(&o->out);
    o->todo = o->todo_last = 0;
    if (o->passes) {
        size_t waiting = (size_t)(o->end - o->in->first);
        if (room > at_most) room = at_most;
        o->todo = (int)(waiting < room ? waiting : room);
        return (size_t)o->todo;
    }
    if (room > at_most) room = at_most;
    int most = (int)(room / (size_t)o->hop);
    if (most > o->most) most = o->most;
    uint64_t open = whole ? total : openable(o, (uint64_t)o->end);
    if (open > o->frames->end) open = o->frames->end;
    uint64_t fresh = open - o->opened;
    o->todo = fresh < (uint64_t)most ? (int)fresh : most;
    if (whole && o->opened + (uint64_t)o->todo == total) {
        uint64_t left = total - (uint64_t)o->out.end / (uint64_t)o->hop;
        int room_left = most - o->todo;
        o->todo_last = left < (uint64_t)room_left ? (int)left : room_left;
    }
    return ((size_t)o->todo + (size_t)o->todo_last) * (size_t)o->hop;
}

/* Appends n samples that are at the out line's end already. */
static bool leave(vocoder_output *o, size_t n) {
    bool finite = vocoder_limiter_run(vocoder_line_at(&o->out, o->out.end), n, &o->limited);
    o->out.end += (int64_t)n;
    return finite;
}

static bool pass(vocoder_output *o) {
    size_t n = (size_t)o->todo;
    memcpy(vocoder_line_at(&o->out, o->out.end), vocoder_line_at(o->in, o->in->first),
           n * sizeof(float));
    o->in->first += o->todo;
    return leave(o, n);
}

/* The frame's part of the signal; what lies behind its end is zero. */
static const float *segment(vocoder_output *o) {
    int64_t first = (int64_t)o->opened * o->hop - o->lead;
    int64_t there = o->end - first < o->reach ? o->end - first : o->reach;
    if (there >= o->n_fft) return vocoder_line_at(o->in, first);
    if (there < 0) there = 0;
    if (there > 0) memcpy(o->segment, vocoder_line_at(o->in, first), (size_t)there * sizeof(float));
    memset(o->segment + there, 0, (size_t)(o->n_fft - there) * sizeof(float));
    return o->segment;
}

/* What the spectrum network says of the next n frames, which are opened one after the other: several
 * in one product are cheaper. */
static bool guide_frames(vocoder_output *o, int n) {
    const float *mels[MODEL_FRAME_STACK_MOST];
    for (int i = 0; i < n; i++) mels[i] = vocoder_rows_at(o->frames, o->opened + (uint64_t)i);
    spectrum_push(o->spectrum, mels, n, o->guide);
    bool finite = true;
    for (size_t k = 0; k < (size_t)n * spectrum_width(o->spectrum); k++)
        finite = finite && isfinite(o->guide[k]);
    return finite;
}

/* guide: NULL, nothing is known. */
static bool open_frame(vocoder_output *o, const float *guide) {
    const float *mel = vocoder_rows_at(o->frames, o->opened);
    if (o->coloured) mel_envelope_colouring_gain(o->envelope, mel, o->gain);
    mel_frame_filter_run(o->filter, o->gain, segment(o), o->synthesis);
    float *to = vocoder_line_at(&o->out, o->out.end);
    size_t n = mel_consistency_push(o->consistency, mel, o->synthesis, guide, to);
    vocoder_above_push(&o->above, mel, (int64_t)o->opened * o->hop - o->lead, to, n);
    const bool finite = leave(o, n);
    o->opened++;
    int64_t needed = (int64_t)o->opened * o->hop - o->lead;
    o->in->first = needed < o->end ? needed : o->end;
    return finite;
}

static bool run(void *context) {
    vocoder_output *o = context;
    if (o->passes) return pass(o);
    bool finite = true;
    for (int i = 0; i < o->todo; i++) {
        const int at = i % MODEL_FRAME_STACK_MOST, left = o->todo - i;
        const int next = left < MODEL_FRAME_STACK_MOST ? left : MODEL_FRAME_STACK_MOST;
        if (o->spectrum && at == 0) finite = guide_frames(o, next) && finite;
        const float *guide =
            o->spectrum ? o->guide + (size_t)at * spectrum_width(o->spectrum) : NULL;
        finite = open_frame(o, guide) && finite;
    }
    for (int i = 0; i < o->todo_last; i++) {
        float *to = vocoder_line_at(&o->out, o->out.end);
        size_t n = mel_consistency_finish(o->consistency, to);
        vocoder_above_finish(&o->above, to, n);
        finite = leave(o, n) && finite;
    }
    return finite;
}

const vocoder_part_kind vocoder_output_part = {.name = "consistency",
                                               .bytes = bytes,
                                               .allocate = allocate,
                                               .plan = plan,
                                               .run = run,
                                               .reset = reset,
                                               .clear = clear,
                                               .reach = reach};
