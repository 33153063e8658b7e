/* What a run starts from: its newest checkpoint, --init's weights, or random ones; the same on all
 * ranks. */
#ifndef TRAIN_START_H
#define TRAIN_START_H

#include "ranks/ranks.h"
#include "train/checkpoint.h"
#include "train/log.h"
#include "train/settings.h"
#include "train/voice.h"

typedef struct train_start_options {
    const char *run;
    bool resume;
    const model_config *config;
    const train_settings *settings;
    const train_voice *voice;
    ranks *ranks;
} train_start_options;

/* *log: on rank 0, cut back to the state; NULL on the others. */
lull_status train_start(const train_start_options *options, train_state *state, train_log **log,
                        lull_error *error);

/* What the model that a run starts from says of its own training: "" where there is none or it is
 * gone. base_free. */
lull_status train_start_facts(const train_settings *settings, char **facts, lull_error *error);

#endif
