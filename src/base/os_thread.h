/* Processors and threads, beyond what <pthread.h> says alike on every system (on Windows
 * winpthreads has it). */
#ifndef BASE_OS_THREAD_H
#define BASE_OS_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

/* How many processors are switched on, and on how many of them this process may run; at least 1. */
int os_processors(void);
int os_processors_of_process(void);

/* The calling thread's naps become as short as they were meant, where the system lengthens them. */
void os_thread_naps_exactly(void);

/* The clock by which waits for a condition with these attributes go from now on: one that nobody
 * sets, where the system has it. */
clockid_t os_thread_wait_clock(pthread_condattr_t *attributes);

/* Asks the system to keep the tiles of AMX (8 KiB a thread) for this thread and those that it starts; true when it does. */
bool os_thread_allow_tiles(void);

#endif
