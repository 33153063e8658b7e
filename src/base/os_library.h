/* Libraries that are opened when they are needed and not before. */
#ifndef BASE_OS_LIBRARY_H
#define BASE_OS_LIBRARY_H

/* An open library; NULL: it cannot be had. It stays open until the process ends. */
typedef struct os_library os_library;

/* Opens a library by its name ("libopenblas.so.0": where the system looks for libraries) or path.
 * Its names stay its own. NULL on failure. */
os_library *os_library_open(const char *name);

/* The same, for libraries whose own plug-ins look for its names in the whole program. */
os_library *os_library_open_for_all(const char *name);

/* A function's or variable's address; NULL when the library has none of that name. */
void *os_library_symbol(os_library *library, const char *name);

/* The same among all that the program has loaded, by whomever. */
void *os_library_symbol_anywhere(const char *name);

/* Sets a variable of the environment, as libraries look at when they are opened. */
void os_library_tell(const char *name, const char *value);

/* Why the last os_library_open or os_library_symbol of this thread failed. */
const char *os_library_error(void);

#endif
