/* A file's bytes in memory. */
#include "io/file_bytes.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/os_file.h"

enum { PIPE_ROOM = 1 << 16 };

static lull_status open_for_reading(const char *path, bool regular, int *descriptor,
                                    os_facts *facts, lull_error *error) {
    *descriptor = os_open_to_read(path);
    bool opened = *descriptor >= 0 && os_facts_of_descriptor(*descriptor, facts) == 0;
    int number = errno;
    bool known = opened || os_facts_of(path, facts) == 0; /* not every system opens a folder */
    const char *problem = known && facts->kind == OS_FOLDER             ? "a directory, not a file"
                          : opened && regular && facts->kind != OS_FILE ? "not a regular file"
                                                                        : NULL;
    if (opened && !problem) return LULL_OK;
    if (*descriptor >= 0) os_close(*descriptor);
    if (problem) return base_fail(error, LULL_IO, "cannot read '%s': it is %s", path, problem);
    return base_fail(error, LULL_IO, "cannot open '%s': %s", path, strerror(number));
}

/* Up to `most` bytes. `likely`: how many there seem to be. */
static lull_status read_all(int descriptor, const char *path, size_t likely, size_t most,
                            file_bytes *bytes, lull_error *error) {
    /* One byte more than the file says, so that its end is seen without growing. */
    size_t capacity = likely < most ? likely + 1 : most;
    bytes->data = base_alloc(capacity, 1);
    if (!bytes->data) return base_fail(error, LULL_NO_MEMORY, "out of memory reading '%s'", path);
    while (bytes->size < most) {
        if (bytes->size == capacity &&
            !base_grow(&bytes->data, &capacity, capacity + 1, 1)) /* doubles */
            return base_fail(error, LULL_NO_MEMORY, "out of memory reading '%s'", path);
        size_t room = (capacity < most ? capacity : most) - bytes->size;
        ptrdiff_t got = os_read(descriptor, (char *)bytes->data + bytes->size, room);
        if (got < 0)
            return base_fail(error, LULL_IO, "cannot read '%s': %s", path, strerror(errno));
        if (got == 0) break;
        bytes->size += (size_t)got;
    }
    if (bytes->size == 0) return base_fail(error, LULL_FORMAT, "'%s' is empty", path);
    return LULL_OK;
}

static lull_status read_file(const char *path, bool regular, size_t most, file_bytes *bytes,
                             lull_error *error) {
    *bytes = (file_bytes){0};
    int descriptor;
    os_facts facts;
    lull_status status = open_for_reading(path, regular, &descriptor, &facts, error);
    if (status) return status;
    size_t likely = facts.kind == OS_FILE ? (size_t)facts.size : PIPE_ROOM;
    if (facts.size > PTRDIFF_MAX)
        status =
            base_fail(error, LULL_NO_MEMORY, "'%s' is larger than this machine's memory", path);
    else
        status = read_all(descriptor, path, likely, most, bytes, error);
    os_close(descriptor);
    if (status) file_bytes_free(bytes);
    return status;
}

lull_status file_bytes_read(const char *path, file_bytes *bytes, lull_error *error) {
    return read_file(path, false, SIZE_MAX, bytes, error);
}

lull_status file_bytes_read_regular(const char *path, file_bytes *bytes, lull_error *error) {
    return read_file(path, true, SIZE_MAX, bytes, error);
}

lull_status file_bytes_read_head(const char *path, size_t most, file_bytes *bytes,
                                 lull_error *error) {
    return read_file(path, true, most, bytes, error);
}

void file_bytes_free(file_bytes *bytes) {
    base_free(bytes->data);
    *bytes = (file_bytes){0};
}
