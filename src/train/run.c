/* The training loop: see run.h. */
#include "train/run.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/clock.h"
#include "base/thread_pool.h"
#include "io/file_bytes.h"
#include "gradient/engine.h"
#include "model/model.h"
#include "gradient/postnet.h"
#include "train/adamw.h"
#include "train/checkpoint.h"
#include "train/exchange.h"
#include "train/log.h"
#include "train/loss.h"
#include "train/muon.h"
#include "train/reader.h"
#include "train/samples.h"

enum { PATH_SIZE = 4352, MOST_SKIPPED_IN_A_ROW = 10, TIMING_EVERY = 100, COMPARE_EVERY = 20 };

/* Validation crops and their noise are the same for every run, so that runs can be compared. */
static const uint64_t VALID_SEED = 0x76616c6964;

typedef struct run {
    const model_config *config;
    const train_settings *settings;
    const train_run_options *options;
    thread_pool *pool;
    train_corpus *corpus, *valid_corpus;
    train_crops *crops;
    train_reader *reader;
    train_batch *valid, *valid_degraded; /* NULL when there is nothing to validate on */
    train_settings valid_settings;
    train_samples *samples;
    gradient_engine *engine;    /* of the denoiser … */
    gradient_postnet *postnet; /* … or of the postnet; the other one is NULL */
    char *facts;               /* of the model that a postnet is for */
    train_stft_loss **stft;    /* one a crop of the batch, or NULL */
    float *stft_room;          /* crops × 3 × samples: two signals and a gradient */
    train_muon *muon;          /* NULL with AdamW alone */
    train_state state;
    train_log *log;
    size_t size; /* of the flat vectors */
    float *gradient, *sum;
    double *partial, *losses;
    int margin;
    /* What the loss callback needs to know of the batch at hand. */
    const train_batch *batch;
    float loss_scale;
    /* Clocks. */
    double base_elapsed, started, last_line, last_checkpoint;
    double norm; /* of the last step's gradient */
    double line_waited, line_audio, timing_waited, timing_audio, timing_started;
    uint64_t evaluated, saved; /* steps of the last evaluation and checkpoint */
    /* Several machines. */
    ranks *ranks;
    train_exchange *exchange; /* NULL when alone */
    double agreed_elapsed;    /* rank 0's clock, for all */
    bool agreed_stop;
    bool save_failed;
} run;

/* ---- words -------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void say(run *r, train_line kind, const char *format,
                                                      ...) {
    char line[1024];
    if (r->options->say == NULL) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    r->options->say(r->options->context, kind, line);
}

static void warn(void *context, const char *line) {
    say(context, TRAIN_LINE_WARNING, "%s", line);
}

static const char *duration(double seconds, char *text, size_t size) {
    if (!(seconds < 1e8))
        snprintf(text, size, "a long time");
    else if (seconds < 90.0)
        snprintf(text, size, "%.0f s", seconds);
    else if (seconds < 5400.0)
        snprintf(text, size, "%.0f min", seconds / 60.0);
    else
        snprintf(text, size, "%.1f h", seconds / 3600.0);
    return text;
}

/* ---- the clock and the course ------------------------------------------------------------- */

static double own_elapsed(const run *r) {
    return r->base_elapsed + base_now() - r->started;
}

static double elapsed(const run *r) {
    return r->ranks != NULL ? r->agreed_elapsed : own_elapsed(r);
}

static bool is_first(const run *r) {
    return ranks_rank(r->ranks) == 0;
}

/* Crops of a step, on all machines together. */
static double crops_per_step(const run *r) {
    return (double)r->settings->batch * r->settings->accumulate * ranks_count(r->ranks);
}

/* 0 … 1: what is done of the run, by whichever of its limits is nearer. */
static double progress_of(const run *r) {
    double by_steps = 0.0, by_time = 0.0;
    if (r->settings->max_steps > 0)
        by_steps = (double)r->state.progress.step / (double)r->settings->max_steps;
    if (r->settings->max_hours > 0.0) by_time = elapsed(r) / (3600.0 * r->settings->max_hours);
    return fmax(by_steps, by_time);
}

static double audio_per_step(const run *r) {
    const train_settings *s = r->settings;
    return crops_per_step(r) * s->crop_frames * r->config->mel.hop / r->config->mel.sample_rate;
}

/* ---- loss and gradient -------------------------------------------------------------------- */

/* The multi-resolution STFT loss of the speech that a prediction stands for, x0 = p·x + q·u. */
static double stft_term(run *r, int crop, const float *u, const float *target, float *du) {
    size_t n = (size_t)r->settings->crop_frames * (size_t)r->config->mel.hop;
    const float *x = r->batch->x + (size_t)crop * n;
    float *guess = r->stft_room + (size_t)crop * 3 * n, *truth = guess + n, *gradient = truth + n;
    double x0_x, x0_u, eps_x, eps_u;
    diffusion_recover(r->config->objective,
                      diffusion_schedule_levels(&r->config->schedule, r->batch->t[crop]), &x0_x,
                      &x0_u, &eps_x, &eps_u);
    float p = (float)x0_x, q = (float)x0_u;
    for (size_t i = 0; i < n; i++) {
        guess[i] = p * x[i] + q * u[i];
        truth[i] = p * x[i] + q * target[i];
        gradient[i] = 0.0f;
    }
    double loss = train_stft_loss_run(r->stft[crop], guess, truth, r->settings->stft, gradient);
    for (size_t i = 0; i < n; i++) du[i] += q * gradient[i];
    return loss;
}

static double crop_loss(void *context, int crop, const float *u, float *du) {
    run *r = context;
    size_t n = train_batch_target(r->config, r->settings);
    const float *target = r->batch->target + (size_t)crop * n;
    double loss = r->settings->loss == TRAIN_LOSS_L1 ? train_loss_l1(u, target, n, du)
                                                     : train_loss_l2(u, target, n, du);
    if (r->stft != NULL) loss += stft_term(r, crop, u, target, du);
    for (size_t i = 0; i < n; i++) du[i] *= r->loss_scale;
    return loss;
}

