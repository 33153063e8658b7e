/* A signal between two stages: a piece of it, as contiguous samples with absolute positions. One
 * stage appends, the next one reads and releases. Both may run at the same time: the producer
 * touches only `end`, the consumer only `first`, and samples move only in vocoder_line_compact, between the
 * ticks. */
#ifndef VOCODER_LINE_H
#define VOCODER_LINE_H

#include "base/memory.h"

#include <stdint.h>
#include <string.h>

typedef struct vocoder_line {
    float *data;
    size_t capacity;
    int64_t origin; /* position of data[0] */
    int64_t first;  /* oldest sample that is still needed */
    int64_t end;    /* one past the newest */
} vocoder_line;

static inline bool vocoder_line_allocate(vocoder_line *l) {
    l->data = base_alloc(l->capacity, sizeof *l->data);
    return l->data != NULL;
}

static inline uint64_t vocoder_line_bytes(const vocoder_line *l) {
    return base_memory_add(0, l->capacity, sizeof *l->data);
}

/* Empty but for zeros from `first` (≤ 0) to 0. */
static inline void vocoder_line_reset(vocoder_line *l, int64_t first) {
    l->origin = l->first = first;
    l->end = 0;
    memset(l->data, 0, (size_t)-first * sizeof *l->data);
}

static inline float *vocoder_line_at(const vocoder_line *l, int64_t position) {
    return l->data + (position - l->origin);
}

/* Moves what is still needed to the front when fewer than `wanted` samples fit behind the end. */
static inline void vocoder_line_compact(vocoder_line *l, size_t wanted) {
    if ((size_t)(l->end - l->origin) + wanted <= l->capacity || l->first == l->origin) return;
    memmove(l->data, vocoder_line_at(l, l->first), (size_t)(l->end - l->first) * sizeof *l->data);
    l->origin = l->first;
}

/* Samples that can be appended now. */
static inline size_t vocoder_line_room(const vocoder_line *l) {
    return l->capacity - (size_t)(l->end - l->origin);
}

#endif
