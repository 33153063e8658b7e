/* lull synth: mel spectrograms and recordings to audio files. */
#include "cli/commands.h"

#include "base/error.h"
#include "base/os_thread.h"
#include "base/memory.h"
#include "base/clock.h"
#include "base/progress.h"
#include "cli/convention_options.h"
#include "cli/options.h"
#include "cli/own.h"
#include "cli/paths.h"
#include "cli/remarks.h"
#include "cli/share_jobs.h"
#include "cli/stop.h"
#include "cli/synthesis.h"
#include "cli/trace_page.h"
#include "model/model.h"
#include "vocoder/vocoder.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MAX_WORKERS = 64, INTERRUPTED = 130 };

/* What the command line said. */
typedef struct synth_options {
    cli_synthesis synthesis;
    cli_input_options input;
    const char *output, *noise, *f0, *convention, *trace;
    int griffin_lim, jobs, format, rate;
    bool wav, skip_existing, quiet, plot, explain;
} synth_options;

/* What the workers share. */
typedef struct batch {
    const synthesis_settings *settings;
    const cli_jobs *jobs;
    const synth_options *options;
    ranks *ranks;         /* of several machines, each with its own batch */
    size_t total;         /* jobs of all ranks */
    pthread_mutex_t lock; /* of everything below */
    size_t next, finished, failed, skipped;
    double parts;   /* finished files and parts of files */
    double seconds; /* of audio */
    progress bar;
} batch;

/* ---- workers ------------------------------------------------------------------------------ */

static bool report_progress(void *context, size_t fresh, size_t total, int rate) {
    batch *b = context;
    char note[64];
    pthread_mutex_lock(&b->lock);
    b->seconds += (double)fresh / rate;
    if (total > 0) b->parts += (double)fresh / (double)total;
    double spent = base_now() - b->bar.started;
    snprintf(note, sizeof note, "%.1f s of audio, %.1f times real time", b->seconds,
             b->seconds / (spent > 1e-9 ? spent : 1e-9));
    progress_update(&b->bar, b->parts, note);
    pthread_mutex_unlock(&b->lock);
    return !cli_stop_asked;
}

/* Says how a job went. Called with the lock held. */
static void account(batch *b, const cli_job *job, lull_status status, const lull_error *error,
                    double seconds, uint64_t limited, double spent) {
    bool quiet = b->options->quiet;
    b->finished++;
    b->parts = (double)b->finished > b->parts ? (double)b->finished : b->parts;
    progress_end(&b->bar);
    if (status != LULL_OK) {
        b->failed++;
        if (!cli_stop_asked) cli_fail(error);
        return;
    }
    if (!quiet && limited > 0)
        cli_note("%s: %llu sample%s too loud and limited", job->input, (unsigned long long)limited,
                 limited == 1 ? " was" : "s were");
    if (!quiet && b->total == 1)
        cli_note("%s: %.2f s of audio in %.2f s, %.1f times real time",
                 strcmp(job->output, "-") == 0 ? "standard output" : job->output, seconds, spent,
                 seconds / (spent > 1e-9 ? spent : 1e-9));
}

static const cli_job *take_job(batch *b) {
    const cli_job *job = NULL;
    pthread_mutex_lock(&b->lock);
    while (job == NULL && b->next < b->jobs->count && !cli_stop_asked) {
        const cli_job *candidate = &b->jobs->list[b->next++];
        if (b->options->skip_existing && cli_is_file(candidate->output)) {
            b->skipped++;
            b->finished++;
            b->parts += 1.0;
        } else {
            job = candidate;
        }
    }
    pthread_mutex_unlock(&b->lock);
    return job;
}

static void run_jobs(batch *b, synthesis_worker *worker) {
    for (const cli_job *job; (job = take_job(b)) != NULL;) {
        lull_error error = {LULL_OK, ""};
        double seconds = 0;
        uint64_t limited = 0;
        double started = base_now();
        lull_status status = synthesis_run(worker, job, &seconds, &limited, &error);
        pthread_mutex_lock(&b->lock);
        account(b, job, status, &error, seconds, limited, base_now() - started);
        pthread_mutex_unlock(&b->lock);
    }
}

/* A further worker: its own vocoder, the shared model. Without memory for it the others do its
 * work. */
