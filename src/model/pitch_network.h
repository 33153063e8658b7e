/* The pitch network: what a mel says of its voice. A few convolutions over frames turn the features
 * of mel frames (mel/frame_features.h), whatever their convention, into the fundamental frequency,
 * voicing, and aperiodicity by bands. As a stream (model/frame_stack.h). */
#ifndef MODEL_PITCH_NETWORK_H
#define MODEL_PITCH_NETWORK_H

#include "model/frame_stack.h"
#include "model/pitch_outputs.h"

typedef struct pitch_network pitch_network;

/* The configuration must have a pitch network (pitch_channels above 0); its own mel convention does
 * not matter: the frames are of `convention`. Nothing is borrowed after the call. */
lull_status pitch_network_new(const model_config *config, const model_parameters *parameters,
                              const mel_convention *convention, pitch_network **result,
                              lull_error *error);
/* Bytes that pitch_network_new takes, at most. */
uint64_t pitch_network_bytes(const model_config *config, const mel_convention *convention);
void pitch_network_free(pitch_network *p);
void pitch_network_reset(pitch_network *p);

/* Frames by which the output runs behind the input. */
int pitch_network_look_ahead(const pitch_network *p);

/* n frames of the convention in, at most MODEL_FRAME_STACK_MOST; NULL behind the last, as often as
 * frames are still to come. Returns of how many the pitch was written to `out`, at most n. */
int pitch_network_push(pitch_network *p, const float *const *frames, int n, pitch_values *out);

/* A whole utterance of n frames at once. */
lull_status pitch_network_whole(const model_config *config, const model_parameters *parameters,
                                const mel_convention *convention, const float *frames, size_t n,
                                pitch_values *out, lull_error *error);

/* ---- what synthesis and training share ---- */

/* Its convolutions: features of a frame in, PITCH_OUTPUTS numbers out. */
model_frame_stack_shape pitch_network_shape(const model_config *config);

/* PITCH_OUTPUTS numbers of the network as a pitch: F0 held within 40 to 1000 Hz. */
void pitch_network_read(const float *outputs, pitch_values *result);

#endif
