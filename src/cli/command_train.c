/* lull train: a folder of recordings becomes a model. */
#include "cli/commands.h"

#include "base/error.h"
#include "base/memory.h"
#include "cli/convention_options.h"
#include "cli/options.h"
#include "cli/stop.h"
#include "io/file_bytes.h"
#include "io/json.h"
#include "model/model.h"
#include "nn/kernels.h"
#include "train/run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_ASSIGNMENTS = 64, ASSIGNMENT_SIZE = 512 };

typedef struct arguments {
    train_settings settings;
    const char *output, *resume, *corpus, *pairs, *config, *preset, *init, *valid,
        *checkpoint_every;
    const char *mel, *objective, *name, *set;
    int sample_rate, channels, layers, threads, precision;
    bool quiet, accept_changes;
} arguments;

/* ---- lines -------------------------------------------------------------------------------- */

typedef struct speaker {
    bool terminal, quiet, drawn;
} speaker;

static void speak(void *context, train_line kind, const char *line) {
    speaker *s = context;
    if (kind == TRAIN_LINE_PROGRESS) {
        if (!s->terminal || s->quiet) return;
        /* A narrow terminal cuts the line off and does not wrap it. */
        fprintf(stderr, "\r\033[?7l%s\033[K\033[?7h", line);
        fflush(stderr);
        s->drawn = true;
        return;
    }
    if (s->quiet && kind != TRAIN_LINE_WARNING) return;
    if (s->drawn) fputs("\r\033[K", stderr);
    s->drawn = false;
    if (kind == TRAIN_LINE_WARNING)
        cli_note("%s", line);
    else
        fprintf(stderr, "%s\n", line);
}

/* ---- the model's configuration ------------------------------------------------------------ */

static lull_status read_config(const char *path, arguments *a, model_config *config,
                               lull_error *error) {
    file_bytes bytes = {0};
    yyjson_doc *tree = NULL;
    lull_status status = file_bytes_read(path, &bytes, error);
    if (status) return status;
    status = json_parse(bytes.data, bytes.size, path, &tree, error);
    yyjson_val *root = yyjson_doc_get_root(tree);
    if (!status && yyjson_obj_get(root, "training")) /* of a run: settings and all */
        status = train_settings_parse(bytes.data, bytes.size, path, &a->settings, config, error);
    else if (!status)
        status = model_config_read(root, path, config, error);
    yyjson_doc_free(tree);
    file_bytes_free(&bytes);
    return status;
}

/* Where the configuration starts from: a file, a preset, the model of --init, or the default
 * of the family. */
static lull_status base_config(arguments *a, model_config *config, lull_error *error) {
    model_config_default(config);
    if (a->config != NULL) return LULL_OK; /* read with the settings */
    if (a->preset != NULL) {
        if (strcmp(a->preset, "diffwave") == 0)
            model_config_diffwave(config);
        else if (strcmp(a->preset, "lull") != 0)
            return base_fail(error, LULL_INVALID, "no preset '%s': lull and diffwave are there",
                             a->preset);
        return LULL_OK;
    }
    if (a->init == NULL && a->settings.part == TRAIN_PITCH) model_config_pitch(config);
    if (a->init == NULL) return LULL_OK;
    lull_model *model = NULL;
    lull_status status = lull_model_open(a->init, &model, error);
    if (!status) *config = model->config;
    lull_model_close(model);
    return status;
}

/* Schedules and samplers that go with an objective. */
static const char *const *objective_assignments(const char *name) {
    static const char *const v[] = {"process.objective=v", "process.schedule.kind=angle",
                                    "synthesis.sampler=ddim", NULL};
    static const char *const data[] = {"process.objective=data", "process.schedule.kind=angle",
                                       "synthesis.sampler=ddim", NULL};
    static const char *const flow[] = {"process.objective=flow", "process.schedule.kind=linear",
                                       "synthesis.sampler=euler", NULL};
    static const char *const noise[] = {"process.objective=noise",
                                        "process.schedule.kind=betas",
                                        "process.schedule.training_steps=50",
                                        "process.schedule.beta_first=1e-4",
                                        "process.schedule.beta_last=0.05",
                                        "synthesis.sampler=ddim",
                                        NULL};
    if (strcmp(name, "v") == 0) return v;
    if (strcmp(name, "data") == 0) return data;
    if (strcmp(name, "flow") == 0) return flow;
    return strcmp(name, "noise") == 0 ? noise : NULL;
}

