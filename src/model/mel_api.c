/* The public mel front end: a model's convention around src/mel's. */
#include "base/error.h"
#include "base/memory.h"
#include "mel/front_end.h"
#include "model/convention_text.h"
#include "model/model.h"

#include <math.h>
#include <stdio.h>

struct lull_mel {
    mel_front_end *front_end;
    bool finished;
};

static lull_status new_mel(const mel_convention *convention, lull_mel **result, lull_error *error) {
    lull_mel *mel = base_alloc(1, sizeof *mel);
    if (!mel) return base_no_memory(error);
    lull_status status = mel_front_end_new(convention, &mel->front_end, error);
    if (status)
        base_free(mel);
    else
        *result = mel;
    return status;
}

lull_status lull_mel_new(const lull_model *model, lull_mel **result, lull_error *error) {
    if (!result) return base_fail(error, LULL_INVALID, "lull_mel_new: mel is NULL");
    *result = NULL;
    if (!model) return base_fail(error, LULL_INVALID, "lull_mel_new: model is NULL");
    return new_mel(&model->config.mel, result, error);
}

lull_status lull_mel_new_of(const char *text, lull_mel **result, lull_error *error) {
    if (!result) return base_fail(error, LULL_INVALID, "lull_mel_new_of: mel is NULL");
    *result = NULL;
    if (!text) return base_fail(error, LULL_INVALID, "lull_mel_new_of: convention is NULL");
    mel_convention convention;
    lull_status status = model_convention_read(text, 0, &convention, error);
    return status ? status : new_mel(&convention, result, error);
}

lull_status lull_convention_find(const char *text, lull_convention_info *info, lull_error *error) {
    if (!text || !info)
        return base_fail(error, LULL_INVALID, "lull_convention_find: %s is NULL",
                         text ? "info" : "convention");
    mel_convention found;
    lull_status status = model_convention_read(text, 0, &found, error);
    if (status) return status;
    *info = (lull_convention_info){.sample_rate = found.sample_rate,
                                   .bands = found.bands,
                                   .hop = found.hop,
                                   .n_fft = found.n_fft};
    snprintf(info->name, sizeof info->name, "%s", found.name);
    return LULL_OK;
}

lull_status lull_mel_push(lull_mel *mel, const float *samples, size_t n, lull_error *error) {
    if (!mel || (!samples && n > 0))
        return base_fail(error, LULL_INVALID, "lull_mel_push: %s is NULL", mel ? "samples" : "mel");
    if (mel->finished)
        return base_fail(error, LULL_FINISHED,
                         "samples were pushed after finish; lull_mel_reset begins a new "
                         "recording");
    for (size_t i = 0; i < n; i++)
        if (!isfinite(samples[i]))
            return base_fail(error, LULL_NOT_FINITE, "sample %zu of the %zu pushed is %f", i, n,
                             (double)samples[i]);
    return mel_front_end_push(mel->front_end, samples, n, error);
}

lull_status lull_mel_pull(lull_mel *mel, float *frames, size_t n, size_t *produced,
                          lull_error *error) {
    if (!mel || !produced || (!frames && n > 0))
        return base_fail(error, LULL_INVALID, "lull_mel_pull: an argument is NULL");
    *produced = n > 0 ? mel_front_end_pull(mel->front_end, frames, n) : 0;
    return LULL_OK;
}

lull_status lull_mel_finish(lull_mel *mel, lull_error *error) {
    if (!mel) return base_fail(error, LULL_INVALID, "lull_mel_finish: mel is NULL");
    if (mel->finished) return LULL_OK;
    lull_status status = mel_front_end_finish(mel->front_end, error);
    if (!status) mel->finished = true;
    return status;
}

void lull_mel_reset(lull_mel *mel) {
    if (!mel) return;
    mel_front_end_reset(mel->front_end);
    mel->finished = false;
}

void lull_mel_free(lull_mel *mel) {
    if (!mel) return;
    mel_front_end_free(mel->front_end);
    base_free(mel);
}
