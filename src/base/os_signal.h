/* Signals. */
#ifndef BASE_OS_SIGNAL_H
#define BASE_OS_SIGNAL_H

#include <stdbool.h>

/* A broken pipe and a reached limit of a file's size become errors of the write. */
void os_signal_ignore_of_writes(void);

/* Calls `handler` at the first signal of this number (SIGINT, …); a second one does what the system
 * does without us: it ends the program. What the signal interrupts fails with EINTR, or goes on
 * where `go_on`. A SIGHUP that whoever started the program ignores (nohup) stays ignored. */
void os_signal_catch(int number, void (*handler)(int number), bool go_on);

#endif