static void *run_worker(void *context) {
    batch *b = context;
    synthesis_worker *worker = NULL;
    if (synthesis_worker_new(b->settings, &worker, NULL) == LULL_OK) run_jobs(b, worker);
    synthesis_worker_free(worker);
    return NULL;
}

/* What all ranks have done; each of them waits here for the others. */
static lull_status add_up(batch *b, lull_error *error) {
    double counts[] = {(double)b->finished, (double)b->failed, (double)b->skipped, b->seconds,
                       cli_stop_asked ? 1.0 : 0.0};
    if (b->ranks == NULL) return LULL_OK;
    lull_status status = ranks_sum(b->ranks, counts, 5, error);
    b->finished = (size_t)counts[0];
    b->failed = (size_t)counts[1];
    b->skipped = (size_t)counts[2];
    b->seconds = counts[3];
    if (counts[4] > 0.0) cli_stop_ask();
    return status;
}

static int report(const batch *b) {
    if (ranks_rank(b->ranks) > 0) return CLI_OK; /* the first one speaks */
    double spent = base_now() - b->bar.started;
    if (!b->options->quiet && b->total > 1)
        cli_note("%zu of %zu files done%s, %.1f s of audio in %.1f s, %.1f times real time",
                 b->finished - b->failed - b->skipped, b->total,
                 b->skipped > 0 ? " (those that exist skipped)" : "", b->seconds, spent,
                 b->seconds / (spent > 1e-9 ? spent : 1e-9));
    if (cli_stop_asked) {
        cli_note("interrupted; files that were not complete have been removed");
        return INTERRUPTED;
    }
    return b->failed > 0 ? CLI_FAILED : CLI_OK;
}

static lull_status run_batch(batch *b, lull_error *error) {
    synthesis_worker *worker = NULL;
    pthread_t threads[MAX_WORKERS];
    int started = 0, wanted = b->options->jobs;
    bool quiet = b->options->quiet || ranks_rank(b->ranks) > 0;
    lull_status status = synthesis_worker_new(b->settings, &worker, error);
    status = ranks_agree(b->ranks, status, error);
    if (status != LULL_OK) goto done;
    if ((size_t)wanted > b->jobs->count) wanted = (int)b->jobs->count;
    progress_begin(&b->bar, "synth", (double)b->jobs->count, quiet);
    while (started < wanted - 1 && pthread_create(&threads[started], NULL, run_worker, b) == 0)
        started++;
    run_jobs(b, worker);
    for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
    progress_end(&b->bar);
    status = add_up(b, error);
done:
    synthesis_worker_free(worker);
    return status;
}

/* ---- settings ----------------------------------------------------------------------------- */

static int check_combination(const synth_options *options, char **operands, int count) {
    const char *model = options->synthesis.model;
    bool network = (model == NULL || strcmp(model, "none") != 0) && options->griffin_lim == 0;
    if (!cli_input_fine(&options->input, "synth")) return CLI_USAGE;
    if (!network && options->noise != NULL)
        return cli_usage_error(
            "synth", "--noise wants a model: --model none and --griffin-lim draw none of it");
    if (!network && options->trace != NULL)
        return cli_usage_error("synth", "--trace wants a model: the baselines have no steps");
    if (options->wav && (options->output == NULL || strcmp(options->output, "-") != 0))
        return cli_usage_error("synth", "--wav goes with -o -; files are WAV anyway");
    if (options->plot && options->output != NULL && strcmp(options->output, "-") == 0)
        return cli_usage_error("synth", "--plot wants an output file, not -");
    if (options->f0 != NULL && (count != 1 || strcmp(operands[0], "-") == 0))
        return cli_usage_error("synth", "--f0 goes with one mel from a file");
    if ((options->f0 != NULL || options->synthesis.transpose != 0) &&
        (options->griffin_lim > 0 || options->synthesis.source == LULL_SOURCE_NOISE))
        return cli_usage_error(
            "synth", "--f0 and --transpose are for the pitch source, which is not in use");
    for (int i = 0; i < count; i++) {
        if (count > 1 && strcmp(operands[i], "-") == 0)
            return cli_usage_error("synth", "standard input ('-') must be the only input");
    }
    return CLI_OK;
}

