/* What can be had of a model without a vocoder of one's own: a whole utterance, and what a vocoder
 * would need. */
#include "base/error.h"
#include "base/memory.h"
#include "model/model.h"
#include "vocoder/options.h"
#include "vocoder/path.h"

/* A path that is planned and never made. */
static lull_status plan_path(const char *function, const lull_model *model,
                             const lull_options *options, vocoder_path **result,
                             lull_error *error) {
    *result = NULL;
    mel_convention convention;
    lull_status status = vocoder_find_convention(function, model, options, &convention, error);
    if (status) return status;
    vocoder_path *path = base_alloc(1, sizeof *path);
    if (!path) return base_no_memory(error);
    *result = path;
    return vocoder_path_init(path, model, &convention, options, error);
}

static void forget_path(vocoder_path *path) {
    if (path) vocoder_path_clear(path);
    base_free(path);
}

lull_status lull_vocoder_memory(const lull_model *model, const lull_options *options,
                                uint64_t *bytes, lull_error *error) {
    if (!bytes) return base_fail(error, LULL_INVALID, "lull_vocoder_memory: bytes is NULL");
    vocoder_path *path;
    lull_status status = plan_path("lull_vocoder_memory", model, options, &path, error);
    *bytes = status ? 0 : vocoder_path_bytes(path);
    forget_path(path);
    return status;
}

lull_status lull_latency(const lull_model *model, const lull_options *options, size_t *samples,
                         lull_error *error) {
    if (!samples) return base_fail(error, LULL_INVALID, "lull_latency: samples is NULL");
    vocoder_path *path;
    lull_status status = plan_path("lull_latency", model, options, &path, error);
    *samples = status ? 0 : vocoder_path_latency(path);
    forget_path(path);
    return status;
}

static lull_status run(lull_vocoder *vocoder, size_t bands, const float *frames, size_t n,
                       float *samples, size_t count, lull_error *error) {
    size_t pushed = 0, got = 0;
    while (got < count) {
        size_t accepted = 0, produced = 0;
        if (pushed < n) {
            lull_status status =
                lull_vocoder_push(vocoder, frames + pushed * bands, n - pushed, &accepted, error);
            if (status) return status;
            pushed += accepted;
        }
        if (pushed == n) lull_vocoder_finish(vocoder);
        lull_status status =
            lull_vocoder_pull(vocoder, samples + got, count - got, &produced, error);
        if (status) return status;
        got += produced;
    }
    return LULL_OK;
}

lull_status lull_synthesize(const lull_model *model, const lull_options *options,
                            const float *frames, size_t n, float *samples, lull_error *error) {
    if (n > 0 && (!frames || !samples))
        return base_fail(error, LULL_INVALID, "lull_synthesize: frames or samples is NULL");
    mel_convention convention;
    lull_status status =
        vocoder_find_convention("lull_synthesize", model, options, &convention, error);
    if (status) return status;
    size_t count;
    if (__builtin_mul_overflow(n, (size_t)convention.hop, &count))
        return base_fail(error, LULL_INVALID, "lull_synthesize: %zu frames are more than fit", n);
    lull_vocoder *vocoder = NULL;
    status = lull_vocoder_new(model, options, &vocoder, error);
    if (!status) status = run(vocoder, (size_t)convention.bands, frames, n, samples, count, error);
    lull_vocoder_free(vocoder);
    return status;
}
