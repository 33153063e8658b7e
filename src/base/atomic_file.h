/* Files that appear complete or not at all: written beside the target, fsynced, renamed into place.
 */
#ifndef BASE_ATOMIC_FILE_H
#define BASE_ATOMIC_FILE_H

#include "lull.h"

typedef struct atomic_file atomic_file;

/* Begins a file that will become `path`. A path that is not a regular file (a device, a pipe) is
 * written directly. */
lull_status atomic_file_open(const char *path, atomic_file **file, lull_error *error);

/* Descriptor to write to at any place, or to fsync. Owned by the file. */
int atomic_file_descriptor(const atomic_file *file);

/* Such a write failed with this errno (ENOSPC where it wrote nothing): what atomic_file_write would
 * say. */
lull_status atomic_file_failed(const atomic_file *file, int number, lull_error *error);

/* Writes all bytes (EINTR and short writes handled). */
lull_status atomic_file_write(atomic_file *file, const void *data, size_t size, lull_error *error);

/* Syncs, renames, frees. On failure the temporary file is removed and the old target is whole. */
lull_status atomic_file_commit(atomic_file *file, lull_error *error);

/* Removes the temporary file and frees. NULL is allowed. */
void atomic_file_abandon(atomic_file *file);

#endif
