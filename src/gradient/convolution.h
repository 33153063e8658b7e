/* The dilated convolutions of the residual layers, in tiles. */
#ifndef GRADIENT_CONVOLUTION_H
#define GRADIENT_CONVOLUTION_H

#include "gradient/state.h"

/* A tile is what goes through them at once. */
typedef struct gradient_tile {
    int first; /* row or pair */
    int rows;
    int row[GRADIENT_TILE];  /* rows of the network, in the tile's order */
    void *dp[GRADIENT_TILE]; /* where their dp belongs */
} gradient_tile;

bool gradient_can_pair(const gradient_engine *e, int layer);
int gradient_tap_offset(const model_config *config, int layer, int k);
void *gradient_y_row(const gradient_engine *e, gradient_workspace *w, int layer, int row);
/* The tile that begins at `from`, which it moves on; false after the last one. */
bool gradient_next_tile(gradient_engine *e, gradient_workspace *w, int layer, int *from,
                        gradient_tile *tile);
/* p of a tile but for the conditioner that is added in the gate: w->tile, rows × 2C. */
void gradient_convolution_forward(gradient_engine *e, gradient_workspace *w, int layer,
                                  const gradient_tile *tile);
/* When a tile's dp is there: what can be done before the others' is. */
void gradient_convolution_tile_done(gradient_engine *e, gradient_workspace *w, int layer,
                                    const gradient_tile *tile, float *gradient);
/* When all dp is there: gradients of the weights, then of the step embedding, and the residual's
 * gradient of the layer before in place of this one's. */
void gradient_convolution_backward(gradient_engine *e, gradient_workspace *w, int layer,
                                   const gradient_sums *group);
/* Puts the sums of a paired layer, `fourth` among them, into its three taps' place. */
void gradient_combine_pairs(const gradient_engine *e, float *taps, const float *fourth);

#endif