static lull_status read_noise(const char *path, npy_array *noise, lull_error *error) {
    lull_status status = npy_read(path, noise, error);
    if (status != LULL_OK) return status;
    if (noise->dimensions != 2)
        status = base_fail(error, LULL_MISMATCH,
                           "%s: noise wants shape [draws, samples], found %d dimensions", path,
                           noise->dimensions);
    if (status != LULL_OK) npy_free(noise);
    return status;
}

/* One pitch a frame, in Hz: what most take for such a file by mistake are logarithms. */
static lull_status read_f0(const char *path, npy_array *f0, lull_error *error) {
    lull_status status = npy_read(path, f0, error);
    if (status != LULL_OK) return status;
    size_t count = 1, long_sides = 0;
    float most = 0;
    for (int d = 0; d < f0->dimensions; d++) {
        count *= f0->shape[d];
        long_sides += f0->shape[d] > 1;
    }
    for (size_t i = 0; i < count; i++)
        if (f0->data[i] > most) most = f0->data[i];
    lull_error why;
    if (long_sides > 1 || f0->dimensions == 0)
        status = base_fail(error, LULL_MISMATCH,
                           "%s: a pitch for every frame wants shape [frames], found %d dimensions",
                           path, f0->dimensions);
    else if (most > 0 && most < 12)
        status =
            base_fail(error, LULL_MISMATCH,
                      "%s: pitches up to %g look like logarithms; --f0 wants Hz, 0 where there "
                      "is no voice",
                      path, (double)most);
    else if (vocoder_check_pitches(f0->data, count, &why))
        status = base_fail(error, LULL_MISMATCH, "%s: %s", path, why.message);
    f0->shape[0] = count;
    if (status != LULL_OK) npy_free(f0);
    return status;
}

/* The model (NULL: no network) and the convention of inputs that say nothing themselves. */
static lull_status find_model(const synth_options *options, lull_model **model,
                              mel_convention *base, lull_error *error) {
    const char *option = options->synthesis.model;
    if (options->griffin_lim == 0 || option == NULL || strcmp(option, "none") == 0 ||
        options->convention != NULL)
        return cli_choose_model(options->griffin_lim > 0 ? "none" : option, options->convention,
                                NULL, model, base, error);
    /* Griffin-Lim has no network, but may take a model's convention. */
    lull_status status = cli_open_model(option, model, error);
    if (status != LULL_OK) return status;
    *base = (*model)->config.mel;
    lull_model_close(*model);
    *model = NULL;
    return LULL_OK;
}

/* Several machines: all must be the same program with the same orders and model. */
static lull_status compare_ranks(ranks *ranks, const char *orders, const lull_model *model,
                                 lull_error *error) {
    if (ranks == NULL) return LULL_OK;
    lull_status status = ranks_same_program(ranks, error);
    if (status == LULL_OK) status = ranks_same_text(ranks, "command line", orders, error);
    if (status != LULL_OK) return status;
    char *text = model != NULL ? model_config_print(&model->config) : base_strdup("no model");
    status = ranks_agree(ranks, text != NULL ? LULL_OK : base_no_memory(error), error);
    if (status == LULL_OK) status = ranks_same_text(ranks, "model", text, error);
    base_free(text);
    return status;
}

/* One file alone gets a few cores; several at a time are --jobs. */
static int default_threads(const cli_jobs *jobs) {
    enum { MOST = 4 };
    const int count = os_processors_of_process();
    return jobs->count != 1 ? 1 : count < MOST ? count : MOST;
}

static bool has_mels(const cli_jobs *jobs) {
    for (size_t i = 0; i < jobs->count; i++)
        if (!cli_is_recording(jobs->list[i].input)) return true;
    return false;
}

/* What the batch works with, read from files. */
typedef struct supplies {
    lull_model *model, *pitch;
    synthesis_settings settings;
} supplies;

