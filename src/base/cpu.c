/* What vectors the processor has: see cpu.h. */
#include "base/cpu.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static base_cpu allowed;
static char wanted[32];
static bool is_wanted;

/* __builtin_cpu_supports also asks whether the operating system saves the registers. */
bool base_cpu_has(base_cpu set) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (set >= BASE_CPU_AVX2 && !(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")))
        return false;
    if (set >= BASE_CPU_AVX512 &&
        !(__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw")))
        return false;
    return set < BASE_CPU_AVX512BF16 || __builtin_cpu_supports("avx512bf16");
#else
    return set == BASE_CPU_ANY;
#endif
}

bool base_cpu_bf16_pays(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    return base_cpu_has(BASE_CPU_AVX512BF16) && !__builtin_cpu_is("intel");
#else
    return false;
#endif
}

static void look(void) {
    static const struct {
        const char *name;
        base_cpu set;
    } names[] = {{"reference", BASE_CPU_ANY}, {"portable", BASE_CPU_ANY},
                 {"neon", BASE_CPU_ANY},      {"avx2", BASE_CPU_AVX2},
                 {"avx512", BASE_CPU_AVX512}, {"avx512bf16", BASE_CPU_AVX512BF16},
                 {"amx", BASE_CPU_AVX512BF16}};
    const char *name = getenv("LULL_CPU");
    base_cpu most = BASE_CPU_AVX512BF16;
    if (name) {
        is_wanted = true;
        snprintf(wanted, sizeof wanted, "%s", name);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (strcmp(names[i].name, name) == 0) most = names[i].set;
    }
    while (most > BASE_CPU_ANY && !base_cpu_has(most)) most--;
    allowed = most;
}

base_cpu base_cpu_allowed(void) {
    pthread_once(&once, look);
    return allowed;
}

const char *base_cpu_wanted(void) {
    pthread_once(&once, look);
    return is_wanted ? wanted : NULL;
}
