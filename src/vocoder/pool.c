/* The public name of a thread pool. */
#include "vocoder/pool.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/os_thread.h"

struct lull_pool {
    thread_pool *threads;
};

lull_status lull_pool_new(int threads, lull_pool **result, lull_error *error) {
    if (!result) return base_fail(error, LULL_INVALID, "lull_pool_new: pool is NULL");
    *result = NULL;
    if (threads == 0) threads = os_processors_of_process();
    lull_pool *pool = base_alloc(1, sizeof *pool);
    if (!pool) return base_no_memory(error);
    lull_status status = thread_pool_new(threads, &pool->threads, error);
    if (status)
        base_free(pool);
    else
        *result = pool;
    return status;
}

int lull_pool_threads(const lull_pool *pool) {
    return pool ? thread_pool_size(pool->threads) : 0;
}

void lull_pool_free(lull_pool *pool) {
    if (!pool) return;
    thread_pool_free(pool->threads);
    base_free(pool);
}

thread_pool *vocoder_pool_threads(lull_pool *pool) {
    return pool->threads;
}