/* Sum of the losses of a batch; the gradient of their mean over the whole step. */
static double run_batch(run *r, const train_batch *batch, const model_parameters *weights,
                        float *gradient) {
    const gradient_engine_batch given = {batch->crops, batch->x, batch->t, batch->mel};
    double sum = 0.0;
    r->batch = batch;
    r->loss_scale = (float)(1.0 / crops_per_step(r));
    if (r->postnet != NULL)
        gradient_postnet_run(r->postnet, weights, batch->crops, batch->mel, crop_loss, r, r->losses,
                             gradient);
    else
        gradient_engine_run(r->engine, weights, &given, crop_loss, r, r->losses, gradient);
    for (int i = 0; i < batch->crops; i++) sum += r->losses[i];
    return sum;
}

static bool asked_to_stop(const run *r) {
    if (r->ranks != NULL) return r->agreed_stop;
    return r->options->stop != NULL && *r->options->stop;
}

/* A number that stands for the weights: 42 bits of a hash (FNV-1a on 32-bit words), so that up to
 * 2048 of them add up exactly in a double. Ranks with equal weights get the sum count × mark. */
static double weights_mark(const run *r) {
    uint64_t hash = 0xcbf29ce484222325u;
    const float *weights = r->state.weights->data;
    for (size_t i = 0; i < r->size; i++) {
        uint32_t word;
        memcpy(&word, &weights[i], sizeof word);
        hash = (hash ^ word) * 0x100000001b3u;
        hash ^= hash >> 29;
    }
    return (double)(hash >> 22);
}

/* What all ranks learn of each other with every step. */
enum { SHARED_LOSS, SHARED_FAILED, SHARED_STOP, SHARED_CLOCK, SHARED_MARK, SHARED };

/* The mean over all ranks of loss and gradient; `status` is this rank's so far, and becomes that of
 * all. */
static lull_status exchange(run *r, lull_status status, double *loss, lull_error *error) {
    bool compare = r->state.progress.step % COMPARE_EVERY == 0;
    double mark = compare ? weights_mark(r) : 0.0, values[SHARED] = {0};
    if (status) train_exchange_begin(r->exchange, r->sum, NULL);
    values[SHARED_LOSS] = status ? 0.0 : *loss;
    values[SHARED_FAILED] = status != LULL_OK;
    values[SHARED_STOP] = r->options->stop != NULL && *r->options->stop;
    values[SHARED_CLOCK] = is_first(r) ? own_elapsed(r) : 0.0;
    values[SHARED_MARK] = mark;
    lull_status problem =
        train_exchange_finish(r->exchange, status != LULL_OK, r->sum, values, SHARED, error);
    if (problem) return problem;
    *loss = values[SHARED_LOSS];
    r->agreed_stop = values[SHARED_STOP] > 0.0;
    r->agreed_elapsed = values[SHARED_CLOCK];
    if (values[SHARED_FAILED] > 0.0) return ranks_agree(r->ranks, status, error);
    if (!compare) return LULL_OK;
    if (values[SHARED_MARK] != mark * ranks_count(r->ranks))
        status = base_fail(error, LULL_MISMATCH,
                           "before step %llu its weights are not those of the other ranks; "
                           "continue from the last checkpoint with --resume",
                           (unsigned long long)r->state.progress.step + 1);
    return ranks_agree(r->ranks, status, error);
}

/* One batch of a step: its gradient joins r->sum; of the last one the parts are sent on their way
 * to the other ranks while the rest is computed. */
static double step_part(run *r, const train_batch *batch) {
    bool first = batch->part == 0, last = batch->part == r->settings->accumulate - 1;
    float *gradient = first ? r->sum : r->gradient;
    if (last && r->exchange != NULL) {
        train_exchange_begin(r->exchange, gradient, first ? NULL : r->sum);
        if (r->engine) gradient_engine_on_ready(r->engine, train_exchange_ready, r->exchange);
    }
    double loss = run_batch(r, batch, r->state.weights, gradient);
    if (r->engine) gradient_engine_on_ready(r->engine, NULL, NULL);
    if (!first && !(last && r->exchange != NULL))
        for (size_t i = 0; i < r->size; i++) r->sum[i] += gradient[i];
    return loss;
}

/* All parts of a step: mean loss, gradient in r->sum. */
static lull_status step_gradient(run *r, double *loss, double *waited, lull_error *error) {
    lull_status status = LULL_OK;
    *loss = 0.0;
    for (int part = 0; part < r->settings->accumulate && !status; part++) {
        const train_batch *batch = NULL;
        status = train_reader_next(r->reader, &batch, waited, error);
        if (!status) *loss += step_part(r, batch);
    }
    if (r->exchange != NULL) status = exchange(r, status, loss, error);
    *loss /= crops_per_step(r);
    return status;
}

/* The denoiser's weights or the postnet's. */
static bool is_trained(const run *r, const model_tensor *tensor) {
    return (tensor->part == MODEL_POSTNET) == (r->settings->part == TRAIN_POSTNET);
}

static bool adamw_takes(const run *r, const model_tensor *tensor) {
    return is_trained(r, tensor) && !(r->muon && train_muon_takes(tensor));
}

/* AdamW on the tensors that are trained and not Muon's, neighbours at once; padding between them is
 * 0 and stays 0. */
