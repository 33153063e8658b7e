/* Muon for the matrices inside the network (Jordan et al. 2024, "Muon: an optimizer for hidden
 * layers"; scale and decay as in Liu et al. 2025, arXiv:2502.16982, eq. 4): momentum, of which the
 * nearest matrix with equal singular values is the step. Biases, the step embedding and the first
 * and last projection are AdamW's. */
#ifndef TRAIN_MUON_H
#define TRAIN_MUON_H

#include "base/thread_pool.h"
#include "model/parameters.h"

typedef struct train_muon train_muon;

/* What a step is made of, next to gradient and weights. */
typedef struct train_muon_step_options {
    double momentum; /* of the running sum of gradients; Nesterov's form is used */
    double rate, decay;
    float scale; /* of the gradient: clipping */
    double average_decay;
} train_muon_step_options;

/* Room for every thread of the pool; `shape` and `pool` are borrowed. */
lull_status train_muon_new(const model_parameters *shape, thread_pool *pool, train_muon **muon,
                           lull_error *error);
void train_muon_free(train_muon *muon);

/* Whether a tensor is Muon's. */
bool train_muon_takes(const model_tensor *tensor);

/* All of Muon's tensors: momentum m and weights move, then the average (NULL: none). Other parts of
 * the flat vectors are not touched. The result does not depend on the number of threads. */
void train_muon_step(train_muon *muon, const train_muon_step_options *options,
                     const float *gradient, float *weights, float *m, float *average);

/* The step's direction alone: five Newton–Schulz iterations bring the singular values of a
 * rows × columns matrix (in place) near 1. scratch: train_muon_scratch(rows, columns) floats. */
void train_muon_orthogonalize(float *matrix, int rows, int columns, float *scratch);
size_t train_muon_scratch(int rows, int columns);

#endif
