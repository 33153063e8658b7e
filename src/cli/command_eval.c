/* lull eval: objective scores of synthesized against reference speech. */
#include "cli/commands.h"

#include <stdio.h>
#include <string.h>

#include "cli/eval_subjects.h"
#include "cli/options.h"
#include "cli/own.h"

static const char *const MEL_CHOICES[] = {"exact", "smoothed", NULL};

static int print_table(const eval_table *table, const cli_eval_options *options) {
    if (options->json) {
        if (!eval_table_print_json(table, stdout)) return cli_failf("out of memory");
    } else if (options->csv) {
        eval_table_print_csv(table, stdout);
    } else {
        eval_table_print(table, stdout, options->files);
    }
    return cli_finish_stdout();
}

/* What the page is about, as its heading. */
static void make_title(const cli_eval_options *options, char **operands, char *title, size_t size) {
    if (options->corpus)
        snprintf(title, size, "Copies of %.900s by %.900s", options->corpus,
                 options->synthesis.model ? options->synthesis.model : "the default model");
    else
        snprintf(title, size, "%.900s against %.900s", operands[1], operands[0]);
}

static int evaluate(cli_eval_options *options, char **operands) {
    lull_error error = {LULL_OK, ""};
    eval_table table = {NULL, 0, 0};
    char title[2048];
    lull_status status = LULL_OK;
    if (options->html) status = cli_check_ending(options->html, ".html or .htm", &error);
    if (status == LULL_OK && options->html)
        status = cli_may_write(options->html, options->force, &error);
    if (status == LULL_OK && options->html)
        status = cli_eval_page_new(options->html_files, &options->page, &error);
    if (status == LULL_OK)
        status = options->corpus
                     ? cli_eval_model(options, &table, &error)
                     : cli_eval_pairs(operands[0], operands[1], options, &table, &error);
    make_title(options, operands, title, sizeof title);
    if (status == LULL_OK && options->page)
        status = cli_eval_page_write(options->page, &table, title, options->html, &error);
    int code = status == LULL_OK ? print_table(&table, options) : cli_fail(&error);
    cli_eval_page_free(options->page);
    eval_table_free(&table);
    return code;
}

int command_eval(int argc, char **argv) {
    cli_eval_options options = {
        .synthesis = CLI_SYNTHESIS_DEFAULT, .griffin_lim = 32, .html_files = 12};
    int first = 0, code = CLI_OK;
    const cli_option rows[] = {
        CLI_FLAG('j', "json", &options.json, "print JSON"),
        CLI_FLAG('c', "csv", &options.csv, "print CSV, a line a file"),
        CLI_FLAG('f', "files", &options.files, "a line for every file in the table, too"),
        CLI_TEXT('H', "html", "FILE", &options.html,
                 "also write a page with tables, pictures and players"),
        CLI_INT(0, "html-files", "N", &options.html_files, 0, 1000,
                "files with pictures and players (default 12)"),
        CLI_TEXT('C', "corpus", "DIR", &options.corpus, "recordings to copy with the model"),
        CLI_TEXT('o', "output", "DIR", &options.output, "keep what is synthesized, as WAV files"),
        CLI_INT(0, "limit", "N", &options.limit, 1, 1000000, "only N recordings of each folder"),
        CLI_CHOICE(0, "mel", NULL, &options.mel, MEL_CHOICES,
                   "the mels as analysed, or blurred by [1/4 1/2 1/4] over time and bands"),
        CLI_INT(0, "griffin-lim", "N", &options.griffin_lim, 0, 10000,
                "iterations of the baseline (default 32); 0 = none"),
        CLI_FLAG(0, "noise", &options.noise, "also coloured noise with the same refinement"),
        CLI_FLAG(0, "force", &options.force, "replace files that lull did not write, too"),
        CLI_FLAG('q', "quiet", &options.quiet, "no remarks, no progress"),
        CLI_SYNTHESIS_OPTIONS(options.synthesis),
        CLI_MORE,
        CLI_SYNTHESIS_MORE(options.synthesis),
        CLI_PITCH_OPTION(options.synthesis),
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
    options.synthesis.use = LULL_OFFLINE;
    if (!cli_parse(&line, argc, argv, &first, &code)) return code;
    int operands = argc - first;
    if (options.corpus && operands > 1)
        return cli_usage_error("eval", "with --corpus there is one operand at most, the model");
    if (!options.corpus && operands != 2)
        return cli_usage_error("eval", "REFERENCE and OUTPUT are needed, or --corpus DIR");

    if (options.corpus && operands == 1) options.synthesis.model = argv[first];
    return evaluate(&options, argv + first);
}
