/* A lock-free ring of floats between one writing and one reading thread (C11 atomics). Neither side
 * ever waits, locks or allocates; whoever cannot go on is told how much it got. */
#ifndef AUDIO_RING_H
#define AUDIO_RING_H

#include "lull.h"

typedef struct audio_ring audio_ring;

/* Room for at least `capacity` samples (rounded up to a power of two). */
lull_status audio_ring_new(size_t capacity, audio_ring **ring, lull_error *error);
void audio_ring_free(audio_ring *ring);

size_t audio_ring_capacity(const audio_ring *ring);

/* Writing side: takes at most n samples, gives how many; and how many there is room for. */
size_t audio_ring_write(audio_ring *ring, const float *samples, size_t n);
size_t audio_ring_writable(const audio_ring *ring);

/* Reading side: how many are there, the first n of them, and n samples from `offset` on that stay
 * where they are. Both give how many they could. */
size_t audio_ring_readable(const audio_ring *ring);
size_t audio_ring_read(audio_ring *ring, float *samples, size_t n);
size_t audio_ring_peek(const audio_ring *ring, size_t offset, float *samples, size_t n);

#endif
