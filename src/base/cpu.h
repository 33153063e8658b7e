/* What vectors the processor has. Asked here alone, by every table of kernels in the project. */
#ifndef BASE_CPU_H
#define BASE_CPU_H

#include <stdbool.h>

/* Instruction sets beyond what every processor of the target has; each includes those before it. */
typedef enum base_cpu {
    BASE_CPU_ANY,
    BASE_CPU_AVX2,      /* with FMA */
    BASE_CPU_AVX512,    /* F, VL, DQ, BW */
    BASE_CPU_AVX512BF16 /* with VPDPBF16PS' set */
} base_cpu;

/* Whether the processor has the set and the operating system saves its registers. */
bool base_cpu_has(base_cpu set);

/* Whether vectors multiply bfloat16 faster than float32. Intel's processors have the instructions of
 * BASE_CPU_AVX512BF16, at half the speed of those of BASE_CPU_AVX512 (their fast ones are AMX's:
 * docs/performance.md). */
bool base_cpu_bf16_pays(void);

/* The largest set that may be used: the processor's, or what LULL_CPU in the environment names if
 * that is less (reference, portable and neon: none; avx2; avx512; avx512bf16 and amx). The same
 * from the first call on, from any thread. */
base_cpu base_cpu_allowed(void);

/* LULL_CPU as it was then; NULL when it is not set. */
const char *base_cpu_wanted(void);

#endif
