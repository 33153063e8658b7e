/* The optimizer on one flat vector of weights: AdamW (Loshchilov & Hutter 2019, algorithm 2) in
 * PyTorch's order of operations, clipping by the global norm, the exponential moving average, and
 * the learning rate's course. */
#ifndef TRAIN_ADAMW_H
#define TRAIN_ADAMW_H

#include "base/thread_pool.h"

typedef struct train_adamw {
    double beta1, beta2, epsilon,
        decay; /* decay applies to every weight, as PyTorch's AdamW does */
} train_adamw;

/* √Σ g², summed in blocks of fixed size and in their order: the same for any number of threads. */
double train_norm(thread_pool *pool, const float *gradient, size_t n, double *partial);
/* Doubles that `partial` must hold. */
size_t train_norm_blocks(size_t n);

/* What the gradient is multiplied by so that its norm is at most `largest` (0 = no clipping), as
 * torch.nn.utils.clip_grad_norm_ does. */
float train_clip(double norm, double largest);

/* Step number `step` (1 is the first): gradient · scale enters; m and v are the moments; average ←
 * decay·average + (1 − decay)·weights when average is not NULL. */
void train_adamw_step(const train_adamw *adamw, thread_pool *pool, uint64_t step, double rate,
                      float scale, size_t n, const float *gradient, float *weights, float *m,
                      float *v, float *average, double average_decay);

/* Decay of the average at a step (1 is the first): short at first, so that the random start is soon
 * forgotten: min(decay, (1 + step)/(10 + step)). */
double train_average_decay(double decay, uint64_t step);

/* Learning rate of a step (1 is the first): linear warm-up, then constant, or half a cosine from 1
 * to `last` over the progress (0 … 1) of the run. */
double train_rate(double rate, uint64_t step, uint64_t warm_up, bool cosine, double last,
                  double progress);

#endif
