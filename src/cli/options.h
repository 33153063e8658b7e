/* Command lines: a table of options a command, parsed with getopt_long, and the --help made from
 * it; the one line that a failure prints; where the default model is. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "io/json.h"

/* Exit codes of the program. */
enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

/* ---- option tables ------------------------------------------------------------------------ */

typedef enum {
    CLI_KIND_END,
    CLI_KIND_MORE,   /* not an option: what follows is shown by --help-all only */
    CLI_KIND_FLAG,   /* bool, set to true */
    CLI_KIND_TEXT,   /* const char *, into argv */
    CLI_KIND_INT,    /* int in minimum … maximum */
    CLI_KIND_UINT64, /* uint64_t */
    CLI_KIND_NUMBER, /* double in minimum … maximum */
    CLI_KIND_CHOICE  /* int, the index in `choices` */
} cli_kind;

/* One option. The variable keeps its value (the default) when the option is not given. */
typedef struct cli_option {
    cli_kind kind;
    char letter;          /* short name, or 0 */
    const char *name;     /* long name, without dashes */
    const char *argument; /* "FILE", "N"; choices: NULL shows them all ("pcm16|pcm24|float") */
    void *value;
    double minimum, maximum;
    const char *const *choices; /* NULL-terminated */
    const char *help;           /* short; wrapped under its option at 79 columns */
} cli_option;

/* Rows of a table, to be ended by CLI_END. So that --help fits a screen, rows that few need stand
 * behind CLI_MORE. */
#define CLI_FLAG(letter, name, variable, help)                                                     \
    { CLI_KIND_FLAG, letter, name, NULL, variable, 0, 0, NULL, help }
#define CLI_TEXT(letter, name, argument, variable, help)                                           \
    { CLI_KIND_TEXT, letter, name, argument, (void *)(variable), 0, 0, NULL, help }
#define CLI_INT(letter, name, argument, variable, minimum, maximum, help)                          \
    { CLI_KIND_INT, letter, name, argument, variable, minimum, maximum, NULL, help }
#define CLI_UINT64(letter, name, argument, variable, help)                                         \
    { CLI_KIND_UINT64, letter, name, argument, variable, 0, 0, NULL, help }
#define CLI_NUMBER(letter, name, argument, variable, minimum, maximum, help)                       \
    { CLI_KIND_NUMBER, letter, name, argument, variable, minimum, maximum, NULL, help }
#define CLI_CHOICE(letter, name, argument, variable, choices, help)                                \
    { CLI_KIND_CHOICE, letter, name, argument, variable, 0, 0, choices, help }
#define CLI_MORE                                                                                   \
    { CLI_KIND_MORE, 0, NULL, NULL, NULL, 0, 0, NULL, NULL }
#define CLI_END                                                                                    \
    { CLI_KIND_END, 0, NULL, NULL, NULL, 0, 0, NULL, NULL }

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
/* Flushes stdout: CLI_OK, or CLI_FAILED with a line when what was printed could not be written.
 * Every command that prints ends with it. */
int cli_finish_stdout(void);
/* Prints JSON on standard output and ends it and its writer; the exit code. */
int cli_print_json(json_writer *json);

/* ---- the model ---------------------------------------------------------------------------- */

/* Path of the model to use: `option` (from -m) when not NULL; else $LULL_MODEL; else the first that
 * exists of models/lull-speech-22k.safetensors and lull-speech-16k.safetensors in the source tree
 * that the program was built from (when it runs from its build folder) and in the installed data
 * folder (share/lull/models). Writes to path. */
lull_status cli_find_model(const char *option, char *path, size_t size, lull_error *error);
/* Finds and opens it. */
lull_status cli_open_model(const char *option, lull_model **model, lull_error *error);

/* ---- options that synth, play and serve share --------------------------------------------- */

typedef struct cli_synthesis {
    const char *model;
    uint64_t seed;
    int steps, sampler, refine, refine_window, postnet, precision, threads;
    double eta, refine_momentum;
    bool live, low_latency, offline; /* what the user said; none: `use` */
    lull_use use;                    /* the command's own default */
} cli_synthesis;

/* "default", "ddpm", … in the order of lull_sampler; "auto", … in that of lull_precision. */
extern const char *const cli_sampler_choices[];
/* "auto", "on", "off" */
extern const char *const cli_postnet_choices[];
extern const char *const cli_precision_choices[];

/* What to begin with: everything says "the model's default", one thread. */
#define CLI_SYNTHESIS_DEFAULT                                                                      \
    {                                                                                              \
        .refine = -1, .refine_window = -1, .refine_momentum = -1.0, .threads = 1, .eta = -1.0,     \
        .use = LULL_LIVE                                                                           \
    }

/* Their rows of the table, for a variable `s` of type cli_synthesis. */
#define CLI_SYNTHESIS_OPTIONS(s)                                                                   \
    CLI_TEXT('m', "model", "FILE", &(s).model, "model file (default: the shipped one)"),           \
        CLI_UINT64('s', "seed", "N", &(s).seed, "seed of the noise (default 0)"),                  \
        CLI_INT('n', "steps", "N", &(s).steps, 1, 1000, "reverse diffusion steps"),                \
        CLI_CHOICE('S', "sampler", "NAME", &(s).sampler, cli_sampler_choices,                      \
                   "ddpm, fast, ddim, euler or heun"),                                             \
        CLI_NUMBER(0, "eta", "X", &(s).eta, 0.0, 1.0, "ddim: 0 deterministic to 1 fresh noise"),   \
        CLI_INT('r', "refine", "N", &(s).refine, 0, 1000, "mel consistency iterations; 0 none"),   \
        CLI_INT(0, "refine-window", "N", &(s).refine_window, 0, 256, "frames that they work on"),  \
        CLI_NUMBER(0, "refine-momentum", "X", &(s).refine_momentum, 0.0, 0.999, "their momentum"), \
        CLI_CHOICE(0, "postnet", NULL, &(s).postnet, cli_postnet_choices,                          \
                   "mend the mel first (default: as the model says)"),                             \
        CLI_FLAG('l', "low-latency", &(s).low_latency, "settings for the shortest delay"),         \
        CLI_FLAG(0, "live", &(s).live, "settings for streams"),                                    \
        CLI_FLAG(0, "offline", &(s).offline, "settings for files"),                                \
        CLI_CHOICE('p', "precision", "P", &(s).precision, cli_precision_choices,                   \
                   "auto, f32 or bf16"),                                                           \
        CLI_INT('t', "threads", "N", &(s).threads, 1, 64, "threads (same output for any number)")

/* The lull_options that they say. */
void cli_synthesis_options(const cli_synthesis *synthesis, lull_options *options);

#endif