static void adamw_step(run *r, double rate, float scale, double average_decay) {
    const train_settings *s = r->settings;
    const train_adamw adamw = {s->beta1, s->beta2, s->epsilon, s->decay};
    const model_parameters *shape = r->state.weights;
    for (size_t i = 0, next; i < shape->tensor_count; i = next) {
        next = i + 1;
        if (!adamw_takes(r, &shape->tensors[i])) continue;
        while (next < shape->tensor_count && adamw_takes(r, &shape->tensors[next])) next++;
        size_t from = shape->tensors[i].offset;
        size_t to = next < shape->tensor_count ? shape->tensors[next].offset : r->size;
        train_adamw_step(&adamw, r->pool, r->state.progress.updates, rate, scale, to - from,
                         r->sum + from, r->state.weights->data + from, r->state.m->data + from,
                         r->state.v->data + from, r->state.average->data + from, average_decay);
    }
}

static void muon_step(run *r, double rate, float scale, double average_decay) {
    const train_muon_step_options options = {r->settings->momentum, rate, r->settings->decay, scale,
                                             average_decay};
    train_muon_step(r->muon, &options, r->sum, r->state.weights->data, r->state.m->data,
                    r->state.average->data);
}

/* One step of the optimizer, or none when the numbers are not finite. */
static lull_status take_step(run *r, double *waited, lull_error *error) {
    const train_settings *s = r->settings;
    train_progress *p = &r->state.progress;
    double loss;
    double rate = train_rate(s->rate, p->step + 1, (uint64_t)s->warm_up, s->course == TRAIN_COSINE,
                             s->last_rate, progress_of(r));
    lull_status status = step_gradient(r, &loss, waited, error);
    if (status) return status;
    double norm = train_norm(r->pool, r->sum, r->size, r->partial);
    bool skipped = !isfinite(loss) || !isfinite(norm);
    r->norm = norm;
    p->step++;
    p->crops += (uint64_t)crops_per_step(r);
    p->audio_seconds += audio_per_step(r);
    if (skipped) {
        p->skipped++;
        p->skipped_in_a_row++;
        say(r, TRAIN_LINE_WARNING, "step %llu skipped: %s is not finite (%llu skipped so far)",
            (unsigned long long)p->step, isfinite(loss) ? "the gradient" : "the loss",
            (unsigned long long)p->skipped);
    } else {
        float scale = train_clip(norm, s->clip);
        double average_decay = train_average_decay(s->average, ++p->updates);
        p->skipped_in_a_row = 0;
        adamw_step(r, rate, scale, average_decay);
        if (r->muon != NULL) muon_step(r, rate, scale, average_decay);
    }
    if (r->log != NULL) train_log_step(r->log, p->step, loss, norm, rate, skipped);
    if (p->skipped_in_a_row < MOST_SKIPPED_IN_A_ROW) return LULL_OK;
    return base_fail(error, LULL_NOT_FINITE,
                     "%d steps in a row were not finite; the last checkpoint is untouched: resume "
                     "with a lower --rate",
                     MOST_SKIPPED_IN_A_ROW);
}

/* ---- evaluation --------------------------------------------------------------------------- */

static double valid_loss(run *r, const train_batch *all) {
    const train_settings *s = r->settings;
    size_t samples = (size_t)s->crop_frames * (size_t)r->config->mel.hop;
    size_t target = train_batch_target(r->config, s);
    size_t mel = (size_t)(s->crop_frames + 2 * r->margin) * (size_t)r->config->mel.bands;
    double sum = 0.0;
    for (int first = 0; first < all->crops; first += s->batch) {
        train_batch part = *all;
        part.crops = all->crops - first < s->batch ? all->crops - first : s->batch;
        part.t = all->t + first;
        if (r->engine != NULL) part.x = all->x + (size_t)first * samples;
        part.target = all->target + (size_t)first * target;
        part.mel = all->mel + (size_t)first * mel;
        sum += run_batch(r, &part, r->state.average, NULL);
    }
    return sum / all->crops;
}

static void run_path(const run *r, const char *name, char *path) {
    snprintf(path, PATH_SIZE, "%s/%s", r->options->folder, name);
}

static lull_status write_model(run *r, lull_error *error) {
    char path[PATH_SIZE];
    run_path(r, "model.safetensors", path);
    char *facts =
        train_settings_facts(r->settings, r->state.progress.step, r->state.progress.audio_seconds,
                             r->facts != NULL ? r->facts : "");
    if (facts == NULL) return base_no_memory(error);
    lull_status status = model_write(path, r->config, r->state.average, facts, false, error);
    base_free(facts);
    return status;
}

/* Losses of the averaged weights on fixed crops, and sound. A file that cannot be written is said
 * and does not end the run: the checkpoint is what counts. */
static void evaluate(run *r) {
    uint64_t step = r->state.progress.step;
    char path[PATH_SIZE], more[64] = "";
    lull_error error = {0};
    r->evaluated = step;
    if (r->valid == NULL) return; /* as on all ranks but the first */
    double valid = valid_loss(r, r->valid);
    double degraded = r->valid_degraded ? valid_loss(r, r->valid_degraded) : NAN;
    train_log_evaluation(r->log, step, valid, degraded);
    if (!isnan(degraded)) snprintf(more, sizeof more, ", on degraded mels %.4f", degraded);
    say(r, TRAIN_LINE_EVENT, "step %llu: training loss %.4f, validation loss %.4f%s",
        (unsigned long long)step, train_log_recent(r->log, 200), valid, more);
    if (r->samples == NULL || !isfinite(valid)) return;
    run_path(r, "model.safetensors", path);
    if (write_model(r, &error) ||
        train_samples_render(r->samples, path, step, r->options->threads, &error))
        say(r, TRAIN_LINE_WARNING, "no samples at step %llu: %s", (unsigned long long)step,
            error.message);
}

/* ---- checkpoints -------------------------------------------------------------------------- */

static lull_status try_save(run *r, lull_error *error) {
    train_progress *p = &r->state.progress;
    p->elapsed = r->settings->max_hours > 0.0 ? elapsed(r) : 0.0;
    lull_status status = train_log_sync(r->log, &p->log_bytes, error);
    if (!status) status = train_checkpoint_write(r->options->folder, r->config, &r->state, error);
    if (!status) status = write_model(r, error);
    if (!status) status = train_log_curve(r->log, error);
    return status;
}

