/* Which tensors a network has: one row a role in tensors.c, from which follow names, shapes, order
 * and first values. Code asks for a role and an index; names stand at the files' edge alone. */
#ifndef MODEL_TENSORS_H
#define MODEL_TENSORS_H

#include "model/config.h"

/* Networks that a model is made of; each is trained by itself (lull train --part). */
typedef enum model_part {
    MODEL_DENOISER,
    MODEL_POSTNET,
    MODEL_PITCH,
    MODEL_BANDWIDTH,
    MODEL_SPECTRUM
} model_part;

/* What a pair of weight and bias is for; index counts the pairs of a role from 0. */
typedef enum model_role {
    MODEL_INPUT_PROJECTION,        /* a patch of x to channels */
    MODEL_EMBEDDING_PROJECTION,    /* step embedding: index 0, 1 */
    MODEL_UPSAMPLER_CONVOLUTION,   /* DiffWave: index 0, 1 */
    MODEL_CONDITIONER_CONVOLUTION, /* lull: one a layer of the conditioner */
    MODEL_DILATED_CONVOLUTION,     /* this and the next three: one a residual layer */
    MODEL_STEP_PROJECTION,         /* of the step embedding */
    MODEL_CONDITION_PROJECTION,    /* of the conditioner's rows */
    MODEL_RESIDUAL_PROJECTION,     /* [residual | skip] */
    MODEL_SKIP_PROJECTION,
    MODEL_OUTPUT_PROJECTION,
    MODEL_POSTNET_CONVOLUTION,
    MODEL_PITCH_CONVOLUTION,
    MODEL_BANDWIDTH_CONVOLUTION,
    MODEL_SPECTRUM_CONVOLUTION,
    MODEL_ROLES
} model_role;

/* How a tensor's values begin: PyTorch's default (uniform within ±1/√fan: Kaiming uniform with
 * a = √5), Kaiming normal (gain √2: He et al. 2015, eq. 10), or 0. */
typedef enum model_start { MODEL_START_UNIFORM, MODEL_START_NORMAL, MODEL_START_ZERO } model_start;

typedef struct model_tensor {
    model_role role;
    int index;
    bool bias; /* else the weight */
    model_part part;
    model_start start;
    int dimensions;
    size_t shape[4];
    size_t fan;           /* inputs that one output element sums over; a bias has its weight's */
    size_t offset, count; /* in floats; offset is a multiple of 16 (padding floats are 0) */
} model_tensor;

/* Where the tensors of a role stand in the table: weight `index` at first + index·step, its bias
 * behind it. count: 0 where the configuration has none. */
typedef struct model_role_place {
    size_t first, step;
    int count;
} model_role_place;

typedef struct model_layout {
    size_t count; /* tensors */
    size_t size;  /* floats with padding */
    size_t total; /* floats without */
    model_role_place place[MODEL_ROLES];
} model_layout;

/* The tensors that a (checked) configuration implies, in the order of the flat vector. tensors:
 * NULL (only counts) or room for layout->count of them. */
void model_tensors_lay_out(const model_config *config, model_tensor *tensors, model_layout *layout);

/* A tensor's name in files, PyTorch's: "residual_layers.3.dilated_conv.weight". */
enum { MODEL_TENSOR_NAME = 96 };
const char *model_tensor_name(const model_tensor *tensor, char name[MODEL_TENSOR_NAME]);

#endif
