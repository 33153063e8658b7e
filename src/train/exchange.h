/* The sum of the gradient over all ranks, in buckets that are under way while the backward pass
 * goes on. Which weights share a bucket follows from the network alone, and buckets begin in one
 * order on all ranks: for a given number of ranks the result is always the same, bit by bit. */
#ifndef TRAIN_EXCHANGE_H
#define TRAIN_EXCHANGE_H

#include "model/parameters.h"
#include "ranks/ranks.h"

typedef struct train_exchange train_exchange;

/* Shape and ranks are borrowed; more than one rank. */
lull_status train_exchange_new(ranks *ranks, const model_parameters *shape,
                               train_exchange **exchange, lull_error *error);
void train_exchange_free(train_exchange *exchange);

/* Begins a step's exchange of `gradient`, whose parts are announced as they become final; `before`
 * (may be NULL): what earlier batches of the step left, added to it. */
void train_exchange_begin(train_exchange *exchange, const float *gradient, const float *before);
/* A gradient_engine_ready. */
void train_exchange_ready(void *exchange, size_t offset, size_t count);
/* Takes the parts that were not announced (all of them as zeros when `lost`: this rank has no
 * gradient), waits, and writes the sum over the ranks to `sum` (whole vector; may be `before`).
 * values: `count` doubles that are summed with it. */
lull_status train_exchange_finish(train_exchange *exchange, bool lost, float *sum, double *values,
                                  size_t count, lull_error *error);

/* Since the start. */
typedef struct train_exchange_times {
    uint64_t steps;
    double bytes;   /* of gradient that a rank gave into the sums */
    double busy;    /* seconds in which sums were under way */
    double exposed; /* seconds from the end of the backward pass to the sum at hand */
    double early; /* bytes of buckets that were complete before the end of the backward pass … */
    double lead;  /* … and by how many seconds the first of them */
    double seconds; /* from the first step's sum at hand to the last step's */
    /* Of the quickest step: other work on a machine only ever adds. */
    double quickest, quickest_exposed, quickest_lead;
} train_exchange_times;
train_exchange_times train_exchange_get_times(const train_exchange *exchange);

#endif
