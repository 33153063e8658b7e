/* Checkpoints: everything that the next step depends on, in one safetensors file,
 * RUN/checkpoints/NNNNNNN.safetensors. Tensors: every weight under "weights.", "ema.", "adam.m."
 * and "adam.v.". Metadata: "lull" (the model's configuration), "run" (the numbers of train_progress
 * as JSON). */
#ifndef TRAIN_CHECKPOINT_H
#define TRAIN_CHECKPOINT_H

#include "model/parameters.h"

/* Random numbers are functions of (seed, crop number), and the crop number follows from the step:
 * this is all of a run's state next to the four vectors. */
typedef struct train_progress {
    uint64_t step;    /* steps done, skipped ones included */
    uint64_t updates; /* steps that changed the weights: AdamW's count */
    uint64_t skipped; /* steps that were not finite */
    uint64_t skipped_in_a_row;
    uint64_t crops;       /* crops drawn: the position in the corpus */
    uint64_t log_bytes;   /* length of log.jsonl that belongs to this state */
    double audio_seconds; /* seen so far */
    double
        elapsed; /* seconds of training; kept only where the rate's course depends on it, else 0 */
} train_progress;

typedef struct train_state {
    model_parameters *weights, *average, *m, *v;
    train_progress progress;
} train_state;

lull_status train_state_new(const model_config *config, train_state *state, lull_error *error);
void train_state_free(train_state *state);
/* Whether every weight and average is finite. */
bool train_state_finite(const train_state *state);

/* Writes RUN/checkpoints/NNNNNNN.safetensors whole or not at all. */
lull_status train_checkpoint_write(const char *run, const model_config *config,
                                   const train_state *state, lull_error *error);
/* Removes all but the newest `keep`, or none where memory is out. */
void train_checkpoint_prune(const char *run, int keep);
/* Reads the newest one that is whole. *found: false when there is none. `warn` (may be NULL) is
 * told of damaged ones that were passed over. */
lull_status train_checkpoint_read(const char *run, train_state *state, bool *found,
                                  void (*warn)(void *context, const char *line), void *context,
                                  lull_error *error);
/* Whether there is any. */
lull_status train_checkpoint_exists(const char *run, bool *exists, lull_error *error);

#endif
