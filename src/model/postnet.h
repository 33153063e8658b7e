/* The postnet: a few small convolutions over bands and frames that predict what a mel lacks and add
 * it (Tacotron 2's idea: Shen et al. 2018, §2.2), before anything else sees the mel. What acoustic
 * models blur comes back; exact mels pass nearly unchanged. */
#ifndef MODEL_POSTNET_H
#define MODEL_POSTNET_H

#include "model/frame_stack.h"

/* Of a configuration that has a postnet. */
model_frame_stack_shape postnet_shape(const model_config *config);

/* As a stream: frames of `bands` values in convention units, in and out. */
lull_status postnet_new(const model_config *config, const model_parameters *parameters,
                        model_frame_stack **result, lull_error *error);

/* Bytes that it takes. */
uint64_t postnet_bytes(const model_config *config);

/* A whole utterance of n frames at once. */
lull_status postnet_whole(const model_config *config, const model_parameters *parameters,
                          const float *mel, size_t n, float *out, lull_error *error);

#endif
