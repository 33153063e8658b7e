/* Minutes of audio through what lull play is made of, without a sound card: a thread pushes frames,
 * another pulls samples into the ring of the output, a third plays them as a callback does, 256 at
 * a time, as fast as it can or at a multiple of real time. Every sample must arrive (playback's
 * figures; their order and values are tests/audio's) and memory must stay as it is.
 *
 *     soak [MINUTES [SPEED [MODEL]]]     5 minutes as fast as possible of a tiny network
 */
#include "fuzz/fuzz.h"

#include <pthread.h>
#include <stdatomic.h>

#include "audio/playback.h"
#include "base/clock.h"

typedef struct soak {
    lull_vocoder *vocoder;
    audio_playback *output;
    const lull_model_info *info;
    uint64_t frames;
    atomic_ullong pulled;
    double speed;
} soak;

static void pause_for(double seconds) {
    struct timespec t = {0, (long)(seconds * 1e9)};
    nanosleep(&t, NULL);
}

/* Mels that wander, frame by frame, always others. */
static void *push_all(void *context) {
    soak *s = context;
    size_t bands = (size_t)s->info->bands;
    float *frame = calloc(bands, sizeof *frame);
    expect(frame);
    for (uint64_t f = 0; f < s->frames;) {
        for (size_t b = 0; b < bands; b++)
            frame[b] = -5.0f + 2.0f * sinf(0.07f * (float)(f % 100003)) +
                       sinf(0.3f * (float)b + 0.01f * (float)(f % 997));
        size_t accepted = 0;
        expect(!lull_vocoder_push(s->vocoder, frame, 1, &accepted, NULL));
        f += accepted;
        if (!accepted) pause_for(1e-3);
    }
    lull_vocoder_finish(s->vocoder);
    free(frame);
    return NULL;
}

static void *pull_all(void *context) {
    soak *s = context;
    float samples[1024];
    while (!lull_vocoder_ended(s->vocoder)) {
        size_t n = 0, at = 0;
        expect(!lull_vocoder_pull(s->vocoder, samples, 1024, &n, NULL));
        if (!n) pause_for(1e-3);
        atomic_fetch_add(&s->pulled, n);
        while (at < n) {
            size_t taken = audio_playback_write(s->output, samples + at, n - at);
            at += taken;
            if (!taken) pause_for(1e-3);
        }
    }
    audio_playback_end(s->output);
    return NULL;
}

static long resident_kilobytes(void) {
    FILE *file = fopen("/proc/self/statm", "r");
    long pages = 0, resident = 0;
    expect(file && fscanf(file, "%ld %ld", &pages, &resident) == 2);
    fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Plays it all. *early and *most: kilobytes resident after a twentieth of it, and at most. */
static void listen(soak *s, double began, long *early, long *most) {
    const uint64_t all = s->frames * (uint64_t)s->info->hop;
    audio_playback_figures figures = {0};
    float out[256];
    for (uint64_t calls = 1;; calls++) {
        bool more = audio_playback_render(s->output, out, 256);
        for (int i = 0; i < 256; i++) expect(isfinite(out[i]) && fabsf(out[i]) <= 1);
        audio_playback_get_figures(s->output, &figures);
        expect(figures.played <= atomic_load(&s->pulled));
        if (calls % 4096 == 0 || !*early) {
            long now = resident_kilobytes();
            if (!*early && figures.played >= all / 20) *early = now;
            if (now > *most) *most = now;
        }
        if (!more) return;
        double due =
            s->speed > 0 ? began + (double)calls * 256 / s->info->sample_rate / s->speed : 0;
        if (s->speed > 0 && due > base_now()) pause_for(fmin(due - base_now(), 0.5));
        if (s->speed <= 0 && figures.waiting) pause_for(1e-3);
    }
}

int main(int argc, char **argv) {
    double minutes = argc > 1 ? atof(argv[1]) : 5;
    static soak s;
    s.speed = argc > 2 ? atof(argv[2]) : 0;
    lull_error error;
    lull_model *model = NULL;
    if (argc > 3) expect(!lull_model_open(argv[3], &model, &error));
    if (!model) model = tiny_model();
    s.info = lull_model_get_info(model);
    lull_options live;
    lull_options_init(&live);
    live.unchecked = 1; /* made-up frames look like anything */
    expect(!lull_vocoder_new(model, &live, &s.vocoder, &error));
    audio_playback_options options;
    audio_playback_options_init(&options, s.info->sample_rate);
    expect(!audio_playback_new(&options, &s.output, &error));
    s.frames = (uint64_t)(minutes * 60 * s.info->sample_rate / s.info->hop);
    uint64_t all = s.frames * (uint64_t)s.info->hop;
    pthread_t pusher, puller;
    expect(!pthread_create(&pusher, NULL, push_all, &s) &&
           !pthread_create(&puller, NULL, pull_all, &s));

    double began = base_now();
    long early = 0, most = 0;
    audio_playback_figures figures = {0};
    listen(&s, began, &early, &most);
    double spent = base_now() - began;
    pthread_join(pusher, NULL);
    pthread_join(puller, NULL);
    audio_playback_get_figures(s.output, &figures);
    long late = resident_kilobytes();
    printf("%.1f minutes of audio in %.1f s (%.1f times real time): %llu samples synthesized, %llu "
           "played, %llu gaps, "
           "%llu samples of silence in them; memory %ld KiB after a twentieth, %ld at most, %ld at "
           "the end\n",
           minutes, spent, minutes * 60 / spent, (unsigned long long)atomic_load(&s.pulled),
           (unsigned long long)figures.played, (unsigned long long)figures.gaps,
           (unsigned long long)figures.silent, early, most, late);
    expect(atomic_load(&s.pulled) == all && figures.played == all && figures.done);
    expect(late <= early + 1024);
    audio_playback_free(s.output);
    lull_vocoder_free(s.vocoder);
    lull_model_close(model);
    return 0;
}
