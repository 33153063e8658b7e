/* What a mel leaves open in the low band (mel/low_band.h): its filters are wider than the bins of the
 * transform behind them, and between the partials of a voice lies more or less than a smooth
 * envelope says. A small network over mel frames guesses the magnitude of each bin (as the
 * post-processing network of Wang et al. 2017, Tacotron, did for whole spectra), and how far
 * refinement shall go towards it in each iteration (mel/guide.h). Like the pitch network it reads
 * what does not depend on the convention of the frames (mel/frame_features.h). */
#ifndef MODEL_SPECTRUM_H
#define MODEL_SPECTRUM_H

#include "model/config.h"
#include "model/frame_stack.h"
#include "model/spectrum_points.h"

/* Its convolutions: features of a frame in, SPECTRUM_OUTPUTS numbers out. None sees a frame ahead. */
model_frame_stack_shape spectrum_shape(const model_config *config);

/* Whether the model has one and frames of the convention have a low band that it can guide. */
bool spectrum_guides(const model_config *config, const mel_convention *convention);

/* The network as a stream, for frames of a convention whose low band it guides. */
typedef struct spectrum spectrum;

/* Nothing is borrowed after the call. */
lull_status spectrum_new(const model_config *config, const model_parameters *parameters,
                         const mel_convention *convention, spectrum **result, lull_error *error);
void spectrum_free(spectrum *s);
void spectrum_reset(spectrum *s);
uint64_t spectrum_bytes(const model_config *config, const mel_convention *convention);

/* Numbers that it says of a frame: 2·mel_low_band_bins of the convention. */
size_t spectrum_width(const spectrum *s);
/* n frames in, at most MODEL_FRAME_STACK_MOST; what it says of each to `outputs`, the same bits
 * however many are pushed at a time. */
void spectrum_push(spectrum *s, const float *const *frames, int n, float *outputs);

#endif
