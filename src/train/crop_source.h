/* The pitch source of a crop (vocoder/source.h), as it stands beside the recording: its pitch and
 * bands are the recording's, and its pulses lie where the recording's glottis closes, so that a
 * network can say from them what the recording is. */
#ifndef TRAIN_CROP_SOURCE_H
#define TRAIN_CROP_SOURCE_H

#include "mel/envelope.h"
#include "model/config.h"
#include "train/corpus.h"

typedef struct train_crop_source train_crop_source;

typedef struct train_crop_place {
    size_t recording;
    int64_t first_frame;
    uint64_t seed, index; /* of the crop's random numbers */
} train_crop_place;

/* For crops of `frames` mel frames. Corpus and envelope are borrowed. One thread at a time. */
lull_status train_crop_source_new(const model_config *config, train_corpus *corpus,
                                  const mel_envelope *envelope, int frames,
                                  train_crop_source **result, lull_error *error);
void train_crop_source_free(train_crop_source *s);

/* mel: the crop's frames × bands. signal: the crop as training sees it (whitened), frames × hop
 * samples; where its pulses are negative it is negated, which nobody hears, so that they are always
 * positive, as the source's are. to: as many samples of the source, a function of the place, the
 * recording and the mel. The recording is labelled at its first crop. */
lull_status train_crop_source_render(train_crop_source *s, const train_crop_place *place,
                                     const float *mel, float *signal, float *to, lull_error *error);

#endif
