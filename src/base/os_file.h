/* Files as the operating system has them: what differs between systems is behind these functions,
 * and nothing else of the project calls what is not in C11 and POSIX.1-2008. Paths are UTF-8.
 * Descriptors are the C library's small numbers; they are not inherited by programs that are
 * started, and read and write bytes as they are. What fails gives -1 (or false) and leaves the
 * reason in errno. A call that a signal interrupts is begun again. */
#ifndef BASE_OS_FILE_H
#define BASE_OS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum os_kind { OS_FILE, OS_FOLDER, OS_OTHER /* a device, pipe or socket */ } os_kind;

typedef struct os_facts {
    os_kind kind;
    uint64_t size;           /* bytes of a file; 0 of anything else */
    int64_t modified;        /* when it last changed, nanoseconds since 1970 */
    uint64_t device, number; /* together: the same for two names of one file */
} os_facts;

/* Behind symbolic links. */
int os_facts_of(const char *path, os_facts *facts);
int os_facts_of_descriptor(int descriptor, os_facts *facts);

int os_open_to_read(const char *path);
/* A file that is not there yet, to read and write; fails with EEXIST when there is one. */
int os_open_new(const char *path);
/* Something that is there already, to write; a file keeps its bytes. */
int os_open_to_write(const char *path);
int os_close(int descriptor);

/* How many bytes were moved: at most n, and never more than 1 GiB; 0 at the end. */
ptrdiff_t os_read(int descriptor, void *bytes, size_t n);
ptrdiff_t os_write(int descriptor, const void *bytes, size_t n);
/* The same at a place of a file; may move the place where os_write goes on. */
ptrdiff_t os_write_at(int descriptor, const void *bytes, size_t n, uint64_t place);
/* Whether what is written can be gone back to (not in a pipe). */
bool os_can_seek(int descriptor);

/* Returns when the bytes are on the disk; where there is nothing to sync (a pipe), at once. */
int os_sync(int descriptor);
/* The same of the names in the folder that `path` lies in, where the system can. */
int os_sync_folder_of(const char *path);

/* Gives a file another name, in place of what had it. */
int os_rename(const char *from, const char *to);
int os_remove(const char *path);

/* Whether the path itself is a symbolic link, wherever that leads. */
bool os_is_link(const char *path);
/* What a symbolic link says, ended by '\0'; -1 when `path` is none or the room too small. */
int os_read_link(const char *path, char *said, size_t room);

/* errno means that the disk, or the user's share of it, is full. */
bool os_is_full(int number);

bool os_is_terminal(int descriptor);

/* Where the running program lies; false when the system does not say. */
bool os_program_path(char *path, size_t room);

/* A number that differs between calls, threads and processes with some luck. */
uint64_t os_unlikely_number(void);

#endif