static lull_status gather(const synth_options *options, const cli_jobs *all, supplies *s,
                          lull_error *error) {
    const bool network = options->griffin_lim == 0;
    const char *first = all->count > 0 ? all->list[0].input : NULL;
    synthesis_settings *settings = &s->settings;
    bool said;
    settings->input = options->input;
    settings->input.quiet = options->quiet;
    settings->said = options->convention != NULL;
    cli_synthesis_options(&options->synthesis, &settings->options);
    if (options->synthesis.threads == 0) settings->options.threads = default_threads(all);
    lull_status status = find_model(options, &s->model, &settings->unsaid, error);
    if (status == LULL_OK && network)
        status =
            cli_open_pitch(&options->synthesis, s->model, &settings->options, &s->pitch, error);
    /* What cannot be read beside it fails that input alone, in its turn. */
    if (status != LULL_OK || first == NULL || settings->said ||
        cli_convention_of(first, s->model, &settings->unsaid, &settings->first, &said, NULL) !=
            LULL_OK)
        settings->first = settings->unsaid;
    settings->model = s->model;
    if (status == LULL_OK && options->noise != NULL)
        status = read_noise(options->noise, &settings->noise, error);
    if (status == LULL_OK && options->f0 != NULL)
        status = read_f0(options->f0, &settings->f0, error);
    return status;
}

static void supplies_clear(supplies *s) {
    npy_free(&s->settings.noise);
    npy_free(&s->settings.f0);
    lull_model_close(s->model);
    lull_model_close(s->pitch);
}

static int synthesize(const synth_options *options, const cli_jobs *all, ranks *ranks,
                      const char *orders) {
    lull_error error = {LULL_OK, ""};
    cli_jobs mine = {NULL, 0, 0};
    batch b = {.jobs = &mine, .options = options, .ranks = ranks};
    supplies s = {.settings = {.rate = options->rate,
                               .griffin_lim = options->griffin_lim,
                               .plot = options->plot,
                               .trace = options->trace,
                               .format = (recording_format)options->format,
                               .wav = options->wav,
                               .progress = report_progress,
                               .context = &b}};
    int code = CLI_FAILED;
    lull_status status = ranks_agree(ranks, gather(options, all, &s, &error), &error);
    if (status == LULL_OK) status = compare_ranks(ranks, orders, s.model, &error);
    if (status == LULL_OK)
        status = cli_jobs_share(ranks, all, &s.settings.first, options->skip_existing, &mine,
                                &b.total, &b.skipped, &error);
    if (status == LULL_OK) {
        if (!options->quiet && ranks_rank(ranks) == 0 && options->griffin_lim == 0)
            cli_remark_settings(s.model, &s.settings.options, has_mels(all));
        if (!options->quiet && ranks_rank(ranks) == 0 && !s.settings.said)
            cli_remark_conventions(all, &s.settings.unsaid);
        b.settings = &s.settings;
        b.finished = b.skipped;
        pthread_mutex_init(&b.lock, NULL);
        cli_stop_catch(0, false);
        status = run_batch(&b, &error);
        pthread_mutex_destroy(&b.lock);
    }
    if (status == LULL_OK)
        code = report(&b);
    else if (ranks_rank(ranks) == 0)
        cli_fail(&error);
    if (code == CLI_OK && !options->quiet && all->count > 0 && ranks_rank(ranks) == 0)
        cli_remark_unsaid(options->synthesis.model, options->convention, all, &s.settings.unsaid);
    cli_jobs_free(&mine);
    supplies_clear(&s);
    return code;
}

/* --explain-mel: what the inputs look like; nothing is written. */
static int explain(const synth_options *options, char **inputs, int count) {
    int code = CLI_OK;
    for (int i = 0; i < count; i++) {
        lull_error error = {LULL_OK, ""};
        lull_model *model = NULL;
        mel_convention unsaid, base;
        bool said;
        cli_reading reading = {0};
        float *frames = NULL;
        size_t n = 0;
        lull_status status = find_model(options, &model, &unsaid, &error);
        if (status == LULL_OK) base = unsaid;
        if (status == LULL_OK && options->convention == NULL)
            status = cli_convention_of(inputs[i], model, &unsaid, &base, &said, &error);
        lull_model_close(model);
        if (status == LULL_OK)
            status = cli_reading_init(&reading, &options->input, &base, NULL, &error);
        if (status == LULL_OK) status = cli_read_numbers(inputs[i], &reading, &frames, &n, &error);
        if (status == LULL_OK) cli_reading_explain(&reading, inputs[i], frames, n);
        if (status != LULL_OK) code = cli_fail(&error);
        base_free(frames);
        cli_reading_clear(&reading);
    }
    const int flushed = cli_finish_stdout();
    return code != CLI_OK ? code : flushed;
}

