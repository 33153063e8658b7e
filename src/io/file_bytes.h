/* A file's bytes in memory. They are read, not mapped: what another process does to the file
 * afterwards changes nothing here, and a file that becomes shorter meanwhile is an error and not a
 * signal. */
#ifndef IO_FILE_BYTES_H
#define IO_FILE_BYTES_H

#include "lull.h"

typedef struct file_bytes {
    void *data;
    size_t size;
} file_bytes;

/* Reads a file, or a pipe until it ends. An empty one is an error. */
lull_status file_bytes_read(const char *path, file_bytes *bytes, lull_error *error);

/* The same; what is not a regular file is refused (a pipe that nobody writes to would be waited
 * for). */
lull_status file_bytes_read_regular(const char *path, file_bytes *bytes, lull_error *error);

/* The first `most` bytes of a regular file, or all that it has. */
lull_status file_bytes_read_head(const char *path, size_t most, file_bytes *bytes,
                                 lull_error *error);

void file_bytes_free(file_bytes *bytes);

#endif
