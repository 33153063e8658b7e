/* Where live synthesis takes its frames from. */
#include "cli/frame_source.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "mel/opening.h"

enum { ROOM = 64 }; /* frames read at a time */

static const char *const stream_name = "standard input";
static const char npy_magic[] = "\x93NUMPY";

struct frame_source {
    mel_convention convention;
    cli_input_options options;
    bool live;
    /* An array in memory: */
    float *frames;
    size_t count, at;
    /* A stream: bytes that are no whole frame yet. */
    unsigned char *bytes;
    size_t have;
    uint64_t given;
    mel_opening begun;
};

static lull_status open_stream(frame_source *s, lull_error *error) {
    size_t frame_bytes = (size_t)s->convention.bands * sizeof(float);
    s->live = true;
    s->bytes = base_alloc(ROOM, frame_bytes);
    if (!s->bytes) return base_no_memory(error);
    return mel_opening_init(&s->begun, &s->convention, error);
}

lull_status frame_source_open(const char *path, const mel_convention *convention,
                              const cli_input_options *options, frame_source **source,
                              lull_error *error) {
    frame_source *s = base_alloc(1, sizeof *s);
    if (!s) return base_no_memory(error);
    s->convention = *convention;
    s->options = *options;
    lull_status status = strcmp(path, "-") == 0 ? open_stream(s, error)
                                                : cli_read_input(path, convention, options,
                                                                 &s->frames, &s->count, error);
    if (status) {
        frame_source_free(s);
        return status;
    }
    *source = s;
    return LULL_OK;
}

bool frame_source_is_live(const frame_source *source) {
    return source->live;
}

void frame_source_free(frame_source *source) {
    if (!source) return;
    base_free(source->frames);
    base_free(source->bytes);
    mel_opening_clear(&source->begun);
    base_free(source);
}

/* Reads some bytes; *got is 0 at the end and when `stop` has something. */
static lull_status read_some(int stop, unsigned char *bytes, size_t room, size_t *got,
                             lull_error *error) {
    *got = 0;
    for (;;) {
        struct pollfd waiting[2] = {{STDIN_FILENO, POLLIN, 0}, {stop, POLLIN, 0}};
        int ready = poll(waiting, 2, -1);
        if (ready < 0 && errno != EINTR) break;
        if (ready <= 0) continue;
        if (waiting[1].revents) return LULL_OK;
        ssize_t n = read(STDIN_FILENO, bytes, room);
        if (n >= 0) {
            *got = (size_t)n;
            return LULL_OK;
        }
        if (errno != EINTR && errno != EAGAIN) break;
    }
    return base_fail(error, LULL_IO, "%s: %s", stream_name, strerror(errno));
}

static void decode(const unsigned char *bytes, size_t count, float *values) {
    for (size_t i = 0; i < count; i++) {
        const unsigned char *b = bytes + 4 * i;
        uint32_t bits =
            (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
        memcpy(&values[i], &bits, sizeof bits);
    }
}

/* A .npy array on standard input: read whole, then it is like a file. */
static lull_status turn_into_array(frame_source *s, int stop, lull_error *error) {
    unsigned char *all = NULL;
    size_t capacity = 0, size = s->have;
    npy_array array = {0};
    lull_status status = LULL_OK;
    for (size_t got = 1; status == LULL_OK && got > 0; size += got) {
        got = 0;
        if (!base_grow((void **)&all, &capacity, size + (1 << 16), 1)) {
            status = base_no_memory(error);
            break;
        }
        if (size == s->have) memcpy(all, s->bytes, s->have);
        status = read_some(stop, all + size, capacity - size, &got, error);
    }
    if (status == LULL_OK) status = npy_parse(all, size, stream_name, &array, error);
    if (status == LULL_OK)
        status = cli_arrange_array(&array, stream_name, &s->convention, &s->options, &s->frames,
                                   &s->count, error);
    npy_free(&array);
    base_free(all);
    s->live = false;
    return status;
}

/* Converts or checks frames that came in. */
static lull_status take(frame_source *s, float *frames, size_t n, lull_error *error) {
    if (s->options.from == CLI_FROM_MODEL)
        return mel_opening_check(&s->begun, frames, n, stream_name, error);
    return cli_convert_frames(&s->convention, &s->options, stream_name, frames, n, error);
}

static lull_status end_of_stream(const frame_source *s, lull_error *error) {
    size_t bands = (size_t)s->convention.bands;
    if (s->have > 0)
        return base_fail(
            error, LULL_FORMAT,
            "%s: ended inside frame %llu: %zu of its %zu bytes (%zu float32 values a frame)",
            stream_name, (unsigned long long)s->given, s->have, 4 * bands, bands);
    if (s->given == 0) return base_fail(error, LULL_FORMAT, "%s: no frames in it", stream_name);
    return LULL_OK;
}

static lull_status next_of_stream(frame_source *s, int stop, float *frames, size_t room, size_t *n,
                                  lull_error *error) {
    size_t bands = (size_t)s->convention.bands, frame_bytes = 4 * bands, got = 0;
    if (room > ROOM) room = ROOM;
    while (s->have < frame_bytes) {
        lull_status status =
            read_some(stop, s->bytes + s->have, room * frame_bytes - s->have, &got, error);
        if (status) return status;
        if (got == 0) {
            struct pollfd stopped = {stop, POLLIN, 0};
            return poll(&stopped, 1, 0) > 0 ? LULL_OK : end_of_stream(s, error);
        }
        s->have += got;
        if (s->given == 0 && s->have >= sizeof npy_magic - 1 &&
            memcmp(s->bytes, npy_magic, sizeof npy_magic - 1) == 0)
            return turn_into_array(s, stop, error);
    }
    size_t whole = s->have / frame_bytes;
    decode(s->bytes, whole * bands, frames);
    s->have -= whole * frame_bytes;
    memmove(s->bytes, s->bytes + whole * frame_bytes, s->have);
    lull_status status = take(s, frames, whole, error);
    s->given += whole;
    if (!status) *n = whole;
    return status;
}

lull_status frame_source_next(frame_source *s, int stop, float *frames, size_t room, size_t *n,
                              lull_error *error) {
    size_t bands = (size_t)s->convention.bands;
    *n = 0;
    if (s->live) {
        lull_status status = next_of_stream(s, stop, frames, room, n, error);
        if (status || s->live) return status;
    }
    struct pollfd stopped = {stop, POLLIN, 0};
    if (poll(&stopped, 1, 0) > 0) return LULL_OK;
    *n = s->count - s->at < room ? s->count - s->at : room;
    memcpy(frames, s->frames + s->at * bands, *n * bands * sizeof *frames);
    s->at += *n;
    return LULL_OK;
}
