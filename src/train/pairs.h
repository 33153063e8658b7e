/* Pairs of a mel as an acoustic model predicted it (teacher-forced, so that it keeps the recording's
 * time) and the recording that it is of: what lull train --pairs learns to complete, in place of
 * mels that are blurred by arithmetic. */
#ifndef TRAIN_PAIRS_H
#define TRAIN_PAIRS_H

#include "mel/convention.h"
#include "train/corpus.h"
#include "train/voice.h"

typedef struct train_pairs {
    char **mels, **recordings; /* count of each; recordings sorted by name, none twice */
    size_t count;
} train_pairs;

/* A text file of lines "MEL<tab or |>RECORDING", paths relative to its own folder; empty lines and
 * those that begin with # are passed over. */
lull_status train_pairs_read(const char *path, train_pairs *pairs, lull_error *error);
void train_pairs_free(train_pairs *pairs);

/* Frames by which a mel is looked for before and after its recording's own place. */
enum { TRAIN_PAIRS_REACH = 24 };

/* The offset at which n predicted frames are most like the recording's own N, in
 * ±TRAIN_PAIRS_REACH, and how much: the correlation over all values that overlap, each band's mean
 * taken off; NaN when either is constant. */
double train_pairs_offset(const float *predicted, size_t n, const float *own, size_t own_count,
                          size_t bands, int *offset);

/* Gives every recording of the corpus, which was opened with these recordings as its files, its
 * mel. Recordings whose mel is not theirs (another length, correlation below 0.5), shorter than
 * `least` frames, or none of this convention are taken out of the corpus, each with a line. Says
 * the offsets that were found. */
lull_status train_pairs_attach(const train_pairs *pairs, const mel_convention *convention,
                               size_t least, train_corpus *corpus, const train_voice *voice,
                               lull_error *error);

#endif
