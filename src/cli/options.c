/* Parsing of command lines, help texts, and the lines that the program says on stderr. */
#include "cli/options.h"

#include "model/model.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/place.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HELP_COLUMN = 28, SCREEN_WIDTH = 79, HELP_ALL = 999, LONG_BASE, MAX_OPTIONS = 64 };

const char *const cli_source_choices[] = {"auto", "noise", "pitch", NULL};
const char *const cli_bandwidth_choices[] = {"auto", "mel", "full", NULL};
const char *const cli_postnet_choices[] = {"auto", "on", "off", NULL};
const char *const cli_precision_choices[] = {"auto", "f32", "bf16", NULL};

/* ---- words to the user -------------------------------------------------------------------- */

/* One write for the whole line, so that lines of several processes do not mix. */
static void say(const char *message, const char *ending) {
    char line[2048];
    int length = snprintf(line, sizeof line - 1, "lull: %s%s", message, ending);
    if (length < 0) return;
    if (length > (int)sizeof line - 2) length = (int)sizeof line - 2;
    for (int i = 0; i < length; i++) {
        unsigned char c = (unsigned char)line[i];
        if (c < 32 || c == 127) line[i] = '?';
    }
    line[length] = '\n';
    fwrite(line, 1, (size_t)length + 1, stderr);
    fflush(stderr);
}

int cli_fail(const lull_error *error) {
    say(error->message[0] != '\0' ? error->message : lull_strerror(error->status), "");
    return CLI_FAILED;
}

int cli_failf(const char *format, ...) {
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    say(message, "");
    return CLI_FAILED;
}

