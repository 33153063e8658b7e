/* A mel convention from options. */
#include "cli/convention_options.h"

#include "base/error.h"
#include "cli/options.h"
#include "io/npy.h"
#include "model/model.h"

#include <string.h>

static lull_status read_statistics(const char *path, mel_convention *convention,
                                   lull_error *error) {
    npy_array array = {0};
    size_t bands = (size_t)convention->bands;
    lull_status status = npy_read(path, &array, error);
    if (status != LULL_OK) return status;
    if (array.dimensions != 2 || array.shape[0] != 2 || array.shape[1] != bands) {
        npy_free(&array);
        return base_fail(error, LULL_MISMATCH,
                         "%s: expected shape [2, %zu]: the mean and the deviation of each band",
                         path, bands);
    }
    memcpy(convention->mean, array.data, bands * sizeof(float));
    memcpy(convention->deviation, array.data + bands, bands * sizeof(float));
    convention->statistics = true;
    npy_free(&array);
    for (size_t b = 0; b < bands; b++) {
        if (!(convention->deviation[b] > 0.0f) || convention->mean[b] != convention->mean[b])
            return base_fail(error, LULL_FORMAT, "%s: band %zu: a deviation must be above 0", path,
                             b);
    }
    return LULL_OK;
}

lull_status cli_find_convention(const cli_convention_options *options, const char *model_option,
                                mel_convention *convention, lull_error *error) {
    lull_status status;
    if (options->name != NULL) {
        status = mel_convention_named(options->name, options->rate, convention, error);
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
        status = read_statistics(options->statistics, convention, error);
        if (status != LULL_OK) return status;
    }
    return mel_convention_check(convention, error);
}
