/* The end of the vocoder: the network's signal becomes speech. Each frame is coloured by its mel,
 * made consistent with it (mel/consistency.h), limited, and leaves. */
#ifndef VOCODER_FINISH_H
#define VOCODER_FINISH_H

#include "mel/consistency.h"
#include "mel/whiten.h"
#include "vocoder/front.h"
#include "vocoder/line.h"

typedef struct finish {
    int hop, n_fft, lead; /* frame f covers f·hop − lead … + n_fft − 1 */
    int reach;            /* samples of a frame until the last that its window lets through */
    int most;             /* frames at a time */
    bool coloured;        /* false: the signal is speech already */
    mel_envelope *envelope;
    mel_frame_filter *filter;
    mel_consistency *consistency; /* NULL: the signal passes as it is */
    float *gain, *segment, *synthesis;
    line *in;
    int64_t end; /* of the input in this tick: another thread may be appending */
    line out;
    uint64_t opened; /* frames */
    uint64_t limited;
    bool finite;

    int todo, todo_last; /* of this tick: frames to open (or samples that pass); hops after the last
                            frame */
} finish;

/* iterations 0 and not coloured: the signal passes as it is. */
lull_status finish_init(finish *f, const mel_convention *convention, bool coloured, double tilt_hz,
                        int iterations, int window, double momentum, size_t block_samples,
                        lull_error *error);
void finish_clear(finish *f);
void finish_reset(finish *f);
/* Position before 0 where the input line has to begin. */
int finish_lead(const finish *f);

/* Frames that are open when `samples` of the signal are there, and samples that have left by then.
 */
uint64_t finish_given(const finish *f, uint64_t samples, uint64_t frames);

bool finish_plan(finish *f, uint64_t frames, uint64_t total_frames);
void finish_run(finish *f, const front *frames);

#endif
