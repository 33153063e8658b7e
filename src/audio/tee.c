/* A file of what is played, written by a thread of its own. */
#include "audio/tee.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "lull.h"
#include "base/error.h"
#include "base/memory.h"

enum { SECONDS = 30, BLOCK = 4096 };

struct audio_tee {
    recording_writer *writer;
    lull_ring *ring;
    pthread_t thread;
    atomic_bool closing, failed;
    _Atomic uint64_t played; /* samples that may be written */
    uint64_t written;        /* of the thread */
    lull_error error;        /* of the thread, once failed */
    float block[BLOCK];
};

/* Writes what may be written; false when there was nothing. */
static bool write_some(audio_tee *tee) {
    uint64_t left = atomic_load_explicit(&tee->played, memory_order_acquire) - tee->written;
    size_t n = lull_ring_read(tee->ring, tee->block, left < BLOCK ? (size_t)left : BLOCK);
    if (n == 0) return false;
    tee->written += n;
    if (!atomic_load(&tee->failed) &&
        recording_writer_write(tee->writer, tee->block, n, &tee->error) != LULL_OK)
        atomic_store(&tee->failed, true);
    return true;
}

static void *run(void *argument) {
    audio_tee *tee = argument;
    for (bool closing = false; !closing;) {
        closing = atomic_load_explicit(&tee->closing, memory_order_acquire);
        while (write_some(tee)) continue;
        if (!closing) nanosleep(&(struct timespec){0, 20000000}, NULL);
    }
    return NULL;
}

static void tee_free(audio_tee *tee) {
    recording_writer_abandon(tee->writer);
    lull_ring_free(tee->ring);
    base_free(tee);
}

lull_status audio_tee_open(const char *path, int rate, recording_format format, audio_tee **out,
                           lull_error *error) {
    audio_tee *tee = base_alloc(1, sizeof *tee);
    if (!tee) return base_no_memory(error);
    atomic_init(&tee->closing, false);
    atomic_init(&tee->failed, false);
    atomic_init(&tee->played, 0);
    lull_status status = lull_ring_new((size_t)rate * SECONDS, &tee->ring, error);
    if (!status) status = recording_writer_open(path, rate, format, &tee->writer, error);
    if (!status && pthread_create(&tee->thread, NULL, run, tee) != 0)
        status = base_fail(error, LULL_NO_MEMORY, "%s: no thread to write it with", path);
    if (status) {
        tee_free(tee);
        return status;
    }
    *out = tee;
    return LULL_OK;
}

size_t audio_tee_room(const audio_tee *tee) {
    return lull_ring_writable(tee->ring);
}

size_t audio_tee_offer(audio_tee *tee, const float *samples, size_t n) {
    return lull_ring_write(tee->ring, samples, n);
}

void audio_tee_played(audio_tee *tee, uint64_t position) {
    if (position > atomic_load_explicit(&tee->played, memory_order_relaxed))
        atomic_store_explicit(&tee->played, position, memory_order_release);
}

static void end_thread(audio_tee *tee) {
    atomic_store_explicit(&tee->closing, true, memory_order_release);
    pthread_join(tee->thread, NULL);
}

lull_status audio_tee_close(audio_tee *tee, lull_error *error) {
    if (!tee) return LULL_OK;
    end_thread(tee);
    lull_status status = LULL_OK;
    if (atomic_load(&tee->failed)) {
        if (error) *error = tee->error;
        status = tee->error.status;
    } else {
        status = recording_writer_commit(tee->writer, error);
        tee->writer = NULL;
    }
    tee_free(tee);
    return status;
}

void audio_tee_abandon(audio_tee *tee) {
    if (!tee) return;
    end_thread(tee);
    tee_free(tee);
}
