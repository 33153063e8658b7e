/* The weights of a step, packed for the products. */
#ifndef GRADIENT_WEIGHTS_H
#define GRADIENT_WEIGHTS_H

#include "gradient/state.h"

/* False in *ok: out of memory; gradient_weights_free is called all the same. */
void gradient_weights_new(gradient_engine *e, bool *ok);
void gradient_weights_free(gradient_engine *e);

/* Task i packs the weights of residual layer i, the task after the last one everything else. */
void gradient_pack_task(void *engine, int i, int worker);

#endif
