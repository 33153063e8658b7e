/* Frames that are open on a sliding window, of the whole band or of the band below MEL_LOW_HZ at its
 * own rate: the work of mel/consistency.h. Turn t is that of frame t: it is opened, all open frames
 * are iterated, and frame t − window leaves. */
#ifndef MEL_SLIDING_H
#define MEL_SLIDING_H

#include "mel/corrector.h"
#include "mel/overlap.h"

typedef struct mel_sliding mel_sliding;

/* decimation: as mel_corrector_init has it. */
lull_status mel_sliding_new(const mel_convention *convention, int decimation, int iterations,
                            int window, float momentum, mel_sliding **sliding, lull_error *error);
void mel_sliding_free(mel_sliding *sliding);
void mel_sliding_reset(mel_sliding *sliding);
/* Bytes that one takes at most. */
uint64_t mel_sliding_bytes(const mel_convention *convention, int decimation, int window);
/* Hops by which frames overlap: a frame's samples are final that many turns after it has left. */
int mel_sliding_overlap(const mel_convention *convention);

/* The next frame: its mel; what the spectrum network says of it (mel_guide_read; NULL: nothing, as
 * always without decimation); and room for its windowed synthesis signal (n_fft / decimation
 * floats), which the caller fills. */
float *mel_sliding_open(mel_sliding *sliding, const float *frame, const float *outputs);
/* Iterates what is open. */
void mel_sliding_iterate(mel_sliding *sliding);
/* The frame that leaves in this turn, which the caller may change; NULL: none. */
float *mel_sliding_leaving(mel_sliding *sliding);
/* Takes it into what is final. */
void mel_sliding_commit(mel_sliding *sliding);
/* The hop / decimation samples that thereby became final: those of frame turn − window − overlap. */
void mel_sliding_read(const mel_sliding *sliding, float *out);
/* Ends the turn. */
void mel_sliding_advance(mel_sliding *sliding);

#endif
