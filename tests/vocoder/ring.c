/* The ring between synthesis and the callback: order and completeness of samples for every block
 * size, and with both threads at full speed (run it under ThreadSanitizer: -Db_sanitize=thread). */
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <sched.h>

#include <cmocka.h>

#include "lull.h"
#include "base/memory.h"

enum { MOST = 4096 };

/* Sample number i of the test's signal: a value of 24 bits, exact in a float. */
static float sample(uint64_t i) {
    return (float)((i * 2654435761u) >> 8 & 0xffffff);
}

static void fill(float *out, uint64_t first, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = sample(first + i);
}

static size_t wrong(const float *in, uint64_t first, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (in[i] != sample(first + i)) return i;
    return n;
}

static void test_sizes(void **state) {
    (void)state;
    lull_ring *ring;
    float in[8] = {1, 2, 3, 4, 5, 6, 7, 8}, out[8];
    assert_int_equal(lull_ring_new(5, &ring, NULL), LULL_OK);
    assert_int_equal(lull_ring_capacity(ring), 8);
    assert_int_equal(lull_ring_writable(ring), 8);
    assert_int_equal(lull_ring_read(ring, out, 3), 0);
    assert_int_equal(lull_ring_write(ring, in, 6), 6);
    assert_int_equal(lull_ring_write(ring, in + 6, 2), 2);
    assert_int_equal(lull_ring_write(ring, in, 1), 0);
    assert_int_equal(lull_ring_peek(ring, 6, out, 8), 2);
    assert_true(out[0] == 7 && out[1] == 8);
    assert_int_equal(lull_ring_peek(ring, 8, out, 1), 0);
    assert_int_equal(lull_ring_read(ring, out, 5), 5);
    assert_int_equal(lull_ring_write(ring, in, 5), 5); /* wraps */
    assert_int_equal(lull_ring_read(ring, out, 8), 8);
    assert_true(out[0] == 6 && out[2] == 8 && out[3] == 1 && out[7] == 5);
    assert_int_equal(lull_ring_readable(ring), 0);
    lull_ring_free(ring);
    lull_ring_free(NULL);
    lull_error error;
    assert_int_equal(lull_ring_new(SIZE_MAX, &ring, &error), LULL_NO_MEMORY);
    for (size_t n = 1; n <= 2; n++) {
        base_memory_fail_at(n);
        assert_int_equal(lull_ring_new(16, &ring, &error), LULL_NO_MEMORY);
    }
    base_memory_fail_at(0);
}

static void test_every_block_size(void **state) {
    (void)state;
    static float in[MOST], out[MOST];
    lull_ring *ring;
    assert_int_equal(lull_ring_new(3000, &ring, NULL), LULL_OK);
    uint64_t written = 0, read = 0;
    for (size_t size = 1; size <= MOST; size++) {
        /* Another size on the reading side, so that both wrap at odd places. */
        size_t other = 1 + (size * 7919) % MOST;
        for (int round = 0; round < 4; round++) {
            fill(in, written, size);
            written += lull_ring_write(ring, in, size);
            size_t got = lull_ring_read(ring, out, other);
            assert_int_equal(wrong(out, read, got), got);
            read += got;
            assert_int_equal(lull_ring_readable(ring), written - read);
        }
    }
    assert_true(read > 1000000);
    lull_ring_free(ring);
}

typedef struct run {
    lull_ring *ring;
    uint64_t total, seed;
} run;

/* A small generator for block sizes. */
static size_t next_size(uint64_t *seed) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return 1 + (size_t)(*seed >> 52); /* 1 … 4096 */
}

static void *produce(void *argument) {
    run *r = argument;
    static float block[MOST];
    for (uint64_t done = 0; done < r->total;) {
        size_t n = next_size(&r->seed), at = 0;
        if (n > r->total - done) n = (size_t)(r->total - done);
        fill(block, done, n);
        while (at < n) {
            size_t put = lull_ring_write(r->ring, block + at, n - at);
            if (!put) sched_yield();
            at += put;
        }
        done += n;
    }
    return NULL;
}

/* Thirty minutes of sound at 22.05 kHz as fast as two threads go, random block sizes on both sides.
 */
static void test_half_an_hour(void **state) {
    (void)state;
    run r = {.total = 30u * 60 * 22050, .seed = 1};
    static float block[MOST], again[MOST];
    assert_int_equal(lull_ring_new(8192, &r.ring, NULL), LULL_OK);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, produce, &r), 0);
    uint64_t read = 0, seed = 2;
    while (read < r.total) {
        size_t n = next_size(&seed), seen = lull_ring_readable(r.ring);
        size_t peeked = lull_ring_peek(r.ring, 0, again, n);
        size_t got = lull_ring_read(r.ring, block, n);
        assert_true(peeked >= (seen < n ? seen : n) && got >= peeked);
        assert_memory_equal(block, again, peeked * sizeof(float));
        assert_int_equal(wrong(block, read, got), got);
        read += got;
        if (!got) sched_yield();
    }
    pthread_join(thread, NULL);
    assert_int_equal(lull_ring_readable(r.ring), 0);
    lull_ring_free(r.ring);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_every_block_size),
        cmocka_unit_test(test_half_an_hour),
    };
    return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
