/* A side part: conditioning rows of mel frames, for all steps of the reverse process together. */
#ifndef VOCODER_CONDITIONER_H
#define VOCODER_CONDITIONER_H

#include "mel/reader.h"
#include "model/denoiser.h"
#include "vocoder/part.h"
#include "vocoder/rows.h"

typedef struct vocoder_conditioner {
    denoiser_conditioner_shape shape;
    const denoiser_weights *weights; /* set before allocate */
    const vocoder_rows *frames;
    const mel_convention *convention, *model_mel; /* of the frames; what the model knows */
    int hop, bands;                               /* of the frames; of the model */

    denoiser_conditioner *conditioner;
    mel_reader *reader; /* of frames in another convention than the model's; NULL: there is none */
    float *read;        /* frames as the model knows them */
    vocoder_rows out;
    float *fresh;
    uint64_t taken; /* frames */

    int todo; /* of this tick: frames, or flushes behind the last */
    bool flush;
} vocoder_conditioner;

extern const vocoder_part_kind vocoder_conditioner_part;

/* convention: of the frames, borrowed. frame_capacity: of the ring of rows, in frames. */
void vocoder_conditioner_init(vocoder_conditioner *c, const model_config *config, bool bf16,
                              const mel_convention *convention, vocoder_rows *frames,
                              size_t frame_capacity);

#endif
