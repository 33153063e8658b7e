/* Chooses the table of kernels: the fastest that this CPU and operating system can run, or
 * LULL_CPU's. */
#include "nn/kernels.h"
#include "nn/openblas.h"
#include "nn/tables.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct candidate {
    const nn_kernels *table;
    bool (*runnable)(void);
} candidate;

static bool always(void) {
    return true;
}

/* __builtin_cpu_supports also asks whether the operating system saves the registers. */
#ifdef NN_X86
static bool has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void) {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

static bool has_avx512bf16(void) {
    return has_avx512() && __builtin_cpu_supports("avx512bf16");
}
#endif

#ifdef NN_AMX
static bool has_amx(void) {
    return has_avx512bf16() && nn_amx_ready();
}
#endif

static bool has_blas(void) {
    return nn_openblas_open(NULL) == LULL_OK;
}

/* Fastest first. An own kernel is preferred to OpenBLAS, and OpenBLAS to the twins. */
static const candidate candidates[] = {
#ifdef NN_AMX
    {&nn_amx, has_amx},
#endif
#ifdef NN_X86
    {&nn_avx512bf16, has_avx512bf16},
    {&nn_avx512, has_avx512},
    {&nn_avx2, has_avx2},
#endif
#ifdef NN_NEON
    {&nn_neon, always},
#endif
    {&nn_blas, has_blas},
    {&nn_reference, always},
};

enum { CANDIDATES = sizeof candidates / sizeof candidates[0] };

static const char *names[CANDIDATES + 1];
static const nn_kernels *chosen;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool runnable(const candidate *c) {
    return c->runnable();
}

static void choose(void) {
#ifdef NN_X86
    __builtin_cpu_init();
#endif
    const char *wanted = getenv("LULL_CPU");
    for (int i = 0; i < CANDIDATES; i++) names[i] = candidates[i].table->name;
    for (int i = 0; i < CANDIDATES && wanted && !chosen; i++)
        if (strcmp(names[i], wanted) == 0 && runnable(&candidates[i])) chosen = candidates[i].table;
    for (int i = 0; i < CANDIDATES && !chosen; i++)
        if (runnable(&candidates[i])) chosen = candidates[i].table;
}

const nn_kernels *nn_kernels_get(void) {
    pthread_once(&once, choose);
    return chosen;
}

const nn_kernels *nn_kernels_named(const char *name) {
    pthread_once(&once, choose);
    for (int i = 0; i < CANDIDATES; i++)
        if (strcmp(names[i], name) == 0)
            return runnable(&candidates[i]) ? candidates[i].table : NULL;
    return NULL;
}

const char *const *nn_kernels_names(void) {
    pthread_once(&once, choose);
    return names;
}
