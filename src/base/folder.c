/* The names in a folder, in one order on every system. */
#include "base/folder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/os_folder.h"

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool add(base_folder *folder, const char *name) {
    if (!base_grow((void **)&folder->names, &folder->capacity, folder->count + 1,
                   sizeof *folder->names))
        return false;
    folder->names[folder->count] = base_strdup(name);
    if (!folder->names[folder->count]) return false;
    folder->count++;
    return true;
}

lull_status base_folder_list(const char *path, base_folder *folder, lull_error *error) {
    *folder = (base_folder){NULL, 0, 0};
    os_folder *open = os_folder_open(path);
    bool fits = true;
    const char *name;
    while (open && fits && (name = os_folder_next(open)) != NULL)
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) fits = add(folder, name);
    const int reason = errno;
    os_folder_close(open);
    if (!fits) return base_no_memory(error);
    if (!open || reason != 0)
        return base_fail(error, LULL_IO, "%s: cannot be listed: %s", path, strerror(reason));
    if (folder->count > 0) qsort(folder->names, folder->count, sizeof *folder->names, by_bytes);
    return LULL_OK;
}

void base_folder_free(base_folder *folder) {
    for (size_t i = 0; i < folder->count; i++) base_free(folder->names[i]);
    base_free(folder->names);
    *folder = (base_folder){NULL, 0, 0};
}