int cli_usage_error(const char *command, const char *format, ...) {
    char message[1024], ending[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (command != NULL)
        snprintf(ending, sizeof ending, "; see 'lull help %s'", command);
    else
        snprintf(ending, sizeof ending, "; see 'lull help'");
    say(message, ending);
    return CLI_USAGE;
}

void cli_note(const char *format, ...) {
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    say(message, "");
}

/* Has the reader of a pipe gone? Then it has read what it wanted, as head does. */
static bool reader_is_gone(void) {
    struct pollfd out = {STDOUT_FILENO, POLLOUT, 0};
    return errno == EPIPE || (errno == 0 && poll(&out, 1, 0) > 0 && (out.revents & POLLERR));
}

int cli_finish_stdout(void) {
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return CLI_OK;
    if (reader_is_gone()) return CLI_FAILED;
    return cli_failf("standard output: %s", strerror(errno != 0 ? errno : EIO));
}

int cli_print_json(json_writer *json) {
    char *text = json_writer_end(json, true);
    if (text == NULL) return cli_failf("out of memory");
    puts(text);
    base_free(text);
    return cli_finish_stdout();
}

/* ---- help --------------------------------------------------------------------------------- */

static int columns_of(const char *text, size_t bytes) {
    int columns = 0;
    for (size_t i = 0; i < bytes; i++) columns += ((unsigned char)text[i] & 0xC0) != 0x80;
    return columns;
}

/* Prints text from `column` on, wrapped at SCREEN_WIDTH and indented to HELP_COLUMN. */
static void print_wrapped(const char *text, int column) {
    while (*text != '\0') {
        size_t word = strcspn(text, " ");
        int width = columns_of(text, word);
        if (column > HELP_COLUMN && column + 1 + width > SCREEN_WIDTH) {
            printf("\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        } else if (column > HELP_COLUMN) {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)word, text);
        column += width;
        text += word;
        text += strspn(text, " ");
    }
    putchar('\n');
}

static void print_option(char letter, const char *name, const char *argument, const char *help) {
    char left[96], shown[8];
    snprintf(shown, sizeof shown, letter != 0 ? "-%c, " : "    ", letter);
    snprintf(left, sizeof left, "  %s--%s%s%s", shown, name, argument != NULL ? " " : "",
             argument != NULL ? argument : "");
    int width = (int)strlen(left);
    if (width > HELP_COLUMN - 2) {
        printf("%s\n%*s", left, HELP_COLUMN, "");
    } else {
        printf("%-*s", HELP_COLUMN, left);
    }
    print_wrapped(help, HELP_COLUMN);
}

static void print_usage(const char *name, const char *usage) {
    const char *lead = "usage: ";
    while (usage != NULL) {
        const char *end = strchr(usage, '\n');
        int length = end != NULL ? (int)(end - usage) : (int)strlen(usage);
        printf("%slull %s %.*s\n", lead, name, length, usage);
        usage = end != NULL ? end + 1 : NULL;
        lead = "       ";
    }
}

/* "fast|slow" */
static const char *join_names(const member *row, char *text, size_t size) {
    size_t used = 0;
    for (int i = 0; row->names[i] != NULL && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? "|" : "", row->names[i]);
    return text;
}

static void print_help(const cli_command_line *line, bool all) {
    int hidden = 0;
    bool more = false;
    print_usage(line->name, line->usage);
    if (line->about != NULL) printf("%s\n", line->about);
    for (const cli_option *option = line->options; option->row.kind != MEMBER_KIND_END; option++) {
        const member *row = &option->row;
        const char *argument = option->argument;
        char joined[64], help[512];
        if (row->kind == MEMBER_KIND_OTHER) more = true;
        if (row->kind == MEMBER_KIND_OTHER || (more && !all)) {
            hidden += row->kind != MEMBER_KIND_OTHER;
            continue;
        }
        if (row->kind == MEMBER_KIND_NAME && argument == NULL)
            argument = join_names(row, joined, sizeof joined);
        snprintf(help, sizeof help, row->initial != NULL ? "%s (default %s)" : "%s", row->help,
                 row->initial);
        print_option(option->letter, option->name, argument, help);
    }
    print_option('h', "help", NULL, "this text");
    if (more) {
        char text[64] = "every option";
        if (hidden > 0) snprintf(text, sizeof text, "this text with %d more options", hidden);
        print_option(0, "help-all", NULL, text);
    }
    if (line->ending != NULL) printf("%s\n", line->ending);
}

/* ---- parsing ------------------------------------------------------------------------------ */

/* Levenshtein distance; names are short. */
static int distance(const char *a, const char *b) {
    enum { LONGEST = 40 };
    int row[LONGEST + 1];
    size_t m = strlen(a), n = strlen(b);
    if (m > LONGEST || n > LONGEST) return LONGEST;
    for (size_t j = 0; j <= n; j++) row[j] = (int)j;
    for (size_t i = 1; i <= m; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= n; j++) {
            int changed = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            int added = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = changed < added ? changed : added;
        }
    }
    return row[n];
}

static int unknown_option(const cli_command_line *line, const char *given) {
    char name[64];
    const char *nearest = NULL;
    int best = 4;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(given, "="), given);
    if (strncmp(name, "--", 2) == 0) {
        for (const cli_option *option = line->options; option->row.kind != MEMBER_KIND_END;
             option++) {
            if (option->row.kind == MEMBER_KIND_OTHER) continue;
            int d = strstr(option->name, name + 2) == option->name
                        ? 1
                        : distance(option->name, name + 2);
            if (d < best) best = d, nearest = option->name;
        }
    }
    if (nearest != NULL && (size_t)best < strlen(nearest))
        return cli_usage_error(line->name, "unknown option '%s', did you mean --%s?", name,
                               nearest);
    return cli_usage_error(line->name, "unknown option '%s'", name);
}

/* Stores an option's argument; false after saying what is wrong with it. */
static bool store(const cli_command_line *line, const cli_option *option, const char *text) {
    const member *row = &option->row;
    char expected[256];
    if (row->kind == MEMBER_KIND_BOOL) text = "true";
    if (member_set(row, option->object, text)) return true;
    if (row->kind == MEMBER_KIND_ARGUMENT) {
        cli_usage_error(line->name, "--%s wants a %s, found an empty word", option->name,
                        option->argument);
        return false;
    }
    member_expected(row, expected, sizeof expected);
    cli_usage_error(line->name, "--%s wants %s, found '%s'", option->name, expected, text);
    return false;
}

static cli_option option_of(char letter, const char *name, const char *argument,
                            const member *table, const char *place, void *object) {
    cli_option option = {letter, name, argument, object, {0}};
    const member *row = members_find(table, place, object != NULL ? &option.object : NULL);
    assert(row != NULL);
    option.row = *row;
    return option;
}

cli_option cli_member(char letter, const char *name, const char *argument, const member *table,
                      const char *place, void *object) {
    return option_of(letter, name, argument, table, place, object);
}

cli_option cli_like(char letter, const char *name, const char *argument, const member *table,
                    const char *place, void *variable) {
    cli_option option = option_of(letter, name, argument, table, place, NULL);
    option.object = variable;
    option.row.offset = 0;
    option.row.initial = NULL; /* what stands in for it is elsewhere */
    return option;
}

/* The table in getopt's terms. An option's number is LONG_BASE + its row. */
static void make_tables(const cli_command_line *line, struct option *longs, char *shorts) {
    int count = 0;
    *shorts++ = ':'; /* a missing argument is reported as ':' */
    for (const cli_option *option = line->options; option->row.kind != MEMBER_KIND_END; option++) {
        if (count == MAX_OPTIONS) break;
        if (option->row.kind == MEMBER_KIND_OTHER) continue;
        int argument = option->row.kind != MEMBER_KIND_BOOL ? required_argument : no_argument;
        int number = LONG_BASE + (int)(option - line->options);
        longs[count++] = (struct option){option->name, argument, NULL, number};
        if (option->letter == 0) continue;
        *shorts++ = option->letter;
        if (argument == required_argument) *shorts++ = ':';
    }
    longs[count++] = (struct option){"help", no_argument, NULL, 'h'};
    longs[count++] = (struct option){"help-all", no_argument, NULL, HELP_ALL};
    longs[count] = (struct option){NULL, 0, NULL, 0};
    *shorts++ = 'h';
    *shorts = '\0';
}

/* Says what getopt did not understand (c is '?' or ':'). */
static int report_option(const cli_command_line *line, int c, const char *given) {
    char letter[3] = {'-', (char)optopt, '\0'};
    bool known = optopt >= HELP_ALL || optopt == 'h';
    if (optopt > 0 && optopt < HELP_ALL && strncmp(given, "--", 2) != 0) given = letter;
    if (c == ':') return cli_usage_error(line->name, "option '%s' wants a value", given);
    if (known) return cli_usage_error(line->name, "option '%s' takes no value", given);
    return unknown_option(line, given);
}

static int check_operands(const cli_command_line *line, int count, char **operands) {
    if (count < line->least)
        return cli_usage_error(line->name, count == 0 ? "no input given" : "too few inputs");
    if (line->most >= 0 && count > line->most)
        return cli_usage_error(line->name, "unexpected '%s'", operands[line->most]);
    for (int i = 0; i < count; i++)
        if (*operands[i] == '\0')
            return cli_usage_error(line->name, "the name of an input is empty (word %d of %d)",
                                   i + 1, count);
    return CLI_OK;
}

bool cli_parse(const cli_command_line *line, int argc, char **argv, int *first, int *exit_code) {
    struct option longs[MAX_OPTIONS + 3];
    char shorts[2 * MAX_OPTIONS + 8];
    make_tables(line, longs, shorts);
    optind = 0; /* glibc: begin anew */
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, shorts, longs, NULL)) != -1;) {
        if (c == 'h' || c == HELP_ALL) {
            print_help(line, c == HELP_ALL);
            *exit_code = cli_finish_stdout();
            return false;
        }
        if (c == '?' || c == ':') {
            *exit_code = report_option(line, c, argv[optind - 1]);
            return false;
        }
        const cli_option *option = line->options;
        if (c >= LONG_BASE) {
            option += c - LONG_BASE;
        } else {
            while (option->letter != c) option++;
        }
        if (!store(line, option, optarg)) {
            *exit_code = CLI_USAGE;
            return false;
        }
    }
    *exit_code = check_operands(line, argc - optind, argv + optind);
    *first = optind;
    return *exit_code == CLI_OK;
}

