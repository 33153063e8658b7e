/* Libraries opened when they are needed: Windows. */
#include "base/os_library.h"

#include <stdio.h>
#include <stdlib.h>

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

os_library *os_library_open(const char *name) {
    return (os_library *)(void *)LoadLibraryA(name);
}

/* A library's names are never in the whole program here. */
os_library *os_library_open_for_all(const char *name) {
    return os_library_open(name);
}

void *os_library_symbol(os_library *library, const char *name) {
    FARPROC found = GetProcAddress((HMODULE)(void *)library, name);
    void *address;
    *(FARPROC *)(void *)&address = found;
    return address;
}

void *os_library_symbol_anywhere(const char *name) {
    return os_library_symbol((os_library *)(void *)GetModuleHandleA(NULL), name);
}

const char *os_library_error(void) {
    static _Thread_local char text[32];
    snprintf(text, sizeof text, "error %lu", (unsigned long)GetLastError());
    return text;
}

void os_library_tell(const char *name, const char *value) {
    _putenv_s(name, value);
}
