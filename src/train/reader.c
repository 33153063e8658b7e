/* The reader thread: see reader.h. */
#include "train/reader.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/clock.h"

enum { RING = 4 };

struct train_reader {
    const train_part *part;
    train_crops *crops;
    const model_config *config;
    const train_settings *settings;
    int rank, ranks;
    train_batch *ring[RING];
    uint64_t first_step, drawn; /* crops drawn before the first step */
    uint64_t filled, taken;     /* batches put in and given out since the start */
    bool stopping, started;
    lull_status status; /* of the thread: it ends at the first failure */
    lull_error error;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t bytes;
    double busy;
};

static double thread_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Crop numbers of a step: batch · accumulate · ranks in a row; part by part, and within a part rank
 * by rank, so that N machines with batches of B crops draw what one with N·B draws. They go on
 * where the steps before have ended, of however many crops and ranks those were. */
static lull_status fill(train_reader *reader, uint64_t number, train_batch *batch,
                        lull_error *error) {
    const train_settings *settings = reader->settings;
    uint64_t accumulate = (uint64_t)settings->accumulate;
    int all = settings->batch * settings->accumulate * reader->ranks;
    batch->step = reader->first_step + number / accumulate;
    batch->part = (int)(number % accumulate);
    int offset = (batch->part * reader->ranks + reader->rank) * settings->batch;
    const train_place place = {
        reader->drawn + number / accumulate * (uint64_t)all + (uint64_t)offset, offset, all};
    return reader->part->fill(reader->crops, reader->config, settings, &place, batch, error);
}

static void *work(void *context) {
    train_reader *reader = context;
    pthread_mutex_lock(&reader->lock);
    while (!reader->stopping) {
        /* One of the ring is with the caller until it asks for the next. */
        if (reader->filled - reader->taken >= RING - 1) {
            pthread_cond_wait(&reader->changed, &reader->lock);
            continue;
        }
        uint64_t number = reader->filled;
        pthread_mutex_unlock(&reader->lock);
        lull_error error = {0};
        lull_status status = fill(reader, number, reader->ring[number % RING], &error);
        double busy = thread_seconds();
        pthread_mutex_lock(&reader->lock);
        reader->busy = busy;
        reader->status = status;
        reader->error = error;
        if (!status) reader->filled++;
        pthread_cond_broadcast(&reader->changed);
        if (status) break;
    }
    pthread_mutex_unlock(&reader->lock);
    return NULL;
}

lull_status train_reader_new(train_crops *crops, const model_config *config,
                             const train_settings *settings, uint64_t step, uint64_t drawn,
                             int rank, int ranks, train_reader **result, lull_error *error) {
    train_reader *reader = base_alloc(1, sizeof *reader);
    *result = NULL;
    if (reader == NULL) return base_no_memory(error);
    reader->part = train_part_of(settings);
    reader->crops = crops;
    reader->config = config;
    reader->settings = settings;
    reader->rank = rank;
    reader->ranks = ranks;
    reader->first_step = step;
    reader->drawn = drawn;
    pthread_mutex_init(&reader->lock, NULL);
    pthread_cond_init(&reader->changed, NULL);
    lull_status status = LULL_OK;
    const train_batch_sizes sizes = reader->part->sizes(config, settings);
    for (int i = 0; i < RING && !status; i++)
        status = train_batch_new(sizes, settings->batch, &reader->ring[i], error);
    reader->bytes = RING * train_batch_bytes(sizes, settings->batch);
    if (!status && pthread_create(&reader->thread, NULL, work, reader) != 0)
        status = base_fail(error, LULL_NO_MEMORY, "the reader's thread could not be started");
    else if (!status)
        reader->started = true;
    if (status) {
        train_reader_free(reader);
        return status;
    }
    *result = reader;
    return LULL_OK;
}

lull_status train_reader_next(train_reader *reader, const train_batch **batch, double *waited,
                              lull_error *error) {
    lull_status status = LULL_OK;
    pthread_mutex_lock(&reader->lock);
    if (reader->filled == reader->taken && !reader->status) {
        double began = base_now();
        while (reader->filled == reader->taken && !reader->status)
            pthread_cond_wait(&reader->changed, &reader->lock);
        *waited += base_now() - began;
    }
    if (reader->filled == reader->taken) {
        status = reader->status;
        if (error != NULL) *error = reader->error;
    } else {
        *batch = reader->ring[reader->taken % RING];
        reader->taken++;
        pthread_cond_broadcast(&reader->changed);
    }
    pthread_mutex_unlock(&reader->lock);
    return status;
}

size_t train_reader_bytes(const train_reader *reader) {
    return reader->bytes;
}

double train_reader_busy(const train_reader *reader) {
    train_reader *r = (train_reader *)reader;
    pthread_mutex_lock(&r->lock);
    double busy = r->busy;
    pthread_mutex_unlock(&r->lock);
    return busy;
}

void train_reader_free(train_reader *reader) {
    if (reader == NULL) return;
    if (reader->started) {
        pthread_mutex_lock(&reader->lock);
        reader->stopping = true;
        pthread_cond_broadcast(&reader->changed);
        pthread_mutex_unlock(&reader->lock);
        pthread_join(reader->thread, NULL);
    }
    for (int i = 0; i < RING; i++) train_batch_free(reader->ring[i]);
    pthread_cond_destroy(&reader->changed);
    pthread_mutex_destroy(&reader->lock);
    base_free(reader);
}
