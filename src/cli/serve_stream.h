/* One client of lull serve on its connected socket: hello, welcome, frames in, samples out. */
#ifndef CLI_SERVE_STREAM_H
#define CLI_SERVE_STREAM_H

#include "cli/reading.h"

/* What every stream is held to. Shared by all; not changed while they run. */
typedef struct serve_limits {
    const lull_model *model;    /* NULL: no network */
    const cli_reading *reading; /* of what clients send */
    const lull_model_info *info;
    lull_options options; /* what a hello's zeros and minus ones mean */
    int most_steps;       /* that a hello may ask for */
    double hello_seconds; /* for the whole hello */
    double idle_seconds;  /* without a whole message from the client; 0 = for ever */
    double send_seconds;  /* without taking a byte of what is sent */
    double most_seconds;  /* of audio in one stream; 0 = any */
    int shutdown;         /* a descriptor: readable = end all streams */
} serve_limits;

typedef struct serve_result {
    uint64_t frames, samples;
    cli_reading_seen seen; /* of the frames */
    lull_error error; /* LULL_OK when the stream ended as it should; no message: it never began */
} serve_result;

/* Serves the client until its stream ends or fails; the caller closes the socket (non-blocking mode
 * is set here). Whatever the client does, this returns, and nothing outside the stream is touched.
 */
void serve_stream(int client, const serve_limits *limits, serve_result *result);

/* Tells a client that it cannot be served; waits two seconds at most for it to have read that. */
void serve_refuse(int client, const serve_limits *limits, const lull_error *error);

#endif
