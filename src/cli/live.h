/* Live synthesis: one thread brings frames to the vocoder, another brings its samples to the sound
 * card. A producer of frames that is too fast is made to wait: the vocoder's queue and the output's
 * ring are all that is kept. */
#ifndef CLI_LIVE_H
#define CLI_LIVE_H

#include "audio/output.h"
#include "audio/tee.h"
#include "cli/frame_source.h"

typedef struct live live;

/* Starts both threads. Everything given is borrowed until live_free; tee may be NULL. `name`
 * stands in messages. */
lull_status live_start(lull_vocoder *vocoder, const cli_reading *reading, const char *name,
                       frame_source *source, audio_output *output, audio_tee *tee, live **session,
                       lull_error *error);

/* No more frames and no more samples: both threads end soon. The output is for the caller to stop.
 */
void live_stop(live *session);

/* False while everything is well; else what went wrong first. What came before it is still played.
 */
bool live_failed(live *session, lull_error *error);

typedef struct live_figures {
    double first_frame;       /* base_now() when the first frame came; 0 = not yet */
    uint64_t frames, samples; /* that were taken, and that were synthesized */
    double working;           /* seconds spent on synthesizing */
} live_figures;
void live_get_figures(live *session, live_figures *figures);

/* Stops, joins, frees. NULL is allowed. */
void live_free(live *session);

#endif
