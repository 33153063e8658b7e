/* What a run says to whoever started it. */
#ifndef TRAIN_VOICE_H
#define TRAIN_VOICE_H

typedef enum {
    TRAIN_LINE_PROGRESS, /* about once a second: for terminals only */
    TRAIN_LINE_EVENT,    /* evaluations, checkpoints, sizes */
    TRAIN_LINE_WARNING   /* files left out, skipped steps, failed writes */
} train_line;

typedef struct train_voice {
    void (*say)(void *context, train_line kind, const char *line); /* no newline; NULL = silence */
    void *context;
} train_voice;

__attribute__((format(printf, 3, 4))) void train_say(const train_voice *voice, train_line kind,
                                                     const char *format, ...);

#endif
