/* The postnet: a few small convolutions over bands and frames that predict what a mel lacks and add
 * it (Tacotron 2's idea: Shen et al. 2018, §2.2), before anything else sees the mel. What acoustic
 * models blur comes back; exact mels pass nearly unchanged. As a stream, frame by frame, for
 * synthesis; gradient/postnet.h trains it. */
#ifndef MODEL_POSTNET_H
#define MODEL_POSTNET_H

#include "model/parameters.h"

typedef struct postnet postnet;

/* The configuration must have a postnet. Nothing is borrowed after the call. */
lull_status postnet_new(const model_config *config, const model_parameters *parameters,
                        postnet **result, lull_error *error);
void postnet_free(postnet *p);
void postnet_reset(postnet *p);

/* Bytes that a postnet takes. */
uint64_t postnet_bytes(const model_config *config);

/* Frames by which the output runs behind the input. */
int postnet_look_ahead(const postnet *p);

/* One frame of `bands` values in, convention units; NULL behind the last, as often as frames are
 * still to come. True when a frame came out: it is written to `out`. */
bool postnet_push(postnet *p, const float *frame, float *out);

/* A whole utterance of n frames at once. */
lull_status postnet_whole(const model_config *config, const model_parameters *parameters,
                          const float *mel, size_t n, float *out, lull_error *error);

/* ---- what synthesis and training share ---- */

enum { POSTNET_TAPS = 3, POSTNET_BANDS = 3 };
#define POSTNET_SLOPE 0.1f /* of the LeakyReLU below 0 */

/* Inputs and outputs of convolution i (0 is the first). */
int postnet_in(const model_config *config, int i);
int postnet_out(const model_config *config, int i);
/* Whether convolution i sees one frame ahead. */
int postnet_ahead(const model_config *config, int i);

/* PyTorch's weight [out, in, 3 bands, 3 frames] as the operand of a product: row (tap·3 + band)·in
 * + i, column o. */
void postnet_arrange(const float *weight, int out, int in, float *operand);

#endif
