/* Listening sockets: a Unix socket that only its owner may use, and TCP addresses. */
#ifndef CLI_LISTENER_H
#define CLI_LISTENER_H

#include <sys/types.h>

#include "lull.h"

enum { LISTENER_NAME = 160 };

typedef struct listener {
    int descriptor;
    char name[LISTENER_NAME]; /* "/run/user/1000/lull.socket", "127.0.0.1:5500": the real port */
    bool is_file;
    dev_t device; /* of the socket's file, so that only that is removed */
    ino_t inode;
} listener;

/* A Unix socket of mode 0600. A socket that is there is replaced when nobody listens on it, any
 * other file is left alone. */
lull_status listener_open_file(const char *path, listener *l, lull_error *error);

/* "ADDRESS:PORT" (IPv4, [IPv6] or localhost; port 0 = a free one). Addresses beyond this machine
 * only with allow_remote. */
lull_status listener_open_address(const char *address, bool allow_remote, listener *l,
                                  lull_error *error);

/* Closes, and removes the socket's file. Nothing when it is not open (descriptor < 0). */
void listener_close(listener *l);

#endif
