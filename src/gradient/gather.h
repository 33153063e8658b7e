/* The groups' shares of the gradient, and how they become one. */
#ifndef GRADIENT_GATHER_H
#define GRADIENT_GATHER_H

#include "gradient/state.h"

void gradient_sums_new(gradient_engine *e, bool *ok);
void gradient_sums_free(gradient_engine *e);
void gradient_sums_clear(const gradient_engine *e, const gradient_sums *sums);

/* Groups of the batch at hand. */
int gradient_group_count(const gradient_engine *e);

/* Counts a group that is through with a layer; the last one gathers the layer's early tensors. */
void gradient_layer_finished(gradient_engine *e, int layer);
/* Task i: tensor i, if it is not gathered yet. */
void gradient_gather_task(void *engine, int i, int worker);

#endif