static lull_status set_member(const char *assignment, model_config *config, lull_error *error) {
    lull_error why = {LULL_OK, ""};
    lull_status status = model_config_set(config, assignment, &why);
    if (!status) return LULL_OK;
    return base_fail(error, status, "--set %.100s: %s; 'lull train --set help' lists all",
                     assignment, why.message);
}

static lull_status change_config(const arguments *a, char (*sets)[ASSIGNMENT_SIZE],
                                 size_t set_count, model_config *config, lull_error *error) {
    char own[5][ASSIGNMENT_SIZE];
    const char *all[16];
    size_t n = 0, used = 0;
    if (a->settings.part == TRAIN_POSTNET) model_config_add_postnet(config);
    if (a->settings.part == TRAIN_PITCH) model_config_add_pitch(config);
    if (a->settings.part == TRAIN_BANDWIDTH) model_config_add_bandwidth(config);
    if (a->settings.part == TRAIN_SPECTRUM) model_config_add_spectrum(config);
    if (a->objective != NULL) {
        const char *const *list = objective_assignments(a->objective);
        if (list == NULL)
            return base_fail(error, LULL_INVALID,
                             "no objective '%s': v, noise, flow and data are there", a->objective);
        while (*list) all[n++] = *list++;
    }
    if (a->mel != NULL) {
        lull_status status = cli_read_convention(a->mel, a->sample_rate, &config->mel, error);
        if (status != LULL_OK) return status;
    }
#define OWN(condition, ...)                                                                        \
    if (condition) snprintf(own[used], ASSIGNMENT_SIZE, __VA_ARGS__), all[n++] = own[used++]
    OWN(a->mel == NULL && a->sample_rate > 0, "mel.sample_rate=%d", a->sample_rate);
    OWN(a->layers > 0, "network.layers=%d", a->layers);
    OWN(a->channels > 0, "network.channels=%d", a->channels);
    OWN(a->name != NULL, "name=%.60s", a->name);
#undef OWN
    lull_status status = LULL_OK;
    for (size_t i = 0; i < n && !status; i++) status = model_config_set(config, all[i], error);
    for (size_t i = 0; i < set_count && !status; i++) status = set_member(sets[i], config, error);
    return status ? status : model_config_check(config, "the configuration", error);
}

/* ---- the command line --------------------------------------------------------------------- */

/* --set may stand any number of times: it is taken out of argv before the rest is parsed. */
static bool take_sets(int *argc, char **argv, char (*sets)[ASSIGNMENT_SIZE], size_t *count) {
    int kept = 0;
    bool options = true, fits = true;
    *count = 0;
    for (int i = 0; i < *argc; i++) {
        const char *value = NULL;
        if (strcmp(argv[i], "--") == 0) options = false;
        if (options && strncmp(argv[i], "--set=", 6) == 0) value = argv[i] + 6;
        if (options && strcmp(argv[i], "--set") == 0 && i + 1 < *argc) value = argv[++i];
        size_t size = value != NULL ? strlen(value) + 1 : 0;
        if (value == NULL)
            argv[kept++] = argv[i];
        else if (*count < MOST_ASSIGNMENTS && size <= ASSIGNMENT_SIZE)
            memcpy(sets[(*count)++], value, size);
        else
            fits = false;
    }
    argv[kept] = NULL;
    *argc = kept;
    return fits;
}

/* An option of training is a member of its settings. */
#define SETTING(letter, option, argument, place)                                                   \
    cli_member(letter, option, argument, train_settings_members, place, s)

static void print_place(void *context, const char *place, const member *row) {
    char expected[256];
    (void)context;
    member_expected(row, expected, sizeof expected);
    printf("  %s\n      %s: %s%s%s\n", place, row->help, expected, row->initial ? "; default " : "",
           row->initial ? row->initial : "");
}

/* --set help: everything that --set can change. */
static int print_places(void) {
    printf("Members of a model's configuration, for --set PLACE=VALUE and as JSON for --config\n"
           "(docs/formats.md). The defaults are those of the preset lull.\n");
    members_walk(model_config_members, "", print_place, NULL);
    return cli_finish_stdout();
}

