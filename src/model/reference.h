/* The whole denoiser in plain loops: the definition that the fast, streaming and training versions
 * are tested against, and the place to read how the network works (Kong et al. 2021, §3 and figure
 * 2). Slow. */
#ifndef MODEL_REFERENCE_H
#define MODEL_REFERENCE_H

#include "model/parameters.h"

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

/* The postnet (the configuration must have one): n × bands frames in and out. */
lull_status model_reference_postnet(const model_config *config, const model_parameters *parameters,
                                    const float *mel, size_t n, float *out, lull_error *error);

/* The pitch network (the configuration must have one): n × MEL_FEATURES in, n × PITCH_OUTPUTS out.
 */
lull_status model_reference_pitch(const model_config *config, const model_parameters *parameters,
                                  const float *features, size_t n, float *out, lull_error *error);

#endif
