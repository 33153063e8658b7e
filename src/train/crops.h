/* Crops: which piece of which recording is crop number i of a run, and what the network gets to see
 * of it. The choice is a pure function of (seed, i), so any number of machines, and a run resumed
 * anywhere, draw the same crops. */
#ifndef TRAIN_CROPS_H
#define TRAIN_CROPS_H

#include "model/config.h"
#include "train/corpus.h"
#include "train/degrade.h"
#include "train/frame_crops.h"

typedef struct train_crop {
    uint64_t index;
    size_t recording;
    int64_t first_frame; /* mel frame (of hop samples) at which it begins */
    double gain;         /* the audio is multiplied by it */
    bool paired; /* its mel is the recording's pair's (pairs.h), in place of a degraded one */
    train_degrade degrade;
} train_crop;

typedef struct train_crops_options {
    uint64_t seed;
    int frames;     /* mel frames of a crop */
    int margin;     /* mel frames of context on each side for the network's conditioner */
    double gain_db; /* gain is uniform in dB within ± this around the recording's own level */
    double degrade; /* probability that a crop's mel is degraded, or its pair's where it has one */
} train_crops_options;

typedef struct train_crops train_crops;

/* The corpus is borrowed; its rate must be the model's and no recording shorter than a crop. One
 * thread at a time. */
lull_status train_crops_new(const model_config *config, train_corpus *corpus,
                            const train_crops_options *options, train_crops **crops,
                            lull_error *error);
void train_crops_free(train_crops *crops);

/* Crops of networks over frames, which are of no one convention: the others' functions are not for them.
 * The corpus is borrowed. NULL of crops that are not such. */
lull_status train_crops_new_frames(train_corpus *corpus, const train_frame_options *options,
                                   train_crops **crops, lull_error *error);
train_frame_crops *train_crops_frames(const train_crops *crops);

/* Recordings are drawn by their duration, the place in them uniformly, of one that has a pair
 * within its mel. */
void train_crops_choose(const train_crops *crops, uint64_t index, train_crop *crop);

/* signal: frames × hop samples of the model's domain: whitened by the envelope of the (degraded)
 * mel, or the waveform itself. mel: (frames + 2 × margin) × bands, the context taken from the
 * recording around the crop; where that ends, the value that the network's normalisation turns into
 * 0, which is how convolutions pad in synthesis. */
lull_status train_crops_render(train_crops *crops, const train_crop *crop, float *signal,
                               float *mel, lull_error *error);

/* For a network that takes the pitch source: the crop's, as train_crop_source_render has it.
 * signal, mel: what train_crops_render gave; the signal may come back negated. */
lull_status train_crops_source(train_crops *crops, const train_crop *crop, const float *mel,
                               float *signal, float *source, lull_error *error);

/* For the postnet: the crop's mel, frames × bands, as the recording has it and degraded. */
lull_status train_crops_mels(train_crops *crops, const train_crop *crop, float *exact,
                             float *degraded, lull_error *error);

#endif
