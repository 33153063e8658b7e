/* Independent multiply-add chains, as many as hide an instruction's latency. */
#include "nn/peak.h"

#include <time.h>

#include "nn/tables.h"

#ifdef NN_X86
#include <immintrin.h>
#endif
#ifdef NN_NEON
#include <arm_neon.h>
#endif

enum { CHAINS = 12, ROUNDS = 20000 };

double nn_thread_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Twelve accumulators by name, so that they stay in registers whatever the compiler's mood. */
#define CHAIN_LOOP(type, zero, step)                                                               \
    type a0 = zero, a1 = zero, a2 = zero, a3 = zero, a4 = zero, a5 = zero;                         \
    type a6 = zero, a7 = zero, a8 = zero, a9 = zero, a10 = zero, a11 = zero;                       \
    for (int i = 0; i < ROUNDS; i++) {                                                             \
        a0 = step(a0), a1 = step(a1), a2 = step(a2), a3 = step(a3), a4 = step(a4), a5 = step(a5);  \
        a6 = step(a6), a7 = step(a7), a8 = step(a8), a9 = step(a9), a10 = step(a10);               \
        a11 = step(a11);                                                                           \
        /* To the compiler, every accumulator may have changed: the chains stay apart. */          \
        __asm__ volatile("" : KEEP(a0), KEEP(a1), KEEP(a2), KEEP(a3), KEEP(a4), KEEP(a5));         \
        __asm__ volatile("" : KEEP(a6), KEEP(a7), KEEP(a8), KEEP(a9), KEEP(a10), KEEP(a11));       \
    }

typedef struct chain {
    void (*run)(void);
    double flops; /* of one step of one chain */
} chain;

static double best_rate(chain c, double seconds) {
    double best = 0, spent = 0;
    while (spent < seconds) {
        double start = nn_thread_seconds();
        c.run();
        double took = nn_thread_seconds() - start;
        double rate = took > 0 ? c.flops * CHAINS * ROUNDS / took * 1e-9 : 0;
        spent += took > 1e-6 ? took : 1e-6;
        if (rate > best) best = rate;
    }
    return best;
}

#ifdef NN_X86
#define KEEP(a) "+v"(a)
__attribute__((target("avx512f"))) static void run_avx512(void) {
    const __m512 x = _mm512_set1_ps(0.999f), y = _mm512_set1_ps(1e-3f);
#define STEP(a) _mm512_fmadd_ps(a, x, y)
    CHAIN_LOOP(__m512, _mm512_setzero_ps(), STEP)
#undef STEP
}

__attribute__((target("avx512f,avx512bf16"))) static void run_avx512bf16(void) {
    const __m512bh x = (__m512bh)_mm512_set1_epi32(0x3f003f00); /* 0.5 */
#define STEP(a) _mm512_dpbf16_ps(a, x, x)
    CHAIN_LOOP(__m512, _mm512_setzero_ps(), STEP)
#undef STEP
}
#undef KEEP
#define KEEP(a) "+x"(a)

__attribute__((target("avx2,fma"))) static void run_avx2(void) {
    const __m256 x = _mm256_set1_ps(0.999f), y = _mm256_set1_ps(1e-3f);
#define STEP(a) _mm256_fmadd_ps(a, x, y)
    CHAIN_LOOP(__m256, _mm256_setzero_ps(), STEP)
#undef STEP
}

static void run_plain(void) {
    const __m128 x = _mm_set1_ps(0.999f), y = _mm_set1_ps(1e-3f);
#define STEP(a) _mm_add_ps(_mm_mul_ps(a, x), y)
    CHAIN_LOOP(__m128, _mm_setzero_ps(), STEP)
#undef STEP
}

static chain chain_f32(void) {
    if (nn_kernels_named("avx512")) return (chain){run_avx512, 2 * 16};
    if (nn_kernels_named("avx2")) return (chain){run_avx2, 2 * 8};
    return (chain){run_plain, 2 * 4};
}

#ifdef NN_AMX
static void run_amx(void) {
    nn_amx_chains(CHAINS * ROUNDS);
}
#endif

static chain chain_bf16(void) {
#ifdef NN_AMX
    if (nn_kernels_named("amx")) return (chain){run_amx, 2 * 16 * 16 * 32};
#endif
    return nn_kernels_named("avx512bf16") ? (chain){run_avx512bf16, 2 * 32} : (chain){0};
}
#elif defined(NN_NEON)
#define KEEP(a) "+w"(a)
static void run_neon(void) {
    const float32x4_t x = vdupq_n_f32(0.999f), y = vdupq_n_f32(1e-3f);
#define STEP(a) vfmaq_f32(y, a, x)
    CHAIN_LOOP(float32x4_t, vdupq_n_f32(0), STEP)
#undef STEP
}

static chain chain_f32(void) {
    return (chain){run_neon, 2 * 4};
}

static chain chain_bf16(void) {
    return (chain){0};
}
#else
static chain chain_f32(void) {
    return (chain){0};
}

static chain chain_bf16(void) {
    return (chain){0};
}
#endif

double nn_peak_f32(double seconds) {
    chain c = chain_f32();
    return c.run ? best_rate(c, seconds) : 0;
}

double nn_peak_bf16(double seconds) {
    chain c = chain_bf16();
    return c.run ? best_rate(c, seconds) : 0;
}
