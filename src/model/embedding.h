/* The embedding of the diffusion step (Kong et al. 2021, §3.2): sines and cosines of the network
 * time, then two linear layers with SiLU. */
#ifndef MODEL_EMBEDDING_H
#define MODEL_EMBEDDING_H

#include "model/parameters.h"

/* lull: [sin(t·ω) | cos(t·ω)], ω geometric from embedding_from to embedding_to. DiffWave: its table
 * at step t (ω_j = 10^(4j/63); Kong et al. 2021, §3.2), a fractional t interpolated linearly
 * between two rows. Writes model_config_embedding_inputs floats. */
void model_embedding_input(const model_config *config, double t, float *out);

/* The whole embedding: embedding_hidden floats that every layer projects. False: out of memory. */
bool model_embedding(const model_config *config, const model_parameters *parameters, double t,
                     float *embedding);

#endif
