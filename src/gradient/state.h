/* What the files of the denoiser's gradient share: the engine and a thread's workspace.
 * Shapes are (rows, channels), row-major; a row is one network frame.
 *
 * Names, layer by layer (Kong et al. 2021, figure 2):
 *     y = x + d                     d: projection of the step embedding
 *     p = dilated_conv(y) + c       c: projection of the conditioner
 *     z = σ(p_gate) · tanh(p_filter)
 *     [r | s] = output_projection(z)
 *     x' = (x + r) / √2,  skip += s
 * and dx, dy, dp, dz are the gradients of the loss by them. */
#ifndef GRADIENT_STATE_H
#define GRADIENT_STATE_H

#include <stdatomic.h>

#include "base/thread_pool.h"
#include "gradient/batch.h"
#include "model/parameters.h"
#include "nn/kernels.h"

enum {
    GRADIENT_TILE = 96, /* rows that go through a layer together */
    GRADIENT_PAIRS = GRADIENT_TILE / 2,
    GRADIENT_MATRICES = 4,   /* of a dilated convolution in pairs of rows */
    GRADIENT_GROUP_CROPS = 2 /* crops whose gradients are summed before the groups' are */
};

typedef struct gradient_engine gradient_engine;

/* A weight matrix packed for products: as it stands (forward) and transposed (backward). */
typedef struct gradient_packed {
    void *forward, *backward;
} gradient_packed;

typedef struct gradient_layer_weights {
    bool paired; /* the dilated convolution goes through pairs of rows: convolution.c */
    gradient_packed dilated[GRADIENT_MATRICES]; /* not paired: the first, all taps in one */
    gradient_packed output,
        conditioner; /* conditioner: DiffWave only, products at the sample rate */
    float *bias;     /* dilated_conv's and conditioner_projection's */
} gradient_layer_weights;

/* What one worker thread needs to run a crop. */
typedef struct gradient_workspace {
    void **y;           /* a layer: padded rows × C, input of its dilated convolution */
    float **pair_input; /* a paired layer: GRADIENT_MATRICES × rows / 2 × C */
    void *y_memory;
    float *pair_memory;
    void *z;        /* layers × rows × C */
    void *saved;    /* layers × rows × 2C: σ and tanh */
    void *dp;       /* padded rows × 2C */
    float *pair_dp; /* GRADIENT_MATRICES × rows / 2 × 2C */
    float *pair_dy; /* GRADIENT_MATRICES × rows / 2 × C */
    void *dres;     /* rows × C: gradient of r; in float32 it lies in x */
    void *dskip;    /* rows × C: gradient of s, the same in every layer; in float32 in skip */
    void *skip_act;
    void *dhidden_act;
    float *x, *skip, *hidden, *dhidden, *dz, *u, *du; /* rows × C, …, rows × patch */
    float *input;    /* rows × 2·patch: x and the source, where the network takes it */
    float *tile;     /* GRADIENT_TILE × 2C */
    float *cond[16]; /* conditioner, after each convolution (pre-SiLU in cond_pre) */
    float *cond_pre[16];
    float *dcond, *dcond2;
    float *cond_rows, *dcond_rows;      /* (frames + 2) × layers × 2C */
    float *up_mid, *up, *dup, *dup_mid; /* DiffWave: the upsampler's two stages, (time, bands) */
    void *up_act;
    float *up_tile; /* GRADIENT_TILE × bands, of a paired layer */
    void *scratch;
    float *gather;        /* a weight matrix on its way into packed form */
    float *step_gradient; /* layers × C of the crop at hand */
    float *dskip_sum;     /* C: over the rows */
    gradient_engine_times times;
} gradient_workspace;

/* A group's share of the gradient. */
typedef struct gradient_sums {
    float *gradient; /* laid out like the parameters, convolutions tap-major */
    float *fourth;   /* layers × 2C × C: of paired layers the matrix that finds no place there */
} gradient_sums;

struct gradient_engine {
    model_config config;
    const nn_kernels *nn;
    thread_pool *pool;
    bool bf16;
    size_t act; /* bytes of an activation */
    int crops, crop_frames, margin, rows, pad_left, pad_right, padded;
    int c, c2, groups;
    int cond_left, cond_right; /* reach of one conditioner convolution */
    model_parameters *shape;   /* tensor table */
    gradient_layer_weights *layers;
    gradient_packed input, skip, output, cond_conv[16], cond_projection;
    float *cond_projection_matrix;
    gradient_workspace *work; /* one a pool thread */
    gradient_sums *group;
    /* Step embedding, batch-wide: crops × … */
    float *embedding_input, *pre1, *act1, *pre2, *act2, *steps, *dsteps, *dact2, *dact1;
    size_t bytes;
    bool timed;
    gradient_engine_times times; /* of the calling thread's parts */
    /* The run at hand. */
    const model_parameters *parameters;
    const gradient_engine_batch *batch;
    gradient_engine_loss loss;
    void *loss_context;
    double *losses;
    bool backward;
    atomic_int *layer_groups; /* per layer: groups whose sums are complete */
    gradient_engine_ready ready;
    void *ready_context;
    float *gradient;
};

/* Weight and bias of the parameters at hand, and their places in a flat array laid out like them.
 */
const float *gradient_weight(const gradient_engine *e, model_role role, int index);
const float *gradient_bias(const gradient_engine *e, model_role role, int index);
float *gradient_weight_in(const gradient_engine *e, float *flat, model_role role, int index);
float *gradient_bias_in(const gradient_engine *e, float *flat, model_role role, int index);
/* Activations: float32 or bfloat16. */
void *gradient_act_at(const gradient_engine *e, void *base, size_t index);
void gradient_store(const gradient_engine *e, const float *in, void *out, size_t n);
double gradient_clock_start(const gradient_engine *e);
void gradient_clock_stop(const gradient_engine *e, double start, double *part);
/* nn_kernels' product and outer on activations, timed. */
void gradient_product(const gradient_engine *e, gradient_workspace *w, int rows, int n, int k,
                      int taps, const void *const *a, size_t lda, const void *packed,
                      const float *bias, bool accumulate, float *c, size_t ldc);
void gradient_outer(const gradient_engine *e, gradient_workspace *w, int rows, int m, int n,
                    const void *a, size_t lda, const void *b, size_t ldb, float *c, size_t ldc);

#endif
