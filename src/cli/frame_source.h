/* Where synthesis takes its frames from: an array or recording, from a file or standard input, or raw
 * frames on standard input, given as they arrive. */
#ifndef CLI_FRAME_SOURCE_H
#define CLI_FRAME_SOURCE_H

#include "cli/input.h"

typedef struct frame_source frame_source;

/* path "-" is standard input: raw little-endian float32 frames as they arrive, a .npy array, or a
 * recording. The reading is borrowed. Nothing of standard input is read yet. */
lull_status frame_source_open(const char *path, const cli_reading *reading, frame_source **source,
                              lull_error *error);

/* True for standard input, until it turns out to hold an array or a recording. */
bool frame_source_is_live(const frame_source *source);

/* Waits until it is known what the source is. `stop` as in frame_source_next. */
lull_status frame_source_begin(frame_source *source, int stop, lull_error *error);

/* Waits for frames and gives up to `room` of them; *n = 0 is the end. `stop` is a descriptor, or -1:
 * once it becomes readable, waiting ends and so does the source. */
lull_status frame_source_next(frame_source *source, int stop, float *frames, size_t room, size_t *n,
                              lull_error *error);

/* All frames that are left (n × bands). *frames is the caller's, also on failure: base_free. */
lull_status frame_source_all(frame_source *source, int stop, float **frames, size_t *n,
                             lull_error *error);

/* Says what the frames of a stream were like, as is said of an array at once. */
void frame_source_remark(const frame_source *source);

void frame_source_free(frame_source *source);

#endif
