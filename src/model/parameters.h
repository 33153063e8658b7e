/* The weights: one flat float32 array, tensor after tensor, with PyTorch's shapes, so that the
 * optimizer, the averages and the checkpoints see one vector. */
#ifndef MODEL_PARAMETERS_H
#define MODEL_PARAMETERS_H

#include "io/safetensors.h"
#include "model/tensors.h"

typedef struct model_parameters {
    model_tensor *tensors;
    size_t tensor_count;
    size_t size;  /* floats in data, padding included */
    size_t total; /* weights, padding not counted */
    model_role_place place[MODEL_ROLES];
    float *data;
} model_parameters;

/* The tensors that a configuration implies, data zeroed. */
lull_status model_parameters_new(const model_config *config, model_parameters **parameters,
                                 lull_error *error);
void model_parameters_free(model_parameters *parameters);
/* Number of weights that a (checked) configuration has, without allocating them. */
size_t model_parameters_total(const model_config *config);

/* The tensors of a role that the configuration has (it is an internal error otherwise: asserts),
 * index from 0, and their values. */
const model_tensor *model_parameters_weight_tensor(const model_parameters *parameters,
                                                   model_role role, int index);
const model_tensor *model_parameters_bias_tensor(const model_parameters *parameters,
                                                 model_role role, int index);
float *model_parameters_weight(const model_parameters *parameters, model_role role, int index);
float *model_parameters_bias(const model_parameters *parameters, model_role role, int index);

/* First values of all tensors (model_start), from a seed. */
void model_parameters_initialize(model_parameters *parameters, uint64_t seed);
/* Reads all tensors from a file, optionally under a prefix ("ema."); missing, extra-shaped or
 * non-finite ones are refused by name. */
lull_status model_parameters_read(model_parameters *parameters, const safetensors *file,
                                  const char *prefix, const char *path, lull_error *error);

#endif
