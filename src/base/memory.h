/* Every allocation of the library: zeroed, aligned to 64 bytes for vector loads, overflow-checked.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* count × size zeroed bytes, or NULL (also when the product overflows). count 0 gives a valid
 * pointer. */
void *base_alloc(size_t count, size_t size);

void base_free(void *memory);

/* What base_alloc(count, size) takes, added to a sum that stops at UINT64_MAX: for those who say
 * beforehand what they will need. */
uint64_t base_memory_add(uint64_t sum, uint64_t count, uint64_t size);

/* A copy of a string, or NULL. Freed with base_free. */
char *base_strdup(const char *text);

/* Makes room for `wanted` elements in a growing array (doubling). False when memory is out: the old
 * array is then still valid. */
bool base_grow(void **array, size_t *capacity, size_t wanted, size_t element_size);

/* For tests only: the n-th allocation from now on (1 = the next) fails; 0 switches that off. */
void base_memory_fail_at(size_t n);
/* For tests only: bytes that all base_alloc together have given so far, freed or not. */
uint64_t base_memory_given(void);

/* Whether that many bytes could be had now; they are given back. For libraries that end the process
 * when they find none. */
bool base_memory_there(size_t bytes);

#endif
