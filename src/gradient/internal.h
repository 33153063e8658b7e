/* What the files of the gradient share: the engine, a thread's workspace, and how the parts call
 * each other. Shapes are (rows, channels), row-major; a row is one network frame.
 *
 * Names, layer by layer (Kong et al. 2021, figure 2):
 *     y = x + d                     d: projection of the step embedding
 *     p = dilated_conv(y) + c       c: projection of the conditioner
 *     z = σ(p_gate) · tanh(p_filter)
 *     [r | s] = output_projection(z)
 *     x' = (x + r) / √2,  skip += s
 * and dx, dy, dp, dz are the gradients of the loss by them. */
#ifndef GRADIENT_INTERNAL_H
#define GRADIENT_INTERNAL_H

#include <stdatomic.h>

#include "gradient/engine.h"
#include "nn/kernels.h"

enum { TILE = 96, PAIRS = TILE / 2 }; /* rows that go through a layer together */
enum { MATRICES = 4 };                /* of a dilated convolution in pairs of rows */

/* A weight matrix packed for products: as it stands (forward) and transposed (backward). */
typedef struct packed_pair {
    void *forward, *backward;
} packed_pair;

typedef struct layer_weights {
    bool paired; /* the dilated convolution goes through pairs of rows: convolution.c */
    packed_pair dilated[MATRICES];   /* not paired: the first, all taps in one */
    packed_pair output, conditioner; /* conditioner: DiffWave only, products at the sample rate */
    float *bias;                     /* dilated_conv's and conditioner_projection's */
} layer_weights;

/* What one worker thread needs to run a crop. */
typedef struct workspace {
    void **y;           /* a layer: padded rows × C, input of its dilated convolution */
    float **pair_input; /* a paired layer: MATRICES × rows / 2 × C */
    void *y_memory;
    float *pair_memory;
    void *z;        /* layers × rows × C */
    void *saved;    /* layers × rows × 2C: σ and tanh */
    void *dp;       /* padded rows × 2C */
    float *pair_dp; /* MATRICES × rows / 2 × 2C */
    float *pair_dy; /* MATRICES × rows / 2 × C */
    void *dres;     /* rows × C: gradient of r; in float32 it lies in x */
    void *dskip;    /* rows × C: gradient of s, the same in every layer; in float32 in skip */
    void *skip_act;
    void *dhidden_act;
    float *x, *skip, *hidden, *dhidden, *dz, *u, *du; /* rows × C, …, rows × patch */
    float *input;    /* rows × 2·patch: x and the source, where the network takes it */
    float *tile;     /* TILE × 2C */
    float *cond[16]; /* conditioner, after each convolution (pre-SiLU in cond_pre) */
    float *cond_pre[16];
    float *dcond, *dcond2;
    float *cond_rows, *dcond_rows;      /* (frames + 2) × layers × 2C */
    float *up_mid, *up, *dup, *dup_mid; /* DiffWave: the upsampler's two stages, (time, bands) */
    void *up_act;
    float *up_tile; /* TILE × bands, of a paired layer */
    void *scratch;
    float *gather;        /* a weight matrix on its way into packed form */
    float *step_gradient; /* layers × C of the crop at hand */
    float *dskip_sum;     /* C: over the rows */
    gradient_engine_times times;
} workspace;

/* A group's share of the gradient. */
typedef struct group_sums {
    float *gradient; /* laid out like the parameters, convolutions tap-major */
    float *fourth;   /* layers × 2C × C: of paired layers the matrix that finds no place there */
} group_sums;

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
    layer_weights *layers;
    packed_pair input, skip, output, cond_conv[16], cond_projection;
    float *cond_projection_matrix;
    workspace *work; /* one a pool thread */
    group_sums *group;
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

/* parts.c: pieces that every part uses. */

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
void gradient_product(const gradient_engine *e, workspace *w, int rows, int n, int k, int taps,
                      const void *const *a, size_t lda, const void *packed, const float *bias,
                      bool accumulate, float *c, size_t ldc);
void gradient_outer(const gradient_engine *e, workspace *w, int rows, int m, int n, const void *a,
                    size_t lda, const void *b, size_t ldb, float *c, size_t ldc);
void gradient_add_columns(float *sum, const float *rows, int n, int width, size_t ld);
/* d/dx of x·σ(x) */
void gradient_silu_backward(const float *x, float *gradient, size_t n);

/* weights.c: task i packs the weights of residual layer i, the task after the last one
 * everything else. */
void gradient_pack_task(void *engine, int i, int worker);

/* embedding.c: batch-wide. */
void gradient_embedding_forward(gradient_engine *e);
void gradient_embedding_backward(gradient_engine *e);

/* conditioner.c. Rows of the conditioner after convolution i (i = 0: its input), all
 * crops: the last one has frames + 2. */
int gradient_cond_rows(const gradient_engine *e, int i);
int gradient_cond_width(const gradient_engine *e, int i);
void gradient_conditioner_forward(gradient_engine *e, workspace *w, const float *mel);
void gradient_conditioner_backward(gradient_engine *e, workspace *w, float *gradient);
/* DiffWave: two upsampling stages; w->up is n·256 × bands. */
void gradient_upsampler_forward(gradient_engine *e, workspace *w, const float *mel);
void gradient_upsampler_backward(gradient_engine *e, workspace *w, const float *mel,
                                 float *gradient);

/* convolution.c: the dilated convolutions. A tile is what goes through them at once. */
typedef struct convolution_tile {
    int first; /* row or pair */
    int rows;
    int row[TILE];  /* rows of the network, in the tile's order */
    void *dp[TILE]; /* where their dp belongs */
} convolution_tile;

bool gradient_can_pair(const gradient_engine *e, int layer);
int gradient_tap_offset(const model_config *config, int layer, int k);
void *gradient_y_row(const gradient_engine *e, workspace *w, int layer, int row);
/* The tile that begins at `from`, which it moves on; false after the last one. */
bool gradient_next_tile(gradient_engine *e, workspace *w, int layer, int *from,
                        convolution_tile *tile);
/* p of a tile but for the conditioner that is added in the gate: w->tile, rows × 2C. */
void gradient_convolution_forward(gradient_engine *e, workspace *w, int layer,
                                  const convolution_tile *tile);
/* When a tile's dp is there: what can be done before the others' is. */
void gradient_convolution_tile_done(gradient_engine *e, workspace *w, int layer,
                                    const convolution_tile *tile, float *gradient);
/* When all dp is there: gradients of the weights, then of the step embedding, and the residual's
 * gradient of the layer before in place of this one's. */
void gradient_convolution_backward(gradient_engine *e, workspace *w, int layer,
                                   const group_sums *group);
/* Puts the sums of a paired layer, `fourth` among them, into its three taps' place. */
void gradient_combine_pairs(const gradient_engine *e, float *taps, const float *fourth);

/* layers.c. In the backward pass w->dres holds the gradient by the layer's residual r and
 * becomes that of the layer before (of the first one: the gradient by its input). */
void gradient_first_input(gradient_engine *e, workspace *w, int crop);
void gradient_layer_forward(gradient_engine *e, workspace *w, int crop, int layer);
void gradient_layer_backward(gradient_engine *e, workspace *w, int layer, const group_sums *group);

#endif
