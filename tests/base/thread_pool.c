/* Every task runs once, on a worker of its own, however runs and sleeps interleave. */
#include "temporary.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/memory.h"
#include "base/thread_pool.h"

enum { MAX_TASKS = 500 };

typedef struct record {
    atomic_int runs[MAX_TASKS];
    atomic_int busy[64]; /* a worker's number is held by one thread at a time */
    atomic_int wrong;
    int threads;
} record;

static void note(void *context, int i, int worker) {
    record *r = context;
    if (worker < 0 || worker >= r->threads || atomic_fetch_add(&r->busy[worker], 1) != 0) {
        atomic_fetch_add(&r->wrong, 1);
    }
    atomic_fetch_add(&r->runs[i], 1);
    atomic_fetch_sub(&r->busy[worker], 1);
}

static void each_task_once(void **state) {
    (void)state;
    for (int threads = 1; threads <= 5; threads++) {
        thread_pool *pool;
        assert_int_equal(thread_pool_new(threads, &pool, NULL), LULL_OK);
        assert_int_equal(thread_pool_size(pool), threads);
        static record r;
        for (int round = 0; round < 400; round++) {
            memset(&r, 0, sizeof r);
            r.threads = threads;
            int count = round % 7 == 0 ? round : round % 9;
            thread_pool_run(pool, count, note, &r);
            for (int i = 0; i < MAX_TASKS; i++) assert_int_equal(r.runs[i], i < count);
            assert_int_equal(r.wrong, 0);
        }
        thread_pool_free(pool);
    }
}

/* Pauses long enough for the workers to fall asleep, then many runs in quick succession. */
static void wakes_sleepers(void **state) {
    (void)state;
    thread_pool *pool;
    assert_int_equal(thread_pool_new(3, &pool, NULL), LULL_OK);
    static record r;
    for (int round = 0; round < 20; round++) {
        struct timespec nap = {0, 2000000};
        nanosleep(&nap, NULL);
        memset(&r, 0, sizeof r);
        r.threads = 3;
        for (int k = 0; k < 50; k++) thread_pool_run(pool, 1 + k % 4, note, &r);
        int total = 0;
        for (int i = 0; i < 4; i++) total += r.runs[i];
        assert_int_equal(total, 13 * 1 + 13 * 2 + 12 * 3 + 12 * 4);
        assert_int_equal(r.wrong, 0);
    }
    thread_pool_free(pool);
}

static void wait_for_partner(void *context, int i, int worker) {
    (void)i;
    (void)worker;
    atomic_int *arrived = context;
    atomic_fetch_add(arrived, 1);
    /* Ends only when both tasks are running at the same time (or after ten seconds). */
    struct timespec nap = {0, 1000000};
    for (int k = 0; k < 10000 && atomic_load(arrived) < 2; k++) nanosleep(&nap, NULL);
}

static void tasks_run_side_by_side(void **state) {
    (void)state;
    thread_pool *pool;
    assert_int_equal(thread_pool_new(2, &pool, NULL), LULL_OK);
    atomic_int arrived = 0;
    struct timespec begun, ended;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    thread_pool_run(pool, 2, wait_for_partner, &arrived);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    assert_true(ended.tv_sec - begun.tv_sec < 8);
    thread_pool_free(pool);
}

/* What the tasks wrote is visible to the caller without further ado. */
static void fill(void *context, int i, int worker) {
    (void)worker;
    ((int *)context)[i] = i * i;
}

static void results_are_visible(void **state) {
    (void)state;
    thread_pool *pool;
    assert_int_equal(thread_pool_new(4, &pool, NULL), LULL_OK);
    for (int round = 0; round < 300; round++) {
        int values[100] = {0};
        thread_pool_run(pool, 100, fill, values);
        for (int i = 0; i < 100; i++) assert_int_equal(values[i], i * i);
    }
    thread_pool_free(pool);
}

/* Callers on threads of their own: no more work at a time than the pool has threads, and every run
 * is whole. */
typedef struct crowd {
    thread_pool *pool;
    atomic_int working, most, done;
} crowd;

static void count_workers(void *context, int i, int worker) {
    (void)i;
    (void)worker;
    crowd *c = context;
    int now = atomic_fetch_add(&c->working, 1) + 1, most = atomic_load(&c->most);
    while (now > most && !atomic_compare_exchange_weak(&c->most, &most, now)) continue;
    struct timespec nap = {0, 20000};
    nanosleep(&nap, NULL);
    atomic_fetch_sub(&c->working, 1);
    atomic_fetch_add(&c->done, 1);
}

static void *call_often(void *argument) {
    crowd *c = argument;
    for (int round = 0; round < 30; round++) {
        thread_pool_enter(c->pool);
        for (int k = 0; k < 3; k++) thread_pool_run_inside(c->pool, 1 + k, count_workers, c);
        thread_pool_leave(c->pool);
        thread_pool_run(c->pool, 4, count_workers, c);
    }
    return NULL;
}

static void many_callers(void **state) {
    (void)state;
    enum { CALLERS = 7 };
    for (int threads = 1; threads <= 4; threads++) {
        crowd c = {0};
        pthread_t callers[CALLERS];
        assert_int_equal(thread_pool_new(threads, &c.pool, NULL), LULL_OK);
        for (int i = 0; i < CALLERS; i++)
            assert_int_equal(pthread_create(&callers[i], NULL, call_often, &c), 0);
        for (int i = 0; i < CALLERS; i++) pthread_join(callers[i], NULL);
        assert_int_equal(c.done, CALLERS * 30 * (1 + 2 + 3 + 4));
        assert_true(c.most <= threads);
        thread_pool_free(c.pool);
    }
}

static void bad_counts_and_memory(void **state) {
    (void)state;
    thread_pool *pool = (thread_pool *)1;
    lull_error error;
    assert_int_equal(thread_pool_new(0, &pool, &error), LULL_INVALID);
    assert_null(pool);
    assert_contains(error.message, "0 threads");
    assert_int_equal(thread_pool_new(-4, &pool, NULL), LULL_INVALID);
    assert_int_equal(thread_pool_new(1 << 20, &pool, NULL), LULL_INVALID);
    for (size_t n = 1; n <= 3; n++) {
        base_memory_fail_at(n);
        assert_int_equal(thread_pool_new(2, &pool, &error), LULL_NO_MEMORY);
        assert_null(pool);
    }
    base_memory_fail_at(0);
    thread_pool_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_task_once),         cmocka_unit_test(wakes_sleepers),
        cmocka_unit_test(tasks_run_side_by_side), cmocka_unit_test(results_are_visible),
        cmocka_unit_test(many_callers),           cmocka_unit_test(bad_counts_and_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
