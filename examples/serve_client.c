/* A client of lull serve: raw float32 mel frames from standard input, raw float32 samples to
 * standard output.
 *
 *     lull serve --socket /tmp/lull.socket &
 *     lull mel voice.wav -o - | serve_client /tmp/lull.socket | aplay -f FLOAT_LE -r 22050
 *     serve_client 127.0.0.1:5500 SEED < frames.raw > samples.raw
 *
 * Build: cc -o serve_client serve_client.c. The protocol is in docs/serve.md. Frames are sent as
 * they come, and samples are written as they come, so the sound follows its frames. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* poll and getaddrinfo with -std=c11 */
#endif
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { HELLO = 40, WELCOME = 32, HEADER = 8, FRAMES = 1, END = 2, SAMPLES = 3, MOST = 1 << 20 };

static void die(const char *what) {
    fprintf(stderr, "serve_client: %s%s%s\n", what, errno ? ": " : "",
            errno ? strerror(errno) : "");
    exit(1);
}

static void put32(unsigned char *b, uint32_t value) {
    for (int i = 0; i < 4; i++) b[i] = (unsigned char)(value >> (8 * i));
}

static uint32_t get32(const unsigned char *b) {
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static int connect_tcp(char *address) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    char *port = strrchr(address, ':');
    *port++ = '\0';
    if (getaddrinfo(address, port, &hints, &found) != 0) die("no such address");
    int fd = socket(found->ai_family, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) != 0) die("cannot connect");
    freeaddrinfo(found);
    return fd;
}

static int connect_to(char *address) {
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    if (!strchr(address, '/') && strchr(address, ':')) return connect_tcp(address);
    snprintf(path.sun_path, sizeof path.sun_path, "%s", address);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&path, sizeof path) != 0) die("cannot connect");
    return fd;
}

static void write_all(int fd, const unsigned char *bytes, size_t size) {
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);
        if (n < 0 && errno != EINTR) die("cannot write");
        if (n > 0) bytes += n, size -= (size_t)n;
    }
}

/* False at the end of the stream. */
static int read_all(int fd, unsigned char *bytes, size_t size) {
    while (size > 0) {
        ssize_t n = read(fd, bytes, size);
        if (n < 0 && errno != EINTR) die("cannot read");
        if (n == 0) return 0;
        if (n > 0) bytes += n, size -= (size_t)n;
    }
    return 1;
}

static void die_of(int fd, size_t size) {
    unsigned char text[600] = {0};
    if (size < 4 || size >= sizeof text || !read_all(fd, text, size)) die("the server failed");
    errno = 0;
    die((const char *)text + 4);
}

/* Hello and welcome: gives the bands of a frame. */
static size_t greet(int fd, uint32_t seed) {
    unsigned char hello[HELLO] = "LULL\1\0\50", welcome[WELCOME];
    put32(hello + 16, seed);
    put32(hello + 28, UINT32_MAX); /* -1: the server's default */
    put32(hello + 32, UINT32_MAX);
    write_all(fd, hello, HELLO);
    if (!read_all(fd, welcome, HEADER)) die("the server closed");
    if (memcmp(welcome, "LULL", 4) != 0) die_of(fd, get32(welcome + 4));
    if (!read_all(fd, welcome + HEADER, WELCOME - HEADER)) die("the server closed");
    fprintf(stderr, "%u Hz, %u bands, hop %u, latency %u samples\n", get32(welcome + 8),
            get32(welcome + 16), get32(welcome + 12), get32(welcome + 20));
    return get32(welcome + 16);
}

/* One message from the server to standard output. False after the last one. */
static int take_message(int fd) {
    static unsigned char payload[MOST];
    unsigned char header[HEADER];
    if (!read_all(fd, header, HEADER)) die("the server closed");
    size_t size = get32(header + 4);
    if (get32(header) == END) return 0;
    if (get32(header) != SAMPLES) die_of(fd, size);
    if (size > MOST || !read_all(fd, payload, size)) die("a broken message");
    write_all(STDOUT_FILENO, payload, size);
    return 1;
}

/* One frame from standard input (0: none) becomes a message. */
static size_t make_message(unsigned char *message, size_t frame) {
    size_t have = 0;
    while (have < frame) {
        ssize_t n = read(STDIN_FILENO, message + HEADER + have, frame - have);
        if (n < 0 && errno != EINTR) die("cannot read standard input");
        if (n == 0) break;
        if (n > 0) have += (size_t)n;
    }
    if (have > 0 && have < frame) die("standard input ends inside a frame");
    put32(message, have ? FRAMES : END);
    put32(message + 4, (uint32_t)have);
    return HEADER + have;
}

int main(int argc, char **argv) {
    if (argc < 2) die("usage: serve_client SOCKET|HOST:PORT [SEED] < frames > samples");
    int fd = connect_to(argv[1]);
    size_t frame = 4 * greet(fd, argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0);
    unsigned char *message = malloc(HEADER + frame);
    if (!message) die("out of memory");
    size_t size = 0, sent = 0;
    for (int more = 1;;) {
        /* Wait for a frame, or for room for the one at hand; and always for samples. */
        int input = sent == size && more;
        struct pollfd waiting[2] = {{fd, (short)(POLLIN | (sent < size ? POLLOUT : 0)), 0},
                                    {input ? STDIN_FILENO : -1, POLLIN, 0}};
        if (poll(waiting, 2, -1) < 0) continue;
        if (waiting[0].revents & ~POLLOUT && !take_message(fd)) break;
        if (waiting[1].revents) {
            size = make_message(message, frame);
            sent = 0;
            more = size > HEADER;
        }
        if (waiting[0].revents & POLLOUT || waiting[1].revents) {
            ssize_t n = send(fd, message + sent, size - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (n > 0) sent += (size_t)n;
        }
    }
    free(message);
    close(fd);
    return 0;
}
