/* A sound card that is not there: PortAudio's functions, as far as src/audio calls them, with a
 * thread that asks for samples as fast as it gets them. For programs that run lull play without a
 * card, a sound server or PortAudio's own memory. */
#include <portaudio.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

enum { BUFFER = 256, MOST_CHANNELS = 2 };

static const PaDeviceInfo device = {.structVersion = 2,
                                    .name = "card",
                                    .maxOutputChannels = MOST_CHANNELS,
                                    .defaultLowOutputLatency = 0.01,
                                    .defaultHighOutputLatency = 0.02,
                                    .defaultSampleRate = 48000};
static const PaHostApiInfo interface = {.structVersion = 1, .name = "test", .deviceCount = 1};

/* The one stream. */
static struct card {
    PaStreamCallback *callback;
    void *user;
    PaStreamInfo info;
    pthread_t thread;
    bool open, runs;
    atomic_bool stops;
} card;

static void *play(void *unused) {
    static float samples[BUFFER * MOST_CHANNELS];
    while (!atomic_load(&card.stops)) {
        card.callback(NULL, samples, BUFFER, NULL, 0, card.user);
        nanosleep(&(struct timespec){0, 100000}, NULL);
    }
    return unused;
}

PaError Pa_Initialize(void) {
    return paNoError;
}

PaError Pa_Terminate(void) {
    return paNoError;
}

const char *Pa_GetErrorText(PaError code) {
    return code == paNoError ? "no error" : "an error of the card";
}

PaDeviceIndex Pa_GetDeviceCount(void) {
    return 1;
}

PaDeviceIndex Pa_GetDefaultOutputDevice(void) {
    return 0;
}

const PaDeviceInfo *Pa_GetDeviceInfo(PaDeviceIndex number) {
    return number == 0 ? &device : NULL;
}

const PaHostApiInfo *Pa_GetHostApiInfo(PaHostApiIndex number) {
    return number == 0 ? &interface : NULL;
}

PaError Pa_IsFormatSupported(const PaStreamParameters *in, const PaStreamParameters *out,
                             double rate) {
    (void)in, (void)out, (void)rate;
    return paFormatIsSupported;
}

PaError Pa_OpenStream(PaStream **stream, const PaStreamParameters *in,
                      const PaStreamParameters *out, double rate, unsigned long frames,
                      PaStreamFlags flags, PaStreamCallback *callback, void *user) {
    (void)in, (void)frames, (void)flags;
    if (card.open || out->channelCount > MOST_CHANNELS) return paInvalidChannelCount;
    memset(&card, 0, sizeof card);
    card.callback = callback;
    card.user = user;
    card.info = (PaStreamInfo){1, 0, device.defaultLowOutputLatency, rate};
    card.open = true;
    *stream = &card;
    return paNoError;
}

const PaStreamInfo *Pa_GetStreamInfo(PaStream *stream) {
    return &((struct card *)stream)->info;
}

PaError Pa_StartStream(PaStream *stream) {
    (void)stream;
    card.runs = pthread_create(&card.thread, NULL, play, NULL) == 0;
    return card.runs ? paNoError : paInsufficientMemory;
}

PaError Pa_IsStreamActive(PaStream *stream) {
    (void)stream;
    return card.runs;
}

PaError Pa_AbortStream(PaStream *stream) {
    (void)stream;
    atomic_store(&card.stops, true);
    if (card.runs) pthread_join(card.thread, NULL);
    card.runs = false;
    return paNoError;
}

PaError Pa_CloseStream(PaStream *stream) {
    (void)stream;
    card.open = false;
    return paNoError;
}
