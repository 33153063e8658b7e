/* A stage of the wavefront over the reverse process. */
#include "vocoder/stage.h"

#include "base/error.h"

#include <string.h>

static size_t block_samples(const stage *s) {
    return (size_t)s->block * (size_t)s->patch;
}

lull_status stage_init(stage *s, const model_config *config, const denoiser_weights *weights,
                       const diffusion_plan *plan, int number, int block, lull_error *error) {
    s->step = &plan->stages[number];
    s->number = number;
    s->last = number == plan->count - 1;
    s->patch = config->patch;
    s->block = block;
    double x0_x, x0_u, eps_x, eps_u;
    diffusion_recover(config->objective, diffusion_schedule_levels(&config->schedule, s->step->t),
                      &x0_x, &x0_u, &eps_x, &eps_u);
    s->x0_x = (float)x0_x;
    s->x0_u = (float)x0_u;
    s->u = base_alloc(block_samples(s), sizeof *s->u);
    s->draw = base_alloc(block_samples(s), sizeof *s->draw);
    if (!s->u || !s->draw) return base_no_memory(error);
    return denoiser_stream_new(weights, s->step->t, block, &s->stream, error);
}

void stage_clear(stage *s) {
    denoiser_stream_free(s->stream);
    base_free(s->u);
    base_free(s->draw);
}

void stage_reset(stage *s) {
    denoiser_stream_reset(s->stream);
    s->fed = s->done = 0;
    s->finite = true;
}

static int least(int64_t a, int64_t b) {
    return (int)(a < b ? a : b);
}

bool stage_plan(stage *s, const denoiser_rows *rows, uint64_t available, uint64_t total) {
    int64_t patch = s->patch;
    s->todo = 0;
    s->flush = false;
    line_compact(s->out, block_samples(s));
    if (s->carry_out) line_compact(s->carry_out, block_samples(s));
    int room = least((int64_t)line_room(s->out) / patch, s->block);

    int64_t end = s->in->end;
    if (s->number == 0) { /* draws its own input */
        line_compact(s->in, block_samples(s));
        if (s->carry_in) line_compact(s->carry_in, block_samples(s));
        int64_t drawable = end + (int64_t)line_room(s->in);
        end = (int64_t)available < drawable ? (int64_t)available : drawable;
    }
    int n = least(end / patch - (int64_t)s->fed, room);
    while (n > 0 && !rows->ended && denoiser_stream_rows_needed(s->stream, n) > rows->end) n--;
    if (n > 0) {
        s->todo = n;
    } else if (total != UINT64_MAX && s->fed >= total / (uint64_t)patch &&
               s->done < total / (uint64_t)patch && rows->ended) {
        s->flush = true;
        int64_t left = (int64_t)(total / (uint64_t)patch) + denoiser_stream_look_ahead(s->stream) -
                       (int64_t)s->fed;
        s->todo = least(left, room);
    }
    return s->todo > 0;
}

/* The first stage's input is noise, and what it carries is nothing. */
static void draw_start(stage *s) {
    int64_t end = (int64_t)(s->fed + (uint64_t)s->todo) * s->patch;
    if (s->flush || end <= s->in->end) return;
    size_t n = (size_t)(end - s->in->end);
    noise_draw(s->noise, 0, (uint64_t)s->in->end, line_at(s->in, s->in->end), n);
    if (s->carry_in) {
        memset(line_at(s->carry_in, s->in->end), 0, n * sizeof(float));
        s->carry_in->end = end;
    }
    s->in->end = end;
}

/* Sums u·0: anything but 0 says that the network lost itself. */
static bool all_finite(const float *u, size_t n) {
    float zero = 0;
    for (size_t i = 0; i < n; i++) zero += u[i] * 0.0f;
    return zero == 0;
}

static void report(const stage *s, uint64_t first, const float *x, float *x0, size_t n) {
    for (size_t i = 0; i < n; i++) x0[i] = s->x0_x * x[i] + s->x0_u * s->u[i];
    s->trace->piece(s->trace->context, s->number, s->step->t, first, x, x0, n);
}

/* x' and carry' of n samples, straight into the next stage's lines. */
static void take_step(stage *s, size_t n) {
    int64_t first = (int64_t)s->done * s->patch;
    const float *x = line_at(s->in, first);
    if (s->trace) report(s, (uint64_t)first, x, s->draw, n);
    float *to = line_at(s->out, s->out->end), *carry = NULL;
    memcpy(to, x, n * sizeof *to);
    if (s->carry_out) {
        carry = line_at(s->carry_out, s->carry_out->end);
        memcpy(carry, line_at(s->carry_in, first), n * sizeof *carry);
    }
    if (s->step->noise_row >= 0)
        noise_draw(s->noise, s->step->noise_row, (uint64_t)first, s->draw, n);
    diffusion_stage_apply(s->step, to, s->u, carry, s->draw, n);
    if (s->trace && s->last)
        s->trace->piece(s->trace->context, s->number + 1, 1, (uint64_t)first, to, to, n);
    s->out->end += (int64_t)n;
    if (s->carry_out) s->carry_out->end += (int64_t)n;
    if (s->carry_out && s->last) s->carry_out->first = s->carry_out->end; /* nobody reads it */
}

void stage_run(stage *s, const denoiser_rows *rows) {
    if (s->number == 0) draw_start(s);
    const float *x = s->flush ? NULL : line_at(s->in, (int64_t)s->fed * s->patch);
    int real = denoiser_stream_run(s->stream, x, s->todo, rows, s->u);
    size_t n = (size_t)real * (size_t)s->patch;
    if (!all_finite(s->u, n)) s->finite = false;
    take_step(s, n);
    s->fed += (uint64_t)s->todo;
    s->done += (uint64_t)real;
    s->in->first = (int64_t)s->done * s->patch;
    if (s->carry_in) s->carry_in->first = s->in->first;
    s->blocks++;
}
