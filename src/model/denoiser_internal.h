/* What the files of the streaming denoiser share: the packed weights.
 *
 * Two factors of the network (Kong et al. 2021, §3) are folded into them. The residual stream
 * x ← (x + residual)/√2 is kept as x̃_l = √2^l·x_l, so that a layer only adds to it:
 * x̃ ← x̃ + √2^l·residual, and the layer's input is √2^l·(x_l + step). The sum of the skips keeps its
 * 1/√L for the head's first product. Biases of the output projections are constants of the stream
 * and of the sum, so they move into the next layers' steps and into the head's bias. */
#ifndef MODEL_DENOISER_INTERNAL_H
#define MODEL_DENOISER_INTERNAL_H

#include "model/parameters.h"
#include "nn/kernels.h"

/* A product's second operand, in the precision of the weights that it belongs to. */
typedef struct denoiser_matrix {
    float *f32;
    bf16 *bf16;
} denoiser_matrix;

typedef struct denoiser_layer {
    denoiser_matrix dilated;   /* taps·stride × 2C, scaled by √2^−l */
    float *dilated_bias;       /* 2C, with the conditioner projection's */
    denoiser_matrix condition; /* DiffWave: bands × 2C */
    denoiser_matrix output;    /* stride × [residual·√2^l | skip], the last layer: skip alone */
    float *offset;             /* C: what the biases of earlier output projections add to x̃ */
    int dilation, look_ahead;
    int delay; /* look-ahead of this layer and those before it */
} denoiser_layer;

struct denoiser_weights {
    const nn_kernels *kernels;
    model_config config;
    const model_parameters *parameters; /* borrowed */
    bool bf16;
    int stride;                /* floats or bf16s in a row of activations: C, even for bf16 */
    int mel_stride;            /* the same of DiffWave's upsampled mel */
    float *input, *input_bias; /* patch × C */
    float *skip, *skip_bias;   /* C × C */
    float *head, *head_bias;   /* C × patch */
    float **convolution, **convolution_bias; /* lull's conditioner */
    float *projection;                       /* conditioner channels × layers·2C */
    denoiser_layer *layer;
    size_t bytes;
};

#endif
