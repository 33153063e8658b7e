/* A part on the side: what voice each frame has, as the pitch network hears it in the mel or as the
 * pitches say that were pushed beside the frames. The source is made of it. It hears the frames as
 * they came, so that its look-ahead runs beside the postnet's and not behind it. */
#ifndef VOCODER_VOICES_H
#define VOCODER_VOICES_H

#include "model/pitch_network.h"
#include "vocoder/part.h"
#include "vocoder/rows.h"

typedef struct vocoder_voices {
    const model_config *config; /* of the pitch network; NULL: the part is not in use */
    const model_parameters *parameters;
    const mel_convention *convention; /* of the frames */
    const vocoder_rows *frames; /* as they came: bands, then the pitch in Hz, 0 unvoiced, NaN not
                                   known */
    float transpose;            /* factor of every pitch */
    float power;                /* to which aperiodicities are raised */
    int hop;

    pitch_network *network;
    vocoder_rows out; /* pitch_values */
    uint64_t fed;     /* frames that the network has heard, those behind the end included */

    int todo;     /* of this tick: rows */
    uint64_t end; /* frames that may be read */
} vocoder_voices;

extern const vocoder_part_kind vocoder_voices_part;

/* Everything is borrowed. semitones: by which pitches are moved. power: to which aperiodicities are raised. capacity: of the ring of voices. */
void vocoder_voices_init(vocoder_voices *v, const model_config *config,
                         const model_parameters *parameters, const mel_convention *convention,
                         double semitones, double power, vocoder_rows *frames, size_t capacity);

#endif
