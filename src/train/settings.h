/* Everything that decides what a training run does, next to the model's own configuration: kept in
 * the run's config.json, so that --resume needs nothing else. */
#ifndef TRAIN_SETTINGS_H
#define TRAIN_SETTINGS_H

#include "model/config.h"

typedef enum { TRAIN_LOSS_L2, TRAIN_LOSS_L1 } train_loss_kind;
typedef enum { TRAIN_DENSITY_SINE, TRAIN_DENSITY_UNIFORM, TRAIN_DENSITY_START } train_density;
typedef enum { TRAIN_ADAMW, TRAIN_MUON } train_optimizer;
typedef enum { TRAIN_COSINE, TRAIN_CONSTANT } train_course;

typedef enum {
    TRAIN_DENOISER,
    TRAIN_POSTNET,
    TRAIN_PITCH,
    TRAIN_BANDWIDTH,
    TRAIN_SPECTRUM
} train_trained;

enum { TRAIN_PATH_SIZE = 4096 };

typedef struct train_settings {
    char corpus[TRAIN_PATH_SIZE],
        valid[TRAIN_PATH_SIZE]; /* absolute; valid "" = split by file name */
    char init[TRAIN_PATH_SIZE]; /* model whose weights it starts from, or "" */
    bool pairs;                 /* corpus is a list of pairs: pairs.h */
    double valid_share;
    int part; /* train_trained: which weights move; the others stay as --init had them */
    int batch, accumulate, crop_frames;
    uint64_t seed;

    double rate, last_rate; /* last_rate: fraction of rate at the end of the cosine */
    int course;             /* train_course */
    int warm_up;
    int optimizer;   /* train_optimizer */
    double momentum; /* Muon's */
    double beta1, beta2, epsilon, decay, clip, average;
    int loss;    /* train_loss_kind */
    double stft; /* weight of the multi-resolution STFT term; not with the noise objective */
    int density; /* train_density of t */
    double gain_db, degrade;
    double speed;    /* pitch network: natural logarithm by which recordings are played faster */
    int conventions; /* and mel conventions drawn for it beside the named ones */
    int magnitudes;  /* spectrum network: first steps, on magnitudes alone */
    bool bf16;

    uint64_t max_steps; /* 0 = no limit */
    double max_hours;   /* 0 = no limit */
    uint64_t eval_every;
    uint64_t checkpoint_steps;
    double checkpoint_seconds;
    int keep, valid_crops, samples;
    double cache_mb;
} train_settings;

/* Their places, ranges, defaults and words. */
extern const member train_settings_members[];

void train_settings_default(train_settings *settings);
/* What training a part of a model wants in place of the defaults above. */
void train_settings_of(train_settings *settings, train_trained part);
lull_status train_settings_check(const train_settings *settings, const model_config *config,
                                 lull_error *error);

/* config.json: {"format": 1, "model": {…}, "training": {…}}. */
lull_status train_settings_write(const char *path, const train_settings *settings,
                                 const model_config *config, lull_error *error);
/* Its text (base_free), and from it; name stands in messages. Unknown members are refused by name. */
char *train_settings_print(const train_settings *settings, const model_config *config);
lull_status train_settings_parse(const void *bytes, size_t size, const char *name,
                                 train_settings *settings, model_config *config, lull_error *error);
/* The "training" member alone, as facts for a model file (no paths of this machine). Of a part, or of
 * a model that another was the start of, they are the member with the part's name ("pitch",
 * "denoiser") in what `before`, that other's facts, says. before may be "". base_free. */
char *train_settings_facts(const train_settings *settings, uint64_t steps, double audio_seconds,
                           const char *before);

#endif
