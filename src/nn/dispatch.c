/* Chooses the table of kernels: the fastest that this CPU and operating system can run, or
 * LULL_CPU's. */
#include "base/cpu.h"
#include "nn/kernels.h"
#include "nn/tables.h"

#include <pthread.h>
#include <string.h>

typedef struct candidate {
    const nn_kernels *table;
    bool (*runnable)(void);
    bool (*pays)(void); /* faster than those behind it; otherwise it has to be asked for by name */
} candidate;

static bool always(void) {
    return true;
}

#ifdef NN_X86
static bool has_avx2(void) {
    return base_cpu_has(BASE_CPU_AVX2);
}

static bool has_avx512(void) {
    return base_cpu_has(BASE_CPU_AVX512);
}

static bool has_avx512bf16(void) {
    return base_cpu_has(BASE_CPU_AVX512BF16);
}
#endif

#ifdef NN_AMX
static bool has_amx(void) {
    return has_avx512bf16() && nn_amx_ready();
}
#endif

/* Fastest first. */
static const candidate candidates[] = {
#ifdef NN_AMX
    {&nn_amx, has_amx, always},
#endif
#ifdef NN_X86
    {&nn_avx512bf16, has_avx512bf16, base_cpu_bf16_pays},
    {&nn_avx512, has_avx512, always},
    {&nn_avx2, has_avx2, always},
#endif
#ifdef NN_NEON
    {&nn_neon, always, always},
#endif
    {&nn_portable, always, always},
    {&nn_reference, always, always},
};

enum { CANDIDATES = sizeof candidates / sizeof candidates[0] };

static const char *names[CANDIDATES + 1];
static const nn_kernels *chosen;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool runnable(const candidate *c) {
    return c->runnable();
}

static void choose(void) {
    const char *wanted = base_cpu_wanted();
    for (int i = 0; i < CANDIDATES; i++) names[i] = candidates[i].table->name;
    for (int i = 0; i < CANDIDATES && wanted && !chosen; i++)
        if (strcmp(names[i], wanted) == 0 && runnable(&candidates[i])) chosen = candidates[i].table;
    for (int i = 0; i < CANDIDATES && !chosen; i++)
        if (runnable(&candidates[i]) && candidates[i].pays()) chosen = candidates[i].table;
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
