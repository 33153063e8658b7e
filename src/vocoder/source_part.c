/* The pitch source as a part: see source_part.h. */
#include "vocoder/source_part.h"

#include "vocoder/voices.h"

void vocoder_source_part_init(vocoder_source_context *s, const mel_convention *convention,
                              const vocoder_noise_source *noise, int noise_row,
                              vocoder_rows *voices, vocoder_line *out, bool leads, size_t most) {
    s->rate = convention->sample_rate;
    s->hop = convention->hop;
    s->first_centre = mel_convention_first_centre(convention);
    s->noise = noise;
    s->noise_row = noise_row;
    s->voices = voices;
    s->out = out;
    s->leads = leads;
    s->most = most > (size_t)s->hop ? most : (size_t)s->hop;
    vocoder_rows_read_by(voices, &s->taken);
}

static uint64_t bytes(const void *context) {
    const vocoder_source_context *s = context;
    return vocoder_source_bytes(s->rate, s->hop);
}

/* Harmonics in phase: the aperiodicity of the bands makes them as peaked as the voice is. */
static lull_status allocate(void *context, lull_error *error) {
    vocoder_source_context *s = context;
    return vocoder_source_new(s->rate, s->hop, s->first_centre, s->noise_row, &s->source, error);
}

static void clear(void *context) {
    vocoder_source_free(((vocoder_source_context *)context)->source);
}

static void reset(void *context) {
    vocoder_source_context *s = context;
    vocoder_source_reset(s->source);
    s->taken = 0;
    s->finished = false;
}

/* Samples to the middle of the newest frame that has a voice. */
static void reach(const void *context, vocoder_reach *to) {
    const vocoder_source_context *s = context;
    to->source = to->voices ? (to->voices - 1) * (uint64_t)s->hop + (uint64_t)s->first_centre : 0;
    if (!s->leads || to->source >= to->samples) return;
    to->waited = to->samples - to->source;
    to->on = &vocoder_voices_part;
    to->samples = to->source;
}

static size_t plan(void *context, size_t most) {
    vocoder_source_context *s = context;
    const size_t hop = (size_t)s->hop;
    if (most > s->most) most = s->most;
    vocoder_line_compact(s->out, s->most);
    const size_t room = vocoder_line_room(s->out), frames = (most < room ? most : room) / hop;
    const uint64_t waiting = s->voices->end - s->taken;
    s->todo = (int)(waiting < frames ? waiting : frames);
    s->end = s->voices->ended && waiting == 0 && s->taken > 0 && !s->finished && frames > 0;
    return (size_t)s->todo * hop + (s->end ? hop : 0);
}

static bool run(void *context) {
    vocoder_source_context *s = context;
    for (int i = 0; i < s->todo; i++) {
        const pitch_values *voice = (const pitch_values *)vocoder_rows_at(s->voices, s->taken++);
        s->out->end += vocoder_source_push(s->source, voice, 0, s->noise,
                                           vocoder_line_at(s->out, s->out->end));
    }
    if (s->end) {
        const int left = s->hop - s->first_centre;
        vocoder_source_finish(s->source, s->noise, vocoder_line_at(s->out, s->out->end), left);
        s->out->end += left;
        s->finished = true;
    }
    return true;
}

const vocoder_part_kind vocoder_source_part = {.name = "source",
                                               .bytes = bytes,
                                               .allocate = allocate,
                                               .plan = plan,
                                               .run = run,
                                               .reset = reset,
                                               .clear = clear,
                                               .reach = reach};
