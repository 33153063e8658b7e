/* How long and how loud the recordings of a corpus are, kept in a file between runs. */
#ifndef TRAIN_CORPUS_MEASURE_H
#define TRAIN_CORPUS_MEASURE_H

#include <signal.h>

#include "base/thread_pool.h"
#include "train/corpus_files.h"

typedef struct train_measuring {
    const char *index_path; /* NULL = none */
    /* How far it is; may be NULL. */
    void (*progress)(void *context, size_t done, size_t total);
    void *context;
    const volatile sig_atomic_t *stop; /* not NULL and set: no further file is begun */
} train_measuring;

/* Fills in what is known of every file of the list; files that cannot be read get the reason. False:
 * it was stopped. The index has what was measured in any case. */
bool train_measure(train_found_list *list, const train_measuring *how, thread_pool *pool);

#endif
