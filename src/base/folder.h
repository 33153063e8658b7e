/* The names in a folder. */
#ifndef BASE_FOLDER_H
#define BASE_FOLDER_H

#include "lull.h"

typedef struct base_folder {
    char **names; /* sorted by their bytes, "." and ".." not among them */
    size_t count, capacity;
} base_folder;

/* Lists it; *folder is to be freed also after a failure. LULL_IO: it is none, or cannot be read.
 * error may be NULL. */
lull_status base_folder_list(const char *path, base_folder *folder, lull_error *error);
void base_folder_free(base_folder *folder);

#endif
