/* The ring of mel frames between push and pull. Each side owns one counter and reads the other's:
 * what the producer stored before it raised `pushed` is visible to who has read that value, and a
 * slot is written again only after the consumer has raised `popped` past it. */
#include "vocoder/frame_queue.h"

#include "base/error.h"
#include "base/memory.h"

#include <stdatomic.h>
#include <string.h>

struct vocoder_frame_queue {
    float *frames;
    size_t capacity, bands;
    _Alignas(64) _Atomic uint64_t pushed;
    atomic_bool finished;
    _Alignas(64) _Atomic uint64_t popped;
};

lull_status vocoder_frame_queue_new(size_t capacity, int bands, vocoder_frame_queue **result,
                                    lull_error *error) {
    *result = NULL;
    size_t floats;
    if (__builtin_mul_overflow(capacity, (size_t)bands, &floats)) return base_no_memory(error);
    vocoder_frame_queue *queue = base_alloc(1, sizeof *queue);
    float *frames = base_alloc(floats, sizeof *frames);
    if (!queue || !frames) {
        base_free(queue);
        base_free(frames);
        return base_no_memory(error);
    }
    queue->frames = frames;
    queue->capacity = capacity;
    queue->bands = (size_t)bands;
    vocoder_frame_queue_reset(queue);
    *result = queue;
    return LULL_OK;
}

uint64_t vocoder_frame_queue_bytes(size_t capacity, int bands) {
    uint64_t sum = base_memory_add(0, 1, sizeof(vocoder_frame_queue));
    return base_memory_add(sum, capacity, (uint64_t)bands * sizeof(float));
}

void vocoder_frame_queue_free(vocoder_frame_queue *queue) {
    if (!queue) return;
    base_free(queue->frames);
    base_free(queue);
}

void vocoder_frame_queue_reset(vocoder_frame_queue *queue) {
    atomic_store(&queue->pushed, 0);
    atomic_store(&queue->popped, 0);
    atomic_store(&queue->finished, false);
}

static float *slot(const vocoder_frame_queue *queue, uint64_t i) {
    return queue->frames + (size_t)(i % queue->capacity) * queue->bands;
}

size_t vocoder_frame_queue_push(vocoder_frame_queue *queue, const float *frames, size_t n) {
    uint64_t pushed = atomic_load_explicit(&queue->pushed, memory_order_relaxed);
    uint64_t popped = atomic_load_explicit(&queue->popped, memory_order_acquire);
    size_t room = queue->capacity - (size_t)(pushed - popped);
    if (n > room) n = room;
    for (size_t i = 0; i < n; i++)
        memcpy(slot(queue, pushed + i), frames + i * queue->bands, queue->bands * sizeof *frames);
    atomic_store_explicit(&queue->pushed, pushed + n, memory_order_release);
    return n;
}

size_t vocoder_frame_queue_room(const vocoder_frame_queue *queue) {
    /* The consumer's counter first: what it lets go of later only makes more room. */
    uint64_t popped = atomic_load_explicit(&queue->popped, memory_order_acquire);
    uint64_t pushed = atomic_load_explicit(&queue->pushed, memory_order_acquire);
    uint64_t waiting = pushed - popped;
    return waiting < queue->capacity ? queue->capacity - (size_t)waiting : 0;
}

size_t vocoder_frame_queue_waiting(const vocoder_frame_queue *queue, bool *begun) {
    uint64_t popped = atomic_load_explicit(&queue->popped, memory_order_acquire);
    *begun = popped > 0;
    return (size_t)(atomic_load_explicit(&queue->pushed, memory_order_acquire) - popped);
}

void vocoder_frame_queue_finish(vocoder_frame_queue *queue) {
    atomic_store_explicit(&queue->finished, true, memory_order_release);
}

bool vocoder_frame_queue_finished(const vocoder_frame_queue *queue) {
    return atomic_load_explicit(&queue->finished, memory_order_acquire);
}

uint64_t vocoder_frame_queue_pushed(const vocoder_frame_queue *queue) {
    return atomic_load_explicit(&queue->pushed, memory_order_acquire);
}

bool vocoder_frame_queue_pop(vocoder_frame_queue *queue, float *frame) {
    uint64_t popped = atomic_load_explicit(&queue->popped, memory_order_relaxed);
    if (popped == atomic_load_explicit(&queue->pushed, memory_order_acquire)) return false;
    if (frame) memcpy(frame, slot(queue, popped), queue->bands * sizeof *frame);
    atomic_store_explicit(&queue->popped, popped + 1, memory_order_release);
    return true;
}
