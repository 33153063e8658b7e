/* Counter-based random numbers: Philox 4x32-10 (Salmon, Moraes, Dror & Shaw 2011). A number is a
 * function of (seed, stream, index) and of nothing else, so noise does not depend on the order of
 * calls. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* One block: four 32-bit words from a 128-bit counter and a 64-bit key. */
void random_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* Normal deviates number first … first+n-1 of the given stream (Box-Muller on uniform pairs). */
void random_normal(uint64_t seed, uint32_t stream, uint64_t first, float *out, size_t n);

/* The same for uniform deviates in [0, 1) with 53 bits. */
double random_uniform(uint64_t seed, uint32_t stream, uint64_t index);

#endif
