/* Denormal numbers as zero while we compute: they would slow a vocoder down in silence, and are
 * inaudible. */
#ifndef VOCODER_DENORMALS_H
#define VOCODER_DENORMALS_H

#include <stdint.h>

#if defined(__x86_64__) || defined(__i386__)
#include <xmmintrin.h>
#endif

/* Switches flushing on in this thread; returns what vocoder_denormals_restore needs. */
static inline uint64_t vocoder_denormals_off(void) {
#if defined(__x86_64__) || defined(__i386__)
    unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040u); /* flush to zero, denormals are zero */
    return before;
#elif defined(__aarch64__)
    uint64_t before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" : : "r"(before | (1u << 24)));
    return before;
#else
    return 0;
#endif
}

static inline void vocoder_denormals_restore(uint64_t before) {
#if defined(__x86_64__) || defined(__i386__)
    _mm_setcsr((unsigned)before);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(before));
#else
    (void)before;
#endif
}

#endif