static void save(run *r) {
    lull_error error = {0};
    unsigned long long step = r->state.progress.step;
    r->last_checkpoint = base_now();
    if (!is_first(r)) {
        r->saved = step;
        return;
    }
    if (!train_state_finite(&r->state)) {
        r->save_failed = true;
        say(r, TRAIN_LINE_WARNING,
            "no checkpoint at step %llu: the weights are not finite; the previous one is kept",
            step);
        return;
    }
    if (try_save(r, &error)) {
        r->save_failed = true;
        say(r, TRAIN_LINE_WARNING, "no checkpoint at step %llu, the previous one is kept: %s", step,
            error.message);
        return;
    }
    r->save_failed = false;
    r->saved = r->state.progress.step;
    train_checkpoint_prune(r->options->folder, r->settings->keep);
    say(r, TRAIN_LINE_EVENT, "step %llu: checkpoint written", step);
}

static bool save_is_due(const run *r) {
    const train_settings *s = r->settings;
    if (s->checkpoint_steps > 0 && r->state.progress.step % s->checkpoint_steps == 0) return true;
    return s->checkpoint_seconds > 0.0 &&
           base_now() - r->last_checkpoint >= s->checkpoint_seconds;
}

/* ---- the loop ----------------------------------------------------------------------------- */

static bool at_end(const run *r) {
    const train_settings *s = r->settings;
    if (s->max_steps > 0 && r->state.progress.step >= s->max_steps) return true;
    return s->max_hours > 0.0 && elapsed(r) >= 3600.0 * s->max_hours;
}

static void progress_line(run *r, double waited) {
    double now = base_now(), spent = now - r->last_line;
    if (!is_first(r)) return;
    r->line_waited += waited;
    r->line_audio += audio_per_step(r);
    if (spent < 1.0) return;
    train_log_flush(r->log);
    char left[48], of[32] = "";
    double done = progress_of(r);
    double rest = done > 0.0 ? elapsed(r) * (1.0 - done) / done : INFINITY;
    if (r->settings->max_steps > 0 && r->settings->max_hours == 0.0) {
        double steps = (double)(r->settings->max_steps - r->state.progress.step);
        rest = steps * audio_per_step(r) * spent / r->line_audio;
        snprintf(of, sizeof of, "/%llu", (unsigned long long)r->settings->max_steps);
    }
    double rate =
        train_rate(r->settings->rate, r->state.progress.step, (uint64_t)r->settings->warm_up,
                   r->settings->course == TRAIN_COSINE, r->settings->last_rate, done);
    say(r, TRAIN_LINE_PROGRESS,
        "step %llu%s  loss %.4f  norm %.3f  rate %.2e  %.1f audio s/s  waiting %.1f %%  %s left",
        (unsigned long long)r->state.progress.step, of, train_log_recent(r->log, 100), r->norm,
        rate, r->line_audio / spent, 100.0 * r->line_waited / spent,
        duration(rest, left, sizeof left));
    r->last_line = now;
    r->line_waited = r->line_audio = 0.0;
}

/* Means of a step since the start. */
static void exchange_timing(run *r) {
    if (r->exchange == NULL) return;
    train_exchange_times times = train_exchange_get_times(r->exchange);
    train_log_exchange(r->log, r->state.progress.step, ranks_count(r->ranks), &times);
}

static void timing_line(run *r, double waited) {
    if (!is_first(r)) return;
    r->timing_waited += waited;
    r->timing_audio += audio_per_step(r);
    if (r->state.progress.step % TIMING_EVERY != 0) return;
    double now = base_now(), spent = now - r->timing_started;
    train_log_timing(r->log, r->state.progress.step, elapsed(r), r->timing_audio / spent,
                     r->timing_waited / spent);
    exchange_timing(r);
    r->timing_started = now;
    r->timing_waited = r->timing_audio = 0.0;
}

/* How much of the exchange was hidden behind the backward pass. */
static void say_exchange(run *r) {
    if (r->exchange == NULL) return;
    train_exchange_times times = train_exchange_get_times(r->exchange);
    if (times.steps == 0) return;
    double n = (double)times.steps;
    say(r, TRAIN_LINE_EVENT,
        "%d ranks exchanged %.3f MB of gradient a step: under way for %.4f s, waited for after the "
        "backward pass for %.4f s",
        ranks_count(r->ranks), times.bytes / n / 1e6, times.busy / n, times.exposed / n);
    if (is_first(r)) exchange_timing(r);
}

/* Clock and wish to stop before the first step. */
static lull_status agree_first(run *r, lull_error *error) {
    double values[] = {r->options->stop != NULL && *r->options->stop,
                       is_first(r) ? own_elapsed(r) : 0.0};
    lull_status status = ranks_sum(r->ranks, values, 2, error);
    r->agreed_stop = values[0] > 0.0;
    r->agreed_elapsed = values[1];
    return status;
}

