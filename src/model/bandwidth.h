/* What lies above a mel: its spectral envelope from fmax on, to 12 kHz or half the rate, as a small
 * network over frames guesses it from what is below (bandwidth extension: Jax & Vary 2003). It sees
 * the features of frames (mel/frame_features.h), whatever their convention, and says by how much
 * the envelope lies above or below the highest point that the mel shows, at those points of the
 * features' scale that a mel may leave open. */
#ifndef MODEL_BANDWIDTH_H
#define MODEL_BANDWIDTH_H

#include "model/bandwidth_outputs.h"
#include "model/frame_stack.h"

/* Its convolutions: features of a frame in, BANDWIDTH_POINTS numbers out. */
model_frame_stack_shape bandwidth_shape(const model_config *config);

/* Whether a convention leaves something open: fmax, and 300 Hz more, lie below both 12 kHz and half
 * the rate. */
bool bandwidth_is_open(const mel_convention *convention);

/* The highest point that a convention shows. */
int bandwidth_edge(const mel_features *features);

typedef struct bandwidth bandwidth;

/* For frames of an open convention. A configuration that has no bandwidth network, and none (NULL),
 * hold the envelope where the mel ends. Nothing is
 * borrowed after the call. */
lull_status bandwidth_new(const model_config *config, const model_parameters *parameters,
                          const mel_convention *convention, bandwidth **result, lull_error *error);
/* Bytes that bandwidth_new takes, at most. */
uint64_t bandwidth_bytes(const model_config *config, const mel_convention *convention);
void bandwidth_free(bandwidth *b);
void bandwidth_reset(bandwidth *b);

/* The next frame of the convention: gain[k], k = 0 … n_fft/2, colours white noise of unit variance,
 * in the convention's transforms, with the envelope above fmax; it fades in over fmax − 100 …
 * fmax + 300 Hz as what the mel says fades out (mel/envelope.h; powers add up to 1), and is 0
 * below. The gains depend on this frame and those before it. */
void bandwidth_gain(bandwidth *b, const float *frame, float *gain);

#endif
