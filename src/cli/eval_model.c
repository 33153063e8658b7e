/* lull eval MODEL --corpus DIR: copy-synthesis of recordings, beside classical baselines, scored.
 */
#include "cli/eval_subjects.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/clock.h"
#include "base/progress.h"
#include "cli/own.h"
#include "cli/paths.h"
#include "cli/tree.h"
#include "recording/audio_file.h"
#include "mel/front_end.h"
#include "mel/griffin_lim.h"
#include "model/model.h"
#include "vocoder/vocoder.h"

enum { SYSTEMS = 3, LULL = 0, NOISE = 1, GRIFFIN_LIM = 2 };

static const char *const SYSTEM_NAMES[SYSTEMS] = {"lull", "noise", "griffin-lim"};

typedef struct copier {
    const cli_eval_options *options;
    lull_model *model, *pitch;
    lull_vocoder *vocoders[2]; /* LULL, NOISE (may be NULL) */
    eval_table *table;
} copier;

/* [¼ ½ ¼] over time, then over bands, ends held: how blurred an acoustic model's mels can be. */
static void smooth(float *frames, size_t n, size_t bands, float *copy) {
    memcpy(copy, frames, n * bands * sizeof *frames);
    for (size_t f = 0; f < n; f++)
        for (size_t b = 0; b < bands; b++)
            frames[f * bands + b] = 0.5f * copy[f * bands + b] +
                                    0.25f * copy[(f > 0 ? f - 1 : f) * bands + b] +
                                    0.25f * copy[(f + 1 < n ? f + 1 : f) * bands + b];
    memcpy(copy, frames, n * bands * sizeof *frames);
    for (size_t f = 0; f < n; f++) {
        const float *row = copy + f * bands;
        for (size_t b = 0; b < bands; b++)
            frames[f * bands + b] = 0.5f * row[b] + 0.25f * row[b > 0 ? b - 1 : b] +
                                    0.25f * row[b + 1 < bands ? b + 1 : b];
    }
}

static lull_status run_vocoder(lull_vocoder *vocoder, uint64_t seed, const float *frames, size_t n,
                               size_t bands, float *out, size_t count, lull_error *error) {
    size_t pushed = 0, done = 0;
    lull_vocoder_reset(vocoder, seed);
    while (done < count) {
        size_t accepted = 0, produced = 0;
        lull_status status = LULL_OK;
        if (pushed < n)
            status =
                lull_vocoder_push(vocoder, frames + pushed * bands, n - pushed, &accepted, error);
        pushed += accepted;
        if (status == LULL_OK && pushed == n) status = lull_vocoder_finish(vocoder);
        if (status == LULL_OK)
            status = lull_vocoder_pull(vocoder, out + done, count - done, &produced, error);
        if (status != LULL_OK) return status;
        done += produced;
    }
    return LULL_OK;
}

/* DIR/SYSTEM/FOLDER/NAME.wav, folders made as needed. */
static lull_status keep(const copier *c, const char *system, const char *relative, const float *out,
                        size_t count, char *path, lull_error *error) {
    int rate = c->model->config.mel.sample_rate;
    if (snprintf(path, PATH_MAX, "%s/%s/%.*s.wav", c->options->output, system,
                 (int)cli_stem(relative), relative) >= PATH_MAX)
        return base_fail(error, LULL_INVALID, "%s: the path is too long", relative);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int failed = mkdir(path, 0777) != 0 && errno != EEXIST;
        if (failed) return base_fail(error, LULL_IO, "%s: %s", path, strerror(errno));
        *slash = '/';
    }
    recording_writer *writer = NULL;
    lull_status status = cli_may_write(path, c->options->force, error);
    if (status != LULL_OK) return status;
    status = recording_writer_open(path, rate, RECORDING_PCM16, &writer, error);
    if (status != LULL_OK) return status;
    recording_writer_expect(writer, count);
    status = recording_writer_write(writer, out, count, error);
    if (status == LULL_OK) return recording_writer_commit(writer, error);
    recording_writer_abandon(writer);
    return status;
}

/* A recording; at its own rate where that is below the model's, so that nothing counts which it
 * cannot have. */
typedef struct original {
    char path[PATH_MAX];
    float *samples;
    size_t count;
    int rate;
} original;

static lull_status run_system(copier *c, int system, const char *relative, const original *is,
                              const float *frames, size_t n, float *out, lull_error *error) {
    const mel_convention *mel = &c->model->config.mel;
    size_t count = n * (size_t)mel->hop;
    char kept[PATH_MAX] = "", folder[PATH_MAX];
    const char *slash = strrchr(relative, '/');
    double started = base_now();
    lull_status status = system == GRIFFIN_LIM
                             ? mel_griffin_lim(mel, frames, n, c->options->griffin_lim,
                                               c->options->synthesis.seed, out, error)
                             : run_vocoder(c->vocoders[system], c->options->synthesis.seed, frames,
                                           n, (size_t)mel->bands, out, count, error);
    double work = base_now() - started;
    if (status == LULL_OK && c->options->output)
        status = keep(c, SYSTEM_NAMES[system], relative, out, count, kept, error);
    if (status != LULL_OK) return status;
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - relative) : 0, relative);
    eval_row row = {.system = (char *)SYSTEM_NAMES[system],
                    .folder = folder,
                    .name = (char *)(slash ? slash + 1 : relative),
                    .reference = (char *)is->path,
                    .output = *kept ? kept : NULL,
                    .work = work};
    return cli_eval_add_pair(is->samples, is->count, is->rate, out, count, mel->sample_rate, &row,
                             c->options, c->table, error);
}

