/* PortAudio's start and end, and the devices that it finds. */
#ifndef AUDIO_DEVICE_H
#define AUDIO_DEVICE_H

#include "lull.h"

/* PortAudio may be begun several times; each begin wants its end. While it looks for devices, ALSA
 * and JACK talk on stderr: that is kept from the user. */
lull_status audio_begin(lull_error *error);
void audio_end(void);

enum { AUDIO_NAME_SIZE = 128, AUDIO_MAX_RATES = 8 };

/* An output device. */
typedef struct audio_device {
    int number; /* PortAudio's index */
    char name[AUDIO_NAME_SIZE];
    char interface[AUDIO_NAME_SIZE]; /* "ALSA", "JACK Audio Connection Kit" */
    int channels;
    int default_rate;
    int rates[AUDIO_MAX_RATES]; /* of the usual ones, those that it opens; filled by
                                   audio_device_rates */
    int rate_count;
    double low_latency, high_latency; /* seconds */
    bool is_default;
} audio_device;

/* Between begin and end. Lists the output devices into devices (at most `room`); gives how many
 * there are. */
size_t audio_device_list(audio_device *devices, size_t room);

/* Tries which of the usual rates the device opens. */
void audio_device_rates(audio_device *device);

/* The device that `wanted` means: NULL the default one; a number; a whole name; "INTERFACE:NAME";
 * else a part of one device's name (case does not matter). Errors (LULL_IO) say what there is. */
lull_status audio_device_find(const char *wanted, audio_device *device, lull_error *error);

/* Silences what sound libraries print from here to the matching call with false: for calls into
 * PortAudio that open devices. Not for several threads at once. */
void audio_hush(bool on);

#endif
