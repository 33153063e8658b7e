/* Folders: POSIX systems. */
#include "base/os_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stddef.h>

os_folder *os_folder_open(const char *path) {
    return (os_folder *)opendir(path);
}

const char *os_folder_next(os_folder *folder) {
    errno = 0;
    const struct dirent *entry = readdir((DIR *)folder);
    return entry ? entry->d_name : NULL;
}

void os_folder_close(os_folder *folder) {
    if (folder) closedir((DIR *)folder);
}
