/* The check of a stream's frames: can they be of the convention? A few frames say little, so the
 * first ones are looked at again as they become more. */
#ifndef MEL_WATCH_H
#define MEL_WATCH_H

#include "mel/convention.h"

enum { MEL_WATCH_FRAMES = 64 };

typedef struct mel_watch mel_watch;

/* The convention is copied. */
lull_status mel_watch_new(const mel_convention *convention, mel_watch **watch, lull_error *error);

/* Looks at n more frames (n × bands), of which only the first MEL_WATCH_FRAMES of a stream matter:
 * after them it costs nothing. Fails as mel_convention_check_frames does. Allocates nothing. */
lull_status mel_watch_push(mel_watch *watch, const float *frames, size_t n, const char *name,
                           lull_error *error);

/* Back to the beginning of a stream. */
void mel_watch_reset(mel_watch *watch);
void mel_watch_free(mel_watch *watch);

#endif
