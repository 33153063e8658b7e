/* A progress bar with ETA on stderr: only when stderr is a terminal and the work lasts over two
 * seconds. */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stdbool.h>

typedef struct progress {
    const char *label;
    double total, started, drawn;
    bool enabled, visible;
} progress;

void progress_begin(progress *bar, const char *label, double total, bool quiet);

/* `note` (may be NULL) is shown behind the bar, as "12.3× real time". */
void progress_update(progress *bar, double done, const char *note);

/* Clears the line. */
void progress_end(progress *bar);

#endif
