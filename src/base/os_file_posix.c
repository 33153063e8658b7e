/* Files: POSIX systems. */
#include "base/os_file.h"

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

#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif

/* Some systems refuse to move more at once. */
static const size_t MOST = (size_t)1 << 30;

static int64_t nanoseconds(const struct stat *status) {
#ifdef __APPLE__
    struct timespec at = status->st_mtimespec;
#else
    struct timespec at = status->st_mtim;
#endif
    return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

static int fill(int result, const struct stat *status, os_facts *facts) {
    if (result != 0) return -1;
    *facts = (os_facts){.kind = S_ISREG(status->st_mode)   ? OS_FILE
                                : S_ISDIR(status->st_mode) ? OS_FOLDER
                                                           : OS_OTHER,
                        .modified = nanoseconds(status),
                        .device = (uint64_t)status->st_dev,
                        .number = (uint64_t)status->st_ino};
    if (facts->kind == OS_FILE) facts->size = (uint64_t)status->st_size;
    return 0;
}

int os_facts_of(const char *path, os_facts *facts) {
    struct stat status;
    return fill(stat(path, &status), &status, facts);
}

int os_facts_of_descriptor(int descriptor, os_facts *facts) {
    struct stat status;
    return fill(fstat(descriptor, &status), &status, facts);
}

/* Files are made with mode 0666, from which the system takes the umask. */
static int open_as(const char *path, int flags) {
    int descriptor;
    do {
        descriptor = open(path, flags | O_CLOEXEC, 0666);
    } while (descriptor < 0 && errno == EINTR);
    return descriptor;
}

int os_open_to_read(const char *path) {
    return open_as(path, O_RDONLY | O_NOCTTY);
}

int os_open_new(const char *path) {
    return open_as(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW);
}

int os_open_to_write(const char *path) {
    return open_as(path, O_WRONLY | O_NOCTTY);
}

int os_close(int descriptor) {
    /* The descriptor is gone whatever close says; EINTR is no failure of the file. */
    return close(descriptor) == 0 || errno == EINTR ? 0 : -1;
}

ptrdiff_t os_read(int descriptor, void *bytes, size_t n) {
    ssize_t got;
    do {
        got = read(descriptor, bytes, n < MOST ? n : MOST);
    } while (got < 0 && errno == EINTR);
    return got;
}

ptrdiff_t os_write(int descriptor, const void *bytes, size_t n) {
    ssize_t written;
    do {
        written = write(descriptor, bytes, n < MOST ? n : MOST);
    } while (written < 0 && errno == EINTR);
    return written;
}

ptrdiff_t os_write_at(int descriptor, const void *bytes, size_t n, uint64_t place) {
    ssize_t written;
    do {
        written = pwrite(descriptor, bytes, n < MOST ? n : MOST, (off_t)place);
    } while (written < 0 && errno == EINTR);
    return written;
}

bool os_can_seek(int descriptor) {
    return lseek(descriptor, 0, SEEK_CUR) >= 0;
}

int os_sync(int descriptor) {
    while (fsync(descriptor) != 0) {
        if (errno == EINTR) continue;
        /* Devices and pipes have nothing to sync and say so with these. */
        return errno == EINVAL || errno == ENOTSUP || errno == EROFS || errno == ENOSYS ? 0 : -1;
    }
    return 0;
}

/* A folder that may not be read or synced is no reason to fail: what is in it is complete. */
int os_sync_folder_of(const char *path) {
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t length = !slash ? 1 : slash == path ? 1 : (size_t)(slash - path);
    if (length >= sizeof folder) return 0;
    memcpy(folder, slash ? path : ".", length);
    folder[length] = '\0';
    int descriptor = open_as(folder, O_RDONLY | O_DIRECTORY);
    if (descriptor < 0) return 0;
    int result = fsync(descriptor) != 0 && errno == EIO ? -1 : 0;
    close(descriptor);
    if (result) errno = EIO;
    return result;
}

int os_rename(const char *from, const char *to) {
    return rename(from, to);
}

int os_remove(const char *path) {
    return unlink(path);
}

bool os_is_link(const char *path) {
    char first;
    return readlink(path, &first, 1) >= 0;
}

int os_read_link(const char *path, char *said, size_t room) {
    ssize_t n = readlink(path, said, room);
    if (n < 0 || (size_t)n >= room) return -1;
    said[n] = '\0';
    return 0;
}

bool os_is_full(int number) {
    return number == ENOSPC || number == EDQUOT;
}

bool os_is_terminal(int descriptor) {
    return isatty(descriptor) == 1;
}

bool os_program_path(char *path, size_t room) {
#ifdef __APPLE__
    uint32_t size = (uint32_t)room;
    char found[PATH_MAX];
    if (_NSGetExecutablePath(path, &size) != 0 || !realpath(path, found)) return false;
    return (size_t)snprintf(path, room, "%s", found) < room;
#else
    return os_read_link("/proc/self/exe", path, room) == 0;
#endif
}

uint64_t os_unlikely_number(void) {
    static atomic_uint_fast64_t calls;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t mixed = (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 30 ^ (uint64_t)getpid() << 42;
    mixed += atomic_fetch_add(&calls, 1) * 0x9e3779b97f4a7c15u;
    mixed *= 0xbf58476d1ce4e5b9u;
    return mixed ^ mixed >> 31;
}
