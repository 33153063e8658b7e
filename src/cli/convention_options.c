/* A mel convention from options, and the model that reads it. */
#include "cli/convention_options.h"

#include "base/error.h"
#include "base/memory.h"
#include "cli/input.h"
#include "cli/options.h"
#include "io/file_bytes.h"
#include "model/convention_text.h"
#include "model/model.h"

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

static bool reads(const lull_model *model, const mel_convention *base) {
    return mel_convention_same_frames(&model->config.mel, base);
}

/* Another installed model that reads the convention, in place of *model. */
static void look_for_another(lull_model **model, const mel_convention *base) {
    char path[4096];
    for (int i = 0; cli_installed_model(i, path, sizeof path); i++) {
        lull_model *other = NULL;
        if (lull_model_open(path, &other, NULL) != LULL_OK) continue;
        if (reads(other, base)) {
            lull_model_close(*model);
            *model = other;
            return;
        }
        lull_model_close(other);
    }
}

lull_status cli_choose_model(const char *option, const char *convention, const char *input,
                             bool quiet, lull_model **model, mel_convention *base,
                             lull_error *error) {
    bool said = false;
    lull_status status = LULL_OK;
    *model = NULL;
    if (convention != NULL) {
        status = cli_read_convention(convention, 0, base, error);
        said = true;
    } else if (input != NULL && cli_is_array(input)) {
        status = cli_convention_beside(input, base, &said, error);
    }
    if (status == LULL_OK && option != NULL && strcmp(option, "none") == 0) {
        if (said) return LULL_OK;
        if (cli_open_model(NULL, model, NULL) != LULL_OK)
            return mel_convention_named("hifigan-22k", 0, base, error);
        *base = (*model)->config.mel;
        lull_model_close(*model);
        *model = NULL;
        return LULL_OK;
    }
    if (status == LULL_OK) status = cli_open_model(option, model, said && !option ? NULL : error);
    if (status != LULL_OK && said && option == NULL) status = LULL_OK; /* none is installed */
    if (status != LULL_OK) return status;
    if (!said) *base = (*model)->config.mel;
    if (*model != NULL && reads(*model, base)) return LULL_OK;
    if (option != NULL) {
        const mel_convention *mel = &(*model)->config.mel;
        mel_convention plain = *base;
        status = base_fail(
            error, LULL_MISMATCH,
            "%s reads mels of the '%s' convention (%d Hz, hop %d, %d bands, %g-%g Hz), not of '%s' "
            "(%d Hz, hop %d, %d bands, %g-%g Hz; they differ in %s): leave -m away to synthesize "
            "without a network, or make mels of the model's convention",
            option, mel->name, mel->sample_rate, mel->hop, mel->bands, mel->fmin, mel->fmax,
            base->name, base->sample_rate, base->hop, base->bands, base->fmin, base->fmax,
            mel_convention_difference(&plain, mel));
        lull_model_close(*model);
        *model = NULL;
        return status;
    }
    look_for_another(model, base);
    if (*model != NULL && reads(*model, base)) return LULL_OK;
    lull_model_close(*model);
    *model = NULL;
    if (!quiet)
        cli_note(
            "no model reads the '%s' convention (%d Hz, hop %d): synthesizing without a network",
            base->name, base->sample_rate, base->hop);
    return LULL_OK;
}
