/* A host with a sound-card loop of its own, and three threads:
 *
 *     main       makes mel frames (here: of a recording's samples on standard input) and pushes
 *     synthesis  sleeps until there is something to do, pulls, and writes into a ring
 *     callback   reads the ring: no lock, no allocation, no work but a copy
 *
 *     cc callback.c $(pkg-config --cflags --libs lull) -lpthread -o callback
 *     ./callback MODEL.safetensors < IN.f32 > OUT.f32        (float32 samples at the model's rate)
 *
 * The callback here is a thread that writes blocks to standard output as a sound card would ask for
 * them; with PortAudio, JACK, SDL, … its middle line is all there is to it. */
#define _POSIX_C_SOURCE 200809L /* nanosleep */
#include <lull.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { BLOCK = 256, RING = 4096, SAMPLES = 1024, FRAMES = 8, MOST_BANDS = 512 };

typedef struct host {
    lull_vocoder *vocoder;
    lull_ring *ring;
    atomic_bool done; /* the ring gets no more */
} host;

static void nap(void) {
    nanosleep(&(struct timespec){0, 2000000}, NULL);
}

/* What the sound card would call. */
static size_t callback(host *h, float *out, size_t n) {
    size_t got = lull_ring_read(h->ring, out, n);
    memset(out + got, 0, (n - got) * sizeof *out); /* an underrun is silence */
    return got;
}

static void *sound_card(void *argument) {
    host *h = argument;
    float block[BLOCK];
    for (bool done = false; !done;) {
        /* A real card keeps the time; here a block is due when it is there. */
        done = atomic_load(&h->done);
        size_t there = lull_ring_readable(h->ring);
        if (there < BLOCK && !done) {
            nap();
            continue;
        }
        size_t wanted = there < BLOCK ? there : BLOCK, got = callback(h, block, wanted);
        fwrite(block, sizeof *block, got, stdout);
        done = done && there <= BLOCK;
    }
    return NULL;
}

static void *synthesis(void *argument) {
    host *h = argument;
    float samples[SAMPLES];
    lull_error error;
    while (!(lull_vocoder_wait(h->vocoder, LULL_READY_PULL, -1) & LULL_READY_END)) {
        /* Only what fits: the ring is the only thing that holds back. */
        size_t room = lull_ring_writable(h->ring), produced = 0;
        if (room == 0) nap(); /* the card is the one that keeps time */
        if (room > SAMPLES) room = SAMPLES;
        if (lull_vocoder_pull(h->vocoder, samples, room, &produced, &error))
            fprintf(stderr, "%s\n", error.message); /* what follows is silence */
        lull_ring_write(h->ring, samples, produced);
    }
    atomic_store(&h->done, true);
    return NULL;
}

static lull_status push_all(lull_vocoder *vocoder, const float *frames, size_t n, size_t bands,
                            lull_error *error) {
    while (n > 0) {
        size_t accepted = 0;
        lull_vocoder_wait(vocoder, LULL_READY_PUSH, -1);
        lull_status status = lull_vocoder_push(vocoder, frames, n, &accepted, error);
        if (status) return status;
        frames += accepted * bands;
        n -= accepted;
    }
    return LULL_OK;
}

static lull_status speak(lull_vocoder *vocoder, lull_mel *mel, size_t bands, lull_error *error) {
    float samples[SAMPLES];
    static float frames[FRAMES * MOST_BANDS];
    lull_status status = LULL_OK;
    for (bool more = true; more && !status;) {
        size_t n = fread(samples, sizeof *samples, SAMPLES, stdin), made = 0;
        more = n > 0;
        status = more ? lull_mel_push(mel, samples, n, error) : lull_mel_finish(mel, error);
        do {
            if (!status) status = lull_mel_pull(mel, frames, FRAMES, &made, error);
            if (!status) status = push_all(vocoder, frames, made, bands, error);
        } while (!status && made > 0);
    }
    lull_vocoder_finish(vocoder);
    return status;
}

int main(int argc, char **argv) {
    lull_error error = {LULL_OK, ""};
    lull_model *model = NULL;
    lull_mel *mel = NULL;
    host h = {NULL, NULL, false};
    pthread_t threads[2];
    if (argc != 2) return fprintf(stderr, "callback MODEL < IN.f32 > OUT.f32\n"), 2;
    lull_options options;
    lull_options_init(&options);
    options.queue_frames = 32; /* little runs ahead */
    lull_status status = lull_model_open(argv[1], &model, &error);
    if (!status) status = lull_vocoder_new(model, &options, &h.vocoder, &error);
    if (!status) status = lull_mel_new(model, &mel, &error);
    if (!status) status = lull_ring_new(RING, &h.ring, &error);
    if (!status) {
        const lull_model_info *info = lull_model_get_info(model);
        fprintf(stderr, "%s: %.1f ms of latency\n", info->name,
                1e3 * (double)lull_vocoder_latency(h.vocoder) / info->sample_rate);
        pthread_create(&threads[0], NULL, synthesis, &h);
        pthread_create(&threads[1], NULL, sound_card, &h);
        status = speak(h.vocoder, mel, (size_t)info->bands, &error);
        for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    }
    if (status) fprintf(stderr, "%s\n", error.message);
    lull_ring_free(h.ring);
    lull_mel_free(mel);
    lull_vocoder_free(h.vocoder);
    lull_model_close(model);
    return status ? 1 : 0;
}
