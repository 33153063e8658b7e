/* The wish to stop, as signals say it: SIGINT, SIGTERM and SIGHUP, and for some commands others.
 * The first one asks, so that files are completed or removed; the second ends the program at once.
 */
#ifndef CLI_STOP_H
#define CLI_STOP_H

#include <signal.h>
#include <stdbool.h>

/* From here on the signals ask. also: one more, or 0. restart: calls that a signal finds waiting go
 * on; without, a read from a pipe ends. */
void cli_stop_catch(int also, bool restart);
/* Not 0 once one has come (or cli_stop_ask was called); for whoever polls it. */
extern volatile sig_atomic_t cli_stop_asked;
/* As if a signal had come: another rank was told. */
void cli_stop_ask(void);
/* A descriptor that poll finds readable from then on, or -1 with errno set; to be asked for before
 * cli_stop_catch. */
int cli_stop_descriptor(void);

#endif
