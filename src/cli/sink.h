/* Where samples go: a file that appears when it is complete, or standard output as raw samples
 * or WAV. */
#ifndef CLI_SINK_H
#define CLI_SINK_H

#include "recording/audio_file.h"

extern const char
    *const cli_format_choices[]; /* "pcm16", "pcm24", "float" in the order of recording_format */

typedef struct cli_sink cli_sink;

/* path "-" is standard output: raw little-endian samples in the format, or WAV when wav is true.
 * total: the samples that will come, 0 = not known. */
lull_status cli_sink_open(const char *path, int rate, recording_format format, bool wav,
                          size_t total, cli_sink **sink, lull_error *error);
/* Before anything is written: how much it will be, where that was not known yet. */
void cli_sink_expect(cli_sink *sink, size_t total);
/* On standard output the samples are on their way when this returns. */
lull_status cli_sink_write(cli_sink *sink, const float *samples, size_t n, lull_error *error);
lull_status cli_sink_commit(cli_sink *sink, lull_error *error); /* frees, also on failure */
void cli_sink_abandon(cli_sink *sink);                          /* NULL is allowed */

#endif
