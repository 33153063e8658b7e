/* A few threads that run numbered tasks together.
 *
 * One 64-bit word holds the run's number and the next task: a thread takes a task by raising that
 * word, so a worker that wakes late can never take a task of a run that it did not read. A run does
 * not wait for sleeping workers: it ends when its tasks are done, whoever did them. */
#include "base/thread_pool.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/error.h"
#include "base/memory.h"

enum { SPINS = 2000, MAX_THREADS = 1024 };

typedef void task_function(void *context, int i, int worker);

typedef struct worker_start {
    thread_pool *pool;
    int worker;
} worker_start;

struct thread_pool {
    int threads;
    int started; /* workers that run, at most threads - 1 */
    pthread_t *handles;
    worker_start *starts;

    /* The run. Written before `ticket` announces it, and not again before all its tasks are done.
     */
    _Atomic(task_function *) task;
    _Atomic(void *) context;
    atomic_int count;

    _Atomic uint64_t ticket; /* number of the run << 32 | next task */
    atomic_int done;
    atomic_int sleepers;
    atomic_bool stop;

    pthread_mutex_t lock;
    pthread_cond_t work, finished;
};

static void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Takes and runs tasks of the run `number` until none is left. */
static void work_on(thread_pool *pool, uint32_t number, int worker) {
    task_function *task = atomic_load(&pool->task);
    void *context = atomic_load(&pool->context);
    int count = atomic_load(&pool->count);
    uint64_t ticket = atomic_load(&pool->ticket);
    for (;;) {
        if ((uint32_t)(ticket >> 32) != number || (uint32_t)ticket >= (uint32_t)count) return;
        if (!atomic_compare_exchange_weak(&pool->ticket, &ticket, ticket + 1)) continue;
        task(context, (int)(uint32_t)ticket, worker);
        if (atomic_fetch_add(&pool->done, 1) + 1 == count && worker != 0) {
            pthread_mutex_lock(&pool->lock);
            pthread_cond_signal(&pool->finished);
            pthread_mutex_unlock(&pool->lock);
        }
        ticket = atomic_load(&pool->ticket);
    }
}

/* Returns when a run other than `number` was announced, or on stop (false). */
static bool wait_for_work(thread_pool *pool, uint32_t *number) {
    for (int spin = 0;; spin++) {
        if (atomic_load(&pool->stop)) return false;
        uint32_t announced = (uint32_t)(atomic_load(&pool->ticket) >> 32);
        if (announced != *number) {
            *number = announced;
            return true;
        }
        if (spin < SPINS) {
            pause_briefly();
            continue;
        }
        pthread_mutex_lock(&pool->lock);
        /* Counted before the last look: who announces looks at the count after announcing. */
        atomic_fetch_add(&pool->sleepers, 1);
        while (!atomic_load(&pool->stop) &&
               (uint32_t)(atomic_load(&pool->ticket) >> 32) == *number) {
            pthread_cond_wait(&pool->work, &pool->lock);
        }
        atomic_fetch_sub(&pool->sleepers, 1);
        pthread_mutex_unlock(&pool->lock);
    }
}

static void *worker_main(void *argument) {
    const worker_start *start = argument;
    thread_pool *pool = start->pool;
    uint32_t number = 0;
    while (wait_for_work(pool, &number)) work_on(pool, number, start->worker);
    return NULL;
}

static void wake_all(thread_pool *pool) {
    if (atomic_load(&pool->sleepers) == 0) return;
    pthread_mutex_lock(&pool->lock);
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
}

void thread_pool_run(thread_pool *pool, int count, void (*task)(void *context, int i, int worker),
                     void *context) {
    if (count <= 0) return;
    if (pool->started == 0 || count == 1) {
        for (int i = 0; i < count; i++) task(context, i, 0);
        return;
    }
    uint32_t number = (uint32_t)(atomic_load(&pool->ticket) >> 32);
    /* Closed while its fields change: a late worker of the last run may read the new ones. */
    atomic_store(&pool->ticket, (uint64_t)number << 32 | UINT32_MAX);
    atomic_store(&pool->task, task);
    atomic_store(&pool->context, context);
    atomic_store(&pool->count, count);
    atomic_store(&pool->done, 0);
    number++;
    atomic_store(&pool->ticket, (uint64_t)number << 32);
    wake_all(pool);
    work_on(pool, number, 0);

    for (int spin = 0; spin < SPINS; spin++) {
        if (atomic_load(&pool->done) == count) return;
        pause_briefly();
    }
    pthread_mutex_lock(&pool->lock);
    while (atomic_load(&pool->done) != count) pthread_cond_wait(&pool->finished, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

int thread_pool_size(const thread_pool *pool) {
    return pool->threads;
}

lull_status thread_pool_new(int threads, thread_pool **out, lull_error *error) {
    *out = NULL;
    if (threads < 1 || threads > MAX_THREADS) {
        return base_fail(error, LULL_INVALID, "%d threads: give 1 to %d", threads, MAX_THREADS);
    }
    thread_pool *pool = base_alloc(1, sizeof *pool);
    if (!pool) return base_no_memory(error);
    pool->threads = threads;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->finished, NULL);
    pool->handles = base_alloc((size_t)threads, sizeof *pool->handles);
    pool->starts = base_alloc((size_t)threads, sizeof *pool->starts);
    if (!pool->handles || !pool->starts) {
        thread_pool_free(pool);
        return base_no_memory(error);
    }
    for (int i = 0; i < threads - 1; i++) {
        pool->starts[i] = (worker_start){pool, i + 1};
        if (pthread_create(&pool->handles[i], NULL, worker_main, &pool->starts[i]) != 0) {
            thread_pool_free(pool);
            return base_fail(error, LULL_UNSUPPORTED,
                             "the system started %d of %d threads: ask for fewer", i + 1, threads);
        }
        pool->started++;
    }
    *out = pool;
    return LULL_OK;
}

void thread_pool_free(thread_pool *pool) {
    if (!pool) return;
    pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->stop, true);
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->started; i++) pthread_join(pool->handles[i], NULL);
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->work);
    pthread_cond_destroy(&pool->finished);
    base_free(pool->handles);
    base_free(pool->starts);
    base_free(pool);
}
