/* Mel consistency on a sliding window (a relative of RTISI-LA, Zhu, Beauregard &
 * Wyse 2007): every frame opens with its windowed synthesis signal; the open frames (the newest and
 * `window` behind it) are iterated; the oldest is committed without momentum. One iteration of a
 * frame: S = rfft(window · segment of the current signal), S ← S · E(wanted)/E(mel(S)), r =
 * window·irfft(S), frame ← r + momentum · (r − r_previous); signal = Σ frames / max(Σ window²,
 * 0.01) over the frames committed or open. With 0 iterations it is plain weighted overlap-add.
 * Latency: `window` frames plus the overlap.
 *
 * Beside it the band below MEL_LOW_HZ (mel/low_band.h) can have iterations of its own at its own
 * rate, a quarter of the work each: what leaves the window has that band from there. */
#ifndef MEL_CONSISTENCY_H
#define MEL_CONSISTENCY_H

#include "mel/envelope.h"

typedef struct mel_consistency mel_consistency;

typedef struct mel_refinement {
    int iterations, window;
    double momentum;
    int low; /* iterations of the low band; 0: it has those of the whole band. Where the hop and
                the window cannot be divided, the whole band has a quarter as many at least */
} mel_refinement;

lull_status mel_consistency_new(const mel_convention *convention, const mel_refinement *refinement,
                                mel_consistency **stage, lull_error *error);
/* Opens the next frame: its mel (bands floats), its windowed synthesis signal (n_fft floats), and
 * what is known of its spectrum in the low band (mel_sliding_open; NULL: nothing).
 * Any hop that thereby became final is written to out (room for hop floats each, see return):
 * returns the number of samples written, 0 or hop. Allocates nothing. */
size_t mel_consistency_push(mel_consistency *stage, const float *frame, const float *synthesis,
                            const float *spectrum, float *out);
/* After the last frame: writes the next remaining final hop; 0 when all frames × hop samples were
 * written. */
size_t mel_consistency_finish(mel_consistency *stage, float *out);
/* Hops by which the output runs behind: with f frames opened, max(0, f − delay) hops have been
 * written. */
int mel_consistency_delay_of(const mel_convention *convention, int window);
/* Bytes that one takes at most. */
uint64_t mel_consistency_bytes(const mel_convention *convention, const mel_refinement *refinement);
void mel_consistency_reset(mel_consistency *stage);
void mel_consistency_free(mel_consistency *stage);

#endif
