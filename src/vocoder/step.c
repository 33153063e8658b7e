/* A step of the wavefront over the reverse process. */
#include "vocoder/step.h"

#include "base/error.h"
#include "vocoder/conditioner.h"
#include "vocoder/voices.h"

#include <string.h>

static size_t block_samples(const vocoder_step *s) {
    return (size_t)s->block * (size_t)s->patch;
}

void vocoder_step_init(vocoder_step *s, const model_config *config, const diffusion_plan *plan,
                       int number, int block, bool bf16, const denoiser_grid *grid) {
    s->config = config;
    s->grid = *grid;
    s->bf16 = bf16;
    s->stage = &plan->stages[number];
    s->number = number;
    s->last = number == plan->count - 1;
    s->patch = config->patch;
    s->block = block;
    s->hop = grid->hop;
    double x0_x, x0_u, eps_x, eps_u;
    diffusion_recover(config->objective, diffusion_schedule_levels(&config->schedule, s->stage->t),
                      &x0_x, &x0_u, &eps_x, &eps_u);
    s->x0_x = (float)x0_x;
    s->x0_u = (float)x0_u;
}

static uint64_t bytes(const void *context) {
    const vocoder_step *s = context;
    uint64_t sum = denoiser_stream_bytes(s->config, s->bf16, s->block);
    sum = base_memory_add(sum, block_samples(s), sizeof *s->u);
    if (s->config->source) sum = base_memory_add(sum, 2 * block_samples(s), sizeof *s->input);
    return base_memory_add(sum, block_samples(s), sizeof *s->draw);
}

static lull_status allocate(void *context, lull_error *error) {
    vocoder_step *s = context;
    s->u = base_alloc(block_samples(s), sizeof *s->u);
    s->draw = base_alloc(block_samples(s), sizeof *s->draw);
    if (s->config->source) s->input = base_alloc(2 * block_samples(s), sizeof *s->input);
    if (!s->u || !s->draw || (s->config->source && !s->input)) return base_no_memory(error);
    return denoiser_stream_new(s->weights, s->stage->t, s->block, &s->grid, &s->stream, error);
}

static void clear(void *context) {
    vocoder_step *s = context;
    denoiser_stream_free(s->stream);
    base_free(s->u);
    base_free(s->draw);
    base_free(s->input);
}

static void reset(void *context) {
    vocoder_step *s = context;
    denoiser_stream_reset(s->stream);
    s->fed = s->done = s->oldest_row = 0;
}

size_t vocoder_step_delay(const vocoder_step *s) {
    return (size_t)model_config_network_look_ahead(s->config) * (size_t)s->patch;
}

static void reach(const void *context, vocoder_reach *to) {
    const vocoder_step *s = context;
    uint64_t patch = (uint64_t)s->patch, most = to->samples / patch, fed = most;
    uint64_t ahead = (uint64_t)model_config_network_look_ahead(s->config);
    while (fed > 0 && denoiser_rows_needed(s->config, &s->grid, fed) > to->rows) fed--;
    to->on = &vocoder_conditioner_part;
    if (s->beside && fed > to->source / patch) {
        fed = to->source / patch;
        to->on = &vocoder_voices_part;
    }
    to->waited = (most - fed) * patch;
    to->samples = fed > ahead ? (fed - ahead) * patch : 0;
}

