/* A folder of recordings: found recursively, measured once, and read in pieces at the model's
 * sample rate. */
#ifndef TRAIN_CORPUS_H
#define TRAIN_CORPUS_H

#include <signal.h>

#include "base/thread_pool.h"

/* An acoustic model's mel of a recording, in the frames of the recording's own analysis (pairs.h). */
typedef struct train_pair {
    float *mel;    /* frames × bands */
    int64_t first; /* frame of the recording that the mel's first one is: the offset */
    size_t frames;
} train_pair;

typedef struct train_recording {
    char *path;       /* to open it */
    char *name;       /* relative to the corpus folder, with '/' */
    int rate;         /* the file's own */
    size_t frames;    /* at its own rate */
    size_t samples;   /* at the corpus's rate */
    double level;     /* dB below full scale: root mean square of the windows that are not silent */
    double silence;   /* fraction of windows of 20 ms that are 40 dB or more below the loudest */
    bool resident;    /* kept in memory after its first use: decided by order and budget alone */
    float *audio;     /* whole recording at the corpus's rate, or NULL */
    train_pair *pair; /* an acoustic model's mel of it, or NULL */
} train_recording;

typedef struct train_corpus {
    train_recording *recordings; /* sorted by name */
    size_t count;
    size_t *first_sample; /* count + 1: running sum of samples */
    int rate;
    size_t found, left_out; /* files looked at, and those not used */
    size_t resident_samples;
} train_corpus;

/* Which part of a folder: all of it, or one side of the split by file name. */
typedef enum { TRAIN_SIDE_ALL, TRAIN_SIDE_TRAIN, TRAIN_SIDE_VALID } train_side;

typedef struct train_corpus_options {
    int rate;             /* samples are counted and read at this rate */
    size_t least_samples; /* shorter recordings are left out */
    train_side side;
    double valid_share;     /* of files on the validation side: train_name_share(name) below it */
    size_t cache_bytes;     /* for resident recordings */
    const char *index_path; /* measurements kept there between runs; NULL = none */
    /* Told about every file that is left out and why (one line), and how far the measuring is.
     * Either may be NULL. */
    void (*left_out)(void *context, const char *line);
    void (*progress)(void *context, size_t done, size_t total);
    void *context;
    /* Not NULL and set: the measuring ends with LULL_FINISHED; the index keeps what was measured.
     */
    const volatile sig_atomic_t *stop;
    const char *const *files; /* in place of what the folder has: file_count paths; or NULL */
    size_t file_count;
} train_corpus_options;

/* Place of a file in [0, 1) by its base name alone (FNV-1a of 64 bits, mixed), so that a file stays
 * on its side of the split when others come and go, and so do the same sentence's other versions of
 * that name. */
double train_name_share(const char *name);

/* Fails when nothing usable is found. */
lull_status train_corpus_open(const char *folder, const train_corpus_options *options,
                              thread_pool *pool, train_corpus **corpus, lull_error *error);
void train_corpus_free(train_corpus *corpus);
/* What a recording owns. */
void train_recording_free(train_recording *recording);

/* Samples first … first+count-1 of a recording at the corpus's rate; what lies outside it is 0. One
 * thread at a time. The result is a function of the recording and the range, never of what was read
 * before. */
lull_status train_corpus_read(train_corpus *corpus, size_t recording, int64_t first, size_t count,
                              float *out, lull_error *error);

#endif
