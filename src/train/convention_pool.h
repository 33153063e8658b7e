/* The mel conventions that networks over frames are trained on: those with names, and others drawn at
 * random around what people use, so that it serves those that nobody named. */
#ifndef TRAIN_CONVENTION_POOL_H
#define TRAIN_CONVENTION_POOL_H

#include "mel/convention.h"

/* Convention `index` of the pool of a seed: windows of 20 to 85 ms, hops of 4 to 20 ms (at most
 * half a window), 60 to 130 bands, Slaney's scale or HTK's, filters of unit area or unit peak, fmin
 * 0 to 100 Hz, fmax 7 to 12 kHz (or half the rate, where that is less), amplitude or power, floors
 * of 1e-10 to 1e-5 and frames centred or not, at 16, 22.05 or 24 kHz. Always valid. A function of
 * (seed, index) alone. */
void train_convention_pool_draw(uint64_t seed, int index, mel_convention *convention);

/* A pool: those with names and then `drawn` others, as far as `fits` lets them in (NULL: all); where
 * there is an `own`, that one before each of them. */
typedef struct train_convention_pool {
    uint64_t seed;
    int drawn;
    bool (*fits)(const mel_convention *);
    const mel_convention *own;
    /* Where train_convention_pool_next goes on; 0 at first. */
    int at, found;
    bool waits; /* `next` does */
    mel_convention next;
} train_convention_pool;

/* The next of it; false behind the last. */
bool train_convention_pool_next(train_convention_pool *pool, mel_convention *convention);

#endif
