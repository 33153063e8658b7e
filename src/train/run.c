/* A training run: see run.h. Set-up, the loop, evaluations and checkpoints; what a step is stands
 * in step.c, what is said of it in report.c. */
#include "train/run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "model/model.h"
#include "train/corpora.h"
#include "train/folder.h"
#include "train/report.h"
#include "train/start.h"
#include "train/validation.h"

typedef struct run {
    const model_config *config;
    const train_settings *settings;
    const train_run_options *options;
    train_voice voice;
    ranks *ranks;
    thread_pool *pool;
    train_folder folder;
    train_clock clock;
    train_corpora corpora;
    train_crops *crops;
    train_reader *reader;
    train_validation validation;
    train_state state;
    train_log *log; /* NULL on all ranks but the first */
    train_stepper *stepper;
    train_report report;
    char *facts;               /* of the model that a part is trained for */
    uint64_t evaluated, saved; /* steps of the last evaluation and checkpoint */
    double saved_at;
    bool save_failed;
} run;

static bool is_first(const run *r) {
    return ranks_rank(r->ranks) == 0;
}

/* ---- evaluation --------------------------------------------------------------------------- */

static lull_status write_model(const run *r, lull_error *error) {
    const train_progress *p = &r->state.progress;
    char path[TRAIN_FOLDER_PATH];
    train_folder_file(r->options->folder, "model.safetensors", path);
    char *facts = train_settings_facts(r->settings, p->step, p->audio_seconds, r->facts);
    if (facts == NULL) return base_no_memory(error);
    lull_status status = model_write(path, r->config, r->state.average, facts, false, error);
    base_free(facts);
    return status;
}

/* A file that cannot be written is said and does not end the run: the checkpoint is what counts. */
static void render(run *r) {
    uint64_t step = r->state.progress.step;
    char path[TRAIN_FOLDER_PATH];
    lull_error error = {0};
    train_folder_file(r->options->folder, "model.safetensors", path);
    if (write_model(r, &error) ||
        train_samples_render(r->validation.samples, path, step, r->options->threads, &error))
        train_say(&r->voice, TRAIN_LINE_WARNING, "no samples at step %llu: %s",
                  (unsigned long long)step, error.message);
}

/* Losses of the averaged weights on fixed crops, and sound. */
static void evaluate(run *r) {
    uint64_t step = r->state.progress.step;
    char more[64] = "";
    r->evaluated = step;
    if (!is_first(r)) return;
    bool finite = true;
    if (r->validation.exact != NULL) {
        const train_validation_result is = train_validation_run(&r->validation, r->stepper);
        train_log_evaluation(r->log, step, is.exact, is.degraded);
        finite = isfinite(is.exact);
        if (!isnan(is.degraded))
            snprintf(more, sizeof more, ", on degraded mels %.4f", is.degraded);
        train_say(&r->voice, TRAIN_LINE_EVENT,
                  "step %llu: training loss %.4f, validation loss %.4f%s", (unsigned long long)step,
                  train_log_recent(r->log, 200), is.exact, more);
    }
    if (r->validation.samples != NULL && finite) render(r);
}

/* ---- checkpoints -------------------------------------------------------------------------- */

static lull_status try_save(run *r, lull_error *error) {
    train_progress *p = &r->state.progress;
    p->elapsed = r->settings->max_hours > 0.0 ? train_clock_elapsed(&r->clock) : 0.0;
    lull_status status = train_log_sync(r->log, &p->log_bytes, error);
    if (!status) status = train_checkpoint_write(r->options->folder, r->config, &r->state, error);
    if (!status) status = write_model(r, error);
    if (!status) status = train_log_curve(r->log, error);
    return status;
}

static void save(run *r) {
    lull_error error = {0};
    unsigned long long step = r->state.progress.step;
    r->saved_at = base_now();
    if (!is_first(r)) {
        r->saved = step;
        return;
    }
    r->save_failed = true;
    if (!train_state_finite(&r->state)) {
        train_say(
            &r->voice, TRAIN_LINE_WARNING,
            "no checkpoint at step %llu: the weights are not finite; the previous one is kept",
            step);
    } else if (try_save(r, &error)) {
        train_say(&r->voice, TRAIN_LINE_WARNING,
                  "no checkpoint at step %llu, the previous one is kept: %s", step, error.message);
    } else {
        r->save_failed = false;
        r->saved = r->state.progress.step;
        train_checkpoint_prune(r->options->folder, r->settings->keep);
        train_say(&r->voice, TRAIN_LINE_EVENT, "step %llu: checkpoint written", step);
    }
}

