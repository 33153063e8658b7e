/* A few threads that run numbered tasks together, for one caller or for many.
 *
 * Whoever works holds one of the pool's places: a caller for as long as it likes, a helper while it
 * helps. A run is an entry in a list: its caller takes tasks of it by raising a counter, and so
 * does every helper that finds a free place. When no task is left the caller takes its run off the
 * list and waits for those helpers that are still in it. */
#include "base/thread_pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

enum { SPINS = 2000, MAX_THREADS = 1024 };

typedef struct run {
    void (*task)(void *context, int i, int worker);
    void *context;
    int count;
    atomic_int next, helpers; /* helpers change under the lock */
    struct run *older;
} run;

typedef struct worker_start {
    thread_pool *pool;
    int worker;
} worker_start;

struct thread_pool {
    int threads;
    int started; /* helpers that run, at most threads - 1 */
    pid_t process;
    pthread_t *handles;
    worker_start *starts;

    atomic_int busy; /* places taken; changes under the lock */
    atomic_int open; /* runs that have tasks which nobody has taken */
    atomic_bool stop;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t work, place, left;
    run *runs;
    int sleepers;               /* helpers */
    uint64_t arrived, admitted; /* callers, who get their places in the order of coming */
};

static void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* In a child after fork there are no threads but the one that forked, and locks may be in any
 * state: the pool is then one thread and touches neither. */
static bool forked(const thread_pool *pool) {
    return pool->process != getpid();
}

/* Takes and runs tasks until none is left. */
static void work_on(thread_pool *pool, run *r, int worker) {
    for (;;) {
        int i = atomic_fetch_add(&r->next, 1);
        if (i >= r->count) return;
        if (i == r->count - 1) atomic_fetch_sub(&pool->open, 1);
        r->task(r->context, i, worker);
    }
}

/* Under the lock: a run that a helper could join. Callers who wait for a place go first. */
static run *find_work(thread_pool *pool) {
    if (atomic_load(&pool->busy) >= pool->threads || pool->arrived != pool->admitted) return NULL;
    for (run *r = pool->runs; r; r = r->older)
        if (atomic_load(&r->next) < r->count) return r;
    return NULL;
}

/* Under the lock: a place has become free. */
static void announce_place(thread_pool *pool) {
    if (pool->arrived != pool->admitted)
        pthread_cond_broadcast(&pool->place);
    else if (pool->sleepers > 0 && atomic_load(&pool->open) > 0)
        pthread_cond_signal(&pool->work);
}

static void help(thread_pool *pool, run *r, int worker) {
    atomic_fetch_add(&pool->busy, 1);
    atomic_fetch_add(&r->helpers, 1);
    pthread_mutex_unlock(&pool->lock);
    work_on(pool, r, worker);
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_sub(&pool->busy, 1);
    announce_place(pool);
    if (atomic_fetch_sub(&r->helpers, 1) == 1) pthread_cond_broadcast(&pool->left);
}

static void *worker_main(void *argument) {
    const worker_start *start = argument;
    thread_pool *pool = start->pool;
    while (!atomic_load(&pool->stop)) {
        for (int spin = 0; spin < SPINS && atomic_load(&pool->open) == 0; spin++) pause_briefly();
        pthread_mutex_lock(&pool->lock);
        run *r;
        while (!(r = find_work(pool)) && !atomic_load(&pool->stop)) {
            pool->sleepers++;
            pthread_cond_wait(&pool->work, &pool->lock);
            pool->sleepers--;
        }
        if (r) help(pool, r, start->worker);
        pthread_mutex_unlock(&pool->lock);
    }
    return NULL;
}

void thread_pool_enter(thread_pool *pool) {
    if (forked(pool)) return;
    pthread_mutex_lock(&pool->lock);
    uint64_t turn = pool->arrived++;
    while (pool->admitted != turn || atomic_load(&pool->busy) >= pool->threads)
        pthread_cond_wait(&pool->place, &pool->lock);
    pool->admitted++;
    atomic_fetch_add(&pool->busy, 1);
    if (pool->arrived != pool->admitted && atomic_load(&pool->busy) < pool->threads)
        pthread_cond_broadcast(&pool->place);
    pthread_mutex_unlock(&pool->lock);
}

void thread_pool_leave(thread_pool *pool) {
    if (forked(pool)) return;
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_sub(&pool->busy, 1);
    announce_place(pool);
    pthread_mutex_unlock(&pool->lock);
}

bool thread_pool_idle(const thread_pool *pool) {
    return !forked(pool) && atomic_load_explicit(&pool->busy, memory_order_relaxed) < pool->threads;
}

static void open_run(thread_pool *pool, run *r) {
    pthread_mutex_lock(&pool->lock);
    r->older = pool->runs;
    pool->runs = r;
    atomic_fetch_add(&pool->open, 1);
    int wanted = pool->threads - atomic_load(&pool->busy);
    if (wanted > r->count - 1) wanted = r->count - 1;
    if (wanted >= pool->sleepers)
        pthread_cond_broadcast(&pool->work);
    else
        for (int i = 0; i < wanted; i++) pthread_cond_signal(&pool->work);
    pthread_mutex_unlock(&pool->lock);
}

static void close_run(thread_pool *pool, run *r) {
    pthread_mutex_lock(&pool->lock);
    run **at = &pool->runs;
    while (*at != r) at = &(*at)->older;
    *at = r->older;
    pthread_mutex_unlock(&pool->lock);
    for (int spin = 0; spin < SPINS && atomic_load(&r->helpers) > 0; spin++) pause_briefly();
    pthread_mutex_lock(&pool->lock);
    while (atomic_load(&r->helpers) > 0) pthread_cond_wait(&pool->left, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

void thread_pool_run_inside(thread_pool *pool, int count,
                            void (*task)(void *context, int i, int worker), void *context) {
    if (count <= 1 || pool->started == 0 || forked(pool)) {
        for (int i = 0; i < count; i++) task(context, i, 0);
        return;
    }
    run r = {.task = task, .context = context, .count = count};
    open_run(pool, &r);
    work_on(pool, &r, 0);
    close_run(pool, &r);
}

void thread_pool_run(thread_pool *pool, int count, void (*task)(void *context, int i, int worker),
                     void *context) {
    if (count <= 0) return;
    thread_pool_enter(pool);
    thread_pool_run_inside(pool, count, task, context);
    thread_pool_leave(pool);
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
    pool->process = getpid();
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->place, NULL);
    pthread_cond_init(&pool->left, NULL);
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
    if (!forked(pool)) {
        pthread_mutex_lock(&pool->lock);
        atomic_store(&pool->stop, true);
        pthread_cond_broadcast(&pool->work);
        pthread_mutex_unlock(&pool->lock);
        for (int i = 0; i < pool->started; i++) pthread_join(pool->handles[i], NULL);
        pthread_mutex_destroy(&pool->lock);
        pthread_cond_destroy(&pool->work);
        pthread_cond_destroy(&pool->place);
        pthread_cond_destroy(&pool->left);
    }
    base_free(pool->handles);
    base_free(pool->starts);
    base_free(pool);
}
