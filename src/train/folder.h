/* The folder of a run: made, locked against a second training, and swept of what a killed run left
 * half written. */
#ifndef TRAIN_FOLDER_H
#define TRAIN_FOLDER_H

#include <stdbool.h>

#include "lull.h"

enum { TRAIN_FOLDER_PATH = 4352 };

typedef struct train_folder {
    const char *path; /* RUN, borrowed */
    int lock;         /* RUN/lock, held open; -1 = not locked */
} train_folder;

/* Makes RUN, RUN/checkpoints and RUN/samples, and locks RUN. Fails when another process trains in
 * it (LULL_INVALID, naming it), or, without resume, when it holds a run already. */
lull_status train_folder_open(const char *path, bool resume, train_folder *folder,
                              lull_error *error);
/* Gives the lock back. */
void train_folder_close(train_folder *folder);

/* RUN/NAME. */
void train_folder_file(const char *run, const char *name, char path[TRAIN_FOLDER_PATH]);

#endif
