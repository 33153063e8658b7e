/* A mel convention from options, and the model that reads it. */
#include "cli/convention_options.h"

#include "base/error.h"
#include "base/memory.h"
#include "cli/input.h"
#include "cli/options.h"
#include "io/file_bytes.h"
#include "model/convention_text.h"
#include "model/model.h"
#include "vocoder/vocoder.h"

#include <string.h>
#include <strings.h>

static lull_status read_file(const char *path, int rate, mel_convention *convention,
                             lull_error *error) {
    file_bytes bytes;
    lull_status status = file_bytes_read(path, &bytes, error);
    if (status) return status;
    char *text = base_alloc(bytes.size + 1, 1);
    if (text) memcpy(text, bytes.data, bytes.size);
    file_bytes_free(&bytes);
    if (!text) return base_no_memory(error);
    status = mel_convention_named("hifigan-22k", rate, convention, error);
    if (!status) status = model_convention_parse(text, path, convention, error);
    base_free(text);
    return status;
}

lull_status cli_read_convention(const char *text, int rate, mel_convention *convention,
                                lull_error *error) {
    const size_t length = strlen(text);
    if (length > 5 && strcasecmp(text + length - 5, ".json") == 0)
        return read_file(text, rate, convention, error);
    return model_convention_read(text, rate, convention, error);
}

lull_status cli_find_convention(const cli_convention_options *options, const char *model_option,
                                mel_convention *convention, lull_error *error) {
    lull_status status;
    if (options->name != NULL) {
        status = cli_read_convention(options->name, options->rate, convention, error);
    } else {
        lull_model *model = NULL;
        status = cli_open_model(model_option, &model, error);
        if (status == LULL_OK) *convention = model->config.mel;
        lull_model_close(model);
    }
    if (status != LULL_OK) return status;
    if (options->rate > 0) convention->sample_rate = options->rate;
    if (options->n_fft > 0) convention->n_fft = convention->window = options->n_fft;
    if (options->window > 0) convention->window = options->window;
    if (options->hop > 0) convention->hop = options->hop;
    if (options->bands > 0) convention->bands = options->bands;
    if (options->fmin >= 0.0) convention->fmin = options->fmin;
    if (options->fmax >= 0.0) convention->fmax = options->fmax;
    if (options->statistics != NULL) {
        status = cli_read_statistics(options->statistics, convention, error);
        if (status != LULL_OK) return status;
    }
    return mel_convention_check(convention, error);
}

/* ---- the model that reads a convention ---------------------------------------------------- */

bool cli_model_shares_frames(const lull_model *model, const mel_convention *base) {
    return model != NULL && mel_convention_same_frames(&model->config.mel, base);
}

static lull_status refuse_model(const lull_model *model, const mel_convention *base,
                                lull_error *error) {
    const mel_convention *mel = &model->config.mel;
    return base_fail(error, LULL_MISMATCH,
                     "%s reads mels of the '%s' convention alone (%d Hz, hop %d, %d bands, %g-%g "
                     "Hz), not of '%s' (%d Hz, hop %d, %d bands, %g-%g Hz): --model none "
                     "synthesizes them without a network",
                     model->config.name, mel->name, mel->sample_rate, mel->hop, mel->bands,
                     mel->fmin, mel->fmax, base->name, base->sample_rate, base->hop, base->bands,
                     base->fmin, base->fmax);
}

static lull_status check_reads(const lull_model *model, const mel_convention *base,
                               lull_error *error) {
    if (model == NULL || cli_model_shares_frames(model, base) ||
        model->config.family != MODEL_DIFFWAVE)
        return LULL_OK;
    return refuse_model(model, base, error);
}

lull_status cli_convention_of(const char *input, const lull_model *model,
                              const mel_convention *unsaid, mel_convention *base, bool *said,
                              lull_error *error) {
    lull_status status = LULL_OK;
    *base = *unsaid;
    *said = false;
    if (cli_is_array(input)) status = cli_convention_beside(input, base, said, error);
    return status != LULL_OK ? status : check_reads(model, base, error);
}

/* Without a network the default model says what a mel is, where there is one. */
static lull_status convention_of_default(mel_convention *base, lull_error *error) {
    lull_model *model = NULL;
    if (cli_open_model(NULL, &model, NULL) != LULL_OK)
        return mel_convention_named("hifigan-22k", 0, base, error);
    *base = model->config.mel;
    lull_model_close(model);
    return LULL_OK;
}

lull_status cli_choose_model(const char *option, const char *convention, const char *input,
                             lull_model **model, mel_convention *base, lull_error *error) {
    const bool none = option != NULL && strcmp(option, "none") == 0;
    lull_status status = LULL_OK;
    *model = NULL;
    if (convention != NULL) status = cli_read_convention(convention, 0, base, error);
    if (status == LULL_OK && !none) status = cli_open_model(option, model, error);
    if (status != LULL_OK) return status;
    if (convention == NULL && none)
        status = convention_of_default(base, error);
    else if (convention == NULL)
        *base = (*model)->config.mel;
    else
        status = check_reads(*model, base, error);
    if (status == LULL_OK && convention == NULL && input != NULL) {
        const mel_convention unsaid = *base;
        bool said;
        status = cli_convention_of(input, *model, &unsaid, base, &said, error);
    }
    if (status == LULL_OK) return LULL_OK;
    lull_model_close(*model);
    *model = NULL;
    return status;
}

lull_status cli_new_vocoder(const lull_model *model, const mel_convention *target,
                            const lull_options *options, lull_vocoder **vocoder,
                            lull_error *error) {
    /* cli_reading has looked at the frames, or was told not to. */
    lull_options unchecked = *options;
    unchecked.unchecked = 1;
    return vocoder_new_reading(model, target, &unchecked, vocoder, error);
}
