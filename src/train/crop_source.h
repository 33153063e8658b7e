/* The pitch source of a crop (vocoder/source.h), as it stands beside the recording: its pitch and
 * bands are the recording's, and its phase is turned so that its fundamental lies on the
 * recording's. */
#ifndef TRAIN_CROP_SOURCE_H
#define TRAIN_CROP_SOURCE_H

#include "model/config.h"
#include "train/corpus.h"

typedef struct train_crop_source train_crop_source;

/* For crops of `frames` mel frames. The corpus is borrowed. One thread at a time. */
lull_status train_crop_source_new(const model_config *config, train_corpus *corpus, int frames,
                                  train_crop_source **result, lull_error *error);
void train_crop_source_free(train_crop_source *s);

/* signal: the crop as training sees it (whitened), frames × hop samples from frame first_frame of
 * the recording. to: as many samples, a function of (seed, index) and of the recording. The
 * recording is labelled at its first crop. */
lull_status train_crop_source_render(train_crop_source *s, size_t recording, int64_t first_frame,
                                     const float *signal, uint64_t seed, uint64_t index, float *to,
                                     lull_error *error);

#endif
