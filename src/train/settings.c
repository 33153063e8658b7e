/* A run's settings and config.json: see settings.h. */
#include "train/settings.h"

#include <stdio.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/memory.h"

static const char *const parts[] = {"denoiser", "postnet", "pitch", "bandwidth", "spectrum", NULL};
static const char *const losses[] = {"l2", "l1", NULL};
static const char *const densities[] = {"sine", "uniform", "start", NULL};
static const char *const optimizers[] = {"adamw", "muon", NULL};
static const char *const courses[] = {"cosine", "constant", NULL};

#define INT(field, ...) MEMBER_INT(train_settings, field, #field, __VA_ARGS__)
#define UINT64(field, ...) MEMBER_UINT64(train_settings, field, #field, __VA_ARGS__)
#define NUMBER(field, ...) MEMBER_NUMBER(train_settings, field, #field, __VA_ARGS__)
#define BOOL(field, ...) MEMBER_BOOL(train_settings, field, #field, __VA_ARGS__)
#define TEXT(field, ...) MEMBER_TEXT(train_settings, field, #field, __VA_ARGS__)
#define NAME(field, ...) MEMBER_NAME(train_settings, field, #field, __VA_ARGS__)

/* What a model's training facts say: how, not where. */
static const member recipe[] = {
    UINT64(seed, "0", "of weights, crops and noise"),
    INT(batch, 1, 65536, "8", "crops in a batch"),
    INT(accumulate, 1, 65536, "1", "batches in a step"),
    INT(crop_frames, 1, 65536, "64", "mel frames in a crop"),
    NUMBER(rate, 0, 1e30, "6e-3", "learning rate; of adamw about 2e-3"),
    NUMBER(last_rate, 0, 1, "0.02", "part of the rate at the end of the cosine"),
    NAME(course, courses, "cosine", "how the learning rate goes on after the warm-up"),
    INT(warm_up, 0, 1000000000, "200", "steps in which the rate rises"),
    NAME(optimizer, optimizers, "muon", "of the matrices inside the network; AdamW has the rest"),
    NUMBER(momentum, 0, 0.999999, "0.95", "of muon"),
    NUMBER(beta1, 0, 0.999999, "0.9", "of AdamW: decay of the mean"),
    NUMBER(beta2, 0, 0.999999, "0.99", "of AdamW: decay of the mean square"),
    NUMBER(epsilon, 1e-30, 1, "1e-8", "of AdamW: added to its root"),
    NUMBER(decay, 0, 1, "0.01", "weight decay"),
    NUMBER(clip, 0, 1e30, "1", "largest norm of the gradient; 0 = any"),
    NUMBER(average, 0, 0.9999999, "0.9997", "decay of the weights' average"),
    NAME(loss, losses, "l2", "squared or absolute error"),
    NUMBER(stft, 0, 1e6, NULL,
           "weight of the multi-resolution STFT loss (not with objective noise)"),
    NAME(density, densities, "sine",
         "which diffusion times are drawn: the middle more often, all alike, or the first"),
    NUMBER(gain_db, 0, 60, "6", "recordings are made louder or softer by up to this"),
    NUMBER(degrade, 0, 1, "0.5", "share of crops whose mel is blurred as acoustic models blur"),
    NUMBER(
        speed, 0, 0.7, "0.25",
        "pitch network: natural logarithm by which half of the crops are played faster or slower"),
    INT(conventions, 0, 4096, "64",
        "networks for any mel: conventions drawn at random, beside those with names"),
    INT(magnitudes, 0, 1000000000, "0",
        "spectrum network: first steps, on magnitudes alone and not through refinement"),
    BOOL(pairs, "false", "trained on mels that an acoustic model predicted, with their recordings"),
    BOOL(bf16, "false", "bfloat16 products; sums and weights are float32"),
    {0},
};

static const member run[] = {
    TEXT(corpus, NULL, "folder of recordings"),
    TEXT(valid, NULL, "recordings to validate on; none: part of the corpus, by file name"),
    NUMBER(valid_share, 0, 0.5, "0.03", "that part"),
    TEXT(init, NULL, "model whose weights it starts from"),
    NAME(
        part, parts, "denoiser",
        "the denoiser; for --init's model a postnet (mends blurred mels), a network that continues "
        "mels above their fmax, or one that guides refinement; for it, or alone, a pitch network"),
    UINT64(max_steps, NULL, "end after this many steps"),
    NUMBER(max_hours, 0, 1e6, NULL, "end after this time (no limit at all: 12)"),
    UINT64(eval_every, "1000", "steps between evaluations"),
    UINT64(checkpoint_steps, NULL, "steps between checkpoints"),
    NUMBER(checkpoint_seconds, 0, 1e9, "600", "seconds between checkpoints"),
    INT(keep, 1, 1000000000, "3", "checkpoints to keep"),
    INT(valid_crops, 1, 65536, "64", "crops of an evaluation"),
    INT(samples, 0, 100, "3", "validation recordings to render"),
    NUMBER(cache_mb, 0, 1e9, "2048", "memory for decoded recordings"),
    {0},
};

