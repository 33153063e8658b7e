/* The optimizers of a run together: Muon has the matrices inside the network, AdamW the rest of the
 * part that is trained; other tensors stay. */
#ifndef TRAIN_OPTIMIZERS_H
#define TRAIN_OPTIMIZERS_H

#include "base/thread_pool.h"
#include "train/checkpoint.h"
#include "train/settings.h"

typedef struct train_optimizers train_optimizers;

/* Everything is borrowed. */
lull_status train_optimizers_new(const train_settings *settings, model_part part,
                                 const model_parameters *shape, thread_pool *pool,
                                 train_optimizers **optimizer, lull_error *error);
void train_optimizers_free(train_optimizers *optimizer);

/* Norm of a whole gradient. */
double train_optimizers_norm(train_optimizers *optimizer, const float *gradient);

/* One step by `gradient` of norm `norm`, which is clipped: state's weights, averages and moments
 * move, and its count of updates. */
void train_optimizers_step(train_optimizers *optimizer, double rate, double norm,
                           const float *gradient, train_state *state);

#endif
