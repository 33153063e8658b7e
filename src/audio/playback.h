/* What the sound card's callback plays: samples out of a ring, and what happens when the ring runs
 * dry. No sound card in here.
 *
 * When samples are late the output holds its place. The last few milliseconds in the ring are
 * always kept back; when nothing follows them they are played fading out, silence follows, and once
 * enough has gathered again the same samples are played fading in, then the rest. The two fades add
 * up to one, so nothing is skipped and nothing is lost. Every gap is counted, and each raises what
 * has to gather before the next start, so that a producer that is always a little late does not
 * stutter.
 *
 * One thread writes and ends, one renders; stopping and the figures are for any thread. Rendering
 * allocates nothing, locks nothing and prints nothing. */
#ifndef AUDIO_PLAYBACK_H
#define AUDIO_PLAYBACK_H

#include "lull.h"

typedef struct audio_playback audio_playback;

typedef struct audio_playback_options {
    int rate;            /* Hz */
    double capacity_ms;  /* of the ring */
    double lead_ms;      /* what has to be there before the first sample is played */
    double gap_fade_ms;  /* length of the fades around a gap; also kept back in the ring */
    double stop_fade_ms; /* length of the fade of audio_playback_stop */
    double volume;       /* factor; 1 leaves every sample as it is */
} audio_playback_options;

/* 1000 ms ring, 20 ms lead, fades of 5 and 30 ms, volume 1. */
void audio_playback_options_init(audio_playback_options *options, int rate);

lull_status audio_playback_new(const audio_playback_options *options, audio_playback **p,
                               lull_error *error);
void audio_playback_free(audio_playback *p);

/* Producer: takes at most n samples, gives how many; says that none follow. */
size_t audio_playback_write(audio_playback *p, const float *samples, size_t n);
void audio_playback_end(audio_playback *p);

/* Consumer: fills all n samples. False once the last sample has been played (or faded out): what it
 * filled after that is silence. */
bool audio_playback_render(audio_playback *p, float *out, size_t n);

/* Any thread: fades out what sounds now and is done. */
void audio_playback_stop(audio_playback *p);

/* Any thread. A device reports its own late buffers through audio_playback_device_late. */
typedef struct audio_playback_figures {
    uint64_t played;      /* samples of the signal that were played */
    uint64_t silent;      /* samples of silence between them */
    uint64_t gaps;        /* how often synthesis was late */
    uint64_t device_late; /* how often the device says that it was served late */
    double slack; /* least that was left before a gap while playing, seconds; < 0 = not yet known */
    double first_sample; /* base_now() of the callback that played the first sample; 0 = not yet */
    size_t ahead;        /* samples in the ring */
    bool waiting, done;
} audio_playback_figures;
void audio_playback_get_figures(const audio_playback *p, audio_playback_figures *figures);
void audio_playback_device_late(audio_playback *p);

#endif
