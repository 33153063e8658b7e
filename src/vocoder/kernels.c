/* The inner loops of the pitch source and of the crossover for each instruction set: see kernels.h. */
#include "vocoder/kernels.h"

#include "base/cpu.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define WIDTH 4
#define NAME(name) name##_plain
#define NAME_STRING "plain"
#define ATTRIBUTES
#include "vocoder/kernels_body.h"
#undef WIDTH
#undef NAME
#undef NAME_STRING
#undef ATTRIBUTES

#if defined(__x86_64__)
#define WIDTH 8
#define NAME(name) name##_avx2
#define NAME_STRING "avx2"
#define ATTRIBUTES __attribute__((target("avx2,fma")))
#include "vocoder/kernels_body.h"
#undef WIDTH
#undef NAME
#undef NAME_STRING
#undef ATTRIBUTES

#define WIDTH 16
#define NAME(name) name##_avx512
#define NAME_STRING "avx512"
#define ATTRIBUTES __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")))
#include "vocoder/kernels_body.h"
#endif

const vocoder_kernels *vocoder_kernels_at(int i) {
    if (i == 0) return &kernels_plain;
#if defined(__x86_64__)
    if (i == 1 && base_cpu_has(BASE_CPU_AVX2)) return &kernels_avx2;
    if (i == 2 && base_cpu_has(BASE_CPU_AVX512)) return &kernels_avx512;
#endif
    return NULL;
}

const vocoder_kernels *vocoder_kernels_get(void) {
#if defined(__x86_64__)
    const base_cpu allowed = base_cpu_allowed();
    if (allowed >= BASE_CPU_AVX512) return &kernels_avx512;
    if (allowed >= BASE_CPU_AVX2) return &kernels_avx2;
#endif
    return &kernels_plain;
}