/* Those that few need. */
#define RARE_SETTINGS                                                                              \
    SETTING(0, "accumulate", "N", "accumulate"), SETTING(0, "crop-frames", "N", "crop_frames"),    \
        SETTING(0, "course", NULL, "course"), SETTING(0, "warm-up", "N", "warm_up"),               \
        SETTING(0, "optimizer", NULL, "optimizer"), SETTING(0, "momentum", "X", "momentum"),       \
        SETTING(0, "decay", "X", "decay"), SETTING(0, "clip", "X", "clip"),                        \
        SETTING(0, "ema", "X", "average"), SETTING(0, "loss", NULL, "loss"),                       \
        SETTING(0, "stft", "X", "stft"), SETTING(0, "t-density", NULL, "density"),                 \
        SETTING(0, "gain", "DB", "gain_db"), SETTING(0, "cache", "MB", "cache_mb"),                \
        SETTING(0, "magnitudes", "N", "magnitudes"),                                               \
        SETTING(0, "keep", "N", "keep"), SETTING(0, "eval-every", "N", "eval_every"),              \
        SETTING(0, "samples", "N", "samples")

static const char train_about[] =
    "Trains a model on a folder of recordings: every file in it that is audio, of any\n"
    "rate. RUN/model.safetensors is ready for 'lull synth -m' at every checkpoint.";
static const char train_examples[] =
    "examples:\n"
    "  lull train recordings/ -o run --max-hours 8\n"
    "  lull train --resume run\n"
    "  lull train recordings/ -o small --channels 64 --set network.layers=8";

static bool parse(arguments *a, int argc, char **argv, int *first, int *exit_code) {
    train_settings *s = &a->settings;
    const cli_option options[] = {
        CLI_TEXT('o', "output", "RUN", &a->output, "folder of the run (default: run)"),
        CLI_TEXT('R', "resume", "RUN", &a->resume,
                 "continue a run where its last checkpoint left it"),
        CLI_TEXT(0, "pairs", "LIST", &a->pairs,
                 "in place of CORPUS: lines MEL|RECORDING of predicted mels"),
        CLI_TEXT(0, "valid", "DIR", &a->valid,
                 "recordings to validate on (default: 3 % of the corpus, by file name)"),
        CLI_TEXT(0, "config", "FILE", &a->config,
                 "model configuration, or the config.json of another run"),
        CLI_TEXT(0, "preset", "NAME", &a->preset,
                 "lull (default) or diffwave (base: 30 layers of 64 channels)"),
        CLI_TEXT(0, "init", "MODEL", &a->init,
                 "start from this model's weights (and configuration)"),
        SETTING(0, "part", NULL, "part"),
        CLI_TEXT('c', "convention", "NAME", &a->mel, "mel convention ('lull info --conventions')"),
        cli_like(0, "sample-rate", "HZ", model_config_members, "mel.sample_rate", &a->sample_rate),
        SETTING(0, "max-steps", "N", "max_steps"),
        SETTING(0, "max-hours", "H", "max_hours"),
        SETTING('b', "batch", "N", "batch"),
        SETTING(0, "rate", "X", "rate"),
        SETTING(0, "degrade", "P", "degrade"),
        CLI_CHOICE('p', "precision", "P", &a->precision, cli_precision_choices,
                   "auto, f32 or bf16 (float32 sums and weights)"),
        CLI_INT('t', "threads", "N", &a->threads, 1, 64,
                "default: all cores; the result does not depend on it"),
        SETTING('s', "seed", "N", "seed"),
        CLI_TEXT(0, "checkpoint-every", "N", &a->checkpoint_every,
                 "steps (500) or time (300s, 10m; default 10m)"),
        CLI_FLAG('q', "quiet", &a->quiet, "only warnings"),
        CLI_MORE,
        CLI_TEXT(0, "corpus", "DIR", &a->corpus,
                 "with --resume: where the corpus is now, when it was moved"),
        CLI_FLAG(0, "accept-changes", &a->accept_changes,
                 "with --resume: go on although recordings were removed, changed or added"),
        CLI_TEXT(
            0, "set", "PLACE=VALUE", &a->set,
            "change a member of the configuration, as network.channels=128; any number of times; "
            "'help' lists them"),
        cli_like(0, "channels", "N", model_config_members, "network.channels", &a->channels),
        cli_like(0, "layers", "N", model_config_members, "network.layers", &a->layers),
        CLI_TEXT(0, "objective", "NAME", &a->objective, "v (default), noise, flow or data"),
        CLI_TEXT(0, "name", "NAME", &a->name, "of the model"),
        RARE_SETTINGS,
        CLI_END,
    };
    const cli_command_line line = {
        .name = "train",
        .usage = "[OPTIONS] CORPUS -o RUN\n[OPTIONS] --resume RUN",
        .about = train_about,
        .ending = train_examples,
        .options = options,
        .least = 0,
        .most = 1,
    };
    return cli_parse(&line, argc, argv, first, exit_code);
}

