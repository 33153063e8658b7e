/* Many inputs, many outputs: which file becomes which. */
#ifndef CLI_JOBS_H
#define CLI_JOBS_H

#include "lull.h"

typedef struct cli_job {
    char *input;  /* path, or "-" for stdin */
    char *output; /* path, or "-" for stdout */
    char *trace;  /* folder for its trace when it is one of several, else NULL */
} cli_job;

typedef struct cli_jobs {
    cli_job *list;
    size_t count, capacity;
} cli_jobs;

/* Makes the list. A folder among the operands stands for the .npy files and recordings in it
 * (sorted; not its subfolders); `arrays` says whether .npy files count.
 *
 * - output NULL: NAME + ending in the current folder, NAME the input's without its folder and
 *   ending; a recording becomes NAME-lull + ending when the ending is a recording's, so that it
 *   does not name itself.
 * - output a folder: the same in that folder, which is made where it is missing (asked for by
 *   several inputs, or by a / at its end).
 * - anything else: the file itself, or "-" for stdout; one input only.
 *
 * Fails when two inputs would become one output, an output is its own input, or without `force` a
 * name made here is that of a file which lull did not write. */
lull_status cli_jobs_make(char **operands, int count, const char *output, const char *ending,
                          bool arrays, bool force, cli_jobs *jobs, lull_error *error);
/* Gives every job its own folder FOLDER/NAME for its trace, NAME its output's without the ending.
 */
lull_status cli_jobs_trace(cli_jobs *jobs, const char *folder, lull_error *error);

void cli_jobs_free(cli_jobs *jobs);

#endif
