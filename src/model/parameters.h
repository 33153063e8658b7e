/* The weights: one flat float32 array, tensor after tensor, with PyTorch's names and shapes, so
 * that the optimizer, the averages and the checkpoints see one vector. */
#ifndef MODEL_PARAMETERS_H
#define MODEL_PARAMETERS_H

#include "io/safetensors.h"
#include "model/config.h"

typedef struct model_tensor {
    char name[96];
    int dimensions;
    size_t shape[4];
    size_t offset, count; /* in floats; offset is a multiple of 16 (padding floats are 0) */
} model_tensor;

typedef struct model_parameters {
    model_tensor *tensors;
    size_t tensor_count;
    size_t size;  /* floats in data, padding included */
    size_t total; /* weights, padding not counted */
    float *data;
} model_parameters;

/* The tensors that a configuration implies, data zeroed. */
lull_status model_parameters_new(const model_config *config, model_parameters **parameters,
                                 lull_error *error);
void model_parameters_free(model_parameters *parameters);
/* Number of weights that a (checked) configuration has, without allocating them. */
size_t model_parameters_total(const model_config *config);
/* A tensor's data; the name must exist (it is an internal error otherwise: asserts). */
float *model_parameters_get(const model_parameters *parameters, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* PyTorch's default initialisation (Kaiming uniform a=√5; convolutions of the residual layers
 * Kaiming normal, the last projection zero, as DiffWave does), from a seed. */
void model_parameters_initialize(model_parameters *parameters, const model_config *config,
                                 uint64_t seed);
/* Reads all tensors from a file, optionally under a prefix ("ema."); missing, extra-shaped or
 * non-finite ones are refused by name. */
lull_status model_parameters_read(model_parameters *parameters, const safetensors *file,
                                  const char *prefix, const char *path, lull_error *error);

#endif
