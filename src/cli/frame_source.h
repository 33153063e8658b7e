/* Where live synthesis takes its frames from: an array or recording read before, or raw frames on a
 * descriptor, given as they arrive. */
#ifndef CLI_FRAME_SOURCE_H
#define CLI_FRAME_SOURCE_H

#include "cli/input.h"

typedef struct frame_source frame_source;

/* path "-" is standard input: raw little-endian float32 frames as they arrive, or a .npy array. The
 * reading is borrowed. */
lull_status frame_source_open(const char *path, const cli_reading *reading, frame_source **source,
                              lull_error *error);

/* True for raw frames that arrive. */
bool frame_source_is_live(const frame_source *source);

/* Waits for frames and gives up to `room` of them; *n = 0 is the end. `stop` is a descriptor: once
 * it becomes readable, waiting ends and so does the source. */
lull_status frame_source_next(frame_source *source, int stop, float *frames, size_t room, size_t *n,
                              lull_error *error);

void frame_source_free(frame_source *source);

#endif