static int64_t least64(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int least(int64_t a, int64_t b) {
    return (int)least64(a, b);
}

/* The signal's length in network frames, the last of which may reach beyond it; UINT64_MAX until
 * known. */
static uint64_t total_frames(const vocoder_step *s) {
    uint64_t total = vocoder_rows_total(s->frames);
    uint64_t patch = (uint64_t)s->patch;
    return total == UINT64_MAX ? total : (total * (uint64_t)s->hop + patch - 1) / patch;
}

/* Samples of the whole signal; INT64_MAX until known. */
static int64_t total_samples(const vocoder_step *s) {
    uint64_t total = vocoder_rows_total(s->frames);
    return total == UINT64_MAX ? INT64_MAX : (int64_t)(total * (uint64_t)s->hop);
}

/* Network frames that the source has come to; behind its end all. */
static int64_t frames_beside(const vocoder_step *s) {
    if (!s->beside || s->beside->end >= total_samples(s)) return INT64_MAX;
    return s->beside->end / s->patch;
}

static size_t plan(void *context, size_t most) {
    vocoder_step *s = context;
    const vocoder_rows *rows = s->conditioning;
    s->rows = (denoiser_rows){rows->data, s->oldest_row, rows->end, rows->capacity, rows->ended};
    s->todo = 0;
    s->flush = false;
    vocoder_line_compact(s->out, block_samples(s));
    if (s->carry_out) vocoder_line_compact(s->carry_out, block_samples(s));
    int room = least((int64_t)vocoder_line_room(s->out) / s->patch, s->block);
    if ((size_t)room > most / (size_t)s->patch) room = (int)(most / (size_t)s->patch);

    int64_t there = least64(s->in->end / s->patch, frames_beside(s));
    int n = least(there - (int64_t)s->fed, room);
    s->end_beside = s->beside ? s->beside->end : 0;
    while (n > 0 && !rows->ended && denoiser_stream_rows_needed(s->stream, n) > rows->end) n--;
    uint64_t total = total_frames(s);
    if (n > 0) {
        s->todo = n;
    } else if (rows->ended && s->fed >= total && s->done < total) {
        s->flush = true;
        int64_t left = (int64_t)total + denoiser_stream_look_ahead(s->stream) - (int64_t)s->fed;
        s->todo = least(left, room);
    }
    return (size_t)s->todo * (size_t)s->patch;
}

/* Sums u·0: anything but 0 says that the network lost itself. */
static bool all_finite(const float *u, size_t n) {
    float zero = 0;
    for (size_t i = 0; i < n; i++) zero += u[i] * 0.0f;
    return zero == 0;
}

static void report(const vocoder_step *s, uint64_t first, const float *x, float *x0, size_t n) {
    for (size_t i = 0; i < n; i++) x0[i] = s->x0_x * x[i] + s->x0_u * s->u[i];
    s->trace->piece(s->trace->context, s->number, s->stage->t, first, x, x0, n);
}

/* x' and carry' of n samples, straight into the next stage's lines. */
static void take_step(vocoder_step *s, size_t n) {
    int64_t first = (int64_t)s->done * s->patch;
    const float *x = vocoder_line_at(s->in, first);
    if (s->trace) report(s, (uint64_t)first, x, s->draw, n);
    float *to = vocoder_line_at(s->out, s->out->end), *carry = NULL;
    memcpy(to, x, n * sizeof *to);
    if (s->carry_out) {
        carry = vocoder_line_at(s->carry_out, s->carry_out->end);
        memcpy(carry, vocoder_line_at(s->carry_in, first), n * sizeof *carry);
    }
    if (s->stage->noise_row >= 0)
        vocoder_noise_draw(s->noise, s->stage->noise_row, (uint64_t)first, s->draw, n);
    diffusion_stage_apply(s->stage, to, s->u, carry, s->draw, n);
    if (s->trace && s->last)
        s->trace->piece(s->trace->context, s->number + 1, 1, (uint64_t)first, to, to, n);
    s->out->end += (int64_t)n;
    if (s->carry_out) s->carry_out->end += (int64_t)n;
    if (s->carry_out && s->last) s->carry_out->first = s->carry_out->end; /* nobody reads it */
}

/* The source from sample `at` on, zeros behind its end. */
static void read_beside(const vocoder_step *s, int64_t at, float *to, size_t n) {
    if (!s->beside) {
        vocoder_noise_draw(s->noise, s->beside_row, (uint64_t)at, to, n);
        return;
    }
    int64_t left = s->end_beside - at;
    size_t there = left < (int64_t)n ? left > 0 ? (size_t)left : 0 : n;
    memcpy(to, vocoder_line_at(s->beside, at), there * sizeof *to);
    memset(to + there, 0, (n - there) * sizeof *to);
}

/* Rows of the network's input: a patch of the signal, then the same patch of the source. */
static const float *lay_beside(vocoder_step *s, const float *x) {
    size_t patch = (size_t)s->patch;
    int64_t at = (int64_t)s->fed * s->patch;
    float *to = s->input;
    read_beside(s, at, s->draw, (size_t)s->todo * patch);
    for (int i = 0; i < s->todo; i++, to += 2 * patch) {
        memcpy(to, x + (size_t)i * patch, patch * sizeof *to);
        memcpy(to + patch, s->draw + (size_t)i * patch, patch * sizeof *to);
    }
    if (s->releases && s->beside) {
        int64_t read = at + (int64_t)s->todo * s->patch;
        s->beside->first = read < s->end_beside ? read : s->end_beside;
    }
    return s->input;
}

static bool run(void *context) {
    vocoder_step *s = context;
    const float *x = s->flush ? NULL : vocoder_line_at(s->in, (int64_t)s->fed * s->patch);
    if (x && s->input) x = lay_beside(s, x);
    int real = denoiser_stream_run(s->stream, x, s->todo, &s->rows, s->u);
    size_t n = (size_t)real * (size_t)s->patch;
    bool finite = all_finite(s->u, n);
    take_step(s, n);
    s->fed += (uint64_t)s->todo;
    s->done += (uint64_t)real;
    s->oldest_row = denoiser_stream_oldest_row(s->stream);
    s->in->first = (int64_t)s->done * s->patch;
    if (s->carry_in) s->carry_in->first = s->in->first;
    s->blocks++;
    return finite;
}

const vocoder_part_kind vocoder_step_part = {.name = "network",
                                             .bytes = bytes,
                                             .allocate = allocate,
                                             .plan = plan,
                                             .run = run,
                                             .reset = reset,
                                             .clear = clear,
                                             .reach = reach};
