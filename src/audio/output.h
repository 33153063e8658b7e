/* The live output: a sound card's stream that plays what one thread writes. What happens when
 * samples are late is playback.h's; the rate conversion for devices that cannot open the signal's
 * rate is here. */
#ifndef AUDIO_OUTPUT_H
#define AUDIO_OUTPUT_H

#include "audio/device.h"
#include "audio/playback.h"

typedef struct audio_output_options {
    const char *device; /* as audio_device_find takes it; NULL = the default device */
    int signal_rate;    /* of the samples that will be written, Hz */
    int rate;           /* to open the device at; 0 = the signal's, or else the device's own */
    double latency_ms;  /* of the device's buffer; 0 = what the device suggests for safe playing */
    double lead_ms;     /* that has to be there before the first sound */
    double ahead_ms;    /* length of the ring */
    double volume;
} audio_output_options;

void audio_output_options_init(audio_output_options *options, int signal_rate);

typedef struct audio_output audio_output;

/* Opens the device and starts it (silent until something is written). */
lull_status audio_output_open(const audio_output_options *options, audio_output **output,
                              lull_error *error);

/* Takes at most n samples at the signal's rate without waiting; says how many. One thread. */
lull_status audio_output_write(audio_output *output, const float *samples, size_t n, size_t *taken,
                               lull_error *error);

/* The same thread: nothing follows. False while the rate converter's last samples found no room:
 * again. */
lull_status audio_output_end(audio_output *output, bool *ended, lull_error *error);

/* Any thread: fades out what sounds. */
void audio_output_stop(audio_output *output);

typedef enum audio_output_state {
    AUDIO_OUTPUT_PLAYING, /* or waiting for samples */
    AUDIO_OUTPUT_DONE,    /* everything was played, and has left the device's buffer */
    AUDIO_OUTPUT_LOST     /* the device is gone */
} audio_output_state;

/* The thread that opened it: looks after the device. Call it some times a second. */
audio_output_state audio_output_check(audio_output *output);

/* The same thread, when it is lost: looks for the device anew and goes on where the ring stands.
 * Fails while the device is not back. */
lull_status audio_output_reopen(audio_output *output, lull_error *error);

const audio_device *audio_output_device(const audio_output *output);
int audio_output_rate(const audio_output *output); /* the device's */
double
audio_output_latency(const audio_output *output); /* of the device, seconds, as it reports it */
/* What of the signal has been handed to the device, in samples at the signal's rate. */
uint64_t audio_output_position(const audio_output *output);
/* Figures at the device's rate. */
void audio_output_figures(const audio_output *output, audio_playback_figures *figures);

/* Closes the device (at once) and frees. NULL is allowed. */
void audio_output_close(audio_output *output);

#endif
