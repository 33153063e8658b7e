/* lull eval --html: scores, pictures and players in one file that needs nothing beside it. */
#ifndef CLI_EVAL_PAGE_H
#define CLI_EVAL_PAGE_H

#include "eval/table.h"

typedef struct cli_eval_page cli_eval_page;

/* files: how many of the first get pictures and players; the table has all. */
lull_status cli_eval_page_new(int files, cli_eval_page **page, lull_error *error);
void cli_eval_page_free(cli_eval_page *page); /* NULL is allowed */

/* Adds a row's signals, which have one rate and one length. Rows of one file (its systems) follow
 * one another. */
lull_status cli_eval_page_add(cli_eval_page *page, const eval_row *row, const float *reference,
                              const float *output, size_t count, int rate, lull_error *error);

lull_status cli_eval_page_write(cli_eval_page *page, const eval_table *table, const char *title,
                                const char *path, lull_error *error);

#endif
