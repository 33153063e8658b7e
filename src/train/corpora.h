/* The corpora of a run: what it trains on, the same on all ranks, and what it validates on. */
#ifndef TRAIN_CORPORA_H
#define TRAIN_CORPORA_H

#include <signal.h>

#include "ranks/ranks.h"
#include "train/corpus.h"
#include "train/settings.h"
#include "train/voice.h"

typedef struct train_corpora {
    train_corpus *training, *validation; /* validation: NULL when there is none */
} train_corpora;

typedef struct train_corpora_options {
    const char *run; /* folder for indices and left-out.txt */
    const model_config *config;
    const train_settings *settings;
    const train_voice *voice;
    thread_pool *pool;
    const volatile sig_atomic_t *stop;
    bool resume, accept_changes; /* see changes.h */
} train_corpora_options;

/* Measures both: rank 0 alone. */
lull_status train_corpora_open(const train_corpora_options *options, train_corpora *corpora,
                               lull_error *error);
/* The training corpus of the other ranks, with rank 0's measurements; all ranks compare theirs. */
lull_status train_corpora_share(const train_corpora_options *options, ranks *ranks,
                                train_corpora *corpora, lull_error *error);
void train_corpora_free(train_corpora *corpora);

#endif
