/* The denoiser as a stream, for synthesis: weights packed once (denoiser_weights, shared by every
 * step and every vocoder), the conditioner at the mel rate (denoiser_conditioner), and one
 * evaluation at a fixed network time with its own history (denoiser_stream). Nothing is recomputed;
 * blocks of any size give the same output. */
#ifndef MODEL_DENOISER_H
#define MODEL_DENOISER_H

#include "model/denoiser_weights.h"

/* ---- conditioner: mel frames in, conditioning rows out ----
 * lull: row f = every layer's conditioner projection at mel frame f: layers × 2C floats.
 * DiffWave: row n = the upsampled mel at sample n: bands floats (projected inside the layers). */
typedef struct denoiser_conditioner denoiser_conditioner;
lull_status denoiser_conditioner_new(const denoiser_weights *weights,
                                     denoiser_conditioner **conditioner, lull_error *error);
int denoiser_conditioner_width(const denoiser_conditioner *conditioner); /* floats in a row */
int denoiser_conditioner_rows_per_frame(
    const denoiser_conditioner *conditioner); /* 1, or hop for DiffWave */
int denoiser_conditioner_look_ahead(const denoiser_conditioner *conditioner); /* mel frames */
/* The same of a configuration, and the bytes that a conditioner takes: known before there is one.
 */
typedef struct denoiser_conditioner_shape {
    int width, rows_per_frame, look_ahead, most;
    uint64_t bytes;
} denoiser_conditioner_shape;
denoiser_conditioner_shape denoiser_conditioner_shape_of(const model_config *config, bool bf16);
/* n mel frames in (NULL after the last: the end is padded as in training); writes and returns up to
 * n × rows_per_frame rows. After the last frame, call with NULL until all rows of all frames have
 * come out. */
int denoiser_conditioner_push(denoiser_conditioner *conditioner, const float *const *frames, int n,
                              float *rows);
void denoiser_conditioner_reset(denoiser_conditioner *conditioner);
void denoiser_conditioner_free(denoiser_conditioner *conditioner);

/* ---- one evaluation of the network, as a stream of network frames (patches) ---- */
typedef struct denoiser_stream denoiser_stream;
/* Where conditioning rows of family lull lie: row f belongs to sample first_centre + f·hop. */
typedef struct denoiser_grid {
    int hop, first_centre;
} denoiser_grid;
/* max_block: most network frames a call may bring. t: network time. grid: of mel frames of another
 * convention than the model's; NULL: the model's own. */
lull_status denoiser_stream_new(const denoiser_weights *weights, double t, int max_block,
                                const denoiser_grid *grid, denoiser_stream **stream,
                                lull_error *error);
int denoiser_stream_look_ahead(
    const denoiser_stream *stream); /* network frames by which u runs behind x */
/* x: n rows of model_config_input values: a patch of the signal and, where the network has it,
 * the same patch of the source. rows: what the layers need to know of the mel around them. Writes
 * the u of the frames that thereby became complete (n, less at the start): returns their number.
 * After the last frame, call with x = NULL and n = frames wanted to flush (zeros beyond the end, as
 * in training). */
typedef struct denoiser_rows {
    const float *rows; /* ring of conditioning rows */
    uint64_t first;    /* absolute index of the oldest row still in the ring */
    uint64_t end;      /* one past the newest */
    size_t capacity;   /* rows; absolute index i is at rows + (i % capacity)·width */
    bool ended;        /* no row follows `end`: interpolation holds the last */
} denoiser_rows;
int denoiser_stream_run(denoiser_stream *stream, const float *x, int n, const denoiser_rows *rows,
                        float *u);
/* Bytes that a stream takes. */
uint64_t denoiser_stream_bytes(const model_config *config, bool bf16, int max_block);
/* Conditioning rows that it takes to have the first `frames` network frames in. */
uint64_t denoiser_rows_needed(const model_config *config, const denoiser_grid *grid,
                              uint64_t frames);
/* Oldest conditioning row that a later call can still read. */
uint64_t denoiser_stream_oldest_row(const denoiser_stream *stream);
/* One past the newest conditioning row that is needed to take `frames` more network frames in. */
uint64_t denoiser_stream_rows_needed(const denoiser_stream *stream, int frames);
void denoiser_stream_reset(denoiser_stream *stream);
void denoiser_stream_free(denoiser_stream *stream);

#endif
