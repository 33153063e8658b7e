/* A model in memory: configuration, weights, and the public lull_model. */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include "model/denoiser_shelf.h"
#include "model/parameters.h"

struct lull_model {
    model_config config;
    model_parameters *parameters;
    char *training_json; /* facts of training from the file, "" when none */
    lull_model_info info;
    denoiser_shelf *shelf; /* packed weights, made when a vocoder first wants them */
};

/* Floating-point operations of one evaluation of the network for one second of audio, without what
 * a mel frame needs once. */
double model_network_flops(const model_config *config);

/* Those of all networks for one second of audio with these settings and the model's own source, with
 * so many evaluations of the denoiser. */
double model_flops(const model_config *config, const model_settings *settings, int evaluations);

/* Writes a model file; bf16 chooses the dtype on disk; training_json may be NULL. */
lull_status model_write(const char *path, const model_config *config,
                        const model_parameters *parameters, const char *training_json, bool bf16,
                        lull_error *error);

#endif