static lull_status loop(run *r, train_result *result, lull_error *error) {
    lull_status status = agree_first(r, error);
    const train_settings *s = r->settings;
    double begun = base_now(), waited_all = 0.0, audio = r->state.progress.audio_seconds;
    uint64_t first = r->state.progress.step;
    r->last_line = r->last_checkpoint = r->timing_started = begun;
    r->evaluated = r->saved = first;
    while (!status && !at_end(r) && !asked_to_stop(r)) {
        double waited = 0.0;
        status = take_step(r, &waited, error);
        if (status) break;
        waited_all += waited;
        timing_line(r, waited);
        progress_line(r, waited);
        if (s->eval_every > 0 && r->state.progress.step % s->eval_every == 0) evaluate(r);
        if (save_is_due(r)) save(r);
    }
    result->interrupted = !status && !at_end(r);
    bool moved = r->state.progress.step > first;
    if (!status && !result->interrupted && moved && r->evaluated != r->state.progress.step)
        evaluate(r);
    if (!status && (r->saved != r->state.progress.step || !moved)) save(r);
    result->checkpointed = r->saved == r->state.progress.step && !r->save_failed;
    double spent = base_now() - begun;
    if (moved && spent > 0.0)
        say(r, TRAIN_LINE_EVENT,
            "%llu steps in %.1f s: %.1f audio seconds a second, %.2f %% of the time waiting for "
            "the reader (which used "
            "%.1f %% of a core)",
            (unsigned long long)(r->state.progress.step - first), spent,
            (r->state.progress.audio_seconds - audio) / spent, 100.0 * waited_all / spent,
            100.0 * train_reader_busy(r->reader) / spent);
    if (moved && !status) say_exchange(r);
    return status;
}

/* ---- set-up ------------------------------------------------------------------------------- */

static lull_status make_folder(const char *path, lull_error *error) {
    struct stat about;
    if (mkdir(path, 0777) == 0) return LULL_OK;
    int reason = errno;
    if (reason == EEXIST && stat(path, &about) == 0 && S_ISDIR(about.st_mode)) return LULL_OK;
    return base_fail(error, LULL_IO, "%s: the folder cannot be made: %s", path, strerror(reason));
}

/* What a killed run was about to write: ".NAME.XXXXXX" beside NAME. */
static void remove_unfinished(const char *folder) {
    DIR *directory = opendir(folder);
    struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        static const char *const endings[] = {".json", ".png", ".safetensors", ".wav"};
        const char *name = entry->d_name;
        size_t length = strlen(name);
        if (name[0] != '.' || length < 9 || name[length - 7] != '.') continue;
        for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
            size_t n = strlen(endings[i]);
            if (length < n + 8 || strncmp(name + length - 7 - n, endings[i], n) != 0) continue;
            char path[2 * PATH_SIZE];
            snprintf(path, sizeof path, "%s/%s", folder, name);
            unlink(path);
        }
    }
    if (directory != NULL) closedir(directory);
}

static lull_status make_folders(const run *r, lull_error *error) {
    char path[PATH_SIZE];
    lull_status status = make_folder(r->options->folder, error);
    run_path(r, "checkpoints", path);
    if (!status) status = make_folder(path, error);
    run_path(r, "samples", path);
    if (!status) status = make_folder(path, error);
    if (!status) {
        remove_unfinished(r->options->folder);
        remove_unfinished(path);
        run_path(r, "checkpoints", path);
        remove_unfinished(path);
    }
    if (status || r->options->resume) return status;
    run_path(r, "log.jsonl", path);
    if (train_checkpoint_exists(r->options->folder) || access(path, F_OK) == 0)
        return base_fail(
            error, LULL_INVALID,
            "%s already holds a run: continue it with --resume %s, or name another folder",
            r->options->folder, r->options->folder);
    return LULL_OK;
}

typedef struct index_bar {
    run *r;
    double last;
    FILE *left_out;
    size_t lines;
} index_bar;

static void index_progress(void *context, size_t done, size_t total) {
    index_bar *bar = context;
    double now = base_now();
    if (now - bar->last < 1.0) return;
    bar->last = now;
    say(bar->r, TRAIN_LINE_PROGRESS, "measuring recordings: %zu of %zu", done, total);
}

enum { LEFT_OUT_SHOWN = 20 };

/* Every line goes to RUN/left-out.txt, the first ones to the user as well. */
static void index_left_out(void *context, const char *line) {
    index_bar *bar = context;
    if (bar->left_out != NULL) fprintf(bar->left_out, "%s\n", line);
    if (bar->lines++ < LEFT_OUT_SHOWN) say(bar->r, TRAIN_LINE_WARNING, "%s", line);
}

static lull_status open_corpus(run *r, index_bar *bar, const char *folder, const char *index,
                               train_part part, double cache_mb, train_corpus **corpus,
                               lull_error *error) {
    char path[PATH_SIZE];
    run_path(r, index, path);
    const train_corpus_options options = {
        .rate = r->config->mel.sample_rate,
        .least_samples = (size_t)r->settings->crop_frames * (size_t)r->config->mel.hop,
        .part = part,
        .valid_share = r->settings->valid_share,
        .cache_bytes = (size_t)(cache_mb * 1048576.0),
        .index_path = path,
        .left_out = index_left_out,
        .progress = index_progress,
        .context = bar,
        .stop = r->options->stop,
    };
    return train_corpus_open(folder, &options, r->pool, corpus, error);
}

/* Rank 0's measurements in a file of this rank's own, so that nothing is measured twice. */
static lull_status receive_index(run *r, char *path, lull_error *error) {
    const char *folder = getenv("TMPDIR");
    char own[PATH_SIZE];
    file_bytes bytes = {0};
    lull_status status = LULL_OK;
    path[0] = '\0';
    run_path(r, "corpus-index.json", own);
    /* Without it they measure themselves. */
    if (is_first(r)) (void)file_bytes_read(own, &bytes, NULL);
    void *data = (void *)bytes.data;
    size_t size = bytes.size;
    status = ranks_share(r->ranks, &data, &size, error);
    if (!status && !is_first(r) && size > 0) {
        snprintf(path, PATH_SIZE, "%s/lull-index-XXXXXX", folder != NULL ? folder : "/tmp");
        int file = mkstemp(path);
        if (file < 0 || write(file, data, size) != (ssize_t)size) path[0] = '\0';
        if (file >= 0) close(file);
    }
    if (!status && !is_first(r)) base_free(data);
    file_bytes_free(&bytes);
    return status;
}

