/* One client of lull serve. A single loop that never waits in a read or write: it synthesizes what
 * it can, sends what the client takes, reads when there is room, and polls when none of these goes
 * on. */
#include "cli/serve_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/clock.h"
#include "cli/convention_options.h"
#include "cli/serve_protocol.h"
#include "model/model.h"

static const double LINGER = 2.0; /* seconds for an error message to reach the client */

/* What a client may ask of the mel consistency. */
enum { MOST_REFINE = 64 };

enum { OUT_SIZE = SERVE_HEADER_SIZE + 4 * SERVE_MOST_SAMPLES };

typedef struct stream {
    int client;
    const serve_limits *limits;
    const lull_model_info *info;
    lull_vocoder *vocoder; /* NULL until the hello is there */
    cli_reading_stream stream;
    /* In: the hello, a header or a payload, whose `wanted` bytes come to `in`. */
    unsigned char *in;
    size_t have, wanted;
    bool in_payload, finished;
    float *frames; /* of the last message; those from `frames_at` on wait for room in the vocoder */
    size_t frame_count, frames_at;
    double asked; /* when we began to wait for what comes in */
    /* Out: a message, sent up to `sent`. */
    unsigned char *out;
    float *samples;
    size_t out_size, sent;
    bool ended;    /* the END message is in `out` or sent */
    double filled; /* when `out` was */
    serve_result *result;
} stream;

/* ---- in ------------------------------------------------------------------------------------- */

static lull_status make_vocoder(stream *s, const serve_hello *hello, lull_error *error) {
    lull_options options = s->limits->options;
    if (hello->bands != 0 && hello->bands != (uint32_t)s->info->bands)
        return base_fail(error, LULL_MISMATCH,
                         "the client has frames of %u bands, model %s wants %d",
                         (unsigned)hello->bands, s->info->name, s->info->bands);
    if (hello->steps > (uint32_t)s->limits->most_steps)
        return base_fail(error, LULL_INVALID, "%u steps asked for, this server allows %d",
                         (unsigned)hello->steps, s->limits->most_steps);
    if (hello->refine > MOST_REFINE || hello->refine_window > MOST_REFINE)
        return base_fail(error, LULL_INVALID,
                         "refinement by %d iterations in %d frames asked for, this "
                         "server allows %d of both",
                         (int)hello->refine, (int)hello->refine_window, MOST_REFINE);
    options.seed = hello->seed;
    if (hello->flags & SERVE_LOW_LATENCY) options.use = LULL_LOW_LATENCY;
    if (hello->steps != 0) options.steps = (int)hello->steps;
    if (hello->refine != -1) options.refine = hello->refine;
    if (hello->refine_window != -1) options.refine_window = hello->refine_window;
    return cli_new_vocoder(s->limits->model, &s->limits->reading->target, &options, &s->vocoder,
                           error);
}

static lull_status take_hello(stream *s, lull_error *error) {
    serve_hello hello;
    lull_status status = serve_get_hello(s->in, &hello, error);
    if (!status) status = make_vocoder(s, &hello, error);
    if (status) return status;
    serve_welcome welcome = {(uint32_t)s->info->sample_rate, (uint32_t)s->info->hop,
                             (uint32_t)s->info->bands, (uint32_t)lull_vocoder_latency(s->vocoder),
                             SERVE_MOST_FRAMES};
    serve_put_welcome(&welcome, s->out);
    s->out_size = SERVE_WELCOME_SIZE;
    s->filled = base_now();
    s->wanted = SERVE_HEADER_SIZE;
    return LULL_OK;
}

static lull_status finish(stream *s, lull_error *error) {
    s->finished = true;
    lull_status status = lull_vocoder_finish(s->vocoder);
    return status ? base_fail(error, status, "%s", lull_strerror(status)) : LULL_OK;
}

static lull_status take_header(stream *s, lull_error *error) {
    serve_message type;
    size_t size;
    lull_status status = serve_get_header(s->in, (size_t)s->info->bands, &type, &size, error);
    if (status) return status;
    if (type == SERVE_END) return finish(s, error);
    s->in_payload = true;
    s->wanted = size;
    return LULL_OK;
}