static bool save_is_due(const run *r) {
    const train_settings *s = r->settings;
    if (s->checkpoint_steps > 0 && r->state.progress.step % s->checkpoint_steps == 0) return true;
    return s->checkpoint_seconds > 0.0 && base_now() - r->saved_at >= s->checkpoint_seconds;
}

/* ---- the loop ----------------------------------------------------------------------------- */

/* Steps until the end, a signal or a failure. *whole: the state can be kept. */
static lull_status steps(run *r, bool *whole, lull_error *error) {
    const train_progress *p = &r->state.progress;
    uint64_t every = r->settings->eval_every;
    lull_status status = LULL_OK;
    *whole = true;
    while (!train_clock_at_end(&r->clock, p->step) && !train_clock_stopped(&r->clock)) {
        train_step_result step = {0};
        uint64_t before = p->step;
        status = train_stepper_take(r->stepper, r->reader, &step, whole, error);
        if (p->step > before) train_report_step(&r->report, &step);
        if (status) break;
        if (every > 0 && p->step % every == 0) evaluate(r);
        if (save_is_due(r)) save(r);
    }
    return status;
}

/* A run whose limit is used up would otherwise end without a word. */
static void say_used_up(const run *r) {
    const train_settings *s = r->settings;
    uint64_t step = r->state.progress.step;
    if (s->max_steps > 0 && step >= s->max_steps)
        train_say(&r->voice, TRAIN_LINE_WARNING,
                  "nothing to do: the run has its %llu steps; to go on, pass a larger --max-steps "
                  "(this one was %llu)",
                  (unsigned long long)step, (unsigned long long)s->max_steps);
    else
        train_say(&r->voice, TRAIN_LINE_WARNING,
                  "nothing to do: the run has had its %.4g hours; to go on, pass a larger "
                  "--max-hours (this one was %.4g)",
                  train_clock_elapsed(&r->clock) / 3600.0, s->max_hours);
}

static lull_status loop(run *r, train_result *result, lull_error *error) {
    const train_progress *p = &r->state.progress;
    bool whole = true;
    lull_status status = train_clock_agree(&r->clock, error);
    uint64_t first = r->evaluated = r->saved = p->step;
    train_report_begin(&r->report);
    r->saved_at = base_now();
    result->nothing_done = !status && train_clock_at_end(&r->clock, first);
    if (result->nothing_done) say_used_up(r);
    if (!status) status = steps(r, &whole, error);
    bool moved = p->step > first;
    result->interrupted = !status && !train_clock_at_end(&r->clock, p->step);
    if (!status && !result->interrupted && moved && r->evaluated != p->step) evaluate(r);
    if (status ? whole && moved && r->saved != p->step : r->saved != p->step || !moved) save(r);
    result->checkpointed = r->saved == p->step && !r->save_failed;
    if (!status) train_report_end(&r->report);
    return status;
}

/* ---- set-up ------------------------------------------------------------------------------- */

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

static train_corpora_options corpora_options(const run *r) {
    return (train_corpora_options){.run = r->options->folder,
                                   .config = r->config,
                                   .settings = r->settings,
                                   .voice = &r->voice,
                                   .pool = r->pool,
                                   .stop = r->options->stop,
                                   .resume = r->options->resume,
                                   .accept_changes = r->options->accept_changes};
}

/* What only the first rank does: folders, measuring, validation, the run's files. */
static lull_status prepare_first(run *r, lull_error *error) {
    const train_corpora_options corpora = corpora_options(r);
    char path[TRAIN_FOLDER_PATH];
    lull_status status =
        train_folder_open(r->options->folder, r->options->resume, &r->folder, error);
    if (!status) status = train_corpora_open(&corpora, &r->corpora, error);
    if (!status)
        status = train_validation_new(&r->validation, r->config, r->settings, r->options->folder,
                                      r->corpora.validation, r->corpora.training, error);
    train_corpus_free(r->corpora.validation);
    r->corpora.validation = NULL;
    train_folder_file(r->options->folder, "config.json", path);
    if (!status) status = train_settings_write(path, r->settings, r->config, error);
    return status;
}

