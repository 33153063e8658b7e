/* The parts of `lull eval`: what is compared, and the page about it. */
#ifndef CLI_EVAL_SUBJECTS_H
#define CLI_EVAL_SUBJECTS_H

#include "cli/eval_page.h"
#include "cli/options.h"
#include "eval/table.h"

typedef struct cli_eval_options {
    cli_synthesis synthesis;
    const char *corpus, *output;
    int limit; /* 0 = all */
    int mel;   /* 0 exact, 1 smoothed */
    int griffin_lim;
    bool json, csv, files, noise, quiet, force;
    const char *html;
    int html_files;
    cli_eval_page *page; /* gets every pair's signals; NULL without --html */
} cli_eval_options;

/* Two files, or two folders matched by name. */
lull_status cli_eval_pairs(const char *reference, const char *output,
                           const cli_eval_options *options, eval_table *table, lull_error *error);

/* Copy-synthesis of a corpus with a model, scored. */
lull_status cli_eval_model(const cli_eval_options *options, eval_table *table, lull_error *error);

/* Scores one pair of signals that may differ in rate and length, and adds the row to the table and
 * the page; `row` says who and where. */
lull_status cli_eval_add_pair(const float *reference, size_t reference_count, int reference_rate,
                              const float *output, size_t output_count, int output_rate,
                              eval_row *row, const cli_eval_options *options, eval_table *table,
                              lull_error *error);

#endif
