/* Libraries opened when they are needed: dlopen. */
#include "base/os_library.h"

#include <dlfcn.h>
#include <stdlib.h>

os_library *os_library_open(const char *name) {
    return dlopen(name, RTLD_NOW | RTLD_LOCAL);
}

os_library *os_library_open_for_all(const char *name) {
    return dlopen(name, RTLD_NOW | RTLD_GLOBAL);
}

void *os_library_symbol_anywhere(const char *name) {
    return dlsym(RTLD_DEFAULT, name);
}

void *os_library_symbol(os_library *library, const char *name) {
    return dlsym(library, name);
}

void os_library_tell(const char *name, const char *value) {
    setenv(name, value, 1);
}

const char *os_library_error(void) {
    const char *text = dlerror();
    return text ? text : "";
}
