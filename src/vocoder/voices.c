/* Voices of frames. */
#include "vocoder/voices.h"

#include "base/error.h"

#include <math.h>
#include <string.h>

void vocoder_voices_init(vocoder_voices *v, const model_config *config,
                         const model_parameters *parameters, const mel_convention *convention,
                         double semitones, double power, vocoder_rows *frames, size_t capacity) {
    v->config = config;
    v->parameters = parameters;
    v->convention = convention;
    v->frames = frames;
    v->transpose = (float)exp2(semitones / 12);
    v->power = (float)power;
    v->hop = convention->hop;
    v->out.width = sizeof(pitch_values) / sizeof(float);
    v->out.capacity = capacity;
    vocoder_rows_read_by(frames, &v->out.end);
}

static uint64_t bytes(const void *context) {
    const vocoder_voices *v = context;
    return vocoder_rows_bytes(&v->out) + pitch_network_bytes(v->config, v->convention);
}

static lull_status allocate(void *context, lull_error *error) {
    vocoder_voices *v = context;
    if (!vocoder_rows_allocate(&v->out)) return base_no_memory(error);
    return pitch_network_new(v->config, v->parameters, v->convention, &v->network, error);
}

static void clear(void *context) {
    vocoder_voices *v = context;
    pitch_network_free(v->network);
    base_free(v->out.data);
}

static void reset(void *context) {
    vocoder_voices *v = context;
    pitch_network_reset(v->network);
    vocoder_rows_reset(&v->out);
    v->fed = 0;
}

static uint64_t look_ahead(const vocoder_voices *v) {
    return (uint64_t)v->config->pitch_look_ahead;
}

static void reach(const void *context, vocoder_reach *to) {
    uint64_t ahead = look_ahead(context);
    to->voices = to->came > ahead ? to->came - ahead : 0;
}

static size_t plan(void *context, size_t most) {
    vocoder_voices *v = context;
    v->todo = 0;
    if (v->out.ended) return 0;
    v->end = v->frames->end;
    uint64_t behind = v->out.end + (v->frames->ended ? 0 : look_ahead(v));
    uint64_t waiting = v->end > behind ? v->end - behind : 0;
    if (v->frames->ended && waiting == 0) v->out.ended = true;
    uint64_t room = vocoder_rows_room(&v->out);
    if (waiting > room) waiting = room;
    if (waiting > most / (size_t)v->hop) waiting = most / (size_t)v->hop;
    v->todo = (int)waiting;
    return (size_t)v->todo * (size_t)v->hop;
}

/* A pitch that was given is what counts, and says whether there is a voice. */
static void obey(pitch_values *values, float f0) {
    if (isnan(f0)) return;
    values->voicing = f0 > 0;
    if (f0 > 0) values->f0 = f0;
}

static bool append(vocoder_voices *v, pitch_values values) {
    obey(&values, vocoder_rows_at(v->frames, v->out.end)[v->convention->bands]);
    values.f0 *= v->transpose;
    for (int b = 0; b < PITCH_BANDS; b++)
        values.aperiodicity[b] = powf(values.aperiodicity[b], v->power);
    memcpy(vocoder_rows_at(&v->out, v->out.end++), &values, sizeof values);
    return isfinite(values.f0) && isfinite(values.voicing);
}

/* The network hears its look-ahead, too, and NULL behind the last frame. */
static bool run(void *context) {
    vocoder_voices *v = context;
    const uint64_t wanted = v->todo ? v->out.end + (uint64_t)v->todo + look_ahead(v) : 0;
    bool finite = true;
    while (v->fed < wanted) {
        const float *frames[MODEL_FRAME_STACK_MOST];
        pitch_values values[MODEL_FRAME_STACK_MOST];
        int n = 0;
        for (; n < MODEL_FRAME_STACK_MOST && v->fed < wanted; n++, v->fed++)
            frames[n] = v->fed < v->end ? vocoder_rows_at(v->frames, v->fed) : NULL;
        const int made = pitch_network_push(v->network, frames, n, values);
        for (int i = 0; i < made; i++) finite = append(v, values[i]) && finite;
    }
    return finite;
}

const vocoder_part_kind vocoder_voices_part = {.name = "pitch",
                                               .bytes = bytes,
                                               .allocate = allocate,
                                               .plan = plan,
                                               .run = run,
                                               .reset = reset,
                                               .clear = clear,
                                               .reach = reach};
