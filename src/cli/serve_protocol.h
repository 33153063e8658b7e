/* The bytes of lull serve (docs/serve.md): a hello from the client, a welcome from the server, then
 * messages of an 8-byte header and a payload both ways. Everything is little-endian. Nothing here
 * does input or output. */
#ifndef CLI_SERVE_PROTOCOL_H
#define CLI_SERVE_PROTOCOL_H

#include "lull.h"

enum {
    SERVE_VERSION = 1,
    SERVE_HELLO_SIZE = 40,
    SERVE_WELCOME_SIZE = 32,
    SERVE_HEADER_SIZE = 8,
    SERVE_MOST_FRAMES = 256,  /* in one message */
    SERVE_MOST_SAMPLES = 4096 /* in one message */
};

/* Flags of the hello. */
enum { SERVE_LOW_LATENCY = 1 };

typedef enum serve_message {
    SERVE_FRAMES = 1,  /* client: n × bands float32 */
    SERVE_END = 2,     /* client: no frame follows; server: no sample follows. No payload */
    SERVE_SAMPLES = 3, /* server: float32 */
    SERVE_ERROR =
        4 /* server: a lull_status (uint32), then a line of UTF-8; the last of the stream */
} serve_message;

typedef struct serve_hello {
    int version;
    uint32_t bands; /* that the client sends; 0 = tell me */
    uint32_t flags;
    uint64_t seed;
    uint32_t steps;        /* 0 = the model's */
    int32_t refine;        /* -1 = the model's */
    int32_t refine_window; /* -1 = the model's */
} serve_hello;

typedef struct serve_welcome {
    uint32_t sample_rate, hop, bands;
    uint32_t latency;     /* samples, as lull_vocoder_latency */
    uint32_t most_frames; /* in one message */
} serve_welcome;

void serve_put_hello(const serve_hello *hello, unsigned char bytes[SERVE_HELLO_SIZE]);
/* Fails with LULL_FORMAT on another magic, size or unknown flags, LULL_UNSUPPORTED on another
 * version. */
lull_status serve_get_hello(const unsigned char bytes[SERVE_HELLO_SIZE], serve_hello *hello,
                            lull_error *error);

void serve_put_welcome(const serve_welcome *welcome, unsigned char bytes[SERVE_WELCOME_SIZE]);
lull_status serve_get_welcome(const unsigned char bytes[SERVE_WELCOME_SIZE], serve_welcome *welcome,
                              lull_error *error);

/* A message's header: its type and the bytes that follow. */
void serve_put_header(serve_message type, size_t size, unsigned char bytes[SERVE_HEADER_SIZE]);

/* Checks a header that a client sent: LULL_FORMAT for an unknown type or a wrong or excessive
 * length. */
lull_status serve_get_header(const unsigned char bytes[SERVE_HEADER_SIZE], size_t bands,
                             serve_message *type, size_t *size, lull_error *error);

/* An ERROR message with its header; gives its size (at most 8 + 4 + LULL_MESSAGE_SIZE). */
size_t serve_put_error(const lull_error *error, unsigned char *bytes);

/* float32 values to bytes and back. */
void serve_put_floats(const float *values, size_t n, unsigned char *bytes);
void serve_get_floats(const unsigned char *bytes, size_t n, float *values);

#endif
