/* Listening sockets. */
#include "cli/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/os_socket.h"

enum { BACKLOG = 64 };

/* ---- Unix sockets --------------------------------------------------------------------------- */

/* Makes way for a new socket at the path. */
static lull_status clear_path(const struct sockaddr_un *address, lull_error *error) {
    const char *path = address->sun_path;
    struct stat facts;
    if (lstat(path, &facts) != 0) return LULL_OK;
    if (!S_ISSOCK(facts.st_mode))
        return base_fail(error, LULL_IO, "%s: exists and is not a socket; choose another path",
                         path);
    int probe = os_socket_new(AF_UNIX);
    if (probe < 0) return base_fail(error, LULL_IO, "no socket: %s", strerror(errno));
    int result = connect(probe, (const struct sockaddr *)address, sizeof *address);
    int reason = errno;
    close(probe);
    if (result == 0 || reason == EAGAIN)
        return base_fail(error, LULL_IO, "%s: another server listens there", path);
    if (reason != ECONNREFUSED)
        return base_fail(error, LULL_IO, "%s: cannot tell whether a server listens there: %s", path,
                         strerror(reason));
    if (unlink(path) != 0 && errno != ENOENT)
        return base_fail(error, LULL_IO, "%s: cannot replace it: %s", path, strerror(errno));
    return LULL_OK;
}

/* Binds so that nobody else can ever connect: the file is made with its mode. */
static int bind_privately(int descriptor, const struct sockaddr_un *address) {
    mode_t before = umask(0177);
    int result = bind(descriptor, (const struct sockaddr *)address, sizeof *address);
    int reason = errno;
    umask(before);
    errno = reason;
    return result;
}

lull_status listener_open_file(const char *path, listener *l, lull_error *error) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat facts;
    *l = (listener){.descriptor = -1};
    if (strlen(path) >= sizeof address.sun_path || strlen(path) == 0)
        return base_fail(error, LULL_INVALID, "%s: a socket's path has 1 to %zu bytes", path,
                         sizeof address.sun_path - 1);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    snprintf(l->name, sizeof l->name, "%s", path);
    lull_status status = clear_path(&address, error);
    if (status) return status;
    l->descriptor = os_socket_new(AF_UNIX);
    if (l->descriptor < 0) return base_fail(error, LULL_IO, "no socket: %s", strerror(errno));
    if (bind_privately(l->descriptor, &address) != 0 || lstat(path, &facts) != 0) {
        status = base_fail(error, LULL_IO, "%s: %s", path, strerror(errno));
    } else {
        l->is_file = true;
        l->device = facts.st_dev;
        l->inode = facts.st_ino;
        if (listen(l->descriptor, BACKLOG) != 0)
            status = base_fail(error, LULL_IO, "%s: %s", path, strerror(errno));
    }
    if (status) listener_close(l);
    return status;
}

/* ---- TCP ------------------------------------------------------------------------------------ */

/* Cuts "HOST:PORT" and "[HOST]:PORT". */
static bool cut(const char *text, char *host, size_t size, const char **port) {
    const char *colon = strrchr(text, ':');
    if (!colon || strspn(colon + 1, "0123456789") != strlen(colon + 1)) return false;
    if (!colon[1] || strlen(colon + 1) > 5 || strtol(colon + 1, NULL, 10) > 65535) return false;
    const char *from = text;
    size_t n = (size_t)(colon - text);
    if (n >= 2 && *text == '[' && text[n - 1] == ']') from++, n -= 2;
    if (n == 0 || n >= size) return false;
    memcpy(host, from, n);
    host[n] = '\0';
    *port = colon + 1;
    return true;
}

static bool is_loopback(const struct sockaddr *address) {
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 ==
               127;
    return address->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

static void name_address(listener *l) {
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    char host[64], port[8];
    if (getsockname(l->descriptor, (struct sockaddr *)&address, &size) != 0 ||
        getnameinfo((struct sockaddr *)&address, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    snprintf(l->name, sizeof l->name, address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host,
             port);
}

static lull_status listen_at(const struct addrinfo *where, listener *l, lull_error *error) {
    int yes = 1;
    l->descriptor = os_socket_new(where->ai_family);
    if (l->descriptor < 0) return base_fail(error, LULL_IO, "no socket: %s", strerror(errno));
    setsockopt(l->descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(l->descriptor, where->ai_addr, where->ai_addrlen) != 0 ||
        listen(l->descriptor, BACKLOG) != 0)
        return base_fail(error, LULL_IO, "cannot listen on %s: %s", l->name, strerror(errno));
    name_address(l);
    return LULL_OK;
}

lull_status listener_open_address(const char *address, bool allow_remote, listener *l,
                                  lull_error *error) {
    char host[LISTENER_NAME];
    const char *port;
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV},
                    *found = NULL;
    *l = (listener){.descriptor = -1};
    snprintf(l->name, sizeof l->name, "%s", address);
    if (!cut(address, host, sizeof host, &port))
        return base_fail(error, LULL_INVALID, "'%s' is no ADDRESS:PORT, as 127.0.0.1:5500",
                         address);
    int code = getaddrinfo(host, port, &hints, &found);
    if (code != 0) return base_fail(error, LULL_INVALID, "%s: %s", address, gai_strerror(code));
    lull_status status = LULL_OK;
    if (!allow_remote && !is_loopback(found->ai_addr))
        status = base_fail(error, LULL_INVALID,
                           "%s can be reached from other machines, and there is no password: "
                           "use 127.0.0.1, or say --allow-remote",
                           address);
    else
        status = listen_at(found, l, error);
    freeaddrinfo(found);
    if (status) listener_close(l);
    return status;
}

void listener_close(listener *l) {
    struct stat facts;
    if (l->is_file && lstat(l->name, &facts) == 0 && facts.st_dev == l->device &&
        facts.st_ino == l->inode)
        unlink(l->name);
    l->is_file = false;
    if (l->descriptor >= 0) close(l->descriptor);
    l->descriptor = -1;
}
