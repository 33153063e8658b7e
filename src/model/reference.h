/* The networks in plain loops: the definition that the fast, streaming and training versions are
 * tested against, and the place to read how the denoiser works (Kong et al. 2021, §3 and figure 2).
 * Slow. */
#ifndef MODEL_REFERENCE_H
#define MODEL_REFERENCE_H

#include "model/frame_stack.h"

/* u = network(x, t | mel): x and u are n·hop samples, mel n × bands frames in the convention's
 * units. With network.source x is rows of 2·patch: a patch of the signal, the same of the source. */
lull_status model_reference_run(const model_config *config, const model_parameters *parameters,
                                const float *x, double t, const float *mel, size_t n, float *u,
                                lull_error *error);

/* lull: conditioner after its convolutions, n × conditioner_channels; DiffWave: upsampled mel,
 * n·hop × bands. */
lull_status model_reference_conditioner(const model_config *config,
                                        const model_parameters *parameters, const float *mel,
                                        size_t n, float *out, lull_error *error);

/* A stack over frames, postnet, pitch, bandwidth or spectrum network: n frames of bands × first
 * values in, of bands × last out. */
lull_status model_reference_frame_stack(const model_frame_stack_shape *shape,
                                        const model_parameters *parameters, const float *in,
                                        size_t n, float *out, lull_error *error);

#endif
