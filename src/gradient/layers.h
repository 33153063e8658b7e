/* The residual layers on a crop. */
#ifndef GRADIENT_LAYERS_H
#define GRADIENT_LAYERS_H

#include "gradient/state.h"

/* In the backward pass w->dres holds the gradient by the layer's residual r and
 * becomes that of the layer before (of the first one: the gradient by its input). */
void gradient_first_input(gradient_engine *e, gradient_workspace *w, int crop);
void gradient_layer_forward(gradient_engine *e, gradient_workspace *w, int crop, int layer);
void gradient_layer_backward(gradient_engine *e, gradient_workspace *w, int layer,
                             const gradient_sums *group);

#endif
