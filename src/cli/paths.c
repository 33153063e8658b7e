/* What a path leads to, and what its name says. */
#include "cli/paths.h"

#include <string.h>
#include <strings.h>

#include "base/os_file.h"

static const char *const recording_endings[] = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3",
                                                ".aif", ".aiff", ".au",  ".w64", NULL};

static bool is(const char *path, os_kind kind) {
    os_facts facts;
    return os_facts_of(path, &facts) == 0 && facts.kind == kind;
}

bool cli_is_folder(const char *path) {
    return is(path, OS_FOLDER);
}

bool cli_is_file(const char *path) {
    return is(path, OS_FILE);
}

bool cli_is_recording(const char *path) {
    const char *dot = strrchr(path, '.');
    for (int i = 0; dot != NULL && recording_endings[i] != NULL; i++)
        if (strcasecmp(dot, recording_endings[i]) == 0) return true;
    return false;
}

const char *cli_name_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

size_t cli_stem(const char *path) {
    const char *name = cli_name_of(path), *dot = strrchr(name, '.');
    return dot != NULL && dot != name ? (size_t)(dot - path) : strlen(path);
}
