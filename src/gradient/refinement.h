/* The refinement of the low band (mel/sliding.h at a rate of its own) as a function of what the
 * spectrum network says, forward and backward: training runs through the iterations, so that the
 * network says what makes their result right. One crop at a time, an utterance of its own; in plain
 * loops, which tests compare with the engine's. */
#ifndef GRADIENT_REFINEMENT_H
#define GRADIENT_REFINEMENT_H

#include "mel/convention.h"

typedef struct gradient_refinement gradient_refinement;

/* How a crop is refined: iterations each time a frame comes in, frames kept open behind the newest,
 * momentum. So few that weights count in full (mel_guide_share). */
typedef struct gradient_refinement_way {
    int iterations, window;
    double momentum;
} gradient_refinement_way;

/* For crops of at most `frames` frames and ways of at most so many iterations and such a window. A
 * convention that has a low band. */
lull_status gradient_refinement_new(const mel_convention *convention, int frames, int iterations,
                                    int window, gradient_refinement **result, lull_error *error);
void gradient_refinement_free(gradient_refinement *r);
size_t gradient_refinement_bytes(const gradient_refinement *r);

/* Samples that a crop of so many frames becomes, at the low band's rate: those behind which all
 * frames have left; the first is the first of frame 0. 0 at least. */
size_t gradient_refinement_samples(const gradient_refinement *r, int frames, int window);

/* mel: frames × bands. outputs: frames × 2·bins, as mel_guide_read takes them; NULL: no guide. open:
 * frames × n_fft/decimation samples that frames open with (windowed synthesis signals). samples:
 * what comes out. */
void gradient_refinement_forward(gradient_refinement *r, const gradient_refinement_way *way,
                                 int frames, const float *mel, const float *outputs,
                                 const float *open, float *samples);

/* After a forward with a guide: the gradient of outputs, overwritten, from that of the samples. The
 * iterations are chaotic: what a sample owes to frames long past is noise, and far larger than what
 * it owes to its own. So a gradient that goes back from one turn to the one before is multiplied by
 * `keep` and made no longer than `longest` times the samples'. 1 and infinity: the exact one. */
void gradient_refinement_backward(gradient_refinement *r, const float *samples_gradient,
                                  double keep, double longest, float *outputs_gradient);

#endif
