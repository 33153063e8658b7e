/* One evaluation of the network and the step of the reverse process that follows it, as a stream.
 * Stage k works behind stage k−1 by the network's look-ahead: together they are a wavefront over
 * the steps. */
#ifndef VOCODER_STAGE_H
#define VOCODER_STAGE_H

#include "diffusion/sampler.h"
#include "model/config.h"
#include "model/denoiser.h"
#include "vocoder/line.h"
#include "vocoder/noise.h"
#include "vocoder/vocoder.h"

typedef struct stage {
    const diffusion_stage *step;
    int number, patch, block; /* block: network frames at most at a time */
    bool last;
    denoiser_stream *stream;
    line *in, *out;             /* the signal before and after the step */
    line *carry_in, *carry_out; /* NULL when the sampler carries nothing */
    const noise_source *noise;
    float x0_x, x0_u; /* x̂0 of the trace */
    float *u, *draw;  /* block·patch */
    const vocoder_trace *trace;

    uint64_t fed, done; /* network frames into the network, through the step */
    bool finite;
    uint64_t blocks;

    int todo; /* of this tick: network frames */
    bool flush;
} stage;

lull_status stage_init(stage *s, const model_config *config, const denoiser_weights *weights,
                       const diffusion_plan *plan, int number, int block, lull_error *error);
void stage_clear(stage *s);
void stage_reset(stage *s);

/* Decides what the stage can do now: `total` is the signal's length in samples once known, else
 * UINT64_MAX; `available` how much of the first stage's noise may be drawn. True when there is
 * something to do. */
bool stage_plan(stage *s, const denoiser_rows *rows, uint64_t available, uint64_t total);
/* Does it. May run beside other stages. */
void stage_run(stage *s, const denoiser_rows *rows);

#endif
