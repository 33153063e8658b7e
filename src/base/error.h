/* Failing with one line: fills the caller's lull_error and gives the status back. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "lull.h"

/* C99's formats everywhere; "printf" stands for the system's own there. */
#ifdef __MINGW32__
#define BASE_PRINTF __gnu_printf__
#else
#define BASE_PRINTF __printf__
#endif

/* error may be NULL. Returns status, so that a caller writes `return base_fail(error, LULL_IO, …)`.
 */
lull_status base_fail(lull_error *error, lull_status status, const char *format, ...)
    __attribute__((format(BASE_PRINTF, 3, 4)));

/* The usual line for an allocation that failed. */
lull_status base_no_memory(lull_error *error);

/* The same functions, in a form that shows a compiler or analyser which status comes back: without
 * it they take every failure for a possible success, and warn of what is not set then. */
static inline lull_status base_known_status(lull_status returned, lull_status status) {
    (void)returned;
    return status;
}
#define base_fail(error, status, ...)                                                              \
    base_known_status((base_fail)((error), (status), __VA_ARGS__), (status))
#define base_no_memory(error) base_known_status((base_no_memory)(error), LULL_NO_MEMORY)

#endif
