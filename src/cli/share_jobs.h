/* Files of one list divided among the ranks that mpirun started. */
#ifndef CLI_SHARE_JOBS_H
#define CLI_SHARE_JOBS_H

#include "cli/jobs.h"
#include "mel/convention.h"
#include "ranks/ranks.h"

/* `all` is rank 0's list (others' do not matter); *mine gets this rank's part: the longest files
 * first, each to the rank that has least to do so far. Costs are durations, from the files'
 * headers. With `skip_existing` those whose output exists are left out, and counted in *skipped.
 * *total: files of all ranks, skipped ones included. Collective; with ranks NULL everything is this
 * one's, in its order, nothing skipped. */
lull_status cli_jobs_share(ranks *ranks, const cli_jobs *all, const mel_convention *convention,
                           bool skip_existing, cli_jobs *mine, size_t *total, size_t *skipped,
                           lull_error *error);

/* Whose turn it is: owner[i] for costs that are sorted, the greatest first. */
void cli_divide(const double *costs, size_t count, int ranks, double *load, int *owner);

#endif
