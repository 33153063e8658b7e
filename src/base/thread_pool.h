/* A few threads that run numbered tasks together. The caller's thread takes part. Several threads
 * may run tasks on one pool at the same time: no more than its number of threads work at a time,
 * callers included. */
#ifndef BASE_THREAD_POOL_H
#define BASE_THREAD_POOL_H

#include "lull.h"

typedef struct thread_pool thread_pool;

/* threads ≥ 1 counts the caller: 1 starts none. */
lull_status thread_pool_new(int threads, thread_pool **pool, lull_error *error);

/* Runs task(context, i, worker) for i in 0…count-1 and returns when all are done. worker is
 * 0…threads-1 and differs between the threads of one run, for per-thread scratch. Tasks are taken
 * in order from an atomic counter; workers spin briefly, then sleep. */
void thread_pool_run(thread_pool *pool, int count, void (*task)(void *context, int i, int worker),
                     void *context);

/* The same in three steps, for a caller who works between its runs: waits for a place among the
 * threads, first come, first served; runs any number of times; gives the place back. */
void thread_pool_enter(thread_pool *pool);
void thread_pool_run_inside(thread_pool *pool, int count,
                            void (*task)(void *context, int i, int worker), void *context);
void thread_pool_leave(thread_pool *pool);

/* Whether somebody would help with a run now. A guess: it may change at once. */
bool thread_pool_idle(const thread_pool *pool);

int thread_pool_size(const thread_pool *pool);

/* In a child after fork, where the threads are not, it frees the memory. */
void thread_pool_free(thread_pool *pool);

#endif