/* ---- the model ---------------------------------------------------------------------------- */

static lull_status find_shipped_model(char *path, size_t size, lull_error *error) {
    static const char name[] = "lull-speech-22k.safetensors";
    char folder[PATH_MAX] = LULL_SOURCE_FOLDER "/models";
    if (!base_in_build_folder() &&
        !base_beside_program(LULL_MODELS_FROM_PROGRAM, folder, sizeof folder))
        return base_fail(error, LULL_IO,
                         "no model found: the system does not say where the program is; give one "
                         "with -m FILE or LULL_MODEL");
    const int length = snprintf(path, size, "%s/%s", folder, name);
    if (length > 0 && (size_t)length < size && access(path, R_OK) == 0) return LULL_OK;
    return base_fail(error, LULL_IO, "no model found in %s; give one with -m FILE or LULL_MODEL",
                     folder);
}

lull_status cli_find_model(const char *option, char *path, size_t size, lull_error *error) {
    const char *given = option != NULL ? option : getenv("LULL_MODEL");
    if (given == NULL || *given == '\0') return find_shipped_model(path, size, error);
    if ((size_t)snprintf(path, size, "%s", given) >= size)
        return base_fail(error, LULL_INVALID, "path of the model is too long");
    return LULL_OK;
}

lull_status cli_open_model(const char *option, lull_model **model, lull_error *error) {
    char path[PATH_MAX];
    lull_status status = cli_find_model(option, path, sizeof path, error);
    return status != LULL_OK ? status : lull_model_open(path, model, error);
}

