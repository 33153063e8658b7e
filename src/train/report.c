/* The lines and figures of a run: see report.h. */
#include "train/report.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"

enum { TIMING_EVERY = 100 };

static void say_corpus(const train_report *r, const train_corpus *corpus) {
    size_t samples = corpus->first_sample[corpus->count];
    int rate = corpus->rate;
    train_say(r->voice, TRAIN_LINE_EVENT,
              "corpus: %zu recordings, %.2f h at %d Hz (%zu of %zu files left out); %.0f MB kept "
              "in memory",
              corpus->count, (double)samples / rate / 3600.0, rate, corpus->left_out, corpus->found,
              (double)corpus->resident_samples * sizeof(float) / 1e6);
}

static void say_network(const train_report *r) {
    const model_config *c = r->config;
    char part[256];
    if (c->family != MODEL_PITCH_ALONE)
        train_say(r->voice, TRAIN_LINE_EVENT,
                  "network: %s, %.3f M weights, %d layers of %d channels, patches of %d; objective "
                  "%s, %s",
                  c->family == MODEL_DIFFWAVE ? "diffwave" : "lull",
                  (double)r->state->weights->total / 1e6, c->layers, c->channels, c->patch,
                  diffusion_objective_name(c->objective),
                  r->settings->bf16 ? "bfloat16 products" : "float32");
    train_part_of(r->settings)->describe(c, part, sizeof part);
    if (part[0] != '\0') train_say(r->voice, TRAIN_LINE_EVENT, "%s", part);
}

void train_report_announce(const train_report *r, const train_corpus *corpus) {
    const train_settings *s = r->settings;
    char text[48];
    double audio = train_stepper_audio(r->stepper), flops = train_stepper_flops(r->stepper);
    double memory = (double)train_stepper_bytes(r->stepper) +
                    (double)train_reader_bytes(r->reader) +
                    (double)corpus->resident_samples * sizeof(float);
    say_corpus(r, corpus);
    say_network(r);
    train_say(r->voice, TRAIN_LINE_EVENT,
              "step: %d × %d crops of %d frames = %.2f s of audio, %.1f GFLOP; %.0f MB of memory",
              s->accumulate, s->batch, s->crop_frames, audio, flops / 1e9, memory / 1e6);
    if (r->ranks != NULL)
        train_say(r->voice, TRAIN_LINE_EVENT,
                  "ranks: %d, each with such batches: %.0f crops a step; GFLOP and memory are of "
                  "one",
                  ranks_count(r->ranks), train_stepper_crops(r->stepper));
    double step = train_stepper_measure(r->stepper);
    if (step == 0.0) return;
    uint64_t done = r->state->progress.step;
    double left = s->max_steps > 0 ? step * (double)(s->max_steps - done) : INFINITY;
    if (s->max_steps > 0 && done >= s->max_steps) left = 0.0;
    if (s->max_hours > 0.0) left = fmin(left, fmax(0.0, 3600.0 * s->max_hours - r->clock->before));
    train_say(r->voice, TRAIN_LINE_EVENT,
              "time: %.3f s a step measured (%.1f audio seconds a second, %.0f GFLOP/s), %s to the "
              "end",
              step, audio / step, flops / step / 1e9, train_duration(left, text, sizeof text));
}

void train_report_begin(train_report *r) {
    r->begun = r->line_at = r->timing_at = base_now();
    r->audio_before = r->state->progress.audio_seconds;
    r->first = r->state->progress.step;
}

static void progress_line(train_report *r, const train_step_result *step) {
    const train_settings *s = r->settings;
    double now = base_now(), spent = now - r->line_at;
    r->line_waited += step->waited;
    r->line_audio += train_stepper_audio(r->stepper);
    if (spent < 1.0) return;
    train_log_flush(r->log);
    char left[48], of[32] = "";
    uint64_t done = r->state->progress.step;
    double rest = train_clock_left(r->clock, train_clock_progress(r->clock, done));
    if (s->max_steps > 0 && s->max_hours == 0.0) {
        rest =
            (double)(s->max_steps - done) * train_stepper_audio(r->stepper) * spent / r->line_audio;
        snprintf(of, sizeof of, "/%llu", (unsigned long long)s->max_steps);
    }
    train_say(
        r->voice, TRAIN_LINE_PROGRESS,
        "step %llu%s  loss %.4f  norm %.3f  rate %.2e  %.1f audio s/s  waiting %.1f %%  %s left",
        (unsigned long long)done, of, train_log_recent(r->log, 100), step->norm, step->rate,
        r->line_audio / spent, 100.0 * r->line_waited / spent,
        train_duration(rest, left, sizeof left));
    r->line_at = now;
    r->line_waited = r->line_audio = 0.0;
}

/* Means of a step since the start. */
static void exchange_timing(const train_report *r) {
    train_exchange_times times;
    if (train_stepper_exchanged(r->stepper, &times))
        train_log_exchange(r->log, r->state->progress.step, ranks_count(r->ranks), &times);
}

static void timing_line(train_report *r, const train_step_result *step) {
    r->timing_waited += step->waited;
    r->timing_audio += train_stepper_audio(r->stepper);
    if (r->state->progress.step % TIMING_EVERY != 0) return;
    double now = base_now(), spent = now - r->timing_at;
    train_log_timing(r->log, r->state->progress.step, train_clock_elapsed(r->clock),
                     r->timing_audio / spent, r->timing_waited / spent);
    exchange_timing(r);
    r->timing_at = now;
    r->timing_waited = r->timing_audio = 0.0;
}

void train_report_step(train_report *r, const train_step_result *step) {
    r->waited += step->waited;
    if (r->log == NULL) return;
    train_log_step(r->log, r->state->progress.step, step->loss, step->norm, step->rate,
                   step->skipped);
    timing_line(r, step);
    progress_line(r, step);
}

/* How much of the exchange was hidden behind the backward pass. */
static void say_exchange(const train_report *r) {
    train_exchange_times times;
    if (!train_stepper_exchanged(r->stepper, &times) || times.steps == 0) return;
    double n = (double)times.steps;
    train_say(r->voice, TRAIN_LINE_EVENT,
              "%d ranks exchanged %.3f MB of gradient a step: under way for %.4f s, waited for "
              "after the backward pass for %.4f s",
              ranks_count(r->ranks), times.bytes / n / 1e6, times.busy / n, times.exposed / n);
    if (r->log != NULL) exchange_timing(r);
}

void train_report_end(const train_report *r) {
    double spent = base_now() - r->begun;
    uint64_t steps = r->state->progress.step - r->first;
    if (steps == 0 || spent <= 0.0) return;
    train_say(r->voice, TRAIN_LINE_EVENT,
              "%llu steps in %.1f s: %.1f audio seconds a second, %.2f %% of the time waiting for "
              "the reader (which used %.1f %% of a core)",
              (unsigned long long)steps, spent,
              (r->state->progress.audio_seconds - r->audio_before) / spent,
              100.0 * r->waited / spent, 100.0 * train_reader_busy(r->reader) / spent);
    say_exchange(r);
}
