/* The program `lull`: finds the command and runs it. */
#include "base/os_signal.h"
#include "cli/commands.h"
#include "cli/options.h"

#include <stdio.h>
#include <string.h>

typedef struct command {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} command;

#define CLI_ENTRY(name, summary) {#name, summary, command_##name},
static const command commands[] = {CLI_COMMANDS(CLI_ENTRY){NULL, NULL, NULL}};
#undef CLI_ENTRY

static const command *find_command(const char *name) {
    for (const command *c = commands; c->name != NULL; c++)
        if (c->run != NULL && strcmp(c->name, name) == 0) return c;
    return NULL;
}

static int print_overview(void) {
    printf("lull %s: a diffusion vocoder, mel spectrograms to speech\n\n"
           "usage: lull COMMAND [OPTIONS] ...\n\n",
           lull_version());
    for (const command *c = commands; c->name != NULL; c++)
        if (c->run != NULL) printf("  %-8s%s\n", c->name, c->summary);
    printf("\n'lull help COMMAND' shows the options that most need, 'lull COMMAND --help-all'\n"
           "every one; 'lull --version' the version.\n"
           "Exit codes: 0 fine, 1 failed, 2 wrong usage, 130 interrupted.\n");
    return cli_finish_stdout();
}

static int print_version(void) {
    printf("lull %s\n", lull_version());
    return cli_finish_stdout();
}

int main(int argc, char **argv) {
    char help_option[] = "--help", all_option[] = "--help-all";
    os_signal_ignore_of_writes();
    if (argc < 2) {
        fputs("lull: no command given; see 'lull help'\n", stderr);
        return CLI_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) return print_version();
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) return print_overview();
    if (strcmp(name, "help") == 0) {
        if (argc == 2 || strcmp(argv[2], "help") == 0 || strcmp(argv[2], "--help") == 0)
            return print_overview();
        const command *wanted = find_command(argv[2]);
        if (wanted == NULL) return cli_usage_error(NULL, "no command '%s'", argv[2]);
        bool all = argc > 3 && strcmp(argv[3], "--all") == 0;
        char *words[] = {argv[2], all ? all_option : help_option, NULL};
        return wanted->run(2, words);
    }
    const command *wanted = find_command(name);
    if (wanted == NULL)
        return cli_usage_error(NULL, name[0] == '-' ? "unknown option '%s'" : "no command '%s'",
                               name);
    return wanted->run(argc - 1, argv + 1);
}
