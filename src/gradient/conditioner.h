/* The conditioner, and the upsampler of DiffWave, on a crop. */
#ifndef GRADIENT_CONDITIONER_H
#define GRADIENT_CONDITIONER_H

#include "gradient/state.h"

/* Rows of the conditioner after convolution i (i = 0: its input), all
 * crops: the last one has frames + 2. */
int gradient_cond_rows(const gradient_engine *e, int i);
int gradient_cond_width(const gradient_engine *e, int i);
void gradient_conditioner_forward(gradient_engine *e, gradient_workspace *w, const float *mel);
void gradient_conditioner_backward(gradient_engine *e, gradient_workspace *w, float *gradient);
/* DiffWave: two upsampling stages; w->up is n·256 × bands. */
void gradient_upsampler_forward(gradient_engine *e, gradient_workspace *w, const float *mel);
void gradient_upsampler_backward(gradient_engine *e, gradient_workspace *w, const float *mel,
                                 float *gradient);

#endif
