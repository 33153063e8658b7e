/* A file of what is played, written by a thread of its own, so that a slow disk does not break the
 * sound. Samples are offered when they go to the output and written when they have been played. */
#ifndef AUDIO_TEE_H
#define AUDIO_TEE_H

#include "recording/audio_file.h"

typedef struct audio_tee audio_tee;

/* Opens the file (it appears when it is complete) and starts the thread. */
lull_status audio_tee_open(const char *path, int rate, recording_format format, audio_tee **tee,
                           lull_error *error);

/* One thread offers: how many samples there is room for (half a minute when the disk keeps up), and
 * takes at most n of them. */
size_t audio_tee_room(const audio_tee *tee);
size_t audio_tee_offer(audio_tee *tee, const float *samples, size_t n);

/* One thread: the first `position` samples have been played. */
void audio_tee_played(audio_tee *tee, uint64_t position);

/* Writes what has been played, completes the file, frees. Gives the first thing that went wrong. */
lull_status audio_tee_close(audio_tee *tee, lull_error *error);

/* Frees; no file appears. NULL is allowed. */
void audio_tee_abandon(audio_tee *tee);

#endif
