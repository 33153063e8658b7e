/* A lock-free ring of floats between one writing and one reading thread.
 *
 * Two counters that only grow (and wrap with size_t): `written` belongs to the writer, `read` to
 * the reader. Each side publishes its own with release after it has touched the samples, and reads
 * the other's with acquire before it does, so a sample is never seen before it is there nor
 * overwritten while it is read. */
#include "lull.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

enum { LINE = 64 }; /* the two sides' counters on cache lines of their own */

struct lull_ring {
    float *samples;
    size_t capacity, mask;
    alignas(LINE) atomic_size_t written;
    alignas(LINE) atomic_size_t read;
};

lull_status lull_ring_new(size_t capacity, lull_ring **ring, lull_error *error) {
    size_t size = 2;
    while (size < capacity && size <= SIZE_MAX / 4 / sizeof(float)) size *= 2;
    if (size < capacity) return base_no_memory(error);
    lull_ring *r = base_alloc(1, sizeof *r);
    if (!r) return base_no_memory(error);
    r->samples = base_alloc(size, sizeof(float));
    if (!r->samples) {
        base_free(r);
        return base_no_memory(error);
    }
    r->capacity = size;
    r->mask = size - 1;
    atomic_init(&r->written, 0);
    atomic_init(&r->read, 0);
    *ring = r;
    return LULL_OK;
}

void lull_ring_free(lull_ring *ring) {
    if (!ring) return;
    base_free(ring->samples);
    base_free(ring);
}

size_t lull_ring_capacity(const lull_ring *ring) {
    return ring->capacity;
}

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

size_t lull_ring_write(lull_ring *ring, const float *samples, size_t n) {
    size_t written = atomic_load_explicit(&ring->written, memory_order_relaxed);
    size_t read = atomic_load_explicit(&ring->read, memory_order_acquire);
    n = smaller(n, ring->capacity - (written - read));
    if (n == 0) return 0;
    size_t at = written & ring->mask, first = smaller(n, ring->capacity - at);
    memcpy(ring->samples + at, samples, first * sizeof(float));
    memcpy(ring->samples, samples + first, (n - first) * sizeof(float));
    atomic_store_explicit(&ring->written, written + n, memory_order_release);
    return n;
}

size_t lull_ring_writable(const lull_ring *ring) {
    size_t written = atomic_load_explicit(&ring->written, memory_order_relaxed);
    size_t read = atomic_load_explicit(&ring->read, memory_order_acquire);
    return ring->capacity - (written - read);
}

size_t lull_ring_readable(const lull_ring *ring) {
    size_t read = atomic_load_explicit(&ring->read, memory_order_relaxed);
    size_t written = atomic_load_explicit(&ring->written, memory_order_acquire);
    return written - read;
}

size_t lull_ring_peek(const lull_ring *ring, size_t offset, float *samples, size_t n) {
    size_t read = atomic_load_explicit(&ring->read, memory_order_relaxed);
    size_t written = atomic_load_explicit(&ring->written, memory_order_acquire);
    size_t readable = written - read;
    if (offset >= readable) return 0;
    n = smaller(n, readable - offset);
    size_t at = (read + offset) & ring->mask, first = smaller(n, ring->capacity - at);
    memcpy(samples, ring->samples + at, first * sizeof(float));
    memcpy(samples + first, ring->samples, (n - first) * sizeof(float));
    return n;
}

size_t lull_ring_read(lull_ring *ring, float *samples, size_t n) {
    n = lull_ring_peek(ring, 0, samples, n);
    size_t read = atomic_load_explicit(&ring->read, memory_order_relaxed);
    atomic_store_explicit(&ring->read, read + n, memory_order_release);
    return n;
}
