/* A whole file in memory: mapped, or read. */
#ifndef IO_FILE_BYTES_H
#define IO_FILE_BYTES_H

#include "lull.h"

typedef struct file_bytes {
    const void *data;
    size_t size;
    void *mapping; /* one of these owns data */
    void *memory;
} file_bytes;

/* Maps a regular file read-only (page by page, nothing is copied). Anything else is refused. */
lull_status file_bytes_map(const char *path, file_bytes *bytes, lull_error *error);

/* Reads a file, or a pipe until it ends. */
lull_status file_bytes_read(const char *path, file_bytes *bytes, lull_error *error);

void file_bytes_free(file_bytes *bytes);

#endif
