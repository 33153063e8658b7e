/* Sockets: POSIX systems. */
#include "base/os_socket.h"

#include <stddef.h>
#include <sys/socket.h>

#ifndef __linux__
#include <fcntl.h>

/* Not in one step with its making, where the system has no call for that. */
static int keep_private(int descriptor, int flags) {
    if (descriptor < 0) return -1;
    fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    fcntl(descriptor, F_SETFL, flags);
    return descriptor;
}
#endif

int os_socket_new(int family) {
#ifdef __linux__
    return socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
#else
    return keep_private(socket(family, SOCK_STREAM, 0), O_NONBLOCK);
#endif
}

int os_socket_accept(int listening) {
#ifdef __linux__
    return accept4(listening, NULL, NULL, SOCK_CLOEXEC);
#else
    return keep_private(accept(listening, NULL, NULL), 0);
#endif
}
