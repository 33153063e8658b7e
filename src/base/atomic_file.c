/* Files that appear complete or not at all. */
#include "base/atomic_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/os_file.h"

enum { MOST_LINKS = 40, LONGEST_LINK = 4096 };

struct atomic_file {
    char *path;      /* as given, for messages */
    char *target;    /* what will be replaced: path, behind its symbolic link if it is one */
    char *temporary; /* NULL when the path is a device or pipe, written directly */
    int descriptor;
};

static lull_status fail_with_errno(lull_error *error, const char *what, const char *path,
                                   int number) {
    const char *hint = "";
    if (number == ENOENT) hint = " (does its folder exist?)";
    if (os_is_full(number)) hint = " (free some space)";
    return base_fail(error, number == ENOMEM ? LULL_NO_MEMORY : LULL_IO, "%s '%s': %s%s", what,
                     path, strerror(number), hint);
}

static void free_file(atomic_file *file) {
    base_free(file->path);
    base_free(file->target);
    base_free(file->temporary);
    base_free(file);
}

/* What the symbolic link `path` says, as seen from where `path` is. NULL: not a link. */
static char *follow(const char *path) {
    char said[LONGEST_LINK];
    if (os_read_link(path, said, sizeof said) != 0) return NULL;
    size_t n = strlen(said);
    const char *slash = strrchr(path, '/');
    size_t folder = slash && *said != '/' ? (size_t)(slash - path) + 1 : 0;
    char *next = base_alloc(folder + n + 1, 1);
    if (!next) return NULL;
    memcpy(next, path, folder);
    memcpy(next + folder, said, n + 1);
    return next;
}

/* Where symbolic links lead, also to what is not there yet: the link stays and its file is
 * replaced. */
static char *resolve(const char *path) {
    char *at = base_strdup(path), *next;
    for (int links = 0; at && links < MOST_LINKS && (next = follow(at)); links++) {
        base_free(at);
        at = next;
    }
    return at;
}

/* "folder/.NAME.XXXXXX" beside "folder/NAME"; the six characters come from `number`. */
static void name_temporary(const char *target, uint64_t number, char *temporary) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    const char *slash = strrchr(target, '/');
    size_t folder = slash ? (size_t)(slash - target) + 1 : 0;
    size_t name = strlen(target + folder);
    /* A name as long as the system allows leaves no room for the eight more characters. */
    if (name > 240) name = 240;
    memcpy(temporary, target, folder);
    temporary[folder] = '.';
    memcpy(temporary + folder + 1, target + folder, name);
    char *end = temporary + folder + 1 + name;
    *end++ = '.';
    for (int i = 0; i < 6; i++, number /= 36) *end++ = letters[number % 36];
    *end = '\0';
}

static int open_temporary(atomic_file *file) {
    for (int attempt = 0; attempt < 100; attempt++) {
        name_temporary(file->target, os_unlikely_number(), file->temporary);
        int descriptor = os_open_new(file->temporary);
        if (descriptor >= 0 || errno != EEXIST) return descriptor;
    }
    return -1;
}

lull_status atomic_file_open(const char *path, atomic_file **out, lull_error *error) {
    *out = NULL;
    if (!*path) return base_fail(error, LULL_INVALID, "the name of the output file is empty");
    os_facts facts;
    bool exists = os_facts_of(path, &facts) == 0;
    if (!exists && errno == ELOOP) return fail_with_errno(error, "cannot create", path, ELOOP);
    if (exists && facts.kind == OS_FOLDER) {
        return base_fail(error, LULL_IO, "cannot write '%s': it is a directory, not a file", path);
    }
    if (path[strlen(path) - 1] == '/') {
        return base_fail(error, LULL_IO, "cannot write '%s': that names a directory, not a file",
                         path);
    }
    atomic_file *file = base_alloc(1, sizeof *file);
    if (!file) return base_no_memory(error);
    file->descriptor = -1;
    bool direct = exists && facts.kind != OS_FILE;
    file->path = base_strdup(path);
    file->target = direct ? base_strdup(path) : resolve(path);
    if (file->target && !direct) file->temporary = base_alloc(strlen(file->target) + 9, 1);
    if (!file->path || !file->target || (!direct && !file->temporary)) {
        free_file(file);
        return base_no_memory(error);
    }
    file->descriptor = direct ? os_open_to_write(path) : open_temporary(file);
    if (file->descriptor < 0) {
        int number = errno;
        free_file(file);
        return fail_with_errno(error, "cannot create", path, number);
    }
    *out = file;
    return LULL_OK;
}

int atomic_file_descriptor(const atomic_file *file) {
    return file->descriptor;
}

lull_status atomic_file_failed(const atomic_file *file, int number, lull_error *error) {
    return fail_with_errno(error, "cannot write", file->path, number);
}

lull_status atomic_file_write(atomic_file *file, const void *data, size_t size, lull_error *error) {
    const char *bytes = data;
    while (size > 0) {
        ptrdiff_t written = os_write(file->descriptor, bytes, size);
        if (written <= 0) return atomic_file_failed(file, written < 0 ? errno : ENOSPC, error);
        bytes += written;
        size -= (size_t)written;
    }
    return LULL_OK;
}

lull_status atomic_file_commit(atomic_file *file, lull_error *error) {
    const char *what = "cannot write";
    int number = os_sync(file->descriptor) == 0 ? 0 : errno;
    if (os_close(file->descriptor) != 0 && !number) number = errno;
    file->descriptor = -1;
    if (file->temporary) {
        if (!number && os_rename(file->temporary, file->target) != 0) {
            number = errno;
            what = "cannot replace";
        }
        if (number) {
            os_remove(file->temporary);
        } else if (os_sync_folder_of(file->target) != 0) { /* makes the renaming last */
            number = errno;
            what = "cannot sync the folder of";
        }
    }
    lull_status status = LULL_OK;
    if (number) status = fail_with_errno(error, what, file->path, number);
    free_file(file);
    return status;
}

void atomic_file_abandon(atomic_file *file) {
    if (!file) return;
    if (file->descriptor >= 0) os_close(file->descriptor);
    if (file->temporary) os_remove(file->temporary);
    free_file(file);
}
