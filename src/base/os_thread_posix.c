/* Processors and threads: POSIX systems. */
#include "base/os_thread.h"

#include <unistd.h>

#ifdef __linux__
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

int os_processors(void) {
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : (int)count;
}

int os_processors_of_process(void) {
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
#endif
    return os_processors();
}

void os_thread_naps_exactly(void) {
#ifdef __linux__
    prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL); /* nanoseconds */
#endif
}

clockid_t os_thread_wait_clock(pthread_condattr_t *attributes) {
#ifdef __APPLE__ /* has no choice of clocks */
    (void)attributes;
#else
    if (pthread_condattr_setclock(attributes, CLOCK_MONOTONIC) == 0) return CLOCK_MONOTONIC;
#endif
    return CLOCK_REALTIME;
}

/* Linux gives that state only to processes that ask for it (Documentation/arch/x86/xstate.rst). */
bool os_thread_allow_tiles(void) {
#if defined(__linux__) && defined(SYS_arch_prctl)
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
#else
    return false;
#endif
}
