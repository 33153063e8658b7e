/* Crops for networks over frames: which piece of which recording is crop number i of a run, in which
 * convention it is seen, and what is true of it. The choice is a pure function of (seed, i), so a
 * run resumed anywhere draws the same crops. */
#ifndef TRAIN_FRAME_CROPS_H
#define TRAIN_FRAME_CROPS_H

#include "model/bandwidth.h"
#include "model/pitch_network.h"
#include "train/convention_pool.h"
#include "train/corpus.h"

typedef struct train_frame_crops train_frame_crops;

/* What is to be known of a frame: the voice (train/pitch_target.h), the envelope above its mel
 * (train/bandwidth_target.h), or the recording itself. */
typedef enum { TRAIN_FRAME_PITCH, TRAIN_FRAME_BANDWIDTH, TRAIN_FRAME_RECORDED } train_frame_target;

/* Conventions that crops with the recording itself are seen in, every other in the model's own: crop
 * i in number i modulo their count, in every run, for what is trained on them keeps room for each.
 * `own` is borrowed. */
train_convention_pool train_frame_recorded_pool(const mel_convention *own, int drawn);

typedef struct train_frame_options {
    train_frame_target target;
    uint64_t seed;
    int frames;     /* mel frames of a crop */
    int drawn;      /* conventions drawn at random, beside those with names */
    double level;   /* natural logarithm by which a crop may be louder or fainter */
    double speed;   /* and by which it may be played faster or slower, pitch and all */
    double degrade; /* share of crops that are blurred and noised as acoustic models' mels are */
    const mel_convention *own; /* of the recorded: the model's; borrowed until crops are made */
} train_frame_options;

/* The corpus is borrowed; its rate is what targets are measured at, best 24 kHz or more. For the
 * bandwidth, conventions that leave nothing open are left out, and recordings that have nothing to
 * show there; LULL_INVALID where that is all of them. Of the recorded, conventions without a low
 * band (mel/low_band.h). */
lull_status train_frame_crops_new(train_corpus *corpus, const train_frame_options *options,
                                  train_frame_crops **crops, lull_error *error);
void train_frame_crops_free(train_frame_crops *crops);

/* Targets of a frame, of the pitch and of the bandwidth. */
int train_frame_outputs(train_frame_target target);

/* Crop `index`: features (frames × MEL_FEATURES) and targets (frames × train_frame_outputs; of the
 * bandwidth relative to the feature at the convention's edge, as the network says it). What is
 * measured of a whole recording is measured when it is first used, and kept. */
lull_status train_frame_crops_render(train_frame_crops *crops, uint64_t index, float *features,
                                     float *targets, lull_error *error);

/* Which convention crop `index` of the recorded is seen in. */
const mel_convention *train_frame_crops_convention(const train_frame_crops *crops, uint64_t index);

/* The same of the recorded: features; the (degraded) mel (frames × bands of the crop's convention);
 * and the recording at the convention's rate from the first sample of the first frame to the last of
 * the last, (frames − 1) × hop + n_fft samples. */
lull_status train_frame_crops_recorded(train_frame_crops *crops, uint64_t index, float *features,
                                       float *mel, float *samples, lull_error *error);

/* Bytes held, what was measured included. */
size_t train_frame_crops_bytes(const train_frame_crops *crops);

#endif