const member train_settings_members[] = {
    MEMBER_PART(NULL, run, NULL, NULL),
    MEMBER_PART(NULL, recipe, NULL, NULL),
    {0},
};

void train_settings_default(train_settings *settings) {
    memset(settings, 0, sizeof *settings);
    members_default(train_settings_members, settings);
}

/* Pairs of a member and its value. */
static const char *const of_postnet[] = {"batch", "16",        "crop_frames", "48",    "rate",
                                         "2e-3",  "optimizer", "adamw",       "decay", "0",
                                         "loss",  "l1",        "degrade",     "0.8",   NULL};
static const char *const of_pitch[] = {"batch",   "16",        "crop_frames", "96",      "rate",
                                       "2e-3",    "optimizer", "adamw",       "warm_up", "100",
                                       "average", "0.998",     "degrade",     "0.33",    "samples",
                                       "0",       NULL};
static const char *const of_bandwidth[] = {
    "batch", "16",      "crop_frames", "64",      "rate",  "2e-3",    "optimizer",
    "adamw", "warm_up", "100",         "average", "0.998", "degrade", "0.33",
    "speed", "0",       "samples",     "0",       NULL};
static const char *const of_spectrum[] = {
    "batch",   "24",      "crop_frames", "48",      "rate",        "1.5e-3",  "optimizer",
    "adamw",   "warm_up", "200",         "average", "0.999",       "degrade", "0.1",
    "samples", "0",       "magnitudes",  "5000",    "conventions", "0",       NULL};

void train_settings_of(train_settings *settings, train_trained part) {
    static const char *const *const wanted[] = {
        [TRAIN_POSTNET] = of_postnet,
        [TRAIN_PITCH] = of_pitch,
        [TRAIN_BANDWIDTH] = of_bandwidth,
        [TRAIN_SPECTRUM] = of_spectrum,
    };
    settings->part = part;
    if (part == TRAIN_DENOISER) return;
    for (const char *const *at = wanted[part]; *at; at += 2)
        members_set(train_settings_members, settings, at[0], at[1], NULL);
}

/* What holds for all networks that work on frames. `what`: the network and its article. */
static lull_status check_of_frames(const train_settings *settings, const char *what,
                                   lull_error *error) {
    if (settings->optimizer != TRAIN_ADAMW)
        return base_fail(error, LULL_INVALID, "%s is trained with --optimizer adamw", what);
    if (settings->stft > 0.0)
        return base_fail(error, LULL_INVALID, "the STFT loss is the denoiser's");
    if (settings->init[0] == '\0' && settings->part != TRAIN_PITCH)
        return base_fail(error, LULL_INVALID, "%s is trained for a model: name it with --init",
                         what);
    return LULL_OK;
}

static lull_status check_denoiser(const train_settings *settings, const model_config *config,
                                  lull_error *error) {
    /* A noise prediction's waveform is divided by the signal's level, which is near 0 at first. */
    if (settings->stft > 0.0 && config->objective == DIFFUSION_NOISE)
        return base_fail(error, LULL_INVALID,
                         "the STFT loss needs objective v, flow or data, this is \"%s\"",
                         diffusion_objective_name(config->objective));
    if (config->below_hz > 0.0 && settings->loss != TRAIN_LOSS_L2)
        return base_fail(error, LULL_INVALID,
                         "a network that knows a band alone (network.below_hz) is trained on the "
                         "squared error: --loss l2");
    if (config->below_hz > 0.0 && settings->stft > 0.0)
        return base_fail(error, LULL_INVALID,
                         "the STFT loss is of all frequencies, the network's are those below %g Hz "
                         "(network.below_hz)",
                         config->below_hz);
    return LULL_OK;
}

