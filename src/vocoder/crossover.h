/* A part behind the network: below the crossover frequency the signal is the network's, above it
 * the source's. In its few steps the network knows the low harmonics and averages the high ones
 * away, where their phases are not to be known; there the source has the pulses of the voice. What
 * is mixed is linear in phase, so the two add up to the source again where they agree:
 *
 *     out = source + low-pass(network − source) */
#ifndef VOCODER_CROSSOVER_H
#define VOCODER_CROSSOVER_H

#include "vocoder/kernels.h"
#include "vocoder/line.h"
#include "vocoder/part.h"
#include "vocoder/rows.h"

typedef struct vocoder_crossover {
    const vocoder_kernels *kernels;
    const vocoder_rows *frames; /* say how long the signal is */
    vocoder_line *network, *source, *out;
    int half; /* taps on each side */
    size_t most;
    uint64_t hop;
    double cut;        /* cycles a sample */
    float *taps;       /* 2 · half + 1 */
    float *difference; /* most + 2 · half, padded */

    size_t todo;   /* of this tick: samples */
    int64_t total; /* of the signal, INT64_MAX until known */
} vocoder_crossover;

extern const vocoder_part_kind vocoder_crossover_part;

/* Everything is borrowed. hertz: the crossover, below rate / 2. most: samples at a time. */
void vocoder_crossover_init(vocoder_crossover *c, double hertz, int rate, int hop,
                            const vocoder_rows *frames, vocoder_line *network, vocoder_line *source,
                            vocoder_line *out, size_t most);

#endif