static lull_status prepare_state(run *r, lull_error *error) {
    const train_start_options start = {r->options->folder, r->options->resume, r->config,
                                       r->settings,        &r->voice,          r->ranks};
    lull_status status = train_start(&start, &r->state, &r->log, error);
    if (!status) status = train_start_facts(r->settings, &r->facts, error);
    r->clock.before = r->state.progress.elapsed;
    return ranks_agree(r->ranks, status, error);
}

static lull_status prepare_steps(run *r, lull_error *error) {
    const train_settings *s = r->settings;
    const train_stepper_parts parts = {r->config, s,         &r->voice, r->pool,
                                       r->ranks,  &r->clock, &r->state};
    const train_crops_options crops = {s->seed, s->crop_frames, train_part_of(s)->margin(r->config),
                                       s->pairs ? 0.0 : s->gain_db /* a pair keeps its level */,
                                       s->degrade};
    lull_status status = train_stepper_new(&parts, &r->stepper, error);
    if (!status)
        status = train_part_of(s)->new_crops(r->config, s, r->corpora.training, &crops, &r->crops,
                                             error);
    if (!status)
        status = train_reader_new(r->crops, r->config, s, r->state.progress.step + 1,
                                  r->state.progress.crops, ranks_rank(r->ranks),
                                  ranks_count(r->ranks), &r->reader, error);
    r->report = (train_report){.config = r->config,
                               .settings = s,
                               .voice = &r->voice,
                               .clock = &r->clock,
                               .state = &r->state,
                               .stepper = r->stepper,
                               .reader = r->reader,
                               .log = r->log,
                               .ranks = r->ranks};
    return status;
}

static lull_status prepare(run *r, lull_error *error) {
    lull_status status = model_config_check(r->config, "the model's configuration", error);
    if (!status) status = train_settings_check(r->settings, r->config, error);
    if (!status) status = thread_pool_new(r->options->threads, &r->pool, error);
    status = ranks_agree(r->ranks, status, error);
    if (!status) status = compare_ranks(r, error);
    if (status) return status;
    if (is_first(r)) status = prepare_first(r, error);
    status = ranks_agree(r->ranks, status, error);
    const train_corpora_options corpora = corpora_options(r);
    if (!status && r->ranks != NULL)
        status = train_corpora_share(&corpora, r->ranks, &r->corpora, error);
    if (!status) status = prepare_state(r, error);
    if (!status) status = ranks_agree(r->ranks, prepare_steps(r, error), error);
    if (!status) train_report_announce(&r->report, r->corpora.training);
    r->clock.started = base_now();
    return status;
}

static void clean_up(run *r) {
    train_reader_free(r->reader);
    train_crops_free(r->crops);
    train_stepper_free(r->stepper);
    train_validation_free(&r->validation);
    train_state_free(&r->state);
    train_log_free(r->log);
    train_corpora_free(&r->corpora);
    base_free(r->facts);
    thread_pool_free(r->pool);
    train_folder_close(&r->folder);
}

lull_status train_run(const model_config *config, const train_settings *settings,
                      const train_run_options *options, train_result *result, lull_error *error) {
    run r = {.config = config,
             .settings = settings,
             .options = options,
             .voice = {options->say, options->context},
             .ranks = options->ranks,
             .folder = {NULL, -1},
             .clock = {.settings = settings, .ranks = options->ranks, .stop = options->stop}};
    lull_error none = {0};
    if (error == NULL) error = &none;
    if (!is_first(&r)) r.voice.say = NULL;
    memset(result, 0, sizeof *result);
    lull_status status = prepare(&r, error);
    if (!status) status = ranks_agree(r.ranks, loop(&r, result, error), error);
    result->steps = r.state.progress.step;
    result->skipped = r.state.progress.skipped;
    clean_up(&r);
    return status;
}
