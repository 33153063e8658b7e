/* The threads of a lull_pool, for the vocoders that share them. */
#ifndef VOCODER_POOL_H
#define VOCODER_POOL_H

#include "base/thread_pool.h"

thread_pool *vocoder_pool_threads(lull_pool *pool);

#endif
