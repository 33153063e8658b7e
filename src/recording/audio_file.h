/* Recordings in (whatever libsndfile reads, any rate, channels mixed down) and WAV files out. */
#ifndef RECORDING_AUDIO_FILE_H
#define RECORDING_AUDIO_FILE_H

#include "lull.h"
#include "recording/pcm.h"

typedef struct audio_info {
    int rate, channels;
    size_t frames; /* at the file's own rate */
} audio_info;

/* Header only. */
lull_status audio_file_info(const char *path, audio_info *info, lull_error *error);

/* Reads a whole recording as mono float32 at `rate` (0 keeps the file's). *samples is freed with
 * base_free. info (may be NULL) tells what the file was, for the line that says so. Fails on files
 * with no frames and on non-finite samples. */
lull_status audio_file_read(const char *path, int rate, float **samples, size_t *count,
                            audio_info *info, lull_error *error);

/* Reads frames first … first+count-1 at the file's own rate, mixed down; what lies outside the file
 * is 0. *got (may be NULL): how many of them the file has. */
lull_status audio_file_read_part(const char *path, size_t first, size_t count, float *samples,
                                 size_t *got, lull_error *error);

/* A mono WAV file written piece by piece, atomically (see atomic_file). path "-" is stdout (a WAV
 * header of unknown length). */
typedef struct audio_writer audio_writer;
lull_status audio_writer_open(const char *path, int rate, audio_format format,
                              audio_writer **writer, lull_error *error);
lull_status audio_writer_write(audio_writer *writer, const float *samples, size_t count,
                               lull_error *error);
lull_status audio_writer_commit(audio_writer *writer,
                                lull_error *error); /* frees, also on failure */
void audio_writer_abandon(audio_writer *writer);

#endif
