/* The wish to stop, as signals say it: see stop.h. */
#include "cli/stop.h"

#include "base/os_signal.h"

#include <errno.h>
#include <unistd.h>

volatile sig_atomic_t cli_stop_asked;

/* A signal's way into poll: the handler may only write. */
static int stop_pipe[2] = {-1, -1};

void cli_stop_ask(void) {
    cli_stop_asked = 1;
    if (stop_pipe[1] >= 0 && write(stop_pipe[1], "", 1) < 0) { /* full: it has been said */
    }
}

static void on_signal(int number) {
    (void)number;
    int kept = errno;
    cli_stop_ask();
    errno = kept;
}

void cli_stop_catch(int also, bool restart) {
    os_signal_catch(SIGINT, on_signal, restart);
    os_signal_catch(SIGTERM, on_signal, restart);
    os_signal_catch(SIGHUP, on_signal, restart); /* a terminal that goes, as of a dropped ssh */
    if (also) os_signal_catch(also, on_signal, restart);
}

int cli_stop_descriptor(void) {
    if (stop_pipe[0] < 0 && pipe(stop_pipe) != 0) return -1;
    return stop_pipe[0];
}
