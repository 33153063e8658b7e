/* Fuzzing: a client of lull serve that sends these bytes and closes its sending side; what the
 * server answers must be a well-formed stream of finite samples. */
#include "fuzz.h"

#include <sys/socket.h>

#include "cli/serve_protocol.h"
#include "cli/serve_stream.h"
#include "vocoder/vocoder.h"

enum { MOST = 32768, ANSWER = 1 << 20 };

static uint32_t word(const uint8_t *b) {
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

/* The protocol without a socket: what is accepted is written back as it was. */
static void round_trip(const uint8_t *data, size_t size) {
    lull_error error = {0};
    if (size >= SERVE_HELLO_SIZE) {
        serve_hello hello;
        uint8_t again[SERVE_HELLO_SIZE];
        if (serve_get_hello(data, &hello, &error) == LULL_OK) {
            serve_put_hello(&hello, again);
            expect(memcmp(again, data, sizeof again) == 0);
        }
    }
    if (size >= SERVE_HEADER_SIZE) {
        serve_message type;
        size_t length;
        if (serve_get_header(data, 8, &type, &length, &error) == LULL_OK)
            expect(type == SERVE_END ? length == 0 : length <= SERVE_MOST_FRAMES * 32);
    }
}

static void check_answer(const uint8_t *answer, size_t size, const serve_result *result) {
    const uint8_t *at = answer, *end = answer + size;
    bool last = false;
    uint64_t samples = 0;
    if (size >= 4 && memcmp(at, "LULL", 4) == 0) {
        serve_welcome welcome;
        lull_error error = {0};
        expect(size >= SERVE_WELCOME_SIZE && serve_get_welcome(at, &welcome, &error) == LULL_OK);
        at += SERVE_WELCOME_SIZE;
    }
    while (at < end) {
        expect(!last && end - at >= SERVE_HEADER_SIZE);
        uint32_t type = word(at), length = word(at + 4);
        at += SERVE_HEADER_SIZE;
        expect(type == SERVE_SAMPLES || type == SERVE_END || type == SERVE_ERROR);
        expect(length <= (size_t)(end - at));
        last = type != SERVE_SAMPLES;
        if (type == SERVE_SAMPLES) {
            expect(length % 4 == 0 && length <= 4 * SERVE_MOST_SAMPLES);
            for (uint32_t i = 0; i < length; i += 4) {
                float value;
                serve_get_floats(at + i, 1, &value);
                expect(isfinite(value) && fabsf(value) <= 1);
            }
            samples += length / 4;
        }
        if (type == SERVE_ERROR) expect(length >= 4 && length <= 4 + LULL_MESSAGE_SIZE);
        at += length;
    }
    if (!result->error.status) expect(last && samples == result->samples);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static lull_model *model;
    static int never[2];
    static uint8_t *answer;
    if (!model) {
        model = tiny_model();
        answer = malloc(ANSWER);
        expect(answer && pipe(never) == 0);
    }
    round_trip(data, size);
    if (size > MOST) size = MOST;
    int pair[2], room = ANSWER;
    expect(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    expect(send(pair[0], data, size, MSG_NOSIGNAL) == (ssize_t)size);
    shutdown(pair[0], SHUT_WR);
    lull_options options;
    lull_options_init(&options);
    options.precision = LULL_PRECISION_F32;
    options.steps = 2;
    options.refine = 1;
    options.queue_frames = 16;
    cli_reading reading;
    const cli_input_options input = {.quiet = true};
    expect(cli_reading_init(&reading, &input, &model->config.mel, &model->config.mel, NULL) ==
           LULL_OK);
    serve_limits limits = {.model = model,
                           .reading = &reading,
                           .info = lull_model_get_info(model),
                           .options = options,
                           .most_steps = 4,
                           .hello_seconds = 10,
                           .idle_seconds = 10,
                           .send_seconds = 1,
                           .most_seconds = 2,
                           .shutdown = never[0]};
    serve_result result;
    serve_stream(pair[1], &limits, &result);
    close(pair[1]);
    size_t got = 0;
    for (ssize_t n = 1; n > 0 && got < ANSWER; got += (size_t)n) {
        n = recv(pair[0], answer + got, ANSWER - got, 0);
        if (n < 0) n = 0;
    }
    close(pair[0]);
    check_answer(answer, got, &result);
    return 0;
}
