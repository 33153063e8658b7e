/* One-line messages, the names of statuses, and the version. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A message that did not fit must not end inside a UTF-8 sequence. */
static void drop_partial_utf8(char *text, size_t length) {
    size_t start = length;
    while (start > 0 && ((unsigned char)text[start - 1] & 0xc0) == 0x80) start--;
    if (start == 0) return;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t wanted = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (length - (start - 1) < wanted) text[start - 1] = '\0';
}

lull_status(base_fail)(lull_error *error, lull_status status, const char *format, ...) {
    if (!error) return status;
    error->status = status;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    if (length < 0) {
        snprintf(error->message, sizeof error->message, "%s", lull_strerror(status));
    } else if ((size_t)length >= sizeof error->message) {
        drop_partial_utf8(error->message, sizeof error->message - 1);
    }
    /* A file's name may hold anything; the message stays one line and harmless to a terminal. */
    for (char *c = error->message; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = '?';
    }
    return status;
}

lull_status(base_no_memory)(lull_error *error) {
    return base_fail(error, LULL_NO_MEMORY, "out of memory");
}

const char *lull_strerror(lull_status status) {
    switch (status) {
    case LULL_OK:
        return "success";
    case LULL_INVALID:
        return "invalid argument";
    case LULL_NO_MEMORY:
        return "out of memory";
    case LULL_IO:
        return "input or output failed";
    case LULL_FORMAT:
        return "malformed file";
    case LULL_MISMATCH:
        return "does not fit the model";
    case LULL_NOT_FINITE:
        return "not a finite number";
    case LULL_UNSUPPORTED:
        return "unsupported";
    case LULL_FINISHED:
        return "already finished";
    }
    return "unknown status";
}

const char *lull_version(void) {
    return LULL_VERSION;
}
