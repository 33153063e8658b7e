/* lull_options as a caller gives them, made complete by what the model says. */
#ifndef VOCODER_OPTIONS_H
#define VOCODER_OPTIONS_H

#include "model/model.h"

enum {
    VOCODER_MAX_STEPS = MODEL_MAX_STEPS,
    VOCODER_MAX_REFINE = MODEL_MAX_REFINE,
    VOCODER_MAX_WINDOW = MODEL_MAX_WINDOW,
    VOCODER_MAX_THREADS = 64,
    VOCODER_DEFAULT_CROSSOVER = 2500, /* Hz */
    VOCODER_DEFAULT_QUEUE = 1024,
    VOCODER_MAX_QUEUE = 1 << 24,
    VOCODER_MAX_PULL_WORK = 1 << 30,
    VOCODER_DEFAULT_MEMORY = 1 << 30 /* bytes */
};

/* Iterations, window and momentum of the mel consistency where there is no model to say so. */
enum { VOCODER_NOISE_REFINE = 32, VOCODER_NOISE_REFINE_WINDOW = 6 };
#define VOCODER_NOISE_REFINE_MOMENTUM 0.9f

/* *resolved gets every value that was left to the model. config NULL: no network. mels: the
 * convention of the frames that will come; NULL: the model's. given may be NULL. */
lull_status vocoder_resolve_options(const lull_options *given, const model_config *config,
                                    const mel_convention *mels, lull_options *resolved,
                                    lull_error *error);

/* The convention of the frames that will come: options.convention, else the model's (or NULL).
 * `caller` begins the message when neither says it. */
lull_status vocoder_find_convention(const char *caller, const lull_model *model,
                                    const lull_options *given, mel_convention *convention,
                                    lull_error *error);
/* Whether a model (or NULL) can read it. */
lull_status vocoder_check_convention(const lull_model *model, const mel_convention *convention,
                                     lull_error *error);

#endif
