/* White noise: see start.h. */
#include "vocoder/start.h"

static size_t plan(void *context, size_t most) {
    vocoder_start *s = context;
    if (most > s->most) most = s->most;
    vocoder_line_compact(s->out, s->most);
    if (s->carry) vocoder_line_compact(s->carry, s->most);
    uint64_t wanted = s->frames->end * (uint64_t)s->hop, patch = (uint64_t)s->patch;
    if (s->frames->ended) wanted = (wanted + patch - 1) / patch * patch;
    uint64_t waiting = wanted - (uint64_t)s->out->end;
    size_t room = vocoder_line_room(s->out);
    if (room > most) room = most;
    s->todo = waiting < room ? (size_t)waiting : room;
    return s->todo;
}

static bool run(void *context) {
    vocoder_start *s = context;
    int64_t first = s->out->end;
    vocoder_noise_draw(s->noise, s->row, (uint64_t)first, vocoder_line_at(s->out, first), s->todo);
    s->out->end += (int64_t)s->todo;
    if (s->carry) {
        memset(vocoder_line_at(s->carry, first), 0, s->todo * sizeof(float));
        s->carry->end = s->out->end;
    }
    return true;
}

/* Its lines are the path's. */
const vocoder_part_kind vocoder_start_part = {.name = "start", .plan = plan, .run = run};
