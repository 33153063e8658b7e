/* Where samples go. */
#include "cli/sink.h"

#include "base/error.h"
#include "base/memory.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 1024 };

struct cli_sink {
    recording_writer *writer; /* NULL: raw samples */
    recording_format format;
    unsigned char bytes[BLOCK * 4];
};

const char *const cli_format_choices[] = {"pcm16", "pcm24", "float", NULL};

lull_status cli_sink_open(const char *path, int rate, recording_format format, bool wav,
                          size_t total, cli_sink **sink, lull_error *error) {
    cli_sink *made = base_alloc(1, sizeof *made);
    if (made == NULL) return base_no_memory(error);
    made->format = format;
    if (wav || strcmp(path, "-") != 0) {
        lull_status status = recording_writer_open(path, rate, format, &made->writer, error);
        if (status != LULL_OK) {
            base_free(made);
            return status;
        }
    }
    if (total > 0) cli_sink_expect(made, total);
    *sink = made;
    return LULL_OK;
}

void cli_sink_expect(cli_sink *sink, size_t total) {
    if (sink->writer != NULL) recording_writer_expect(sink->writer, total);
}

static lull_status write_bytes(const unsigned char *bytes, size_t size, lull_error *error) {
    while (size > 0) {
        ssize_t written = write(STDOUT_FILENO, bytes, size);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0)
            return base_fail(error, LULL_IO, "cannot write to standard output: %s",
                             strerror(written < 0 ? errno : ENOSPC));
        bytes += written;
        size -= (size_t)written;
    }
    return LULL_OK;
}

lull_status cli_sink_write(cli_sink *sink, const float *samples, size_t n, lull_error *error) {
    if (sink->writer != NULL) return recording_writer_write(sink->writer, samples, n, error);
    while (n > 0) {
        size_t count = n < BLOCK ? n : BLOCK;
        recording_pcm_encode(sink->format, samples, count, sink->bytes);
        lull_status status =
            write_bytes(sink->bytes, count * recording_pcm_bytes(sink->format), error);
        if (status != LULL_OK) return status;
        samples += count;
        n -= count;
    }
    return LULL_OK;
}

lull_status cli_sink_commit(cli_sink *sink, lull_error *error) {
    lull_status status = LULL_OK;
    if (sink->writer != NULL) status = recording_writer_commit(sink->writer, error);
    base_free(sink);
    return status;
}

void cli_sink_abandon(cli_sink *sink) {
    if (sink == NULL) return;
    if (sink->writer != NULL) recording_writer_abandon(sink->writer);
    base_free(sink);
}
