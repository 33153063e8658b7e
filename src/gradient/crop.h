/* One crop through the whole denoiser. */
#ifndef GRADIENT_CROP_H
#define GRADIENT_CROP_H

#include "gradient/state.h"

/* x_in: rows of the network's input. Leaves the prediction in w->u. */
void gradient_crop_forward(gradient_engine *e, gradient_workspace *w, int crop, const float *x_in,
                           const float *mel);
/* From w->du, what forward left and the same inputs, into the group's sums. last_of_group: each layer
 * is counted as finished for the group (gather.h). */
void gradient_crop_backward(gradient_engine *e, gradient_workspace *w, const float *x_in,
                            const float *mel, const gradient_sums *group, bool last_of_group);

#endif
