/* A look inside a vocoder while it works. */
#ifndef VOCODER_TRACE_H
#define VOCODER_TRACE_H

#include <stddef.h>
#include <stdint.h>

/* The signal inside: `stage` 0…stages−1 is the input of that network evaluation, x0 the speech
 * (whitened where the model is) that the network believes in there; stage = stages is the signal
 * after the last one (x0 = x). Called for consecutive pieces of every stage, for one stage from one
 * thread at a time. */
typedef struct vocoder_trace {
    void (*piece)(void *context, int stage, double t, uint64_t first, const float *x,
                  const float *x0, size_t n);
    void *context;
} vocoder_trace;

#endif
