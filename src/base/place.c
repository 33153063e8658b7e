/* What lies with the program. */
#include "base/place.h"

#include "base/os_file.h"

#include <stdio.h>
#include <string.h>

enum { PATH_ROOM = 4096 };

bool base_in_build_folder(void) {
    char program[PATH_ROOM];
    size_t n = strlen(LULL_BUILD_FOLDER);
    return os_program_path(program, sizeof program) &&
           strncmp(program, LULL_BUILD_FOLDER, n) == 0 && program[n] == '/';
}

bool base_beside_program(const char *relative, char *path, size_t room) {
    char program[PATH_ROOM];
    if (!os_program_path(program, sizeof program)) return false;
    char *slash = strrchr(program, '/');
    if (!slash) return false;
    *slash = '\0';
    return (size_t)snprintf(path, room, "%s/%s", program, relative) < room;
}
