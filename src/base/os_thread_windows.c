/* Processors and threads: Windows. */
#include "base/os_thread.h"

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

int os_processors(void) {
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return info.dwNumberOfProcessors < 1 ? 1 : (int)info.dwNumberOfProcessors;
}

int os_processors_of_process(void) {
    DWORD_PTR own = 0, all = 0;
    if (!GetProcessAffinityMask(GetCurrentProcess(), &own, &all) || own == 0)
        return os_processors();
    return __builtin_popcountll((unsigned long long)own);
}

void os_thread_naps_exactly(void) {}

clockid_t os_thread_wait_clock(pthread_condattr_t *attributes) {
    (void)attributes;
    return CLOCK_REALTIME;
}

bool os_thread_allow_tiles(void) {
    return false;
}
