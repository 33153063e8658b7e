/* What a run is judged by: see validation.h. */
#include "train/validation.h"

#include <math.h>
#include <string.h>

/* Validation crops and their noise are the same for every run. */
static const uint64_t VALID_SEED = 0x76616c6964;

static lull_status fill(const model_config *config, const train_settings *settings,
                        train_corpus *corpus, double degrade, train_batch **batch,
                        lull_error *error) {
    const train_part *part = train_part_of(settings);
    const train_crops_options options = {VALID_SEED, settings->crop_frames, part->margin(config),
                                         0.0, degrade};
    const train_place place = {0, 0, settings->valid_crops};
    train_crops *crops = NULL;
    lull_status status = part->new_crops(config, settings, corpus, &options, &crops, error);
    if (!status)
        status =
            train_batch_new(part->sizes(config, settings), settings->valid_crops, batch, error);
    if (!status) status = part->fill(crops, config, settings, &place, *batch, error);
    train_crops_free(crops);
    return status;
}

lull_status train_validation_new(train_validation *v, const model_config *config,
                                 const train_settings *settings, const char *run,
                                 train_corpus *corpus, train_corpus *other, lull_error *error) {
    train_settings own = *settings;
    own.seed = VALID_SEED;
    own.density = TRAIN_DENSITY_UNIFORM;
    memset(v, 0, sizeof *v);
    lull_status status = LULL_OK;
    if (corpus != NULL) status = fill(config, &own, corpus, 0.0, &v->exact, error);
    if (corpus != NULL && !status && settings->degrade > 0.0)
        status = fill(config, &own, corpus, 1.0, &v->degraded, error);
    if (!status && settings->samples > 0 && config->family != MODEL_PITCH_ALONE)
        status = train_samples_new(run, config, corpus ? corpus : other, settings->samples,
                                   &v->samples, error);
    return status;
}

void train_validation_free(train_validation *v) {
    train_batch_free(v->exact);
    train_batch_free(v->degraded);
    train_samples_free(v->samples);
    memset(v, 0, sizeof *v);
}

train_validation_result train_validation_run(const train_validation *v, train_stepper *stepper) {
    return (train_validation_result){
        v->exact ? train_stepper_evaluate(stepper, v->exact) : NAN,
        v->degraded ? train_stepper_evaluate(stepper, v->degraded) : NAN,
    };
}
