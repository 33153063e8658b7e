/* One body of kernels, compiled for each instruction set that the machine may have, and the choice
 * among them. Included by a file that defines KERNELS, the type of a table, and KERNELS_BODY, the file
 * of the loops, which is included with WIDTH (floats of a vector), NAME (which puts the set's suffix
 * on a name), NAME_STRING and ATTRIBUTES defined, and defines the table NAME(kernels). */
#include "base/cpu.h"

#include <stddef.h>

#define WIDTH 4
#define NAME(name) name##_plain
#define NAME_STRING "plain"
#define ATTRIBUTES
#include KERNELS_BODY
#undef WIDTH
#undef NAME
#undef NAME_STRING
#undef ATTRIBUTES

#if defined(__x86_64__)
#define WIDTH 8
#define NAME(name) name##_avx2
#define NAME_STRING "avx2"
#define ATTRIBUTES __attribute__((target("avx2,fma")))
#include KERNELS_BODY
#undef WIDTH
#undef NAME
#undef NAME_STRING
#undef ATTRIBUTES

#define WIDTH 16
#define NAME(name) name##_avx512
#define NAME_STRING "avx512"
#if defined(__clang__)
#define ATTRIBUTES __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")))
#else
#define ATTRIBUTES                                                                                 \
    __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,prefer-vector-width=512")))
#endif
#include KERNELS_BODY
#undef WIDTH
#undef NAME
#undef NAME_STRING
#undef ATTRIBUTES
#endif

/* Table number i (0 is the one for every CPU), or NULL when there is none or this CPU lacks it. */
static const KERNELS *kernels_at(int i) {
    if (i == 0) return &kernels_plain;
#if defined(__x86_64__)
    if (i == 1 && base_cpu_has(BASE_CPU_AVX2)) return &kernels_avx2;
    if (i == 2 && base_cpu_has(BASE_CPU_AVX512)) return &kernels_avx512;
#endif
    return NULL;
}

/* The widest that the CPU has and LULL_CPU allows. */
static const KERNELS *kernels_get(void) {
#if defined(__x86_64__)
    const base_cpu allowed = base_cpu_allowed();
    if (allowed >= BASE_CPU_AVX512) return &kernels_avx512;
    if (allowed >= BASE_CPU_AVX2) return &kernels_avx2;
#endif
    return &kernels_plain;
}
