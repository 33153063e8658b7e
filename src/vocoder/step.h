/* One evaluation of the network and the step of the reverse process that follows it, as a stream.
 * Step k works behind step k−1 by the network's look-ahead: together they are a wavefront over the
 * reverse process. */
#ifndef VOCODER_STEP_H
#define VOCODER_STEP_H

#include "diffusion/sampler.h"
#include "model/config.h"
#include "model/denoiser.h"
#include "vocoder/line.h"
#include "vocoder/noise.h"
#include "vocoder/part.h"
#include "vocoder/rows.h"
#include "vocoder/trace.h"

typedef struct vocoder_step {
    const model_config *config;
    denoiser_grid grid;              /* of the mel frames */
    const denoiser_weights *weights; /* set before allocate */
    const diffusion_stage *stage;
    int number, patch, hop, block; /* block: network frames at most at a time */
    bool last, bf16;
    denoiser_stream *stream;
    vocoder_line *in, *out;             /* the signal before and after the step */
    vocoder_line *carry_in, *carry_out; /* NULL when the sampler carries nothing */
    const vocoder_rows *frames, *conditioning;
    const vocoder_noise_source *noise;
    /* Where the network reads the pitch source beside the signal. */
    vocoder_line *beside; /* NULL: in its place … */
    int beside_row;       /* … this draw of the noise */
    bool releases;        /* nobody else needs of it what this step has read */
    float x0_x, x0_u;     /* x̂0 of the trace */
    float *u, *draw;      /* block·patch */
    float *input;         /* block·2·patch, where the network reads the source */
    const vocoder_trace *trace;

    uint64_t fed, done;  /* network frames into the network, through the step */
    uint64_t oldest_row; /* of the conditioning that is still needed */
    uint64_t blocks;

    int todo; /* of this tick: network frames */
    bool flush;
    int64_t end_beside; /* as this tick sees it */
    denoiser_rows rows; /* the conditioning, as this tick sees it */
} vocoder_step;

extern const vocoder_part_kind vocoder_step_part;

/* Lines, rings and noise are set by the caller. */
void vocoder_step_init(vocoder_step *s, const model_config *config, const diffusion_plan *plan,
                       int number, int block, bool bf16, const denoiser_grid *grid);

/* Samples that a step keeps back. */
size_t vocoder_step_delay(const vocoder_step *s);

#endif
