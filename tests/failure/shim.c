/* LD_PRELOAD: the n-th call that writes fails. SHIM_FAIL=N (0 = none), SHIM_HOW=ENOSPC, EIO, EINTR
 * (this call only), SHORT (writes one byte, this call only) or STUCK (ENOSPC from then on);
 * SHIM_COUNT=FILE is told how many such calls there were. Calls on files only: what goes to a
 * terminal or pipe counts too where it is standard output, standard error is left alone. */
/* Both names of a function are defined here, open and open64: they must not become one. */
#undef _FILE_OFFSET_BITS
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

typedef enum { PLAIN, SHORT } kind;

static atomic_long calls;
static long fail_at = -1;
static int number; /* 0: short write */
static int stuck;

static void read_settings(void) {
    const char *at = getenv("SHIM_FAIL"), *how = getenv("SHIM_HOW");
    if (!how) how = "ENOSPC";
    stuck = !strcmp(how, "STUCK");
    number = !strcmp(how, "EIO")     ? EIO
             : !strcmp(how, "EINTR") ? EINTR
             : !strcmp(how, "SHORT") ? 0
                                     : ENOSPC;
    fail_at = at ? atol(at) : 0;
}

/* Does this call fail? Short writes are for writes: everything else then goes on. */
static int fails(void) {
    if (fail_at < 0) read_settings();
    long call = atomic_fetch_add(&calls, 1) + 1;
    if (fail_at == 0) return 0;
    return stuck ? call >= fail_at : call == fail_at;
}

__attribute__((destructor)) static void tell(void) {
    const char *path = getenv("SHIM_COUNT");
    if (!path) return;
    char text[32];
    int n = snprintf(text, sizeof text, "%ld\n", (long)calls);
    fail_at = 0;
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (descriptor < 0) return;
    if (write(descriptor, text, (size_t)n) < 0) _exit(9);
    close(descriptor);
}

#define REAL(type, name, ...)                                                                      \
    static type (*real)(__VA_ARGS__);                                                              \
    if (!real) {                                                                                   \
        void *symbol = dlsym(RTLD_NEXT, name);                                                     \
        memcpy(&real, &symbol, sizeof real);                                                       \
    }

static int concerns(int descriptor) {
    struct stat status;
    if (descriptor == STDERR_FILENO) return 0;
    return descriptor == STDOUT_FILENO ||
           (fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode));
}

ssize_t write(int descriptor, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t)
    if (concerns(descriptor) && fails()) {
        if (number == 0 && !stuck) return real(descriptor, data, size > 1 ? 1 : size);
        errno = number;
        return -1;
    }
    return real(descriptor, data, size);
}

static int simple_failure(int descriptor) {
    if (!concerns(descriptor) || !fails() || number == 0) return 0;
    errno = number;
    return 1;
}

ssize_t pwrite64(int descriptor, const void *data, size_t size, off64_t at) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t)
    return simple_failure(descriptor) ? -1 : real(descriptor, data, size, at);
}

ssize_t pwrite(int descriptor, const void *data, size_t size, off_t at) {
    return pwrite64(descriptor, data, size, at);
}

int fsync(int descriptor) {
    REAL(int, "fsync", int)
    return simple_failure(descriptor) ? -1 : real(descriptor);
}

int ftruncate64(int descriptor, off64_t size) {
    REAL(int, "ftruncate64", int, off64_t)
    return simple_failure(descriptor) ? -1 : real(descriptor, size);
}

int ftruncate(int descriptor, off_t size) {
    return ftruncate64(descriptor, size);
}

int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *)
    if (fails() && number != 0 && number != EINTR) { /* which it never gives */
        errno = number;
        return -1;
    }
    return real(from, to);
}

int mkdir(const char *path, mode_t mode) {
    REAL(int, "mkdir", const char *, mode_t)
    if (fails() && number != 0 && number != EINTR) {
        errno = number;
        return -1;
    }
    return real(path, mode);
}

static int open_failure(const char *path, int flags) {
    if (!(flags & (O_WRONLY | O_RDWR)) || !strcmp(path, "/dev/null")) return 0;
    if (!fails() || number == 0) return 0;
    errno = number;
    return 1;
}

int open64(const char *path, int flags, ...) {
    REAL(int, "open64", const char *, int, ...)
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
    va_end(list);
    return open_failure(path, flags) ? -1 : real(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
    va_end(list);
    return open64(path, flags, mode);
}

/* Streams of the C library write past our write(): their files fail as a whole. */
FILE *fopen64(const char *path, const char *mode) {
    REAL(FILE *, "fopen64", const char *, const char *)
    if (strpbrk(mode, "wa+") && fails() && number != 0) {
        errno = number;
        return NULL;
    }
    return real(path, mode);
}

FILE *fopen(const char *path, const char *mode) {
    return fopen64(path, mode);
}

int fflush(FILE *file) {
    REAL(int, "fflush", FILE *)
    if (file && file != stderr && concerns(fileno(file)) && fails() && number != 0) {
        errno = number;
        return EOF;
    }
    return real(file);
}
