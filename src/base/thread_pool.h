/* A few threads that run numbered tasks together. The caller's thread takes part. */
#ifndef BASE_THREAD_POOL_H
#define BASE_THREAD_POOL_H

#include "lull.h"

typedef struct thread_pool thread_pool;

/* threads ≥ 1 counts the caller: 1 starts none. */
lull_status thread_pool_new(int threads, thread_pool **pool, lull_error *error);

/* Runs task(context, i, worker) for i in 0…count-1 and returns when all are done. worker is
 * 0…threads-1, for per-thread scratch. Tasks are taken in order from an atomic counter; workers
 * spin briefly, then sleep. */
void thread_pool_run(thread_pool *pool, int count, void (*task)(void *context, int i, int worker),
                     void *context);

int thread_pool_size(const thread_pool *pool);

void thread_pool_free(thread_pool *pool);

#endif
