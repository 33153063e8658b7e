/* Command lines: a table of options a command, parsed with getopt_long, and the --help made from
 * it; the one line that a failure prints; where the default model is. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "io/member.h"
#include "model/config.h"

/* Exit codes of the program. */
enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

/* ---- option tables ------------------------------------------------------------------------ */

/* One option: a member (io/member.h) of a struct or a single variable. The field keeps its value,
 * the default, when the option is not given. Kinds: MEMBER_KIND_BOOL is a flag, which sets true;
 * MEMBER_KIND_ARGUMENT a text, into argv; MEMBER_KIND_OTHER no option: what follows is shown by
 * --help-all only. */
typedef struct cli_option {
    char letter;          /* short name, or 0 */
    const char *name;     /* long name, without dashes */
    const char *argument; /* "FILE", "N"; choices: NULL shows them all ("pcm16|pcm24|float") */
    void *object;         /* row.offset is from here */
    member row;           /* its help is short; wrapped under its option at 79 columns */
} cli_option;

/* Rows of a table for single variables, to be ended by CLI_END. So that --help fits a screen, rows
 * that few need stand behind CLI_MORE. */
#define CLI_ROW(letter_, name_, argument_, variable_, ...)                                         \
    {                                                                                              \
        letter_, name_, argument_, (void *)(variable_), {                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define CLI_FLAG(letter, name, variable, help_)                                                    \
    CLI_ROW(letter, name, NULL, variable, .kind = MEMBER_KIND_BOOL, .help = help_)
#define CLI_TEXT(letter, name, argument, variable, help_)                                          \
    CLI_ROW(letter, name, argument, variable, .kind = MEMBER_KIND_ARGUMENT, .help = help_)
#define CLI_INT(letter, name, argument, variable, minimum, maximum, help_)                         \
    CLI_ROW(letter, name, argument, variable, .kind = MEMBER_KIND_INT, .least = minimum,           \
            .most = maximum, .help = help_)
#define CLI_UINT64(letter, name, argument, variable, help_)                                        \
    CLI_ROW(letter, name, argument, variable, .kind = MEMBER_KIND_UINT64, .help = help_)
#define CLI_NUMBER(letter, name, argument, variable, minimum, maximum, help_)                      \
    CLI_ROW(letter, name, argument, variable, .kind = MEMBER_KIND_NUMBER, .least = minimum,        \
            .most = maximum, .help = help_)
#define CLI_CHOICE(letter, name, argument, variable, choices, help_)                               \
    CLI_ROW(letter, name, argument, variable, .kind = MEMBER_KIND_NAME, .names = choices,          \
            .help = help_)
#define CLI_MORE CLI_ROW(0, NULL, NULL, NULL, .kind = MEMBER_KIND_OTHER)
#define CLI_END CLI_ROW(0, NULL, NULL, NULL, .kind = MEMBER_KIND_END)

/* A row for the member at a place of a table, whose struct is `object`: its range, names, help and
 * default. */
cli_option cli_member(char letter, const char *name, const char *argument, const member *table,
                      const char *place, void *object);
/* The same for a variable that is like that member, but says with another value (below its range,
 * as -1) that nothing was given. */
cli_option cli_like(char letter, const char *name, const char *argument, const member *table,
                    const char *place, void *variable);

/* A command's line. Every command gets -h, --help and --help-all by itself. */
typedef struct cli_command_line {
    const char *name;   /* "synth" */
    const char *usage;  /* what follows "lull synth ": "[OPTIONS] INPUT..."; lines by \n */
    const char *about;  /* a few lines under the usage, each at most 79 columns; NULL = none */
    const char *ending; /* lines under the options (examples), or NULL */
    const cli_option *options;
    int least, most; /* operands allowed; most < 0 = any number */
} cli_command_line;

/* Parses argv (argv[0] is the command's name). True: go on, the operands are argv[*first] …
 * argv[argc-1]. False: return *exit_code (0 after --help, 2 after wrong usage, whose line has been
 * printed). */
bool cli_parse(const cli_command_line *line, int argc, char **argv, int *first, int *exit_code);

/* ---- words to the user -------------------------------------------------------------------- */

/* "lull: message" on stderr, one line (control characters in names are made visible); returns
 * CLI_FAILED. */
int cli_fail(const lull_error *error);
/* The same from a format. */
int cli_failf(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "lull: message; see 'lull help COMMAND'"; returns CLI_USAGE. command may be NULL. */
int cli_usage_error(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A remark on stderr ("lull: message"): does not change the exit code. Commands print none with
 * --quiet. */
void cli_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Flushes stdout: CLI_OK, or CLI_FAILED with a line when what was printed could not be written (no
 * line when a reader went before the end, as head does).
 * Every command that prints ends with it. */
int cli_finish_stdout(void);
/* Prints JSON on standard output and ends it and its writer; the exit code. */
int cli_print_json(json_writer *json);

/* ---- the model ---------------------------------------------------------------------------- */

/* Path of the model to use: `option` (from -m) when not NULL; else $LULL_MODEL; else the shipped
 * one, lull-speech-22k.safetensors, in models/ of the source tree that the program was built from
 * (when it runs from its build folder) or in the installed data folder (share/lull/models). */
lull_status cli_find_model(const char *option, char *path, size_t size, lull_error *error);
/* Finds and opens it. */
lull_status cli_open_model(const char *option, lull_model **model, lull_error *error);

/* ---- options that synth, play and serve share --------------------------------------------- */

typedef struct cli_synthesis {
    const char *model;
    uint64_t seed;
    int steps, sampler, refine, refine_low, refine_window, postnet, precision, threads;
    double eta, refine_momentum;
    const char *pitch; /* a model with a pitch network, or NULL */
    int source;        /* cli_source_choices */
    double crossover, transpose;
    bool f0_given; /* a pitch for every frame: that asks for the pitch source, as transpose does */
    int bandwidth; /* cli_bandwidth_choices */
    bool live, low_latency, offline; /* what the user said; none: `use` */
    lull_use use;                    /* the command's own default */
} cli_synthesis;

/* "auto", "noise", "pitch", in the order of lull_source. */
extern const char *const cli_source_choices[];
/* "auto", "mel", "full", in the order of lull_bandwidth. */
extern const char *const cli_bandwidth_choices[];
/* "auto", "on", "off" */
extern const char *const cli_postnet_choices[];
/* "auto", "f32", "bf16", in the order of lull_precision. */
extern const char *const cli_precision_choices[];

/* What to begin with: everything says "the model's default", one thread. */
#define CLI_SYNTHESIS_DEFAULT                                                                      \
    {                                                                                              \
        .refine = -1, .refine_low = -1, .refine_window = -1, .refine_momentum = -1.0,              \
        .threads = 1, .eta = -1.0, .use = LULL_LIVE                                                \
    }

/* Their rows of the table, for a variable `s` of type cli_synthesis; those that most can do without
 * come behind CLI_MORE. */
#define CLI_SYNTHESIS_OPTIONS(s)                                                                   \
    CLI_TEXT('m', "model", "FILE", &(s).model, "model file (default: the shipped one)"),           \
        CLI_UINT64('s', "seed", "N", &(s).seed, "seed of the noise (default 0)"),                  \
        cli_like('n', "steps", "N", model_settings_members, "steps", &(s).steps),                  \
        cli_like('r', "refine", "N", model_settings_members, "refine", &(s).refine),               \
        CLI_CHOICE(0, "postnet", NULL, &(s).postnet, cli_postnet_choices,                          \
                   "mend the mel first (default: as the model says)"),                             \
        CLI_CHOICE(0, "source", NULL, &(s).source, cli_source_choices,                             \
                   "noise, or the voice's pitch (default: as the model says)"),                    \
        CLI_FLAG('l', "low-latency", &(s).low_latency, "settings for the shortest delay"),         \
        CLI_FLAG(0, "live", &(s).live, "settings for streams"),                                    \
        CLI_FLAG(0, "offline", &(s).offline, "settings for files"),                                \
        CLI_INT('t', "threads", "N", &(s).threads, 1, 64, "threads (same output for any number)")
#define CLI_SYNTHESIS_MORE(s)                                                                      \
    cli_like('S', "sampler", "NAME", model_config_members, "synthesis.sampler", &(s).sampler),     \
        cli_like(0, "eta", "X", model_config_members, "synthesis.eta", &(s).eta),                  \
        cli_like(0, "refine-low", "N", model_settings_members, "refine_low", &(s).refine_low),     \
        cli_like(0, "refine-window", "N", model_settings_members, "refine_window",                 \
                 &(s).refine_window),                                                              \
        cli_like(0, "refine-momentum", "X", model_settings_members, "refine_momentum",             \
                 &(s).refine_momentum),                                                            \
        CLI_NUMBER(0, "crossover", "HZ", &(s).crossover, 1, 1e6,                                   \
                   "below it the network, above it the source"),                                   \
        CLI_NUMBER(0, "transpose", "ST", &(s).transpose, -24, 24,                                  \
                   "move the source's pitch by semitones"),                                        \
        CLI_CHOICE(0, "bandwidth", NULL, &(s).bandwidth, cli_bandwidth_choices,                    \
                   "mel, or full: what lies above it too (default: as the model says)"),           \
        CLI_CHOICE('p', "precision", "P", &(s).precision, cli_precision_choices,                   \
                   "auto, f32 or bf16")

/* For those that open what it names (cli_open_pitch). */
#define CLI_PITCH_OPTION(s)                                                                        \
    CLI_TEXT(0, "pitch", "MODEL", &(s).pitch,                                                      \
             "whose pitch network tells the pitch (default: the model's own)")

/* The lull_options that they say. */
void cli_synthesis_options(const cli_synthesis *synthesis, lull_options *options);

/* The model whose pitch network is asked, where it is not `model` (or NULL) itself: that of --pitch,
 * else, where the pitch source was asked for (a pitch or transposition does, too), the shipped one; set in the options too. *pitch is the
 * caller's, NULL: none. */
lull_status cli_open_pitch(const cli_synthesis *synthesis, const lull_model *model,
                           lull_options *options, lull_model **pitch, lull_error *error);

#endif
