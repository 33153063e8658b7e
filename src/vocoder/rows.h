/* A ring of rows between two parts: mel frames, conditioning rows, whatever comes at a rate of its
 * own. Row i lies at i mod capacity. One part appends, any number of others read: each of them
 * keeps a position before which it needs nothing any more, and the producer's plan asks for the
 * oldest. */
#ifndef VOCODER_ROWS_H
#define VOCODER_ROWS_H

#include "base/memory.h"

#include <stdint.h>

enum { VOCODER_MAX_READERS = 8 };

typedef struct vocoder_rows {
    float *data;
    size_t width, capacity;
    uint64_t end; /* one past the newest */
    bool ended;   /* no row follows */
    const uint64_t *reader[VOCODER_MAX_READERS];
    int readers;
} vocoder_rows;

static inline bool vocoder_rows_allocate(vocoder_rows *rows) {
    rows->data = base_alloc(rows->capacity, rows->width * sizeof *rows->data);
    return rows->data != NULL;
}

static inline uint64_t vocoder_rows_bytes(const vocoder_rows *rows) {
    return base_memory_add(0, rows->capacity, rows->width * sizeof *rows->data);
}

static inline void vocoder_rows_reset(vocoder_rows *rows) {
    rows->end = 0;
    rows->ended = false;
}

/* *position: the oldest row that the reader still needs; at creation only. */
static inline void vocoder_rows_read_by(vocoder_rows *rows, const uint64_t *position) {
    rows->reader[rows->readers++] = position;
}

static inline uint64_t vocoder_rows_oldest(const vocoder_rows *rows) {
    uint64_t oldest = rows->end;
    for (int i = 0; i < rows->readers; i++)
        if (*rows->reader[i] < oldest) oldest = *rows->reader[i];
    return oldest;
}

/* Rows that can be appended now. For the producer's plan. */
static inline size_t vocoder_rows_room(const vocoder_rows *rows) {
    return rows->capacity - (size_t)(rows->end - vocoder_rows_oldest(rows));
}

static inline float *vocoder_rows_at(const vocoder_rows *rows, uint64_t i) {
    return rows->data + (size_t)(i % rows->capacity) * rows->width;
}

/* Rows of the whole utterance; UINT64_MAX until known. */
static inline uint64_t vocoder_rows_total(const vocoder_rows *rows) {
    return rows->ended ? rows->end : UINT64_MAX;
}

#endif
