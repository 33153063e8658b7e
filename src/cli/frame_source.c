/* Where synthesis takes its frames from. */
#include "cli/frame_source.h"

#include <poll.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "cli/standard_input.h"
#include "cli/stop.h"
#include "recording/audio_file.h"

enum { ROOM = 64, SIGNATURE = 8 }; /* frames read at a time; bytes that tell what it is */

struct frame_source {
    const cli_reading *reading;
    size_t bands;
    bool live, begun;
    /* An array in memory: */
    float *frames;
    size_t count, at;
    /* A stream: bytes that are no whole frame yet. */
    unsigned char *bytes;
    size_t have;
    uint64_t given;
    cli_reading_stream stream;
};

static lull_status open_stream(frame_source *s, lull_error *error) {
    size_t frame_bytes = s->bands * sizeof(float);
    s->live = true;
    s->bytes = base_alloc(ROOM, frame_bytes);
    if (!s->bytes) return base_no_memory(error);
    return cli_reading_stream_init(&s->stream, s->reading, error);
}

lull_status frame_source_open(const char *path, const cli_reading *reading, frame_source **source,
                              lull_error *error) {
    frame_source *s = base_alloc(1, sizeof *s);
    if (!s) return base_no_memory(error);
    s->reading = reading;
    s->bands = (size_t)reading->input.bands;
    lull_status status = strcmp(path, "-") == 0
                             ? open_stream(s, error)
                             : cli_read_input(path, reading, &s->frames, &s->count, error);
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

void frame_source_remark(const frame_source *source) {
    if (source->live) cli_reading_remark(source->reading, &source->stream.seen, cli_standard_input);
}

void frame_source_free(frame_source *source) {
    if (!source) return;
    base_free(source->frames);
    base_free(source->bytes);
    cli_reading_stream_clear(&source->stream);
    base_free(source);
}

/* Little-endian float32 to numbers, whatever the machine. */
static void decode(const unsigned char *bytes, size_t count, float *values) {
    for (size_t i = 0; i < count; i++) {
        const unsigned char *b = bytes + 4 * i;
        uint32_t bits =
            (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
        memcpy(&values[i], &bits, sizeof bits);
    }
}

/* An array or a recording on standard input: read whole, then it is like a file. */
static lull_status turn_into_array(frame_source *s, int stop, lull_error *error) {
    unsigned char *all = NULL;
    size_t size = 0;
    npy_array array = {0};
    s->live = false;
    lull_status status = cli_input_all(stop, s->bytes, s->have, &all, &size, error);
    if (status == LULL_OK && recording_file_begins(all, size)) {
        status = cli_parse_recording(all, size, s->reading, &s->frames, &s->count, error);
    } else if (status == LULL_OK) {
        status = npy_parse(all, size, cli_standard_input, &array, error);
        if (status == LULL_OK)
            status = cli_arrange_array(&array, cli_standard_input, s->reading, &s->frames,
                                       &s->count, error);
    }
    npy_free(&array);
    base_free(all);
    return status;
}

lull_status frame_source_begin(frame_source *s, int stop, lull_error *error) {
    static const char npy_magic[] = "\x93NUMPY", archive_magic[] = "PK\3\4";
    size_t got = 1;
    if (!s->live || s->begun) return LULL_OK;
    s->begun = true;
    while (s->have < SIGNATURE && got > 0) {
        lull_status status =
            cli_input_some(stop, s->bytes + s->have, SIGNATURE - s->have, &got, error);
        if (status != LULL_OK) return status;
        s->have += got;
    }
    /* As numbers that would be a tiny one and others that are none. */
    if (s->have >= 4 && memcmp(s->bytes, archive_magic, 4) == 0)
        return base_fail(error, LULL_FORMAT,
                         "%s: a .npz archive, which is read from a file only; frames, .npy arrays "
                         "and recordings come through a pipe",
                         cli_standard_input);
    bool array = s->have >= 6 && memcmp(s->bytes, npy_magic, 6) == 0;
    return array || recording_file_begins(s->bytes, s->have) ? turn_into_array(s, stop, error)
                                                             : LULL_OK;
}

/* Converts or checks frames that came in. */
static lull_status take(frame_source *s, float *frames, size_t n, lull_error *error) {
    return cli_reading_take_some(s->reading, &s->stream, cli_standard_input, frames, n, error);
}

static bool stopped(int stop) {
    struct pollfd asked = {stop, POLLIN, 0};
    return cli_stop_asked || (stop >= 0 && poll(&asked, 1, 0) > 0);
}

static lull_status end_of_stream(const frame_source *s, lull_error *error) {
    size_t bands = s->bands;
    if (s->have > 0)
        return base_fail(
            error, LULL_FORMAT,
            "%s: ended inside frame %llu: %zu of its %zu bytes (%zu float32 values a frame)",
            cli_standard_input, (unsigned long long)s->given, s->have, 4 * bands, bands);
    if (s->given == 0)
        return base_fail(error, LULL_FORMAT, "%s: no frames in it", cli_standard_input);
    return LULL_OK;
}

static lull_status next_of_stream(frame_source *s, int stop, float *frames, size_t room, size_t *n,
                                  lull_error *error) {
    size_t bands = s->bands, frame_bytes = 4 * bands, got = 0;
    if (room > ROOM) room = ROOM;
    while (s->have < frame_bytes) {
        lull_status status =
            cli_input_some(stop, s->bytes + s->have, room * frame_bytes - s->have, &got, error);
        if (status) return status;
        if (got == 0) return stopped(stop) ? LULL_OK : end_of_stream(s, error);
        s->have += got;
    }
    size_t whole = s->have / frame_bytes;
    if (whole > room)
        whole = room; /* what told that it is a stream may be more than is asked for */
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
    size_t bands = s->bands;
    *n = 0;
    lull_status status = frame_source_begin(s, stop, error);
    if (status != LULL_OK || stopped(stop)) return status;
    if (s->live) return next_of_stream(s, stop, frames, room, n, error);
    *n = s->count - s->at < room ? s->count - s->at : room;
    memcpy(frames, s->frames + s->at * bands, *n * bands * sizeof *frames);
    s->at += *n;
    return LULL_OK;
}

lull_status frame_source_all(frame_source *s, int stop, float **frames, size_t *n,
                             lull_error *error) {
    size_t bands = s->bands, capacity = 0, got = 1;
    *frames = NULL;
    *n = 0;
    lull_status status = frame_source_begin(s, stop, error);
    while (status == LULL_OK && got > 0) {
        if (!base_grow((void **)frames, &capacity, *n + ROOM, bands * sizeof **frames))
            return base_no_memory(error);
        status = frame_source_next(s, stop, *frames + *n * bands, capacity - *n, &got, error);
        *n += got;
    }
    return status;
}
