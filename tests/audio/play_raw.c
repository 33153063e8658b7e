/* For the live tests: plays raw float32 samples from stdin through audio_output, and prints what
 * happened. play_raw RATE [DEVICE [DEVICE_RATE [REOPEN]]] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audio/output.h"

static void nap(void) {
    nanosleep(&(struct timespec){0, 2000000}, NULL);
}

static int fail(const lull_error *error) {
    fprintf(stderr, "play_raw: %s\n", error->message);
    return 1;
}

/* Waits for the device when it is lost. False when it is not to be waited for. */
static bool look_after(audio_output *output, bool reopen) {
    if (audio_output_check(output) != AUDIO_OUTPUT_LOST) return true;
    printf("lost at %llu\n", (unsigned long long)audio_output_position(output));
    fflush(stdout);
    for (int i = 0; reopen && i < 100; i++) {
        if (!audio_output_reopen(output, NULL)) {
            printf("back\n");
            fflush(stdout);
            return true;
        }
        nanosleep(&(struct timespec){0, 200000000}, NULL);
    }
    return false;
}

int main(int argc, char **argv) {
    static float block[1024];
    lull_error error;
    audio_output_options options;
    audio_output_options_init(&options, argc > 1 ? atoi(argv[1]) : 16000);
    options.latency_ms =
        250; /* the machine may be busy: what is late at the device is not ours to test */
    if (argc > 2 && *argv[2]) options.device = argv[2];
    if (argc > 3) options.rate = atoi(argv[3]);
    bool reopen = argc > 4;
    audio_output *output;
    if (audio_output_open(&options, &output, &error)) return fail(&error);
    printf("rate %d latency %.4f\n", audio_output_rate(output), audio_output_latency(output));
    fflush(stdout);
    size_t n;
    while ((n = fread(block, sizeof(float), 1024, stdin)) > 0)
        for (size_t at = 0, taken; at < n; at += taken) {
            if (audio_output_write(output, block + at, n - at, &taken, &error)) return fail(&error);
            if (!look_after(output, reopen)) return 1;
            if (!taken) nap();
        }
    for (bool ended = false; !ended; nap()) {
        if (audio_output_end(output, &ended, &error)) return fail(&error);
        if (!look_after(output, reopen)) return 1;
    }
    while (audio_output_check(output) != AUDIO_OUTPUT_DONE) {
        if (!look_after(output, reopen)) return 1;
        nap();
    }
    audio_playback_figures f;
    audio_output_figures(output, &f);
    printf("played %llu silent %llu gaps %llu late %llu slack %.4f\n", (unsigned long long)f.played,
           (unsigned long long)f.silent, (unsigned long long)f.gaps,
           (unsigned long long)f.device_late, f.slack);
    audio_output_close(output);
    return 0;
}
