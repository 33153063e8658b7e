/* Which files may be replaced: those that lull wrote itself. Recordings, pictures and pages say who
 * wrote them; arrays have a longer padding than others. */
#ifndef CLI_OWN_H
#define CLI_OWN_H

#include "lull.h"

/* Is there a file at `path` that lull did not write? (No file, a pipe or a device: no.) */
bool cli_is_foreign(const char *path);

/* Fails with LULL_IO for such a file, unless `force`: the name is one that lull chose. */
lull_status cli_may_write(const char *path, bool force, lull_error *error);

/* The folder and those above it, where they are missing. */
lull_status cli_make_folders(const char *path, lull_error *error);

#endif
