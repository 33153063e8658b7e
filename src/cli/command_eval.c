/* lull eval: objective scores of synthesized against reference speech. */
#include "cli/commands.h"

#include <stdio.h>
#include <string.h>

#include "cli/eval_subjects.h"
#include "cli/options.h"

static const char *const MEL_CHOICES[] = {"exact", "smoothed", NULL};

static int print_table(const eval_table *table, const eval_options *options) {
    if (options->json) {
        if (!eval_table_print_json(table, stdout)) return cli_failf("out of memory");
    } else if (options->csv) {
        eval_table_print_csv(table, stdout);
    } else {
        eval_table_print(table, stdout, options->files);
    }
    return cli_finish_stdout();
}

int command_eval(int argc, char **argv) {
    eval_options options = {.synthesis = CLI_SYNTHESIS_DEFAULT, .griffin_lim = 32};
    int first = 0, code = CLI_OK;
    const cli_option rows[] = {
        CLI_FLAG('j', "json", &options.json, "print JSON"),
        CLI_FLAG('c', "csv", &options.csv, "print CSV, a line a file"),
        CLI_FLAG('f', "files", &options.files, "a line for every file in the table, too"),
        CLI_TEXT('C', "corpus", "DIR", &options.corpus, "recordings to copy with the model"),
        CLI_TEXT('o', "output", "DIR", &options.output, "keep what is synthesized, as WAV files"),
        CLI_INT(0, "limit", "N", &options.limit, 1, 1000000, "only N recordings of each folder"),
        CLI_CHOICE(0, "mel", NULL, &options.mel, MEL_CHOICES,
                   "the mels as analysed, or blurred by [1/4 1/2 1/4] over time and bands"),
        CLI_INT(0, "griffin-lim", "N", &options.griffin_lim, 0, 10000,
                "iterations of the baseline (default 32); 0 = none"),
        CLI_FLAG(0, "noise", &options.noise, "also coloured noise with the same mel consistency"),
        CLI_FLAG('q', "quiet", &options.quiet, "no remarks, no progress"),
        CLI_SYNTHESIS_OPTIONS(options.synthesis),
        CLI_END};
    const cli_command_line line = {
        "eval",
        "[OPTIONS] REFERENCE OUTPUT\n[OPTIONS] [MODEL] --corpus DIR",
        "Scores recordings against references: two files, or two folders whose files are\n"
        "matched by name. With --corpus: copies every recording of DIR with the model and\n"
        "scores that, beside Griffin-Lim on the same mels.",
        NULL,
        rows,
        0,
        2};
    if (!cli_parse(&line, argc, argv, &first, &code)) return code;
    int operands = argc - first;
    if (options.corpus && operands > 1)
        return cli_usage_error("eval", "with --corpus there is one operand at most, the model");
    if (!options.corpus && operands != 2)
        return cli_usage_error("eval", "REFERENCE and OUTPUT are needed, or --corpus DIR");

    lull_error error = {LULL_OK, ""};
    eval_table table = {NULL, 0, 0};
    if (options.corpus && operands == 1) options.synthesis.model = argv[first];
    lull_status status = options.corpus
                             ? eval_model(&options, &table, &error)
                             : eval_pairs(argv[first], argv[first + 1], &options, &table, &error);
    code = status == LULL_OK ? print_table(&table, &options) : cli_fail(&error);
    eval_table_free(&table);
    return code;
}
