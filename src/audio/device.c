/* PortAudio's start and end, and the devices that it finds. */
#include "audio/device.h"

#include <ctype.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <portaudio.h>

#include "base/error.h"
#include "base/os_library.h"

/* ---- keeping libraries quiet ---------------------------------------------------------------- */

static void say_nothing(const char *text) {
    (void)text;
}

static void say_nothing_alsa(const char *file, int line, const char *function, int code,
                             const char *format, ...) {
    (void)file, (void)line, (void)function, (void)code, (void)format;
}

/* Calls a library's own switch for messages, where PortAudio has loaded that library. */
static void quiet_libraries(void) {
    typedef void (*jack_message)(const char *);
    typedef void (*jack_setter)(jack_message);
    typedef void (*alsa_message)(const char *, int, const char *, int, const char *, ...);
    typedef int (*alsa_setter)(alsa_message);
    static const char *const jack_names[] = {"jack_set_error_function", "jack_set_info_function"};
    for (size_t i = 0; i < 2; i++) {
        jack_setter set = NULL;
        *(void **)&set = os_library_symbol_anywhere(jack_names[i]);
        if (set) set(say_nothing);
    }
    alsa_setter set = NULL;
    *(void **)&set = os_library_symbol_anywhere("snd_lib_error_set_handler");
    if (set) set(say_nothing_alsa);
}

/* PortAudio's state belongs to the process and so does this lock: it is what makes opening and
 * closing from several threads safe. `kept_stderr` is the real stderr while it is silenced. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int kept_stderr = -1;

void audio_hush(bool on) {
    if (on) {
        pthread_mutex_lock(&lock);
        fflush(stderr);
        int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
        kept_stderr = nothing >= 0 ? fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3) : -1;
        if (kept_stderr >= 0) dup2(nothing, STDERR_FILENO);
        if (nothing >= 0) close(nothing);
        quiet_libraries();
        return;
    }
    fflush(stderr);
    if (kept_stderr >= 0) {
        dup2(kept_stderr, STDERR_FILENO);
        close(kept_stderr);
        kept_stderr = -1;
    }
    pthread_mutex_unlock(&lock);
}

lull_status audio_begin(lull_error *error) {
    audio_hush(true);
    PaError code = Pa_Initialize();
    audio_hush(false);
    if (code == paNoError) return LULL_OK;
    return base_fail(error, LULL_IO, "no sound: %s; 'lull synth' writes a file instead",
                     Pa_GetErrorText(code));
}

void audio_end(void) {
    audio_hush(true);
    Pa_Terminate();
    audio_hush(false);
}

/* ---- devices -------------------------------------------------------------------------------- */

static bool describe(int number, audio_device *device) {
    const PaDeviceInfo *info = Pa_GetDeviceInfo(number);
    if (!info || info->maxOutputChannels < 1) return false;
    const PaHostApiInfo *host = Pa_GetHostApiInfo(info->hostApi);
    *device = (audio_device){.number = number,
                             .channels = info->maxOutputChannels,
                             .default_rate = (int)lrint(info->defaultSampleRate),
                             .low_latency = info->defaultLowOutputLatency,
                             .high_latency = info->defaultHighOutputLatency,
                             .is_default = number == Pa_GetDefaultOutputDevice()};
    snprintf(device->name, sizeof device->name, "%s", info->name ? info->name : "");
    snprintf(device->interface, sizeof device->interface, "%s",
             host && host->name ? host->name : "");
    return true;
}

size_t audio_device_list(audio_device *devices, size_t room) {
    size_t count = 0;
    audio_device device;
    for (int i = 0; i < Pa_GetDeviceCount(); i++)
        if (describe(i, &device)) {
            if (count < room) devices[count] = device;
            count++;
        }
    return count;
}

void audio_device_rates(audio_device *device) {
    static const int usual[AUDIO_MAX_RATES] = {8000,  16000, 22050, 24000,
                                               32000, 44100, 48000, 96000};
    device->rate_count = 0;
    audio_hush(true);
    for (int i = 0; i < AUDIO_MAX_RATES; i++) {
        PaStreamParameters parameters = {.device = device->number,
                                         .channelCount = 1,
                                         .sampleFormat = paFloat32,
                                         .suggestedLatency = device->high_latency};
        bool opens = Pa_IsFormatSupported(NULL, &parameters, usual[i]) == paFormatIsSupported;
        if (!opens && device->channels >= 2) {
            parameters.channelCount = 2;
            opens = Pa_IsFormatSupported(NULL, &parameters, usual[i]) == paFormatIsSupported;
        }
        if (opens) device->rates[device->rate_count++] = usual[i];
    }
    audio_hush(false);
}

/* How well `wanted` fits: 3 interface and name, 2 name, 1 a part of the name, 0 not. */
static int match(const char *wanted, const audio_device *device) {
    size_t n = strlen(device->interface);
    if (n && strncasecmp(wanted, device->interface, n) == 0 && wanted[n] == ':' &&
        strcasecmp(wanted + n + 1, device->name) == 0)
        return 3;
    if (strcasecmp(wanted, device->name) == 0) return 2;
    return *wanted && strcasestr(device->name, wanted) ? 1 : 0;
}

static lull_status find_number(const char *wanted, audio_device *device, lull_error *error) {
    char *end;
    long number = strtol(wanted, &end, 10);
    (void)end;
    if (number >= 0 && number < Pa_GetDeviceCount() && describe((int)number, device))
        return LULL_OK;
    return base_fail(error, LULL_IO, "there is no output device %s; --list-devices shows them",
                     wanted);
}

static lull_status find_name(const char *wanted, audio_device *device, lull_error *error) {
    audio_device other;
    int best = 0, count = 0;
    for (int i = 0; i < Pa_GetDeviceCount(); i++) {
        int fit = describe(i, &other) ? match(wanted, &other) : 0;
        if (fit > best) best = fit, count = 0;
        if (fit == 0 || fit < best) continue;
        if (count++ == 0) *device = other;
    }
    if (count == 1) return LULL_OK;
    if (count == 0)
        return base_fail(error, LULL_IO,
                         "no output device is called '%s'; --list-devices shows them", wanted);
    return base_fail(error, LULL_IO,
                     "%d output devices fit '%s'; give the number from --list-devices", count,
                     wanted);
}

lull_status audio_device_find(const char *wanted, audio_device *device, lull_error *error) {
    audio_device first;
    if (audio_device_list(&first, 1) == 0)
        return base_fail(error, LULL_IO,
                         "no sound device found; 'lull synth' writes a file instead");
    if (wanted && *wanted && strspn(wanted, "0123456789") == strlen(wanted) && strlen(wanted) < 9)
        return find_number(wanted, device, error);
    if (wanted) return find_name(wanted, device, error);
    int number = Pa_GetDefaultOutputDevice();
    if (number >= 0 && describe(number, device)) return LULL_OK;
    return base_fail(error, LULL_IO,
                     "the system names no default sound device; choose one with --device "
                     "(--list-devices shows them), or write a file with 'lull synth'");
}