/* One line a recording: what the choice of crops depends on. */
static char *corpus_text(const train_corpus *corpus) {
    char *text = NULL;
    size_t capacity = 0, used = 0;
    if (!base_grow((void **)&text, &capacity, 64, 1)) return NULL;
    /* NOLINTNEXTLINE(*-core.NullDereference): every rank has opened it. */
    for (size_t i = 0; i < corpus->count; i++) {
        const train_recording *one = &corpus->recordings[i];
        size_t longest = strlen(one->name) + 128;
        if (!base_grow((void **)&text, &capacity, used + longest, 1)) {
            base_free(text);
            return NULL;
        }
        int n = snprintf(text + used, longest, "%s, %zu samples at level %.17g%s\n", one->name,
                         one->samples, one->level, one->resident ? " in memory" : "");
        used += n > 0 ? (size_t)n : 0;
    }
    return text;
}

/* The corpus of the ranks that write nothing: with rank 0's measurements, and the same. */
static lull_status open_shared_corpus(run *r, lull_error *error) {
    const train_settings *s = r->settings;
    char index[PATH_SIZE];
    lull_status status = receive_index(r, index, error);
    if (status) return status;
    if (!is_first(r)) {
        const train_corpus_options options = {
            .rate = r->config->mel.sample_rate,
            .least_samples = (size_t)s->crop_frames * (size_t)r->config->mel.hop,
            .part = s->valid[0] == '\0' ? TRAIN_PART_TRAIN : TRAIN_PART_ALL,
            .valid_share = s->valid_share,
            .cache_bytes = (size_t)(s->cache_mb * 1048576.0),
            .index_path = index[0] != '\0' ? index : NULL,
        };
        status = train_corpus_open(s->corpus, &options, r->pool, &r->corpus, error);
        if (index[0] != '\0') unlink(index);
    }
    status = ranks_agree(r->ranks, status, error);
    if (status) return status;
    char *text = corpus_text(r->corpus);
    status = ranks_agree(r->ranks, text ? LULL_OK : base_no_memory(error), error);
    if (!status) status = ranks_same_text(r->ranks, "corpus", text, error);
    base_free(text);
    return status;
}

static lull_status open_corpora(run *r, lull_error *error) {
    const train_settings *s = r->settings;
    index_bar bar = {r, base_now(), NULL, 0};
    char path[PATH_SIZE];
    bool split = s->valid[0] == '\0';
    run_path(r, "left-out.txt", path);
    bar.left_out = fopen(path, "w");
    lull_status status =
        open_corpus(r, &bar, s->corpus, "corpus-index.json",
                    split ? TRAIN_PART_TRAIN : TRAIN_PART_ALL, s->cache_mb, &r->corpus, error);
    if (!status && bar.lines > LEFT_OUT_SHOWN)
        say(r, TRAIN_LINE_WARNING, "… and %zu more left out: %s", bar.lines - LEFT_OUT_SHOWN, path);
    if (!status && split) {
        lull_error none = {0};
        bar.lines = LEFT_OUT_SHOWN; /* the same files again: said above */
        FILE *file = bar.left_out;
        bar.left_out = NULL;
        if (s->valid_share <= 0.0 || open_corpus(r, &bar, s->corpus, "corpus-index.json",
                                                 TRAIN_PART_VALID, 64.0, &r->valid_corpus, &none))
            say(r, TRAIN_LINE_WARNING,
                "no recording falls on the validation side: no validation (see --valid)");
        bar.left_out = file;
    } else if (!status) {
        status = open_corpus(r, &bar, s->valid, "valid-index.json", TRAIN_PART_ALL, 64.0,
                             &r->valid_corpus, error);
    }
    if (bar.left_out != NULL) fclose(bar.left_out);
    return status;
}

static lull_status fill_valid(run *r, double degrade, train_batch **batch, lull_error *error) {
    const train_settings *s = &r->valid_settings;
    const train_crops_options options = {VALID_SEED, s->crop_frames, r->margin, 0.0, degrade};
    train_crops *crops = NULL;
    lull_status status = train_crops_new(r->config, r->valid_corpus, &options, &crops, error);
    if (!status) status = train_batch_new(r->config, s, s->valid_crops, r->margin, batch, error);
    if (!status)
        status = train_batch_fill(crops, r->config, s, 0, 0, s->valid_crops, *batch, error);
    train_crops_free(crops);
    return status;
}

static lull_status prepare_valid(run *r, lull_error *error) {
    r->valid_settings = *r->settings;
    r->valid_settings.seed = VALID_SEED;
    r->valid_settings.density = TRAIN_DENSITY_UNIFORM;
    if (r->valid_corpus == NULL) return LULL_OK;
    lull_status status = fill_valid(r, 0.0, &r->valid, error);
    if (!status && r->settings->degrade > 0.0)
        status = fill_valid(r, 1.0, &r->valid_degraded, error);
    if (!status && r->settings->samples > 0)
        status = train_samples_new(r->options->folder, r->config, r->valid_corpus,
                                   r->settings->samples, &r->samples, error);
    train_corpus_free(r->valid_corpus);
    r->valid_corpus = NULL;
    return status;
}

/* The weights of a model that has none for the postnet: they stand before the postnet's. */
static lull_status read_without_postnet(const run *r, const safetensors *file, const char *path,
                                        lull_error *error) {
    model_config config = *r->config;
    model_parameters *read = NULL;
    config.postnet_channels = config.postnet_layers = config.postnet_look_ahead = 0;
    lull_status status = model_parameters_new(&config, &read, error);
    if (!status) status = model_parameters_read(read, file, "", path, error);
    if (!status) memcpy(r->state.weights->data, read->data, read->size * sizeof(float));
    model_parameters_free(read);
    return status;
}

