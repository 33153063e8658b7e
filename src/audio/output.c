/* The live output through PortAudio. The callback renders from the playback object: it allocates
 * nothing, locks nothing and prints nothing. */
#include "audio/output.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <portaudio.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/clock.h"
#include "recording/resample.h"

enum { CONVERT_BLOCK = 1024, CONVERT_ROOM = 16384 };

/* A device whose callback has not come for this long is taken for lost, in seconds of our own
 * running time: one look counts for at most LOOK, so that being stopped or suspended is no loss. */
static const double PATIENCE = 4.0, LOOK = 0.5;

/* What is believed of a device's latency, and what is taken where it cannot be believed, seconds.
 */
static const double MOST_LATENCY = 5.0, USUAL_LATENCY = 0.05;

/* Silence before anything else, beside the device's latency, seconds. */
static const double SETTLE = 0.02;

struct audio_output {
    audio_output_options options;
    audio_device device;
    char wanted[2 * AUDIO_NAME_SIZE + 2]; /* how to find the device again; "" = the default one */
    int rate, channels;
    double latency;
    bool begun; /* PortAudio is, for us */
    PaStream *stream;
    audio_playback *playback;
    recording_resampler *resampler; /* NULL when the rates are equal */
    float *converted;               /* what the converter gave and the ring has not taken: */
    size_t converted_at, converted_end;
    bool flushed;
    /* Of the callback: */
    bool precedence; /* has been taken */
    size_t settling; /* samples of silence still to come before anything else */
    size_t silence,
        silence_wanted; /* samples of silence after the end, and how many leave the device empty */
    atomic_bool drained;
    atomic_uint beats;
    /* Of audio_output_check: */
    unsigned last_beats;
    double last_look, waited;
};

void audio_output_options_init(audio_output_options *options, int signal_rate) {
    *options = (audio_output_options){
        .signal_rate = signal_rate, .lead_ms = 20.0, .ahead_ms = 1000.0, .volume = 1.0};
}

/* The signal waits until the device's buffer has passed once: sound servers settle a new stream's
 * clock meanwhile, and what is in it then may be dropped. */
static bool render(audio_output *o, float *samples, size_t n) {
    size_t silent = o->settling < n ? o->settling : n;
    memset(samples, 0, silent * sizeof *samples);
    o->settling -= silent;
    return silent == n || audio_playback_render(o->playback, samples + silent, n - silent);
}

/* Once a stream, from its own thread: before the busy programs of the machine, where the system
 * allows it (one system call; JACK sees to its threads itself). */
static void take_precedence(audio_output *o) {
    struct sched_param parameters = {.sched_priority = sched_get_priority_min(SCHED_RR) + 4};
    if (!o->precedence) pthread_setschedparam(pthread_self(), SCHED_RR, &parameters);
    o->precedence = true;
}

static int callback(const void *in, void *out, unsigned long frames,
                    const PaStreamCallbackTimeInfo *time, PaStreamCallbackFlags flags, void *user) {
    (void)in, (void)time;
    audio_output *o = user;
    float *samples = out;
    take_precedence(o);
    bool going = render(o, samples, frames);
    for (size_t i = frames; o->channels > 1 && i-- > 0;)
        for (int c = 0; c < o->channels; c++)
            samples[i * (size_t)o->channels + (size_t)c] = samples[i];
    if (flags & paOutputUnderflow) audio_playback_device_late(o->playback);
    if (!going) {
        o->silence += frames;
        if (o->silence >= o->silence_wanted)
            atomic_store_explicit(&o->drained, true, memory_order_release);
    }
    atomic_fetch_add_explicit(&o->beats, 1, memory_order_relaxed);
    return paContinue;
}

static PaError try_open(audio_output *o, int rate, int channels) {
    PaStreamParameters parameters = {.device = o->device.number,
                                     .channelCount = channels,
                                     .sampleFormat = paFloat32,
                                     .suggestedLatency = o->options.latency_ms > 0
                                                             ? o->options.latency_ms / 1000.0
                                                             : o->device.high_latency};
    PaError code = Pa_OpenStream(&o->stream, NULL, &parameters, rate, paFramesPerBufferUnspecified,
                                 paClipOff | paDitherOff, callback, o);
    if (code != paNoError) {
        o->stream = NULL;
        return code;
    }
    o->rate = rate;
    o->channels = channels;
    return paNoError;
}

