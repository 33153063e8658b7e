/* Fuzzing: the vocoder's push, pull, finish and reset in any order, cuts and values. Head of the
 * input: options; then one byte an action. Whatever comes: finite samples in [-1, 1], as many as
 * lull.h says, and the same as a vocoder gives that gets everything at once. */
#include "fuzz.h"

#include "vocoder/vocoder.h"

enum { BANDS = 8, HOP = 32, MOST_FRAMES = 48, QUEUE = 64 };

typedef struct utterance {
    float frames[MOST_FRAMES * BANDS], samples[MOST_FRAMES * HOP];
    size_t pushed, pulled;
    bool finished;
    uint64_t seed;
} utterance;

static utterance u;

/* A frame of quiet, loud, wild or impossible values. */
static void make_frames(bytes *in, float *frames, size_t n) {
    for (size_t i = 0; i < n * BANDS; i++) {
        uint8_t b = take_byte(in);
        frames[i] = -11.5f + (float)b * 0.06f;
        if (b == 255) {
            uint8_t raw[4] = {take_byte(in), take_byte(in), take_byte(in), take_byte(in)};
            memcpy(&frames[i], raw, 4);
        }
    }
}

static void push(lull_vocoder *v, bytes *in, size_t n) {
    static float frames[8 * BANDS];
    size_t accepted = 99;
    lull_error error = {0};
    make_frames(in, frames, n);
    bool finite = true;
    for (size_t i = 0; i < n * BANDS; i++) finite = finite && isfinite(frames[i]);
    if (u.pushed + n > MOST_FRAMES) return;
    lull_status status = lull_vocoder_push(v, frames, n, &accepted, &error);
    if (u.finished) {
        expect(status == LULL_FINISHED && accepted == 0);
    } else if (!finite) {
        expect(status == LULL_NOT_FINITE && accepted == 0);
    } else {
        expect(!status && accepted <= n);
        memcpy(u.frames + u.pushed * BANDS, frames, accepted * BANDS * sizeof *frames);
        u.pushed += accepted;
    }
    if (status) expect_told(status, &error);
}

/* False: the vocoder cannot go on. */
static bool pull(lull_vocoder *v, size_t n) {
    static float samples[256];
    size_t produced = 99, latency = lull_vocoder_latency(v), all = u.pushed * HOP;
    lull_error error = {0};
    lull_status status = lull_vocoder_pull(v, samples, n, &produced, &error);
    if (status) {
        expect_told(status, &error);
        expect(status == LULL_NOT_FINITE);
        return false;
    }
    expect(produced <= n);
    for (size_t i = 0; i < produced; i++) expect(isfinite(samples[i]) && fabsf(samples[i]) <= 1);
    expect(u.pulled + produced <= all);
    memcpy(u.samples + u.pulled, samples, produced * sizeof *samples);
    u.pulled += produced;
    size_t possible = u.finished ? all : all > latency ? all - latency : 0;
    expect(u.pulled <= possible);
    if (produced < n) expect(u.pulled == possible);
    expect(lull_vocoder_ended(v) == (u.finished && u.pulled == all));
    return true;
}

/* What was pulled so far is a part of the whole synthesized at once. */
static void compare(const lull_model *model, lull_options options) {
    lull_error error = {0};
    lull_vocoder *v = NULL;
    static float samples[MOST_FRAMES * HOP];
    size_t accepted, produced = 0;
    options.threads = 1;
    options.queue_frames = QUEUE;
    options.seed = u.seed;
    expect(!lull_vocoder_new(model, &options, &v, &error));
    expect(!lull_vocoder_push(v, u.frames, u.pushed, &accepted, &error) && accepted == u.pushed);
    if (u.finished) lull_vocoder_finish(v);
    if (!lull_vocoder_pull(v, samples, MOST_FRAMES * HOP, &produced, &error)) {
        expect(produced >= u.pulled);
        expect(memcmp(samples, u.samples, u.pulled * sizeof *samples) == 0);
    }
    lull_vocoder_free(v);
}

static void begin(uint64_t seed) {
    memset(&u, 0, sizeof u);
    u.seed = seed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static lull_model *model;
    if (!model) model = tiny_model();
    bytes in = {data, size};
    if (size < 8) return 0;
    lull_options options;
    lull_options_init(&options);
    uint8_t head = take_byte(&in), more = take_byte(&in);
    options.steps = 1 + (head & 3);
    options.refine = head >> 2 & 3;
    options.refine_window = (head >> 4 & 3) - 1;
    options.threads = (head >> 6 & 1) && (more & 12) == 12 ? 2 : 1;
    options.use = (lull_use)(head >> 7); /* low latency or not */
    options.precision = more & 1 ? LULL_PRECISION_BF16 : LULL_PRECISION_F32;
    options.sampler = more & 2 ? LULL_SAMPLER_EULER : LULL_SAMPLER_DEFAULT;
    options.eta = (float)(more >> 2 & 3) / 3.0f;
    options.queue_frames = 1 + (more >> 4);
    options.unchecked = 1; /* frames are wild on purpose */
    lull_error error = {0};
    lull_vocoder *v = NULL;
    begin(options.seed);
    lull_status status = lull_vocoder_new(model, &options, &v, &error);
    if (status) {
        expect_told(status, &error);
        return 0;
    }
    bool well = true;
    for (int actions = 0; well && in.left > 0 && actions < 100; actions++) {
        uint8_t action = take_byte(&in);
        if (action < 112) {
            push(v, &in, (size_t)action % 8 + 1);
        } else if (action < 240) {
            well = pull(v, action < 128 ? (size_t)action - 112 : (size_t)action);
        } else if (action < 248) {
            lull_vocoder_finish(v);
            u.finished = true;
        } else {
            compare(model, options);
            begin(take_byte(&in));
            lull_vocoder_reset(v, u.seed);
        }
    }
    if (well) compare(model, options);
    lull_vocoder_free(v);
    return 0;
}