static lull_status take_frames(stream *s, lull_error *error) {
    size_t bands = (size_t)s->info->bands, n = s->wanted / (4 * bands);
    double most = s->limits->most_seconds;
    s->result->frames += n;
    if (most > 0 && (double)s->result->frames * s->info->hop / s->info->sample_rate > most)
        return base_fail(error, LULL_UNSUPPORTED,
                         "the stream is longer than this server's %.0f seconds", most);
    serve_get_floats(s->in, n * bands, s->frames);
    s->frame_count = n;
    s->frames_at = 0;
    s->in_payload = false;
    s->wanted = SERVE_HEADER_SIZE;
    return cli_reading_take_some(s->limits->reading, &s->stream, "the stream", s->frames, n, error);
}

/* What `in` holds is complete. */
static lull_status take_input(stream *s, lull_error *error) {
    bool payload = s->in_payload;
    s->have = 0;
    lull_status status = !s->vocoder ? take_hello(s, error)
                         : payload   ? take_frames(s, error)
                                     : take_header(s, error);
    if (payload || s->finished || s->out_size > 0) s->asked = base_now();
    return status;
}

static bool wants_input(const stream *s) {
    return !s->finished && s->frames_at == s->frame_count;
}

static lull_status end_of_input(stream *s, lull_error *error) {
    if (!s->vocoder && s->have == 0) return base_fail(error, LULL_FINISHED, "%s", "");
    if (!s->vocoder || s->have > 0 || s->in_payload)
        return base_fail(error, LULL_FORMAT, "the client went away inside a %s",
                         !s->vocoder ? "hello" : "message");
    return finish(s, error); /* closing the sending side means END */
}