/* One channel where the device takes it; JACK would send that to the left loudspeaker alone. */
static PaError try_channels(audio_output *o, int rate) {
    bool jack = strncmp(o->device.interface, "JACK", 4) == 0;
    int first = jack && o->device.channels >= 2 ? 2 : 1, second = first == 1 ? 2 : 1;
    PaError code = try_open(o, rate, first);
    if (code != paNoError && o->device.channels >= second) code = try_open(o, rate, second);
    return code;
}

/* Opens the stream at `rate`, or where that is 0 at the best rate. */
static lull_status open_stream(audio_output *o, int rate, lull_error *error) {
    int rates[] = {o->options.signal_rate, o->device.default_rate, 48000, 44100};
    size_t count = sizeof rates / sizeof *rates;
    if (rate) rates[0] = rate, count = 1;
    PaError code = paInvalidSampleRate;
    audio_hush(true);
    for (size_t i = 0; i < count && code != paNoError; i++)
        if (rates[i] > 0) code = try_channels(o, rates[i]);
    audio_hush(false);
    if (code == paNoError) return LULL_OK;
    const char *reason = Pa_GetErrorText(code);
    if (rate)
        return base_fail(error, LULL_IO, "device '%s' does not open at %d Hz: %s", o->device.name,
                         rate, reason);
    return base_fail(error, LULL_IO,
                     "device '%s' does not open: %s; --list-devices shows the others",
                     o->device.name, reason);
}

static lull_status start_stream(audio_output *o, lull_error *error) {
    const PaStreamInfo *info = Pa_GetStreamInfo(o->stream);
    o->latency = info ? info->outputLatency : 0.0;
    /* JACK clients that name no latency make PortAudio wrap around below zero. */
    if (!(o->latency > 0 && o->latency < MOST_LATENCY)) o->latency = o->device.high_latency;
    if (!(o->latency > 0 && o->latency < MOST_LATENCY)) o->latency = USUAL_LATENCY;
    o->precedence = strncmp(o->device.interface, "JACK", 4) == 0;
    o->settling = (size_t)((o->latency + SETTLE) * o->rate);
    o->silence_wanted = (size_t)((1.5 * o->latency + 0.05) * o->rate);
    o->last_look = 0;
    o->waited = 0;
    audio_hush(true);
    PaError code = Pa_StartStream(o->stream);
    audio_hush(false);
    if (code == paNoError) return LULL_OK;
    return base_fail(error, LULL_IO, "device '%s' does not start: %s", o->device.name,
                     Pa_GetErrorText(code));
}

static void close_stream(audio_output *o) {
    if (!o->stream) return;
    audio_hush(true);
    Pa_AbortStream(o->stream);
    Pa_CloseStream(o->stream);
    audio_hush(false);
    o->stream = NULL;
}

static lull_status find_and_open(audio_output *o, const char *wanted, int rate, lull_error *error) {
    lull_status status = audio_begin(error);
    if (status) return status;
    o->begun = true;
    status = audio_device_find(wanted, &o->device, error);
    if (!status) status = open_stream(o, rate, error);
    return status;
}

static void shut(audio_output *o) {
    close_stream(o);
    if (o->begun) audio_end();
    o->begun = false;
}

static lull_status make_playback(audio_output *o, lull_error *error) {
    audio_playback_options p;
    audio_playback_options_init(&p, o->rate);
    p.lead_ms = o->options.lead_ms;
    p.capacity_ms = o->options.ahead_ms;
    p.volume = o->options.volume;
    lull_status status = audio_playback_new(&p, &o->playback, error);
    if (status || o->rate == o->options.signal_rate) return status;
    o->converted = base_alloc(CONVERT_ROOM, sizeof(float));
    if (!o->converted) return base_no_memory(error);
    return recording_resampler_new(o->options.signal_rate, o->rate, &o->resampler, error);
}

