/* A side part: conditioning rows of mel frames, for all steps of the reverse process together. */
#ifndef VOCODER_CONDITIONER_H
#define VOCODER_CONDITIONER_H

#include "mel/reader.h"
#include "model/denoiser.h"
#include "vocoder/part.h"
#include "vocoder/rows.h"

typedef struct vocoder_conditioner {
    denoiser_conditioner *conditioner;
    mel_reader *reader; /* of frames in another convention than the model's; NULL: there is none */
    float *read;        /* frames as the model knows them */
    int bands;          /* of the model */
    const vocoder_rows *frames;
    vocoder_rows out;
    float *fresh;
    int rows_per_frame, most; /* frames at a time */
    uint64_t taken;           /* frames */

    int todo; /* of this tick: frames, or flushes behind the last */
    bool flush;
} vocoder_conditioner;

extern const vocoder_part_kind vocoder_conditioner_part;

/* frame_capacity: of the ring of rows, in frames. The reader is the part's, also when this fails.
 * */
lull_status vocoder_conditioner_init(vocoder_conditioner *c, const denoiser_weights *weights,
                                     mel_reader *reader, int bands, vocoder_rows *frames,
                                     size_t frame_capacity, int most, lull_error *error);

#endif