/* The page that links to the traces of all inputs. */
static lull_status write_contents(const synth_options *options, const cli_jobs *jobs,
                                  lull_error *error) {
    const char **names = base_alloc(jobs->count, sizeof *names);
    if (names == NULL) return base_no_memory(error);
    for (size_t i = 0; i < jobs->count; i++) names[i] = strrchr(jobs->list[i].trace, '/') + 1;
    lull_status status = trace_contents_write(options->trace, names, jobs->count, error);
    base_free(names);
    return status;
}

/* A trace's page is index.html in its folder. */
static lull_status check_page(const char *folder, bool force, lull_error *error) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/index.html", folder) >= (int)sizeof path)
        return base_fail(error, LULL_INVALID, "%s: the name is too long", folder);
    return cli_may_write(path, force, error);
}

/* What else becomes of a job: its picture and trace have names that nobody typed. */
static lull_status check_job(const synth_options *asked, const cli_job *job, lull_error *error) {
    char picture[PATH_MAX];
    bool lossy = false;
    lull_status status = LULL_OK;
    if (strcmp(job->output, "-") != 0) status = recording_writer_check(job->output, &lossy, error);
    if (status == LULL_OK && lossy && asked->format >= 0)
        status = base_fail(error, LULL_INVALID,
                           "%s: --format is for WAV and FLAC; this format has none of these",
                           job->output);
    if (status == LULL_OK && asked->plot) {
        status = synthesis_picture(job->output, picture, sizeof picture, error);
        if (status == LULL_OK) status = cli_may_write(picture, asked->input.force, error);
    }
    const char *trace = job->trace != NULL ? job->trace : asked->trace;
    return status == LULL_OK && trace != NULL ? check_page(trace, asked->input.force, error)
                                              : status;
}

static lull_status make_jobs(const synth_options *asked, char **operands, int count, cli_jobs *jobs,
                             lull_error *error) {
    bool force = asked->input.force || asked->skip_existing; /* what exists is left alone anyway */
    lull_status status =
        cli_jobs_make(operands, count, asked->output, ".wav", true, force, jobs, error);
    if (status == LULL_OK && asked->trace != NULL && jobs->count > 1) {
        status = cli_make_folders(asked->trace, error);
        if (status == LULL_OK) status = cli_jobs_trace(jobs, asked->trace, error);
    }
    for (size_t i = 0; i < jobs->count && status == LULL_OK; i++)
        status = check_job(asked, &jobs->list[i], error);
    if (status == LULL_OK && asked->trace != NULL && jobs->count > 1)
        status = check_page(asked->trace, asked->input.force, error);
    return status;
}

/* The command line, a word a line. NULL: no memory. */
static char *join_words(int count, char **words) {
    char *text = NULL;
    size_t used = 0, capacity = 0;
    if (!base_grow((void **)&text, &capacity, 1, 1)) return NULL;
    text[0] = '\0';
    for (int i = 0; i < count; i++) {
        size_t n = strlen(words[i]);
        if (!base_grow((void **)&text, &capacity, used + n + 2, 1)) {
            base_free(text);
            return NULL;
        }
        memcpy(text + used, words[i], n);
        memcpy(text + used + n, "\n", 2);
        used += n + 1;
    }
    return text;
}

/* Jobs from operands, shared by all machines. */
static int run(synth_options *asked, const char *orders, char **operands, int count) {
    lull_error error = {LULL_OK, ""};
    cli_jobs jobs = {NULL, 0, 0};
    ranks *ranks = NULL;
    int code = CLI_FAILED;
    if (ranks_join(&ranks, &error) != LULL_OK) return cli_fail(&error);
    const bool speaks = ranks_rank(ranks) == 0;
    lull_status status = speaks ? make_jobs(asked, operands, count, &jobs, &error) : LULL_OK;
    if (asked->format < 0) {
        const bool to_stdout = asked->output != NULL && strcmp(asked->output, "-") == 0;
        asked->format = to_stdout && !asked->wav ? RECORDING_FLOAT : RECORDING_PCM16;
    }
    if (ranks_agree(ranks, status, &error) == LULL_OK)
        code = synthesize(asked, &jobs, ranks, orders);
    else if (speaks)
        code = error.status == LULL_INVALID ? cli_usage_error("synth", "%s", error.message)
                                            : cli_fail(&error);
    if (speaks && asked->trace != NULL && jobs.count > 1 && code == CLI_OK &&
        write_contents(asked, &jobs, &error) != LULL_OK)
        code = cli_fail(&error);
    cli_jobs_free(&jobs);
    ranks_leave(ranks, true);
    return code;
}