lull_status train_settings_check(const train_settings *settings, const model_config *config,
                                 lull_error *error) {
    lull_status status = members_check(train_settings_members, settings, "training", error);
    if (status) return status;
    if (config->family == MODEL_PITCH_ALONE && settings->part != TRAIN_PITCH)
        return base_fail(error, LULL_INVALID,
                         "the model is a pitch network alone: --part pitch trains it");
    const struct {
        const char *name, *what;
        int channels;
    } of_frames[] = {
        [TRAIN_POSTNET] = {"postnet", "a postnet", config->postnet_channels},
        [TRAIN_PITCH] = {"pitch", "a pitch network", config->pitch_channels},
        [TRAIN_BANDWIDTH] = {"bandwidth", "a bandwidth network", config->bandwidth_channels},
        [TRAIN_SPECTRUM] = {"spectrum", "a spectrum network", config->spectrum_channels},
    };
    if (settings->part == TRAIN_DENOISER) return check_denoiser(settings, config, error);
    if (of_frames[settings->part].channels == 0)
        return base_fail(error, LULL_INVALID,
                         "the model has no %s to train: network.%s.channels is 0",
                         of_frames[settings->part].what + 2, of_frames[settings->part].name);
    return check_of_frames(settings, of_frames[settings->part].what, error);
}

/* ---- JSON --------------------------------------------------------------------------------- */

/* A fact that a denoiser's training says itself. */
static bool is_own_fact(const char *name) {
    for (const member *row = recipe; row->name != NULL; row++)
        if (strcmp(row->name, name) == 0) return true;
    return strcmp(name, "steps") == 0 || strcmp(name, "audio_seconds") == 0;
}

char *train_settings_facts(const train_settings *settings, uint64_t steps, double audio_seconds,
                           const char *before) {
    json_writer writer = json_writer_new();
    yyjson_mut_val *facts = writer.root;
    yyjson_doc *tree = NULL;
    const bool denoiser = settings->part == TRAIN_DENOISER;
    if (!denoiser || before[0] != '\0') {
        if (json_parse(before, strlen(before), "training", &tree, NULL) == LULL_NO_MEMORY)
            writer.lost = true;
        size_t i, n;
        yyjson_val *key, *value;
        yyjson_obj_foreach(yyjson_doc_get_root(tree), i, n, key, value) {
            if (!yyjson_equals_str(key, parts[settings->part]) &&
                !(denoiser && is_own_fact(yyjson_get_str(key))))
                json_add_copy(&writer, writer.root, yyjson_get_str(key), value);
        }
        facts = json_add_object(&writer, writer.root, parts[settings->part]);
    }
    members_print(recipe, settings, &writer, facts);
    json_add_whole(&writer, facts, "steps", steps);
    json_add_number(&writer, facts, "audio_seconds", audio_seconds);
    yyjson_doc_free(tree);
    return json_writer_end(&writer, false);
}

char *train_settings_print(const train_settings *settings, const model_config *config) {
    json_writer writer = json_writer_new();
    writer.keep_bytes = true; /* names of files, to be found again */
    json_add_number(&writer, writer.root, "format", 1);
    model_config_write(config, &writer, json_add_object(&writer, writer.root, "model"));
    members_print(train_settings_members, settings, &writer,
                  json_add_object(&writer, writer.root, "training"));
    return json_writer_end(&writer, true);
}

lull_status train_settings_write(const char *path, const train_settings *settings,
                                 const model_config *config, lull_error *error) {
    char *text = train_settings_print(settings, config);
    if (text == NULL) return base_no_memory(error);
    atomic_file *file = NULL;
    lull_status status = atomic_file_open(path, &file, error);
    if (!status) {
        status = atomic_file_write(file, text, strlen(text), error);
        if (!status) status = atomic_file_write(file, "\n", 1, error);
        if (status)
            atomic_file_abandon(file);
        else
            status = atomic_file_commit(file, error);
    }
    base_free(text);
    return status;
}

lull_status train_settings_parse(const void *bytes, size_t size, const char *path,
                                 train_settings *settings, model_config *config,
                                 lull_error *error) {
    yyjson_doc *tree = NULL;
    lull_status status = json_parse(bytes, size, path, &tree, error);
    if (status) return status;
    yyjson_val *root = yyjson_doc_get_root(tree);
    yyjson_val *model = yyjson_obj_get(root, "model"), *training = yyjson_obj_get(root, "training");
    if (!yyjson_is_obj(model) || !yyjson_is_obj(training))
        status = base_fail(
            error, LULL_FORMAT,
            "%s: is not the config.json of a run: no \"model\" and \"training\" objects", path);
    if (!status) status = model_config_read(model, path, config, error);
    train_settings_default(settings);
    if (!status)
        status = members_read(train_settings_members, settings, training, path, "training", error);
    yyjson_doc_free(tree);
    return status;
}
