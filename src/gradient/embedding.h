/* The step embedding of a whole batch. */
#ifndef GRADIENT_EMBEDDING_H
#define GRADIENT_EMBEDDING_H

#include "gradient/state.h"

void gradient_embedding_new(gradient_engine *e, bool *ok);
void gradient_embedding_free(gradient_engine *e);
void gradient_embedding_forward(gradient_engine *e);
void gradient_embedding_backward(gradient_engine *e);

#endif
