/* A training run: the folder of docs/formats.md, from the first step or from its newest checkpoint,
 * to its end, a signal or a failure. */
#ifndef TRAIN_RUN_H
#define TRAIN_RUN_H

#include <signal.h>

#include "ranks/ranks.h"
#include "train/settings.h"
#include "train/voice.h"

typedef struct train_run_options {
    const char *folder; /* RUN */
    bool resume;
    int threads;
    /* Set by a signal handler: the run writes a checkpoint and ends. May be NULL. */
    const volatile sig_atomic_t *stop;
    /* Lines without a newline. May be NULL. */
    void (*say)(void *context, train_line kind, const char *line);
    void *context;
    /* Several machines: all of them call train_run, with the same configuration. Rank 0 alone
     * speaks, validates and writes; the others need the corpus, not the run's folder. NULL: alone.
     */
    ranks *ranks;
    /* With resume: go on although the corpus is not what the run was trained on. */
    bool accept_changes;
} train_run_options;

typedef struct train_result {
    uint64_t steps, skipped;
    bool interrupted;  /* ended by *stop */
    bool checkpointed; /* the last state is on disk */
    bool nothing_done; /* a limit had been reached before the first step */
} train_result;

/* Model's configuration and settings as config.json will have them (of a resumed run: already has
 * them). On failure the newest whole checkpoint stays as it is. With several ranks all of them
 * fail, with the message of the first that did. */
lull_status train_run(const model_config *config, const train_settings *settings,
                      const train_run_options *options, train_result *result, lull_error *error);

#endif
