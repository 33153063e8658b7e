/* The crossover: see crossover.h. */
#include "vocoder/crossover.h"

#include "base/error.h"
#include "base/low_pass.h"
#include "vocoder/voices.h"

void vocoder_crossover_init(vocoder_crossover *c, double hertz, int rate, int hop,
                            const vocoder_rows *frames, vocoder_line *network, vocoder_line *source,
                            vocoder_line *out, size_t most) {
    c->kernels = vocoder_kernels_get();
    c->frames = frames;
    c->network = network;
    c->source = source;
    c->out = out;
    c->half = low_pass_half(rate);
    c->cut = hertz / rate;
    c->most = most;
    c->hop = (uint64_t)hop;
}

static size_t count_taps(const vocoder_crossover *c) {
    return 2 * (size_t)c->half + 1;
}

static uint64_t bytes(const void *context) {
    const vocoder_crossover *c = context;
    return base_memory_add(0, 2 * count_taps(c) + c->most + VOCODER_KERNELS_PAD, sizeof(float));
}

static lull_status allocate(void *context, lull_error *error) {
    vocoder_crossover *c = context;
    c->taps = base_alloc(count_taps(c), sizeof *c->taps);
    c->difference =
        base_alloc(c->most + count_taps(c) + VOCODER_KERNELS_PAD, sizeof *c->difference);
    if (!c->taps || !c->difference) return base_no_memory(error);
    low_pass_design(c->cut, c->half, c->taps);
    return LULL_OK;
}

static void clear(void *context) {
    vocoder_crossover *c = context;
    base_free(c->taps);
    base_free(c->difference);
}

static void reach(const void *context, vocoder_reach *to) {
    const vocoder_crossover *c = context;
    uint64_t half = (uint64_t)c->half;
    if (to->source < to->samples) {
        to->waited = to->samples - to->source;
        to->on = &vocoder_voices_part;
        to->samples = to->source;
    }
    to->samples = to->samples > half ? to->samples - half : 0;
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static size_t plan(void *context, size_t most) {
    vocoder_crossover *c = context;
    uint64_t frames = vocoder_rows_total(c->frames);
    c->total = frames == UINT64_MAX ? INT64_MAX : (int64_t)(frames * c->hop);
    vocoder_line_compact(c->out, c->most);
    /* The network's last patch may reach beyond the end, and behind it there is silence. */
    int64_t known = least(c->network->end, c->source->end);
    int64_t can = known >= c->total ? c->total : known - c->half;
    int64_t room =
        least((int64_t)vocoder_line_room(c->out), (int64_t)(most < c->most ? most : c->most));
    int64_t todo = least(can - c->out->end, room);
    c->todo = todo > 0 ? (size_t)todo : 0;
    return c->todo;
}

/* network − source at n samples from `first`, 0 where there is no signal. */
static void subtract(vocoder_crossover *c, int64_t first, int64_t n) {
    const int64_t from = first < 0 ? least(-first, n) : 0;
    int64_t to = c->total < first + n ? c->total - first : n;
    if (to < from) to = from;
    memset(c->difference, 0, (size_t)from * sizeof *c->difference);
    memset(c->difference + to, 0, (size_t)(n - to) * sizeof *c->difference);
    if (to == from) return;
    const float *network = vocoder_line_at(c->network, first + from),
                *source = vocoder_line_at(c->source, first + from);
    for (int64_t i = from; i < to; i++) c->difference[i] = network[i - from] - source[i - from];
}

static bool run(void *context) {
    vocoder_crossover *c = context;
    const int64_t first = c->out->end, n = (int64_t)c->todo;
    subtract(c, first - c->half, n + 2 * c->half);
    float *out = vocoder_line_at(c->out, first);
    memcpy(out, vocoder_line_at(c->source, first), (size_t)n * sizeof *out);
    c->kernels->filter(c->difference, c->taps, (int)count_taps(c), out, (int)n);
    c->out->end += n;
    int64_t needed = c->out->end - c->half;
    if (needed > 0) c->network->first = c->source->first = needed;
    return true;
}

const vocoder_part_kind vocoder_crossover_part = {.name = "crossover",
                                                  .bytes = bytes,
                                                  .allocate = allocate,
                                                  .plan = plan,
                                                  .run = run,
                                                  .clear = clear,
                                                  .reach = reach};
