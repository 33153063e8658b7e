/* Folders: Windows. Names are UTF-8 here and UTF-16 there. */
#include "base/os_folder.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

enum { PATH_ROOM = 4096, NAME_ROOM = 4 * MAX_PATH };

struct os_folder {
    HANDLE handle;
    WIN32_FIND_DATAW found;
    bool first; /* `found` is not given out yet */
    char name[NAME_ROOM];
};

os_folder *os_folder_open(const char *path) {
    char all[PATH_ROOM];
    wchar_t wide[PATH_ROOM];
    os_folder *folder = malloc(sizeof *folder);
    if (!folder) return NULL;
    folder->first = true;
    folder->handle = INVALID_HANDLE_VALUE;
    if (snprintf(all, sizeof all, "%s/*", path) < PATH_ROOM &&
        MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, all, -1, wide, PATH_ROOM) > 0)
        folder->handle = FindFirstFileW(wide, &folder->found);
    if (folder->handle != INVALID_HANDLE_VALUE) return folder;
    free(folder);
    errno = ENOENT;
    return NULL;
}

const char *os_folder_next(os_folder *folder) {
    errno = 0;
    if (!folder->first && !FindNextFileW(folder->handle, &folder->found)) {
        if (GetLastError() != ERROR_NO_MORE_FILES) errno = EIO;
        return NULL;
    }
    folder->first = false;
    if (WideCharToMultiByte(CP_UTF8, 0, folder->found.cFileName, -1, folder->name, NAME_ROOM, NULL,
                            NULL) > 0)
        return folder->name;
    errno = EILSEQ;
    return NULL;
}

void os_folder_close(os_folder *folder) {
    if (!folder) return;
    FindClose(folder->handle);
    free(folder);
}
