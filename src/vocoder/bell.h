/* Something that threads sleep by until another thread rings. */
#ifndef VOCODER_BELL_H
#define VOCODER_BELL_H

#include "lull.h"

typedef struct bell bell;

lull_status bell_new(bell **result, lull_error *error);
void bell_free(bell *b);

/* Wakes all who sleep, to look again. Waits for a lock that sleepers hold for a few instructions;
 * costs one load when nobody sleeps. */
void bell_ring(bell *b);
/* The same without waiting: a sleeper who is just lying down may miss it. */
void bell_try_ring(bell *b);

/* Sleeps until look(context) is not 0, which it returns, or `seconds` have passed (0 is returned
 * then; < 0: for ever). Looks again after every ring, and at least every `patience` seconds: as
 * long as a ring that was missed may last. */
int bell_wait(bell *b, int (*look)(const void *context), const void *context, double seconds,
              double patience);

#endif
