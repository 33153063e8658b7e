/* What the model in training sounds like: a few validation recordings through the vocoder, at every
 * evaluation. */
#ifndef TRAIN_SAMPLES_H
#define TRAIN_SAMPLES_H

#include "train/corpus.h"
#include "model/config.h"

typedef struct train_samples train_samples;

/* Picks `count` recordings of the corpus, spread over it, at most 10 s of each, analyses them and
 * writes them to RUN/samples/reference-N.wav. The corpus is used during this call only. */
lull_status train_samples_new(const char *run, const model_config *config, train_corpus *corpus,
                              int count, train_samples **samples, lull_error *error);
/* Renders them with the model file at `model` to RUN/samples/NNNNNNN-N.wav. */
lull_status train_samples_render(const train_samples *samples, const char *model, uint64_t step,
                                 int threads, lull_error *error);
void train_samples_free(train_samples *samples);

#endif