static bool parse(synth_options *asked, int argc, char **argv, int *first, int *code) {
    const cli_option options[] = {
        CLI_TEXT('o', "output", "PATH", &asked->output,
                 "file (.wav, .flac, .ogg, .opus, .mp3), folder, or - (default: NAME.wav here)"),
        CLI_SYNTHESIS_OPTIONS(asked->synthesis),
        CLI_INT('j', "jobs", "N", &asked->jobs, 1, MAX_WORKERS, "files at a time"),
        CLI_CHOICE('f', "format", "F", &asked->format, cli_format_choices,
                   "pcm16, pcm24, float (default pcm16; on - float)"),
        CLI_FLAG('w', "wav", &asked->wav, "with -o -: WAV, not raw samples"),
        CLI_TEXT(0, "f0", "NPY", &asked->f0,
                 "the pitch of every frame, Hz, 0 unvoiced, NaN not known"),
        CLI_INPUT_OPTIONS(asked->input),
        CLI_TEXT('c', "convention", "NAME", &asked->convention, "of the mel: " CLI_CONVENTION_HELP),
        CLI_INT(0, "rate", "HZ", &asked->rate, 1000, 384000,
                "resample the output (default: the mel's rate)"),
        CLI_FLAG(0, "explain-mel", &asked->explain, "print what the mel looks like and why"),
        CLI_FLAG('k', "skip-existing", &asked->skip_existing, "leave outputs that exist alone"),
        CLI_FLAG('q', "quiet", &asked->quiet, "say nothing but errors"),
        CLI_MORE,
        CLI_SYNTHESIS_MORE(asked->synthesis),
        CLI_PITCH_OPTION(asked->synthesis),
        CLI_TEXT('N', "noise", "NPY", &asked->noise, "noise to use, [draws, samples]"),
        CLI_FLAG(0, "plot", &asked->plot,
                 "also NAME.png: the mel that went in above what came out"),
        CLI_TEXT('T', "trace", "DIR", &asked->trace,
                 "write the signal at every step there, with a page"),
        CLI_INT('g', "griffin-lim", "N", &asked->griffin_lim, 1, 100000,
                "baseline: Griffin-Lim, N iterations"),
        CLI_END};
    const cli_command_line line = {
        "synth",
        "[OPTIONS] INPUT... [-o OUTPUT]",
        "INPUT: .npy mel spectrograms ([bands, frames] or its transpose), each read as\n"
        "the .json beside it says; recordings to analyse and resynthesize; folders; or -\n"
        "for raw float32 frames, a .npy or a recording on standard input: a pipe carries\n"
        "no convention, say it with -c. '--model none' is the baseline without a network.",
        NULL,
        options,
        1,
        -1};
    if (!cli_parse(&line, argc, argv, first, code)) return false;
    asked->synthesis.f0_given = asked->f0 != NULL;
    *code = check_combination(asked, argv + *first, argc - *first);
    return *code == CLI_OK;
}

int command_synth(int argc, char **argv) {
    synth_options asked = {.synthesis = CLI_SYNTHESIS_DEFAULT, .jobs = 1, .format = -1};
    asked.synthesis.threads = 0; /* not said: default_threads */
    int first = 0, code = CLI_OK;
    char *orders = join_words(argc, argv); /* parsing changes their order */
    if (parse(&asked, argc, argv, &first, &code)) {
        char **operands = argv + first;
        const int count = argc - first;
        /* Who pipes frames in waits for the sound of each; files can have the longer window. */
        const bool stream = count == 1 && strcmp(operands[0], "-") == 0;
        if (stream && asked.synthesis.threads == 0) asked.synthesis.threads = 1;
        asked.synthesis.use = stream ? LULL_LIVE : LULL_OFFLINE;
        code = asked.explain ? explain(&asked, operands, count)
                             : run(&asked, orders != NULL ? orders : "", operands, count);
    }
    base_free(orders);
    return code;
}
