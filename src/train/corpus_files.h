/* The files of a folder, and of those below it. */
#ifndef TRAIN_CORPUS_FILES_H
#define TRAIN_CORPUS_FILES_H

#include <stdint.h>

#include "lull.h"

/* A file of the folder, before it is known to be a recording. */
typedef struct train_found_file {
    char *path, *name;
    int64_t size, modified; /* bytes, nanoseconds */
    bool known;             /* measurements come from the index file */
    int rate, channels;
    size_t frames;
    double level, silence, peak;
    char *reason; /* why it is left out, or NULL */
    bool other;   /* not even a recording by its name */
    bool broken;  /* could not be read through: not for the index */
} train_found_file;

typedef struct train_found_list {
    train_found_file *files;
    size_t count, capacity;
} train_found_list;

/* All files, sorted by name; every folder once, whatever links lead to it. *list is zeroed before,
 * and freed after a failure, too. */
lull_status train_found_search(const char *folder, train_found_list *list, lull_error *error);
/* The same for `count` paths, which are their names. */
lull_status train_found_take(const char *const *paths, size_t count, train_found_list *list,
                             lull_error *error);
void train_found_free(train_found_list *list);

#endif
