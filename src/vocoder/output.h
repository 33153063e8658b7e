/* The end of the vocoder: the network's signal becomes speech. Each frame is coloured by its mel,
 * made consistent with it (mel/consistency.h), limited, and leaves. */
#ifndef VOCODER_OUTPUT_H
#define VOCODER_OUTPUT_H

#include "mel/consistency.h"
#include "mel/whiten.h"
#include "model/spectrum.h"
#include "vocoder/above.h"
#include "vocoder/line.h"
#include "vocoder/part.h"
#include "vocoder/rows.h"

typedef struct vocoder_output {
    int hop, n_fft, lead; /* frame f covers f·hop − lead … + n_fft − 1 */
    int reach;            /* samples of a frame until the last that its window lets through */
    int most;             /* frames at a time */
    bool coloured;        /* false: the signal is speech already */
    bool passes;          /* and nothing else is to be done */
    const mel_convention *convention;
    double tilt_hz;
    mel_refinement refinement;
    mel_envelope *envelope;
    mel_frame_filter *filter;
    mel_consistency *consistency;
    /* Of a spectrum network that reads the frames, and its weights; NULL: none. Set by the path. */
    const model_config *config;
    const model_parameters *parameters;
    spectrum *spectrum;
    float *guide;        /* what it says of MODEL_FRAME_STACK_MOST frames */
    vocoder_above above; /* its config, parameters and noise: set by the path */
    float *gain, *segment, *synthesis;
    vocoder_line *in;
    const vocoder_rows *frames;
    vocoder_line out;
    uint64_t opened; /* frames */
    uint64_t limited;

    int todo, todo_last; /* of this tick: frames to open (or samples that pass); hops after the last
                            frame */
    int64_t end;         /* of the input, as this tick sees it */
} vocoder_output;

extern const vocoder_part_kind vocoder_output_part;

/* No iterations and not coloured: the signal passes as it is. */
void vocoder_output_init(vocoder_output *o, const mel_convention *convention, bool coloured,
                         double tilt_hz, const mel_refinement *refinement, vocoder_rows *frames,
                         size_t block_samples);

/* Position before 0 where the input line has to begin. */
int vocoder_output_lead(const vocoder_output *o);

#endif
