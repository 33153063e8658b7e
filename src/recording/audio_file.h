/* Recordings in (whatever libsndfile reads, any rate, channels mixed down) and out. */
#ifndef RECORDING_AUDIO_FILE_H
#define RECORDING_AUDIO_FILE_H

#include "lull.h"
#include "recording/pcm.h"

typedef struct recording_info {
    int rate, channels;
    size_t frames;  /* at the file's own rate */
    bool truncated; /* the header promises more than there is */
} recording_info;

/* Header only. */
lull_status recording_file_info(const char *path, recording_info *info, lull_error *error);

/* Reads a whole recording as mono float32 at `rate` (0 keeps the file's). *samples is freed with
 * base_free. info (may be NULL) tells what the file was, for the line that says so. Fails on files
 * with no frames and on non-finite samples. */
lull_status recording_file_read(const char *path, int rate, float **samples, size_t *count,
                                recording_info *info, lull_error *error);

/* Reads frames first … first+count-1 at the file's own rate, mixed down; what lies outside the file
 * is 0. *got (may be NULL): how many of them the file has. */
lull_status recording_file_read_part(const char *path, size_t first, size_t count, float *samples,
                                     size_t *got, lull_error *error);

/* The same from memory; `name` stands in messages. */
lull_status recording_file_parse(const void *bytes, size_t size, const char *name, int rate,
                                 float **samples, size_t *count, recording_info *info,
                                 lull_error *error);

/* Do these first bytes (8 are enough) begin a recording? No mel does. */
bool recording_file_begins(const void *bytes, size_t size);

/* Does the file say that lull wrote it? */
bool recording_file_is_ours(const char *path);

/* A mono recording written piece by piece, atomically (see atomic_file): WAV, or what the name ends
 * in: .flac, .ogg, .opus, .mp3. path "-" is stdout, always WAV. Files say that lull wrote them, and
 * how long they are, beyond 4 GiB as RF64; on a pipe the header says so when the length was
 * expected, else that it is unknown. */
typedef struct recording_writer recording_writer;
lull_status recording_writer_open(const char *path, int rate, recording_format format,
                                  recording_writer **writer, lull_error *error);
/* Before anything is written: how much it will be. */
void recording_writer_expect(recording_writer *writer, uint64_t samples);
/* Can a name be written? LULL_INVALID when it promises what is not written here. *lossy (may be
 * NULL): its format keeps no exact samples. */
lull_status recording_writer_check(const char *path, bool *lossy, lull_error *error);
/* For tests only: files longer than this become RF64; 0 = what 32 bits can say. */
void recording_writer_limit(uint64_t bytes);
lull_status recording_writer_write(recording_writer *writer, const float *samples, size_t count,
                                   lull_error *error);
lull_status recording_writer_commit(recording_writer *writer,
                                    lull_error *error); /* frees, also on failure */
void recording_writer_abandon(recording_writer *writer);

#endif