lull_status audio_output_open(const audio_output_options *options, audio_output **output,
                              lull_error *error) {
    audio_output *o = base_alloc(1, sizeof *o);
    if (!o) return base_no_memory(error);
    o->options = *options;
    o->options.device = NULL; /* the caller's text */
    atomic_init(&o->drained, false);
    atomic_init(&o->beats, 0);
    lull_status status = find_and_open(o, options->device, options->rate, error);
    if (status) goto fail;
    if (options->device)
        snprintf(o->wanted, sizeof o->wanted, "%s:%s", o->device.interface, o->device.name);
    status = make_playback(o, error);
    if (!status) status = start_stream(o, error);
    if (status) goto fail;
    *output = o;
    return LULL_OK;
fail:
    audio_output_close(o);
    return status;
}

lull_status audio_output_reopen(audio_output *o, lull_error *error) {
    shut(o);
    atomic_store(&o->drained, false);
    o->silence = 0;
    lull_status status = find_and_open(o, *o->wanted ? o->wanted : NULL, o->rate, error);
    if (!status) status = start_stream(o, error);
    if (status) shut(o);
    return status;
}

void audio_output_close(audio_output *o) {
    if (!o) return;
    shut(o);
    audio_playback_free(o->playback);
    recording_resampler_free(o->resampler);
    base_free(o->converted);
    base_free(o);
}

/* Gives the ring what the converter has made so far; true when all of it went. */
static bool hand_on(audio_output *o) {
    o->converted_at += audio_playback_write(o->playback, o->converted + o->converted_at,
                                            o->converted_end - o->converted_at);
    return o->converted_at == o->converted_end;
}

static lull_status convert(audio_output *o, const float *samples, size_t n, size_t *taken,
                           bool last, lull_error *error) {
    o->converted_at = o->converted_end = 0;
    return recording_resampler_run(o->resampler, samples, n, taken, o->converted, CONVERT_ROOM,
                                   &o->converted_end, last, error);
}

lull_status audio_output_write(audio_output *o, const float *samples, size_t n, size_t *taken,
                               lull_error *error) {
    *taken = 0;
    if (!o->resampler) {
        *taken = audio_playback_write(o->playback, samples, n);
        return LULL_OK;
    }
    while (hand_on(o) && *taken < n) {
        size_t used = 0, block = n - *taken < CONVERT_BLOCK ? n - *taken : CONVERT_BLOCK;
        lull_status status = convert(o, samples + *taken, block, &used, false, error);
        if (status) return status;
        *taken += used;
        if (used == 0 && o->converted_end == 0)
            return base_fail(error, LULL_IO, "the rate converter makes no progress");
    }
    return LULL_OK;
}

lull_status audio_output_end(audio_output *o, bool *ended, lull_error *error) {
    *ended = false;
    while (o->resampler && !o->flushed) {
        if (!hand_on(o)) return LULL_OK;
        lull_status status = convert(o, NULL, 0, &(size_t){0}, true, error);
        if (status) return status;
        if (o->converted_end == 0) o->flushed = true;
    }
    audio_playback_end(o->playback);
    *ended = true;
    return LULL_OK;
}

void audio_output_stop(audio_output *o) {
    audio_playback_stop(o->playback);
}

audio_output_state audio_output_check(audio_output *o) {
    if (atomic_load_explicit(&o->drained, memory_order_acquire)) return AUDIO_OUTPUT_DONE;
    if (!o->stream || Pa_IsStreamActive(o->stream) != 1) return AUDIO_OUTPUT_LOST;
    double now = base_now(), passed = o->last_look > 0 ? now - o->last_look : 0;
    unsigned beats = atomic_load_explicit(&o->beats, memory_order_relaxed);
    o->waited = beats != o->last_beats ? 0 : o->waited + (passed < LOOK ? passed : LOOK);
    o->last_look = now;
    o->last_beats = beats;
    return o->waited > PATIENCE + 4 * o->latency ? AUDIO_OUTPUT_LOST : AUDIO_OUTPUT_PLAYING;
}

const audio_device *audio_output_device(const audio_output *o) {
    return &o->device;
}

int audio_output_rate(const audio_output *o) {
    return o->rate;
}

double audio_output_latency(const audio_output *o) {
    return o->latency;
}

uint64_t audio_output_position(const audio_output *o) {
    audio_playback_figures figures;
    audio_playback_get_figures(o->playback, &figures);
    if (!o->resampler) return figures.played;
    return (uint64_t)((double)figures.played * o->options.signal_rate / o->rate + 0.5);
}

void audio_output_figures(const audio_output *o, audio_playback_figures *figures) {
    audio_playback_get_figures(o->playback, figures);
}
