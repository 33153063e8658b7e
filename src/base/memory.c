/* Zeroed, aligned, overflow-checked allocation, with failures on demand for the tests. */
#include "base/memory.h"

#include "base/os_memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Files are read as they lie, and sizes of what files promise are multiplied in size_t. */
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "lull needs a little-endian machine"
#endif
#if SIZE_MAX < 0xffffffffffffffff
#error "lull needs a machine of 64 bits"
#endif

enum { ALIGNMENT = 64 };

/* Allocations until the one that fails; 0 is off. */
static atomic_size_t fail_countdown;

void base_memory_fail_at(size_t n) {
    atomic_store(&fail_countdown, n);
}

static _Atomic uint64_t given;

uint64_t base_memory_given(void) {
    return atomic_load(&given);
}

uint64_t base_memory_add(uint64_t sum, uint64_t count, uint64_t size) {
    uint64_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > UINT64_MAX - ALIGNMENT)
        return UINT64_MAX;
    bytes = bytes == 0 ? ALIGNMENT : (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return __builtin_add_overflow(sum, bytes, &sum) ? UINT64_MAX : sum;
}

static bool must_fail(void) {
    size_t left = atomic_load_explicit(&fail_countdown, memory_order_relaxed);
    while (left > 0) {
        if (atomic_compare_exchange_weak(&fail_countdown, &left, left - 1)) return left == 1;
    }
    return false;
}

void *base_alloc(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
    if (bytes > (size_t)PTRDIFF_MAX - ALIGNMENT || must_fail()) return NULL;
    /* os_memory_take wants a multiple of the alignment; an empty array still gets a pointer. */
    bytes = bytes == 0 ? ALIGNMENT : (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    void *memory = os_memory_take(ALIGNMENT, bytes);
    if (!memory) return NULL;
    memset(memory, 0, bytes);
    atomic_fetch_add_explicit(&given, bytes, memory_order_relaxed);
    return memory;
}

bool base_memory_there(size_t bytes) {
    void *memory = must_fail() ? NULL : os_memory_take(ALIGNMENT, bytes / ALIGNMENT * ALIGNMENT);
    bool there = memory != NULL;
    os_memory_give(memory);
    return there;
}

void base_free(void *memory) {
    os_memory_give(memory);
}

char *base_strdup(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = base_alloc(size, 1);
    if (copy) memcpy(copy, text, size);
    return copy;
}

bool base_grow(void **array, size_t *capacity, size_t wanted, size_t element_size) {
    if (wanted <= *capacity && *array) return true;
    size_t room = *capacity < 8 ? 8 : *capacity;
    while (room < wanted) {
        if (room > SIZE_MAX / 2) return false;
        room *= 2;
    }
    void *grown = base_alloc(room, element_size);
    if (!grown) return false;
    if (*array) memcpy(grown, *array, *capacity * element_size);
    base_free(*array);
    *array = grown;
    *capacity = room;
    return true;
}