static lull_status begin_weights(run *r, lull_error *error) {
    const char *init = r->settings->init;
    model_parameters_initialize(r->state.weights, r->settings->seed);
    if (*init != '\0') {
        safetensors *file = NULL;
        lull_status status = safetensors_open(init, &file, error);
        if (status) return status;
        if (r->config->postnet_channels > 0 && !safetensors_find(file, "postnet.conv1.weight"))
            status = read_without_postnet(r, file, init, error);
        else
            status = model_parameters_read(r->state.weights, file, "", init, error);
        safetensors_close(file);
        if (status) return status;
    }
    memcpy(r->state.average->data, r->state.weights->data, r->size * sizeof(float));
    return LULL_OK;
}

/* What the model that a postnet is for says of its own training; nothing where it is gone. */
static lull_status remember_facts(run *r, lull_error *error) {
    lull_model *model = NULL;
    if (r->settings->part != TRAIN_POSTNET) return LULL_OK;
    if (lull_model_open(r->settings->init, &model, NULL)) return LULL_OK;
    r->facts = base_strdup(model->training_json);
    lull_model_close(model);
    return r->facts != NULL ? LULL_OK : base_no_memory(error);
}

/* The newest checkpoint, or the first weights. */
static lull_status find_state(run *r, lull_error *error) {
    bool found = false;
    lull_status status = LULL_OK;
    if (r->options->resume)
        status = train_checkpoint_read(r->options->folder, &r->state, &found, warn, r, error);
    if (status) return status;
    if (found)
        say(r, TRAIN_LINE_EVENT, "resuming after step %llu",
            (unsigned long long)r->state.progress.step);
    else if (r->options->resume)
        say(r, TRAIN_LINE_EVENT, "no checkpoint yet: beginning at the first step");
    if (!found) status = begin_weights(r, error);
    if (!status)
        status = train_log_open(r->options->folder, r->state.progress.log_bytes, &r->log, error);
    return status;
}

static lull_status prepare_state(run *r, lull_error *error) {
    lull_status status = train_state_new(r->config, &r->state, error);
    if (!status) r->size = r->state.weights->size;
    if (!status && is_first(r)) status = find_state(r, error);
    status = ranks_agree(r->ranks, status, error);
    model_parameters *const all[] = {r->state.weights, r->state.average, r->state.m, r->state.v};
    for (int i = 0; i < 4 && !status; i++)
        status = ranks_broadcast(r->ranks, all[i]->data, r->size * sizeof(float), error);
    if (!status)
        status =
            ranks_broadcast(r->ranks, &r->state.progress, sizeof r->state.progress, error);
    r->base_elapsed = r->state.progress.elapsed;
    return status;
}

static lull_status prepare_buffers(run *r, lull_error *error) {
    const train_settings *s = r->settings;
    size_t crops = (size_t)s->batch;
    r->sum = base_alloc(r->size, sizeof(float));
    r->gradient = base_alloc(s->accumulate > 1 ? r->size : 0, sizeof(float));
    r->partial = base_alloc(train_norm_blocks(r->size), sizeof(double));
    r->losses = base_alloc(crops, sizeof(double));
    if (!r->sum || !r->gradient || !r->partial || !r->losses) return base_no_memory(error);
    lull_status status =
        s->part == TRAIN_POSTNET
            ? gradient_postnet_new(r->config, s->batch, s->crop_frames, r->pool, &r->postnet, error)
            : gradient_engine_new(r->config, s->batch, s->crop_frames, s->bf16, r->pool, &r->engine,
                                 error);
    if (!status && s->optimizer == TRAIN_MUON)
        status = train_muon_new(r->state.weights, r->pool, &r->muon, error);
    if (!status && r->ranks != NULL)
        status = train_exchange_new(r->ranks, r->state.weights, &r->exchange, error);
    if (status || s->stft <= 0.0) return status;
    r->stft = base_alloc(crops, sizeof(train_stft_loss *));
    r->stft_room =
        base_alloc(crops * 3 * (size_t)s->crop_frames * (size_t)r->config->mel.hop, sizeof(float));
    if (!r->stft || !r->stft_room) return base_no_memory(error);
    for (size_t i = 0; i < crops && !status; i++)
        status = train_stft_loss_new(r->config->mel.sample_rate,
                                     (size_t)s->crop_frames * (size_t)r->config->mel.hop,
                                     &r->stft[i], error);
    return status;
}

static lull_status prepare_reader(run *r, lull_error *error) {
    const train_settings *s = r->settings;
    const train_crops_options options = {s->seed, s->crop_frames, r->margin, s->gain_db,
                                         s->degrade};
    lull_status status = train_crops_new(r->config, r->corpus, &options, &r->crops, error);
    if (status) return status;
    return train_reader_new(r->crops, r->config, s, r->margin, r->state.progress.step + 1,
                            r->state.progress.crops, ranks_rank(r->ranks),
                            ranks_count(r->ranks), &r->reader, error);
}

