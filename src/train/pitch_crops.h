/* Crops for the pitch network: which piece of which recording is crop number i of a run, in which
 * convention it is seen, and what is true of its voice. The choice is a pure function of (seed, i),
 * so a run resumed anywhere draws the same crops. */
#ifndef TRAIN_PITCH_CROPS_H
#define TRAIN_PITCH_CROPS_H

#include "model/pitch_network.h"
#include "train/corpus.h"

typedef struct train_pitch_crops train_pitch_crops;

typedef struct train_pitch_options {
    uint64_t seed;
    int frames;     /* mel frames of a crop */
    int drawn;      /* conventions drawn at random, beside those with names */
    double level;   /* natural logarithm by which a crop may be louder or fainter */
    double speed;   /* and by which it may be played faster or slower, pitch and all */
    double degrade; /* share of crops that are blurred and noised as acoustic models' mels are */
} train_pitch_options;

/* The corpus is borrowed; its rate is what labels are measured at, best 24 kHz or more. */
lull_status train_pitch_crops_new(train_corpus *corpus, const train_pitch_options *options,
                                  train_pitch_crops **crops, lull_error *error);
void train_pitch_crops_free(train_pitch_crops *crops);

/* Crop `index`: features (frames × MEL_FEATURES) and targets (frames × PITCH_OUTPUTS: log2(F0 / 200
 * Hz), 0 where unvoiced; voicing 0 … 1; aperiodicity by bands 0 … 1, below 0 where the recording
 * cannot show it). The labels of a recording are measured when it is first used, and kept. */
lull_status train_pitch_crops_render(train_pitch_crops *crops, uint64_t index, float *features,
                                     float *targets, lull_error *error);

/* Bytes held, labels included. */
size_t train_pitch_crops_bytes(const train_pitch_crops *crops);

/* Loss of a crop's `frames` outputs, mean over its frames: 4·|difference of log2 F0| · voicing, and
 * cross-entropies of the voicing and, mean over the bands, of the aperiodicity where it is known.
 * gradient: its derivative by the outputs. */
double train_pitch_loss(const float *outputs, const float *targets, int frames, float *gradient);

#endif
