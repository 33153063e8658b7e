/* Which files may be replaced: those that lull wrote itself. Recordings, pictures and pages say who
 * wrote them; arrays have a longer padding than others. */
#ifndef CLI_OWN_H
#define CLI_OWN_H

#include "lull.h"

/* Is there a file at `path` that lull did not write? (No file, a pipe or a device: no.) */
bool cli_is_foreign(const char *path);

/* Fails with LULL_IO for such a file, unless `force`: the name is one that lull chose. */
lull_status cli_may_write(const char *path, bool force, lull_error *error);

/* Fails with LULL_INVALID for a name that promises something else than what is written: `endings` as
 * ".npy or .npz". A name without an ending, a pipe or a device promises nothing. */
lull_status cli_check_ending(const char *path, const char *endings, lull_error *error);

/* The folder and those above it, where they are missing. */
lull_status cli_make_folders(const char *path, lull_error *error);

#endif
