/* Files that appear complete or not at all. */
#include "base/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

enum { MOST_LINKS = 40 };

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
    if (number == ENOSPC || number == EDQUOT) hint = " (free some space)";
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
    char said[PATH_MAX];
    ssize_t n = readlink(path, said, sizeof said - 1);
    if (n < 0) return NULL;
    said[n] = '\0';
    const char *slash = strrchr(path, '/');
    size_t folder = slash && *said != '/' ? (size_t)(slash - path) + 1 : 0;
    char *next = base_alloc(folder + (size_t)n + 1, 1);
    if (!next) return NULL;
    memcpy(next, path, folder);
    memcpy(next + folder, said, (size_t)n + 1);
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

/* A number that differs between calls, threads and processes with some luck; O_EXCL does the rest.
 */
static uint64_t unlikely_number(void) {
    static atomic_uint_fast64_t calls;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t mixed = (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 30 ^ (uint64_t)getpid() << 42;
    mixed += atomic_fetch_add(&calls, 1) * 0x9e3779b97f4a7c15u;
    mixed *= 0xbf58476d1ce4e5b9u;
    return mixed ^ mixed >> 31;
}

/* Opens with O_EXCL and mode 0666, from which the kernel takes the umask. */
static int open_temporary(atomic_file *file) {
    for (int attempt = 0; attempt < 100; attempt++) {
        name_temporary(file->target, unlikely_number(), file->temporary);
        int descriptor;
        do {
            descriptor =
                open(file->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
        } while (descriptor < 0 && errno == EINTR);
        if (descriptor >= 0 || errno != EEXIST) return descriptor;
    }
    return -1;
}

lull_status atomic_file_open(const char *path, atomic_file **out, lull_error *error) {
    *out = NULL;
    if (!*path) return base_fail(error, LULL_INVALID, "the name of the output file is empty");
    struct stat status;
    bool exists = stat(path, &status) == 0;
    if (!exists && errno == ELOOP) return fail_with_errno(error, "cannot create", path, ELOOP);
    if (exists && S_ISDIR(status.st_mode)) {
        return base_fail(error, LULL_IO, "cannot write '%s': it is a directory, not a file", path);
    }
    if (path[strlen(path) - 1] == '/') {
        return base_fail(error, LULL_IO, "cannot write '%s': that names a directory, not a file",
                         path);
    }
    atomic_file *file = base_alloc(1, sizeof *file);
    if (!file) return base_no_memory(error);
    file->descriptor = -1;
    bool direct = exists && !S_ISREG(status.st_mode);
    file->path = base_strdup(path);
    file->target = direct ? base_strdup(path) : resolve(path);
    if (file->target && !direct) file->temporary = base_alloc(strlen(file->target) + 9, 1);
    if (!file->path || !file->target || (!direct && !file->temporary)) {
        free_file(file);
        return base_no_memory(error);
    }
    if (direct) {
        do {
            file->descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        } while (file->descriptor < 0 && errno == EINTR);
    } else {
        file->descriptor = open_temporary(file);
    }
    if (file->descriptor < 0) {
        int number = errno;
        free_file(file);
        return fail_with_errno(error, "cannot create", path, number);
    }
    *out = file;
    return LULL_OK;
}

const char *atomic_file_temporary_path(const atomic_file *file) {
    return file->temporary ? file->temporary : file->target;
}

int atomic_file_descriptor(const atomic_file *file) {
    return file->descriptor;
}

lull_status atomic_file_write(atomic_file *file, const void *data, size_t size, lull_error *error) {
    const char *bytes = data;
    while (size > 0) {
        /* Some systems refuse a write above 2 GiB. */
        ssize_t written = write(file->descriptor, bytes, size < (1u << 30) ? size : 1u << 30);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return fail_with_errno(error, "cannot write", file->path, errno);
        if (written == 0) return fail_with_errno(error, "cannot write", file->path, ENOSPC);
        bytes += written;
        size -= (size_t)written;
    }
    return LULL_OK;
}

/* Devices and pipes have nothing to sync and say so with these. */
static bool sync_means_nothing(int number) {
    return number == EINVAL || number == ENOTSUP || number == EROFS || number == ENOSYS;
}

/* Makes the rename itself last. A folder that may not be read or synced is no reason to fail: the
 * file is complete and in place. */
static int sync_folder(const char *target) {
    const char *slash = strrchr(target, '/');
    char *folder = base_strdup(slash ? target : ".");
    if (!folder) return 0;
    if (slash) folder[slash == target ? 1 : slash - target] = '\0';
    int number = 0;
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0) {
        if (fsync(descriptor) != 0 && errno == EIO) number = errno;
        close(descriptor);
    }
    base_free(folder);
    return number;
}

lull_status atomic_file_commit(atomic_file *file, lull_error *error) {
    int number = 0;
    const char *what = "cannot write";
    while (fsync(file->descriptor) != 0) {
        if (errno == EINTR) continue;
        if (!sync_means_nothing(errno)) number = errno;
        break;
    }
    /* After close the descriptor is gone whatever it says; EINTR is not a failure on Linux. */
    if (close(file->descriptor) != 0 && errno != EINTR && !number) number = errno;
    file->descriptor = -1;
    if (file->temporary) {
        if (!number && rename(file->temporary, file->target) != 0) {
            number = errno;
            what = "cannot replace";
        }
        if (number) {
            unlink(file->temporary);
        } else {
            number = sync_folder(file->target);
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
    if (file->descriptor >= 0) close(file->descriptor);
    if (file->temporary) unlink(file->temporary);
    free_file(file);
}
