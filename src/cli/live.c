/* Live synthesis on two threads. */
#include "cli/live.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/clock.h"

enum { FRAMES = 64, SAMPLES = 1024 };

struct live {
    lull_vocoder *vocoder;
    const cli_reading *reading;
    const char *name;
    size_t bands;
    frame_source *source;
    audio_output *output;
    audio_tee *tee;
    pthread_t feeder, player;
    bool feeder_runs, player_runs;
    int stop_pipe[2]; /* the second end closed: stop */
    atomic_bool stopped;
    pthread_mutex_t lock; /* of what follows */
    bool failed;
    lull_error error;
    live_figures figures;
    float *frames;
    float samples[SAMPLES];
};

static void fail(live *l, const lull_error *error) {
    pthread_mutex_lock(&l->lock);
    if (!l->failed) l->error = *error;
    l->failed = true;
    pthread_mutex_unlock(&l->lock);
}

static bool stopped(const live *l) {
    return atomic_load_explicit(&l->stopped, memory_order_acquire);
}

/* Sleeps until the other thread has moved the vocoder on, or it is time to look at `stopped`. */
static void wait_for(live *l, lull_ready what) {
    lull_vocoder_wait(l->vocoder, (int)what, 0.05);
}

static void nap(void) {
    nanosleep(&(struct timespec){0, 3000000}, NULL);
}

/* ---- frames to the vocoder ------------------------------------------------------------------ */

static lull_status push(live *l, const float *frames, size_t n, lull_error *error) {
    while (n > 0 && !stopped(l)) {
        size_t accepted = 0;
        lull_status status = lull_vocoder_push(l->vocoder, frames, n, &accepted, error);
        if (status) return status;
        frames += accepted * l->bands;
        n -= accepted;
        if (accepted == 0) wait_for(l, LULL_READY_PUSH);
    }
    return LULL_OK;
}

static void *feed(void *argument) {
    live *l = argument;
    lull_error error;
    size_t n = 1;
    while (n > 0 && !stopped(l)) {
        lull_status status =
            frame_source_next(l->source, l->stop_pipe[0], l->frames, FRAMES, &n, &error);
        if (!status && n > 0) {
            pthread_mutex_lock(&l->lock);
            if (l->figures.first_frame == 0) l->figures.first_frame = base_now();
            l->figures.frames += n;
            pthread_mutex_unlock(&l->lock);
            status = push(l, l->frames, n, &error);
        }
        if (status && !stopped(l)) fail(l, &error);
        if (status) break;
    }
    lull_vocoder_finish(l->vocoder); /* also after a failure: what came before it is played */
    return NULL;
}

/* ---- samples to the output ------------------------------------------------------------------ */

static lull_status deliver(live *l, const float *samples, size_t n, lull_error *error) {
    while (n > 0 && !stopped(l)) {
        size_t taken = 0, room = l->tee ? audio_tee_room(l->tee) : n;
        lull_status status =
            audio_output_write(l->output, samples, room < n ? room : n, &taken, error);
        if (status) return status;
        if (l->tee) audio_tee_offer(l->tee, samples, taken);
        samples += taken;
        n -= taken;
        if (n > 0) nap();
    }
    return LULL_OK;
}

static lull_status pull(live *l, size_t *produced, lull_error *error) {
    double begun = base_now();
    lull_status status = lull_vocoder_pull(l->vocoder, l->samples, SAMPLES, produced, error);
    if (status || *produced == 0) return status;
    pthread_mutex_lock(&l->lock);
    l->figures.working += base_now() - begun;
    const uint64_t made = l->figures.samples += *produced;
    pthread_mutex_unlock(&l->lock);
    status = cli_reading_check_limited(l->reading, l->name, lull_vocoder_limited(l->vocoder), made,
                                       error);
    return status ? status : deliver(l, l->samples, *produced, error);
}

static lull_status finish(live *l, lull_error *error) {
    for (bool ended = false; !ended && !stopped(l);) {
        lull_status status = audio_output_end(l->output, &ended, error);
        if (status) return status;
        if (!ended) nap();
    }
    return LULL_OK;
}

static void *play(void *argument) {
    live *l = argument;
    lull_error error;
    lull_status status = LULL_OK;
    while (!status && !stopped(l) && !lull_vocoder_ended(l->vocoder)) {
        size_t produced = 0;
        status = pull(l, &produced, &error);
        if (!status && produced == 0 && !lull_vocoder_ended(l->vocoder))
            wait_for(l, LULL_READY_PULL);
    }
    if (!status) status = finish(l, &error);
    if (status) {
        fail(l, &error);
        audio_output_stop(l->output);
    }
    return NULL;
}

/* ---- the session ---------------------------------------------------------------------------- */

lull_status live_start(lull_vocoder *vocoder, const cli_reading *reading, const char *name,
                       frame_source *source, audio_output *output, audio_tee *tee, live **session,
                       lull_error *error) {
    live *l = base_alloc(1, sizeof *l);
    if (!l) return base_no_memory(error);
    l->vocoder = vocoder;
    l->reading = reading;
    l->name = name;
    l->bands = (size_t)reading->target.bands;
    l->source = source;
    l->output = output;
    l->tee = tee;
    l->stop_pipe[0] = l->stop_pipe[1] = -1;
    atomic_init(&l->stopped, false);
    pthread_mutex_init(&l->lock, NULL);
    l->frames = base_alloc(FRAMES, l->bands * sizeof(float));
    lull_status status = l->frames ? LULL_OK : base_no_memory(error);
    if (!status && pipe(l->stop_pipe) != 0)
        status = base_fail(error, LULL_IO, "no pipe: %s", strerror(errno));
    if (!status) l->feeder_runs = pthread_create(&l->feeder, NULL, feed, l) == 0;
    if (!status) l->player_runs = l->feeder_runs && pthread_create(&l->player, NULL, play, l) == 0;
    if (!status && !l->player_runs)
        status = base_fail(error, LULL_NO_MEMORY, "cannot start a thread");
    if (status) {
        live_free(l);
        return status;
    }
    *session = l;
    return LULL_OK;
}

void live_stop(live *l) {
    pthread_mutex_lock(&l->lock);
    atomic_store_explicit(&l->stopped, true, memory_order_release);
    if (l->stop_pipe[1] >= 0) close(l->stop_pipe[1]); /* its other end becomes readable */
    l->stop_pipe[1] = -1;
    pthread_mutex_unlock(&l->lock);
}

bool live_failed(live *l, lull_error *error) {
    pthread_mutex_lock(&l->lock);
    bool failed = l->failed;
    if (failed) *error = l->error;
    pthread_mutex_unlock(&l->lock);
    return failed;
}

void live_get_figures(live *l, live_figures *figures) {
    pthread_mutex_lock(&l->lock);
    *figures = l->figures;
    pthread_mutex_unlock(&l->lock);
}

void live_free(live *l) {
    if (!l) return;
    live_stop(l);
    if (l->feeder_runs) pthread_join(l->feeder, NULL);
    if (l->player_runs) pthread_join(l->player, NULL);
    if (l->stop_pipe[0] >= 0) close(l->stop_pipe[0]);
    pthread_mutex_destroy(&l->lock);
    base_free(l->frames);
    base_free(l);
}