/* What the run will cost: measured on one batch, whose result is thrown away. */
static void announce(run *r) {
    const train_settings *s = r->settings;
    const model_config *c = r->config;
    char text[48];
    train_batch *batch = NULL;
    size_t samples = r->corpus->first_sample[r->corpus->count];
    say(r, TRAIN_LINE_EVENT,
        "corpus: %zu recordings, %.2f h at %d Hz (%zu of %zu files left out); %.0f MB kept in "
        "memory",
        r->corpus->count, (double)samples / c->mel.sample_rate / 3600.0, c->mel.sample_rate,
        r->corpus->left_out, r->corpus->found,
        (double)r->corpus->resident_samples * sizeof(float) / 1e6);
    double step_flops =
        s->batch * s->accumulate *
        (r->postnet ? gradient_postnet_flops(r->postnet) : gradient_engine_flops(r->engine));
    double memory = (double)(r->postnet ? gradient_postnet_bytes(r->postnet)
                                        : gradient_engine_bytes(r->engine)) +
                    (double)train_reader_bytes(r->reader) +
                    (double)r->corpus->resident_samples * sizeof(float) +
                    5.0 * (double)r->size * sizeof(float);
    say(r, TRAIN_LINE_EVENT,
        "network: %s, %.3f M weights, %d layers of %d channels, patches of %d; objective %s, %s",
        c->family == MODEL_DIFFWAVE ? "diffwave" : "lull", (double)r->state.weights->total / 1e6,
        c->layers, c->channels, c->patch, diffusion_objective_name(c->objective),
        s->bf16 ? "bfloat16 products" : "float32");
    if (r->postnet != NULL)
        say(r, TRAIN_LINE_EVENT,
            "training the postnet alone: %d convolutions of %d channels, %d frames of look-ahead",
            model_config_postnet_convolutions(c), c->postnet_channels, c->postnet_look_ahead);
    say(r, TRAIN_LINE_EVENT,
        "step: %d × %d crops of %d frames = %.2f s of audio, %.1f GFLOP; %.0f MB of memory",
        s->accumulate, s->batch, s->crop_frames, audio_per_step(r), step_flops / 1e9, memory / 1e6);
    if (r->ranks != NULL)
        say(r, TRAIN_LINE_EVENT,
            "ranks: %d, each with such batches: %.0f crops a step; GFLOP and memory are of one",
            ranks_count(r->ranks), crops_per_step(r));
    if (train_batch_new(c, s, s->batch, r->margin, &batch, NULL)) return;
    run_batch(r, batch, r->state.weights, r->sum); /* the first run touches fresh memory */
    double begun = base_now();
    run_batch(r, batch, r->state.weights, r->sum);
    double step = (base_now() - begun) * s->accumulate;
    train_batch_free(batch);
    double left =
        s->max_steps > 0 ? step * (double)(s->max_steps - r->state.progress.step) : INFINITY;
    if (s->max_steps > 0 && r->state.progress.step >= s->max_steps) left = 0.0;
    if (s->max_hours > 0.0) left = fmin(left, fmax(0.0, 3600.0 * s->max_hours - r->base_elapsed));
    say(r, TRAIN_LINE_EVENT,
        "time: %.3f s a step measured (%.1f audio seconds a second, %.0f GFLOP/s), %s to the end",
        step, audio_per_step(r) / step, step_flops / step / 1e9, duration(left, text, sizeof text));
}

/* All ranks are the same program with the same configuration. */
static lull_status compare_ranks(run *r, lull_error *error) {
    if (r->ranks == NULL) return LULL_OK;
    lull_status status = ranks_same_program(r->ranks, error);
    if (status) return status;
    char *text = train_settings_print(r->settings, r->config);
    status = ranks_agree(r->ranks, text ? LULL_OK : base_no_memory(error), error);
    if (!status) status = ranks_same_text(r->ranks, "configuration", text, error);
    base_free(text);
    return status;
}

/* What only the first rank does: folders, measuring, validation, the run's files. */
static lull_status prepare_first(run *r, lull_error *error) {
    char path[PATH_SIZE];
    lull_status status = make_folders(r, error);
    if (!status) status = open_corpora(r, error);
    if (!status) status = prepare_valid(r, error);
    run_path(r, "config.json", path);
    if (!status) status = train_settings_write(path, r->settings, r->config, error);
    return status;
}

static lull_status prepare(run *r, lull_error *error) {
    lull_status status = model_config_check(r->config, "the model's configuration", error);
    if (!status) status = train_settings_check(r->settings, r->config, error);
    if (!status) status = thread_pool_new(r->options->threads, &r->pool, error);
    status = ranks_agree(r->ranks, status, error);
    if (!status) status = compare_ranks(r, error);
    if (status) return status;
    r->margin = r->settings->part == TRAIN_POSTNET ? 0 : gradient_engine_margin(r->config);
    if (is_first(r)) status = prepare_first(r, error);
    status = ranks_agree(r->ranks, status, error);
    if (!status && r->ranks != NULL) status = open_shared_corpus(r, error);
    if (!status) status = prepare_state(r, error);
    if (!status) status = ranks_agree(r->ranks, remember_facts(r, error), error);
    if (status) return status;
    status = prepare_buffers(r, error);
    if (!status) status = prepare_reader(r, error);
    status = ranks_agree(r->ranks, status, error);
    if (!status) announce(r);
    r->started = base_now();
    return status;
}

static void clean_up(run *r) {
    train_reader_free(r->reader);
    train_crops_free(r->crops);
    train_batch_free(r->valid);
    train_batch_free(r->valid_degraded);
    train_samples_free(r->samples);
    gradient_engine_free(r->engine);
    gradient_postnet_free(r->postnet);
    base_free(r->facts);
    train_muon_free(r->muon);
    for (int i = 0; r->stft != NULL && i < r->settings->batch; i++)
        train_stft_loss_free(r->stft[i]);
    base_free(r->stft);
    base_free(r->stft_room);
    train_state_free(&r->state);
    train_exchange_free(r->exchange);
    train_log_free(r->log);
    train_corpus_free(r->corpus);
    train_corpus_free(r->valid_corpus);
    base_free(r->sum);
    base_free(r->gradient);
    base_free(r->partial);
    base_free(r->losses);
    thread_pool_free(r->pool);
}

lull_status train_run(const model_config *config, const train_settings *settings,
                      const train_run_options *options, train_result *result, lull_error *error) {
    train_run_options own = *options;
    run r = {.config = config, .settings = settings, .options = &own, .ranks = options->ranks};
    lull_error none = {0};
    if (error == NULL) error = &none;
    if (!is_first(&r)) own.say = NULL;
    memset(result, 0, sizeof *result);
    lull_status status = prepare(&r, error);
    if (!status) status = ranks_agree(r.ranks, loop(&r, result, error), error);
    result->steps = r.state.progress.step;
    result->skipped = r.state.progress.skipped;
    clean_up(&r);
    return status;
}
