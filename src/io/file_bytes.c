/* A whole file in memory: mapped, or read. */
#include "io/file_bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

static lull_status open_for_reading(const char *path, int *descriptor, struct stat *status,
                                    lull_error *error) {
    do {
        *descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    } while (*descriptor < 0 && errno == EINTR);
    if (*descriptor < 0 || fstat(*descriptor, status) != 0) {
        int number = errno;
        if (*descriptor >= 0) close(*descriptor);
        return base_fail(error, LULL_IO, "cannot open '%s': %s", path, strerror(number));
    }
    if (S_ISDIR(status->st_mode)) {
        close(*descriptor);
        return base_fail(error, LULL_IO, "cannot read '%s': it is a directory, not a file", path);
    }
    return LULL_OK;
}

lull_status file_bytes_map(const char *path, file_bytes *bytes, lull_error *error) {
    *bytes = (file_bytes){0};
    int descriptor;
    struct stat status;
    lull_status result = open_for_reading(path, &descriptor, &status, error);
    if (result) return result;
    if (!S_ISREG(status.st_mode)) {
        result = base_fail(error, LULL_IO, "cannot read '%s': it is not a regular file", path);
    } else if (status.st_size == 0) {
        result = base_fail(error, LULL_FORMAT, "'%s' is empty", path);
    } else {
        void *mapping = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
        if (mapping == MAP_FAILED) {
            result = base_fail(error, LULL_IO, "cannot map '%s': %s", path, strerror(errno));
        } else {
            *bytes = (file_bytes){mapping, (size_t)status.st_size, mapping, NULL};
        }
    }
    close(descriptor);
    return result;
}

lull_status file_bytes_read(const char *path, file_bytes *bytes, lull_error *error) {
    *bytes = (file_bytes){0};
    int descriptor;
    struct stat status;
    lull_status result = open_for_reading(path, &descriptor, &status, error);
    if (result) return result;
    /* One byte more than the file says, so that its end is seen without growing. */
    size_t capacity = 0, size = 0;
    size_t wanted = S_ISREG(status.st_mode) ? (size_t)status.st_size + 1 : 1 << 16;
    void *memory = NULL;
    for (;;) {
        if (!base_grow(&memory, &capacity, size == capacity ? size + wanted : size + 1, 1)) {
            result = base_fail(error, LULL_NO_MEMORY, "out of memory reading '%s'", path);
            break;
        }
        size_t room = capacity - size < (1u << 30) ? capacity - size : 1u << 30;
        ssize_t got = read(descriptor, (char *)memory + size, room);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            result = base_fail(error, LULL_IO, "cannot read '%s': %s", path, strerror(errno));
            break;
        }
        if (got == 0) break;
        size += (size_t)got;
    }
    close(descriptor);
    if (!result && size == 0) result = base_fail(error, LULL_FORMAT, "'%s' is empty", path);
    if (result) {
        base_free(memory);
        return result;
    }
    *bytes = (file_bytes){memory, size, NULL, memory};
    return LULL_OK;
}

void file_bytes_free(file_bytes *bytes) {
    if (bytes->mapping) munmap(bytes->mapping, bytes->size);
    base_free(bytes->memory);
    *bytes = (file_bytes){0};
}
