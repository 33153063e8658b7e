/* Sockets that programs which are started do not inherit. Descriptors; -1 on failure, with the
 * reason in errno. */
#ifndef BASE_OS_SOCKET_H
#define BASE_OS_SOCKET_H

#include <stdbool.h>

/* A stream socket of a family (AF_UNIX, AF_INET, …) whose calls do not wait. */
int os_socket_new(int family);

/* Takes in whoever waits at a listening socket; calls on the new one do wait. */
int os_socket_accept(int listening);

#endif