static bool wanted(const copier *c, int system) {
    if (system == GRIFFIN_LIM) return c->options->griffin_lim > 0;
    return c->vocoders[system] != NULL;
}

/* The recording, and the frames that the model gets of it. */
static lull_status read_original(const mel_convention *mel, original *is, float **frames, size_t *n,
                                 lull_error *error) {
    recording_info info;
    float *samples = NULL;
    size_t count = 0;
    lull_status status =
        recording_file_read(is->path, mel->sample_rate, &samples, &count, &info, error);
    if (!status) status = mel_from_samples(mel, samples, count, frames, n, error);
    if (!status && info.rate < mel->sample_rate) {
        base_free(samples);
        samples = NULL;
        status = recording_file_read(is->path, 0, &samples, &count, NULL, error);
    }
    is->samples = samples;
    is->count = count;
    is->rate = status || info.rate > mel->sample_rate ? mel->sample_rate : info.rate;
    return status;
}

static lull_status copy_one(copier *c, const char *relative, lull_error *error) {
    const mel_convention *mel = &c->model->config.mel;
    original is = {0};
    float *frames = NULL, *out = NULL, *scratch = NULL;
    size_t n = 0;
    if (snprintf(is.path, sizeof is.path, "%s/%s", c->options->corpus, relative) >= PATH_MAX)
        return base_fail(error, LULL_INVALID, "%s: the path is too long", relative);
    lull_status status = read_original(mel, &is, &frames, &n, error);
    if (status == LULL_OK) {
        out = base_alloc(n * (size_t)mel->hop, sizeof *out);
        scratch = base_alloc(n * (size_t)mel->bands, sizeof *scratch);
        if (!out || !scratch) status = base_no_memory(error);
    }
    if (status == LULL_OK && c->options->mel == 1) smooth(frames, n, (size_t)mel->bands, scratch);
    for (int system = 0; status == LULL_OK && system < SYSTEMS; system++)
        if (wanted(c, system)) status = run_system(c, system, relative, &is, frames, n, out, error);
    base_free(is.samples);
    base_free(frames);
    base_free(out);
    base_free(scratch);
    return status;
}

/* Is this the limit-th or later recording of its folder? */
static bool beyond_limit(const cli_tree *tree, size_t i, int limit) {
    size_t folder = 0;
    int before = 0;
    const char *slash = strrchr(tree->names[i], '/');
    if (slash) folder = (size_t)(slash - tree->names[i]) + 1;
    for (size_t j = 0; j < i; j++) {
        const char *other = strrchr(tree->names[j], '/');
        size_t other_folder = other ? (size_t)(other - tree->names[j]) + 1 : 0;
        if (other_folder == folder && !strncmp(tree->names[j], tree->names[i], folder)) before++;
    }
    return limit > 0 && before >= limit;
}

static lull_status copier_open(copier *c, lull_error *error) {
    lull_options options;
    cli_synthesis_options(&c->options->synthesis, &options);
    lull_status status = cli_open_model(c->options->synthesis.model, &c->model, error);
    if (status == LULL_OK)
        status = cli_open_pitch(&c->options->synthesis, c->model, &options, &c->pitch, error);
    if (status == LULL_OK) status = lull_vocoder_new(c->model, &options, &c->vocoders[LULL], error);
    if (status != LULL_OK || !c->options->noise) return status;
    /* The noise gets what the model gets. */
    const model_config *config = &c->model->config;
    model_settings settings = model_config_settings(config, options.use);
    if (options.refine < 0) options.refine = settings.refine;
    if (options.refine_low < 0) options.refine_low = settings.refine_low;
    if (options.refine_window < 0) options.refine_window = settings.refine_window;
    if (options.refine_momentum < 0) options.refine_momentum = (float)settings.refine_momentum;
    options.postnet = 0; /* a network, too */
    options.source = LULL_SOURCE_NOISE;
    return vocoder_new_reading(NULL, &config->mel, &options, &c->vocoders[NOISE], error);
}

lull_status cli_eval_model(const cli_eval_options *options, eval_table *table, lull_error *error) {
    copier c = {.options = options, .table = table};
    cli_tree tree = {NULL, 0, 0};
    progress bar;
    progress_begin(&bar, "eval", 1, options->quiet);
    lull_status status = copier_open(&c, error);
    if (status == LULL_OK) status = cli_tree_read(options->corpus, &tree, error);
    for (size_t i = 0; status == LULL_OK && i < tree.count; i++) {
        progress_update(&bar, (double)i / (double)tree.count, NULL);
        if (beyond_limit(&tree, i, options->limit)) continue;
        lull_error why = {LULL_OK, ""};
        if (copy_one(&c, tree.names[i], &why) != LULL_OK) {
            if (why.status == LULL_NO_MEMORY)
                status = base_fail(error, why.status, "%s", why.message);
            else if (!options->quiet)
                cli_note("left out: %s", why.message);
        }
    }
    progress_end(&bar);
    if (status == LULL_OK && table->count == 0)
        status = base_fail(error, LULL_INVALID, "%s: none of its recordings could be scored",
                           options->corpus);
    lull_vocoder_free(c.vocoders[LULL]);
    lull_vocoder_free(c.vocoders[NOISE]);
    lull_model_close(c.model);
    lull_model_close(c.pitch);
    cli_tree_free(&tree);
    return status;
}