/* "500" steps, "300s", "10m", "2h". */
static bool parse_interval(const char *text, train_settings *s) {
    char *end = NULL;
    double value = strtod(text, &end);
    double unit = strcmp(end, "s") == 0   ? 1.0
                  : strcmp(end, "m") == 0 ? 60.0
                  : strcmp(end, "h") == 0 ? 3600.0
                                          : 0.0;
    if (end == text || !(value > 0.0 && value < 1e9) || (*end != '\0' && unit == 0.0)) return false;
    s->checkpoint_seconds = unit > 0.0 ? value * unit : 0.0;
    s->checkpoint_steps = unit > 0.0 ? 0 : (uint64_t)value;
    return unit > 0.0 || s->checkpoint_steps > 0;
}

static lull_status absolute(const char *path, char *out, lull_error *error) {
    char *real = realpath(path, NULL);
    if (real == NULL)
        return base_fail(error, LULL_IO, "%s: cannot be opened: %s", path, strerror(errno));
    int n = snprintf(out, TRAIN_PATH_SIZE, "%s", real);
    free(real);
    return n < TRAIN_PATH_SIZE ? LULL_OK
                               : base_fail(error, LULL_INVALID, "%s: the path is too long", path);
}

/* With several machines the first one reads; the others need not see the run's folder. */
static lull_status resume_settings(arguments *a, ranks *ranks, model_config *config,
                                   lull_error *error) {
    char path[TRAIN_PATH_SIZE + 32];
    snprintf(path, sizeof path, "%s/config.json", a->resume);
    file_bytes bytes = {0};
    bool first = ranks_rank(ranks) == 0;
    lull_status status = first ? file_bytes_read(path, &bytes, error) : LULL_OK;
    status = ranks_agree(ranks, status, error);
    if (status) return status;
    void *data = (void *)bytes.data;
    size_t size = bytes.size;
    status = ranks_share(ranks, &data, &size, error);
    if (!status) status = train_settings_parse(data, size, path, &a->settings, config, error);
    if (!first) base_free(data);
    file_bytes_free(&bytes);
    return status;
}

/* bfloat16 where the CPU multiplies it natively; its products take pairs of channels and bands. */
static bool best_precision(const model_config *config) {
    return nn_kernels_get()->bf16_native && config->channels % 2 == 0 && config->mel.bands % 2 == 0;
}

static lull_status finish_settings(arguments *a, const char *corpus, const model_config *config,
                                   lull_error *error) {
    train_settings *s = &a->settings;
    lull_status status = LULL_OK;
    if (corpus != NULL) status = absolute(corpus, s->corpus, error);
    if (a->resume == NULL) s->pairs = a->pairs != NULL;
    if (!status && a->valid != NULL) status = absolute(a->valid, s->valid, error);
    if (!status && a->init != NULL) status = absolute(a->init, s->init, error);
    if (status) return status;
    if (a->checkpoint_every != NULL && !parse_interval(a->checkpoint_every, s))
        return base_fail(error, LULL_INVALID,
                         "--checkpoint-every %s: expected steps (500) or a time (300s, 10m, 2h)",
                         a->checkpoint_every);
    if (s->part != TRAIN_DENOISER)
        s->bf16 = false;
    else if (a->resume == NULL || a->precision != 0)
        s->bf16 = a->precision == 0 ? best_precision(config) : a->precision == 2;
    if (s->max_steps == 0 && s->max_hours == 0.0) s->max_hours = 12.0;
    return LULL_OK;
}

/* ---- the command -------------------------------------------------------------------------- */

