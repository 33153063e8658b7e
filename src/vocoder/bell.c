/* Sleeping until it rings. */
#include "vocoder/bell.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/os_thread.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

struct vocoder_bell {
    atomic_int sleepers;
    pid_t process;
    clockid_t clock;
    pthread_mutex_t lock;
    pthread_cond_t rung;
};

lull_status vocoder_bell_new(vocoder_bell **result, lull_error *error) {
    *result = NULL;
    vocoder_bell *b = base_alloc(1, sizeof *b);
    if (!b) return base_no_memory(error);
    b->process = getpid();
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    b->clock = os_thread_wait_clock(&attributes);
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->rung, &attributes);
    pthread_condattr_destroy(&attributes);
    *result = b;
    return LULL_OK;
}

void vocoder_bell_free(vocoder_bell *b) {
    if (!b) return;
    if (b->process == getpid()) { /* else a lock may be held by a thread that is not there */
        pthread_mutex_destroy(&b->lock);
        pthread_cond_destroy(&b->rung);
    }
    base_free(b);
}

void vocoder_bell_ring(vocoder_bell *b) {
    if (atomic_load(&b->sleepers) == 0 || b->process != getpid()) return;
    pthread_mutex_lock(&b->lock);
    pthread_cond_broadcast(&b->rung);
    pthread_mutex_unlock(&b->lock);
}

void vocoder_bell_try_ring(vocoder_bell *b) {
    if (atomic_load(&b->sleepers) == 0 || b->process != getpid()) return;
    if (pthread_mutex_trylock(&b->lock) != 0) return;
    pthread_cond_broadcast(&b->rung);
    pthread_mutex_unlock(&b->lock);
}

static struct timespec moment(const vocoder_bell *b, double seconds) {
    struct timespec time;
    clock_gettime(b->clock, &time);
    double whole = floor(seconds);
    time.tv_sec += (time_t)whole;
    time.tv_nsec += (long)((seconds - whole) * 1e9);
    if (time.tv_nsec >= 1000000000) time.tv_nsec -= 1000000000, time.tv_sec++;
    return time;
}

int vocoder_bell_wait(vocoder_bell *b, int (*look)(const void *context), const void *context,
                      double seconds, double patience) {
    int seen = look(context);
    if (seen || seconds == 0) return seen;
    double end = seconds < 0 ? INFINITY : base_now() + seconds;
    pthread_mutex_lock(&b->lock);
    /* Counted before the last look: who rings looks at the count after what it rings for. */
    atomic_fetch_add(&b->sleepers, 1);
    while (!(seen = look(context))) {
        double left = end - base_now();
        if (left <= 0) break;
        struct timespec until = moment(b, left < patience ? left : patience);
        pthread_cond_timedwait(&b->rung, &b->lock, &until);
    }
    atomic_fetch_sub(&b->sleepers, 1);
    pthread_mutex_unlock(&b->lock);
    return seen;
}
