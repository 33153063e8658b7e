/* Something that threads sleep by until another thread rings. */
#ifndef VOCODER_BELL_H
#define VOCODER_BELL_H

#include "lull.h"

typedef struct vocoder_bell vocoder_bell;

lull_status vocoder_bell_new(vocoder_bell **result, lull_error *error);
void vocoder_bell_free(vocoder_bell *b);

/* Wakes all who sleep, to look again. Waits for a lock that sleepers hold for a few instructions;
 * costs one load when nobody sleeps. */
void vocoder_bell_ring(vocoder_bell *b);
/* The same without waiting: a sleeper who is just lying down may miss it. */
void vocoder_bell_try_ring(vocoder_bell *b);

/* Sleeps until look(context) is not 0, which it returns, or `seconds` have passed (0 is returned
 * then; < 0: for ever). Looks again after every ring, and at least every `patience` seconds: as
 * long as a ring that was missed may last. */
int vocoder_bell_wait(vocoder_bell *b, int (*look)(const void *context), const void *context,
                      double seconds, double patience);

#endif