void cli_synthesis_options(const cli_synthesis *synthesis, lull_options *options) {
    lull_options_init(options);
    options->seed = synthesis->seed;
    options->steps = synthesis->steps;
    options->sampler = (lull_sampler)synthesis->sampler;
    options->eta = (float)synthesis->eta;
    options->refine = synthesis->refine;
    options->refine_low = synthesis->refine_low;
    options->refine_window = synthesis->refine_window;
    options->refine_momentum = (float)synthesis->refine_momentum;
    options->postnet = synthesis->postnet == 0 ? -1 : synthesis->postnet == 1;
    options->use = synthesis->low_latency ? LULL_LOW_LATENCY
                   : synthesis->live      ? LULL_LIVE
                   : synthesis->offline   ? LULL_OFFLINE
                                          : synthesis->use;
    options->threads = synthesis->threads;
    options->precision = (lull_precision)synthesis->precision;
    options->source = (lull_source)synthesis->source;
    options->crossover = (float)synthesis->crossover;
    options->transpose = (float)synthesis->transpose;
    options->bandwidth = (lull_bandwidth)synthesis->bandwidth;
}

lull_status cli_open_pitch(const cli_synthesis *synthesis, const lull_model *model,
                           lull_options *options, lull_model **pitch, lull_error *error) {
    *pitch = NULL;
    bool own = model != NULL && model->config.pitch_channels > 0;
    bool wanted =
        synthesis->source == LULL_SOURCE_PITCH || synthesis->f0_given || synthesis->transpose != 0;
    if (synthesis->source != LULL_SOURCE_NOISE && wanted) options->source = LULL_SOURCE_PITCH;
    bool asked = wanted && !own;
    if (synthesis->source == LULL_SOURCE_NOISE || (synthesis->pitch == NULL && !asked))
        return LULL_OK;
    char path[PATH_MAX];
    lull_status status = LULL_OK;
    if (synthesis->pitch == NULL && find_shipped_model(path, sizeof path, NULL) != LULL_OK)
        return base_fail(error, LULL_IO, "no pitch network found; give one with --pitch FILE");
    status = lull_model_open(synthesis->pitch != NULL ? synthesis->pitch : path, pitch, error);
    if (status == LULL_OK) options->pitch_model = *pitch;
    return status;
}
