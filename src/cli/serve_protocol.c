/* The bytes of lull serve. */
#include "cli/serve_protocol.h"

#include <string.h>

#include "base/error.h"

static const unsigned char magic[4] = {'L', 'U', 'L', 'L'};

static void put16(unsigned char *b, uint32_t value) {
    b[0] = (unsigned char)value;
    b[1] = (unsigned char)(value >> 8);
}

static void put32(unsigned char *b, uint32_t value) {
    put16(b, value);
    put16(b + 2, value >> 16);
}

static uint32_t get16(const unsigned char *b) {
    return (uint32_t)b[0] | (uint32_t)b[1] << 8;
}

static uint32_t get32(const unsigned char *b) {
    return get16(b) | get16(b + 2) << 16;
}

static void put_start(unsigned char *b, uint32_t size) {
    memcpy(b, magic, sizeof magic);
    put16(b + 4, SERVE_VERSION);
    put16(b + 6, size);
}

/* Magic, version and size, which begin both the hello and the welcome. */
static lull_status get_start(const unsigned char *b, uint32_t size, const char *what,
                             lull_error *error) {
    if (memcmp(b, magic, sizeof magic) != 0)
        return base_fail(error, LULL_FORMAT,
                         "the stream does not begin with a %s: found bytes "
                         "%02x %02x %02x %02x, expected 'LULL'",
                         what, b[0], b[1], b[2], b[3]);
    if (get16(b + 4) != SERVE_VERSION)
        return base_fail(error, LULL_UNSUPPORTED, "protocol version %u; this is version %d",
                         (unsigned)get16(b + 4), SERVE_VERSION);
    if (get16(b + 6) != size)
        return base_fail(error, LULL_FORMAT, "the %s says that it has %u bytes, expected %u", what,
                         (unsigned)get16(b + 6), (unsigned)size);
    return LULL_OK;
}

void serve_put_hello(const serve_hello *hello, unsigned char b[SERVE_HELLO_SIZE]) {
    put_start(b, SERVE_HELLO_SIZE);
    put32(b + 8, hello->bands);
    put32(b + 12, hello->flags);
    put32(b + 16, (uint32_t)hello->seed);
    put32(b + 20, (uint32_t)(hello->seed >> 32));
    put32(b + 24, hello->steps);
    put32(b + 28, (uint32_t)hello->refine);
    put32(b + 32, (uint32_t)hello->refine_window);
    put32(b + 36, 0);
}

lull_status serve_get_hello(const unsigned char b[SERVE_HELLO_SIZE], serve_hello *hello,
                            lull_error *error) {
    lull_status status = get_start(b, SERVE_HELLO_SIZE, "hello", error);
    if (status) return status;
    *hello = (serve_hello){.version = SERVE_VERSION,
                           .bands = get32(b + 8),
                           .flags = get32(b + 12),
                           .seed = (uint64_t)get32(b + 20) << 32 | get32(b + 16),
                           .steps = get32(b + 24),
                           .refine = (int32_t)get32(b + 28),
                           .refine_window = (int32_t)get32(b + 32)};
    if (hello->flags & ~(uint32_t)SERVE_LOW_LATENCY)
        return base_fail(error, LULL_FORMAT, "the hello has unknown flags 0x%x",
                         (unsigned)hello->flags);
    if (get32(b + 36) != 0)
        return base_fail(error, LULL_FORMAT, "the hello's last field is %u, expected 0",
                         (unsigned)get32(b + 36));
    return LULL_OK;
}

void serve_put_welcome(const serve_welcome *welcome, unsigned char b[SERVE_WELCOME_SIZE]) {
    put_start(b, SERVE_WELCOME_SIZE);
    put32(b + 8, welcome->sample_rate);
    put32(b + 12, welcome->hop);
    put32(b + 16, welcome->bands);
    put32(b + 20, welcome->latency);
    put32(b + 24, welcome->most_frames);
    put32(b + 28, 0);
}

lull_status serve_get_welcome(const unsigned char b[SERVE_WELCOME_SIZE], serve_welcome *welcome,
                              lull_error *error) {
    lull_status status = get_start(b, SERVE_WELCOME_SIZE, "welcome", error);
    if (status) return status;
    *welcome =
        (serve_welcome){get32(b + 8), get32(b + 12), get32(b + 16), get32(b + 20), get32(b + 24)};
    return LULL_OK;
}

void serve_put_header(serve_message type, size_t size, unsigned char b[SERVE_HEADER_SIZE]) {
    put32(b, (uint32_t)type);
    put32(b + 4, (uint32_t)size);
}

lull_status serve_get_header(const unsigned char b[SERVE_HEADER_SIZE], size_t bands,
                             serve_message *type, size_t *size, lull_error *error) {
    uint32_t said = get32(b), bytes = get32(b + 4);
    size_t frame = 4 * bands;
    if (said == SERVE_END && bytes != 0)
        return base_fail(error, LULL_FORMAT, "an END message of %u bytes, expected none",
                         (unsigned)bytes);
    if (said != SERVE_END && said != SERVE_FRAMES)
        return base_fail(error, LULL_FORMAT,
                         "a message of unknown type %u, expected FRAMES (1) or END (2)",
                         (unsigned)said);
    if (said == SERVE_FRAMES && (bytes == 0 || bytes % frame != 0))
        return base_fail(error, LULL_FORMAT,
                         "a FRAMES message of %u bytes, expected a multiple of %zu "
                         "(%zu bands)",
                         (unsigned)bytes, frame, bands);
    if (bytes > SERVE_MOST_FRAMES * frame)
        return base_fail(error, LULL_FORMAT, "a FRAMES message of %zu frames, allowed are %d",
                         bytes / frame, SERVE_MOST_FRAMES);
    *type = (serve_message)said;
    *size = bytes;
    return LULL_OK;
}

size_t serve_put_error(const lull_error *error, unsigned char *b) {
    size_t n = strnlen(error->message, LULL_MESSAGE_SIZE);
    serve_put_header(SERVE_ERROR, 4 + n, b);
    put32(b + SERVE_HEADER_SIZE, (uint32_t)error->status);
    memcpy(b + SERVE_HEADER_SIZE + 4, error->message, n);
    return SERVE_HEADER_SIZE + 4 + n;
}

void serve_put_floats(const float *values, size_t n, unsigned char *b) {
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        put32(b + 4 * i, bits);
    }
}

void serve_get_floats(const unsigned char *b, size_t n, float *values) {
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = get32(b + 4 * i);
        memcpy(&values[i], &bits, sizeof bits);
    }
}
