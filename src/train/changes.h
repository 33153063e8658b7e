/* Whether the corpus is still what a run has been trained on. */
#ifndef TRAIN_CHANGES_H
#define TRAIN_CHANGES_H

#include "train/corpus.h"
#include "train/voice.h"

/* What the choice of crops depends on, one line a recording; base_free, NULL = out of memory. */
char *train_changes_text(const train_corpus *corpus);

/* Compares the corpus with RUN/corpus.txt, which the run's beginning wrote (a run of an older
 * version has none: nothing is compared), says what was removed, changed and added, and fails
 * unless `accept`. Then writes it anew. Not `resume`: writes alone. */
lull_status train_changes_check(const char *run, const train_corpus *corpus, bool resume,
                                bool accept, const train_voice *voice, lull_error *error);

#endif
