/* Signals: POSIX systems. */
#include "base/os_signal.h"

#include <signal.h>
#include <string.h>

void os_signal_ignore_of_writes(void) {
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

void os_signal_catch(int number, void (*handler)(int number), bool go_on) {
    struct sigaction action, before;
    if (number == SIGHUP && sigaction(number, NULL, &before) == 0 && before.sa_handler == SIG_IGN)
        return;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = (int)SA_RESETHAND | (go_on ? SA_RESTART : 0);
    sigaction(number, &action, NULL);
}