static int run_it(const arguments *a, ranks *ranks, const model_config *config) {
    speaker talk = {isatty(STDERR_FILENO) == 1, a->quiet, false};
    const char *folder = a->resume ? a->resume : a->output ? a->output : "run";
    const train_run_options options = {.folder = folder,
                                       .resume = a->resume != NULL,
                                       .threads = a->threads,
                                       .stop = &cli_stop_asked,
                                       .say = speak,
                                       .context = &talk,
                                       .ranks = ranks,
                                       .accept_changes = a->accept_changes};
    train_result result;
    lull_error error = {0};
    cli_stop_catch(SIGUSR1, true); /* mpirun passes it on and does not end the ranks for it */
    lull_status status = train_run(config, &a->settings, &options, &result, &error);
    if (talk.drawn) fputs("\r\033[K", stderr);
    if (ranks_rank(ranks) > 0) return status ? CLI_FAILED : CLI_OK; /* the first one speaks */
    if (status) return cli_fail(&error);
    if (result.interrupted && !a->quiet)
        cli_note("stopped after step %llu; 'lull train --resume %s' continues",
                 (unsigned long long)result.steps, folder);
    if (!result.checkpointed)
        return cli_failf("the last state could not be written; 'lull train --resume %s' continues "
                         "from the checkpoint before",
                         folder);
    return CLI_OK;
}

int command_train(int argc, char **argv) {
    static char sets[MOST_ASSIGNMENTS][ASSIGNMENT_SIZE];
    arguments a = {0};
    model_config config;
    lull_error error = {0};
    size_t set_count;
    int first, exit_code;
    if (!take_sets(&argc, argv, sets, &set_count))
        return cli_usage_error(
            "train",
            "at most %d --set of %d characters are possible; put more into a --config file",
            MOST_ASSIGNMENTS, ASSIGNMENT_SIZE - 1);
    a.threads = ranks_cores();
    train_settings_default(&a.settings);
    for (size_t i = 0; i < set_count; i++)
        if (strcmp(sets[i], "help") == 0) return print_places();
    if (!parse(&a, argc, argv, &first, &exit_code)) return exit_code;
    const char *corpus = first < argc ? argv[first] : NULL;
    bool resumed = a.resume != NULL;
    if (corpus != NULL && a.pairs != NULL)
        return cli_usage_error("train", "a folder of recordings or --pairs, not both");
    if (a.pairs != NULL) corpus = a.pairs;
    if (corpus == NULL && !resumed)
        return cli_usage_error("train", "no folder of recordings given");
    if (resumed && (corpus || a.config || a.preset || a.init || a.mel || a.sample_rate ||
                    a.channels || a.layers || a.objective || a.name || a.output || set_count > 0))
        return cli_usage_error(
            "train",
            "--resume continues a run as it is: only limits and training options may change");
    if (!resumed && (a.corpus || a.accept_changes))
        return cli_usage_error("train", "--corpus and --accept-changes go with --resume");
    ranks *ranks = NULL;
    lull_status status = ranks_join(&ranks, &error);
    if (status) return cli_fail(&error);
    /* What they say to each other depends on it. */
    status = ranks_same_text(ranks, "beginning", resumed ? "--resume" : "a new run", &error);
    if (!status)
        status = resumed ? resume_settings(&a, ranks, &config, &error)
                         : base_config(&a, &config, &error);
    if (!status && a.config != NULL) status = read_config(a.config, &a, &config, &error);
    bool part = !resumed && a.config == NULL && a.settings.part != TRAIN_DENOISER;
    if (part) train_settings_of(&a.settings, (train_trained)a.settings.part);
    /* Again over what the files said: options win. */
    bool usage = !status && (resumed || a.config != NULL || part) &&
                 !parse(&a, argc, argv, &first, &exit_code);
    if (!status && !usage && !resumed) status = change_config(&a, sets, set_count, &config, &error);
    if (!status && !usage)
        status = finish_settings(&a, resumed ? a.corpus : corpus, &config, &error);
    status = ranks_agree(ranks, status, &error);
    if (status) {
        if (ranks_rank(ranks) == 0) cli_fail(&error);
        exit_code = status == LULL_INVALID ? CLI_USAGE : CLI_FAILED;
    } else if (!usage) {
        exit_code = run_it(&a, ranks, &config);
    }
    ranks_leave(ranks, true);
    return exit_code;
}