static lull_status receive(stream *s, bool *moved, lull_error *error) {
    ssize_t n = recv(s->client, s->in + s->have, s->wanted - s->have, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return LULL_OK;
    if (n < 0) return base_fail(error, LULL_IO, "the client is gone: %s", strerror(errno));
    *moved = true;
    if (n == 0) return end_of_input(s, error);
    s->have += (size_t)n;
    return s->have == s->wanted ? take_input(s, error) : LULL_OK;
}

static lull_status push(stream *s, bool *moved, lull_error *error) {
    size_t accepted = 0, bands = (size_t)s->info->bands;
    lull_status status = lull_vocoder_push(s->vocoder, s->frames + s->frames_at * bands,
                                           s->frame_count - s->frames_at, &accepted, error);
    s->frames_at += accepted;
    if (accepted > 0) *moved = true;
    if (s->frames_at == s->frame_count) s->asked = base_now();
    return status;
}

/* ---- out ------------------------------------------------------------------------------------ */

static lull_status fill(stream *s, lull_error *error) {
    size_t n = 0;
    lull_status status = lull_vocoder_pull(s->vocoder, s->samples, SERVE_MOST_SAMPLES, &n, error);
    if (status) return status;
    if (n > 0) {
        serve_put_header(SERVE_SAMPLES, 4 * n, s->out);
        serve_put_floats(s->samples, n, s->out + SERVE_HEADER_SIZE);
        s->out_size = SERVE_HEADER_SIZE + 4 * n;
        s->result->samples += n;
        status =
            cli_reading_check_limited(s->limits->reading, "the stream",
                                      lull_vocoder_limited(s->vocoder), s->result->samples, error);
    } else if (s->finished && lull_vocoder_ended(s->vocoder)) {
        serve_put_header(SERVE_END, 0, s->out);
        s->out_size = SERVE_HEADER_SIZE;
        s->ended = true;
    }
    s->filled = base_now();
    return status;
}

static lull_status transmit(stream *s, bool *moved, lull_error *error) {
    ssize_t n =
        send(s->client, s->out + s->sent, s->out_size - s->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return LULL_OK;
    if (n < 0) return base_fail(error, LULL_IO, "the client is gone: %s", strerror(errno));
    *moved = true;
    s->sent += (size_t)n;
    if (s->sent < s->out_size) return LULL_OK;
    s->sent = s->out_size = 0;
    s->asked = base_now(); /* while it was taking samples it need not have sent */
    return LULL_OK;
}

/* ---- the loop ------------------------------------------------------------------------------- */

/* When patience ends, and with which words. */
static double deadline(const stream *s, lull_error *error) {
    const serve_limits *limits = s->limits;
    if (s->out_size > 0) {
        base_fail(error, LULL_IO, "the client took nothing for %.0f seconds", limits->send_seconds);
        return s->filled + limits->send_seconds;
    }
    if (!s->vocoder) {
        base_fail(error, LULL_IO, "no hello within %.0f seconds", limits->hello_seconds);
        return s->asked + limits->hello_seconds;
    }
    if (!wants_input(s) || limits->idle_seconds <= 0) return INFINITY;
    base_fail(error, LULL_IO, "no whole message for %.0f seconds", limits->idle_seconds);
    return s->asked + limits->idle_seconds;
}

/* Waits until something can go on, or looks without waiting. */
static lull_status wait_for(stream *s, bool look, lull_error *error) {
    lull_error late = {LULL_OK, ""};
    double left = deadline(s, &late) - base_now();
    struct pollfd waiting[2] = {{s->client, 0, 0}, {s->limits->shutdown, POLLIN, 0}};
    if (wants_input(s)) waiting[0].events |= POLLIN;
    if (s->out_size > 0) waiting[0].events |= POLLOUT;
    if (left <= 0) {
        if (error) *error = late;
        return late.status;
    }
    int ms = look ? 0 : left > 3600 ? -1 : (int)(left * 1000) + 1;
    if (poll(waiting, 2, ms) < 0 && errno != EINTR)
        return base_fail(error, LULL_IO, "poll: %s", strerror(errno));
    if (waiting[1].revents) return base_fail(error, LULL_FINISHED, "the server is shutting down");
    if (waiting[0].revents & (POLLERR | POLLHUP | POLLNVAL) && !wants_input(s) && s->out_size == 0)
        return base_fail(error, LULL_IO, "the client is gone");
    return LULL_OK;
}

static lull_status run(stream *s, lull_error *error) {
    bool moved = true;
    for (;;) {
        lull_status status = wait_for(s, moved, error);
        moved = false;
        if (!status && s->vocoder && s->frames_at < s->frame_count) status = push(s, &moved, error);
        if (!status && s->vocoder && s->out_size == 0 && !s->ended) status = fill(s, error);
        if (!status && s->out_size > 0) status = transmit(s, &moved, error);
        if (status) return status;
        if (s->ended && s->out_size == 0) return LULL_OK;
        if (wants_input(s)) status = receive(s, &moved, error);
        if (status) return status;
    }
}

/* ---- the end -------------------------------------------------------------------------------- */

/* Closing a socket with unread bytes in it would take the message away from the client: reads for a
 * while. */
static void linger(int client, int shutdown_descriptor) {
    unsigned char nothing[4096];
    double until = base_now() + LINGER;
    shutdown(client, SHUT_WR);
    for (double left = LINGER; left > 0; left = until - base_now()) {
        struct pollfd waiting[2] = {{client, POLLIN, 0}, {shutdown_descriptor, POLLIN, 0}};
        int ready = poll(waiting, 2, (int)(left * 1000) + 1);
        if ((ready < 0 && errno != EINTR) || waiting[1].revents) return;
        if (ready <= 0) continue;
        ssize_t n = recv(client, nothing, sizeof nothing, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return;
    }
}

void serve_refuse(int client, const serve_limits *limits, const lull_error *error) {
    unsigned char bytes[SERVE_HEADER_SIZE + 4 + LULL_MESSAGE_SIZE];
    size_t size = serve_put_error(error, bytes);
    if (send(client, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size)
        linger(client, limits->shutdown);
}

static lull_status prepare(stream *s, lull_error *error) {
    size_t frame = (size_t)s->info->bands * sizeof(float);
    s->in = base_alloc(SERVE_MOST_FRAMES, frame > SERVE_HELLO_SIZE ? frame : SERVE_HELLO_SIZE);
    s->frames = base_alloc(SERVE_MOST_FRAMES, frame);
    s->out = base_alloc(OUT_SIZE, 1);
    s->samples = base_alloc(SERVE_MOST_SAMPLES, sizeof(float));
    if (!s->in || !s->frames || !s->out || !s->samples) return base_no_memory(error);
    return cli_reading_stream_init(&s->stream, s->limits->reading, error);
}

void serve_stream(int client, const serve_limits *limits, serve_result *result) {
    stream s = {.client = client,
                .limits = limits,
                .info = limits->info,
                .wanted = SERVE_HELLO_SIZE,
                .asked = base_now(),
                .result = result};
    lull_error *error = &result->error;
    *result = (serve_result){.error = {LULL_OK, ""}};
    if (prepare(&s, error) == LULL_OK) run(&s, error);
    /* Behind a message that was sent in part, another could not be told apart from its payload. */
    if (error->status && s.sent == 0) serve_refuse(client, limits, error);
    lull_vocoder_free(s.vocoder);
    result->seen = s.stream.seen;
    cli_reading_stream_clear(&s.stream);
    base_free(s.in);
    base_free(s.frames);
    base_free(s.out);
    base_free(s.samples);
}
