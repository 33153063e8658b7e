/* Options: defaults, ranges, and what the model decides. */
#include "vocoder/options.h"

#include "base/error.h"
#include "model/convention_text.h"

#include <math.h>
#include <string.h>

/* The first lull.h had fields up to queue_frames; more than MOST is no size of ours. */
enum { LEAST = offsetof(lull_options, refine_momentum), MOST = 4096 };

/* Whoever appends a field: where 0 is not its default, say so here, and run
 * `python3 tests/abi/check.py --update`. */
static const lull_options defaults = {.eta = -1,
                                      .refine = -1,
                                      .refine_window = -1,
                                      .refine_momentum = -1,
                                      .postnet = -1,
                                      .refine_low = -1,
                                      .threads = 1};

void lull_options_init_sized(lull_options *options, size_t size) {
    if (!options || size < sizeof options->struct_size) return;
    memset(options, 0, size);
    memcpy(options, &defaults, size < sizeof defaults ? size : sizeof defaults);
    options->struct_size = size;
}

void(lull_options_init)(lull_options *options) {
    lull_options_init_sized(options, LEAST);
}

static lull_status check_range(const char *name, double value, double least, double most,
                               lull_error *error) {
    if (value >= least && value <= most) return LULL_OK;
    return base_fail(error, LULL_INVALID, "%s is %g; expected %g to %g", name, value, least, most);
}

static lull_status check(const lull_options *o, lull_error *error) {
    lull_status status = check_range("steps", o->steps, 0, VOCODER_MAX_STEPS, error);
    if (!status) status = check_range("sampler", (int)o->sampler, 0, LULL_SAMPLER_HEUN, error);
    if (!status && !(o->eta <= 1)) /* NaN too */
        status =
            base_fail(error, LULL_INVALID, "eta is %g; expected 0 to 1, or below 0 for the model's",
                      (double)o->eta);
    if (!status) status = check_range("refine", o->refine, -1, VOCODER_MAX_REFINE, error);
    if (!status) status = check_range("refine_low", o->refine_low, -1, VOCODER_MAX_REFINE, error);
    if (!status)
        status = check_range("refine_window", o->refine_window, -1, VOCODER_MAX_WINDOW, error);
    if (!status && !(o->refine_momentum < 1)) /* NaN too; at 1 the iteration need not end */
        status = base_fail(error, LULL_INVALID,
                           "refine_momentum is %g; expected 0 to below 1, or below 0 for the "
                           "model's",
                           (double)o->refine_momentum);
    if (!status) status = check_range("postnet", o->postnet, -1, 1, error);
    if (!status) status = check_range("threads", o->threads, 1, VOCODER_MAX_THREADS, error);
    if (!status) status = check_range("use", (int)o->use, LULL_LIVE, LULL_OFFLINE, error);
    if (!status)
        status = check_range("precision", (int)o->precision, 0, LULL_PRECISION_BF16, error);
    if (!status)
        status = check_range("queue_frames", (double)o->queue_frames, 0, VOCODER_MAX_QUEUE, error);
    if (!status) status = check_range("pull_work", o->pull_work, 0, VOCODER_MAX_PULL_WORK, error);
    if (!status) status = check_range("unchecked", o->unchecked, 0, 1, error);
    if (!status) status = check_range("source", (int)o->source, 0, LULL_SOURCE_PITCH, error);
    if (!status) status = check_range("crossover", o->crossover, 0, 1e6, error);
    if (!status) status = check_range("transpose", o->transpose, -24, 24, error);
    if (!status)
        status = check_range("bandwidth", (int)o->bandwidth, 0, LULL_BANDWIDTH_FULL, error);
    return status;
}

/* Callers built against an older lull.h have a shorter struct: what they do not know keeps its
 * default. Those built against a newer one have a longer one: what we do not know must be as
 * lull_options_init left it. */
static lull_status copy_given(const lull_options *given, lull_options *options, lull_error *error) {
    lull_options_init(options);
    if (!given) return LULL_OK;
    size_t size = given->struct_size;
    if (size < LEAST || size > MOST)
        return base_fail(error, LULL_INVALID,
                         "lull_options has struct_size %zu; start from lull_options_init", size);
    for (size_t i = sizeof *options; i < size; i++)
        if (((const unsigned char *)given)[i])
            return base_fail(
                error, LULL_UNSUPPORTED,
                "lull_options has %zu bytes, and byte %zu of it is set: an option that "
                "lull %s does not know (its lull_options has %zu bytes)",
                size, i, lull_version(), sizeof *options);
    memcpy(options, given, size < sizeof *options ? size : sizeof *options);
    options->struct_size = sizeof *options;
    return LULL_OK;
}

/* A model's settings are for its own hop. Where that of the mels lasts r times as long, as much work
 * a second and about as much time behind the newest frame are r times as many iterations on a
 * window of 1/r as many frames. */
static void fit_to_hop(model_settings *settings, const mel_convention *own,
                       const mel_convention *mels) {
    const double ratio =
        (double)mels->hop * own->sample_rate / ((double)own->hop * mels->sample_rate);
    const double refine = ceil(settings->refine * ratio - 1e-9);
    const double low = ceil(settings->refine_low * ratio - 1e-9);
    const double window = round(settings->refine_window / ratio);
    if (settings->refine_window > 0)
        settings->refine_window = (int)fmin(fmax(window, 1), VOCODER_MAX_WINDOW);
    settings->refine = (int)fmin(refine, VOCODER_MAX_REFINE);
    settings->refine_low = (int)fmin(low, VOCODER_MAX_REFINE);
}

static void fill_from_model(const model_config *c, const mel_convention *mels, lull_options *o) {
    model_settings settings = model_config_settings(c, o->use);
    if (mels) fit_to_hop(&settings, &c->mel, mels);
    if (o->sampler == LULL_SAMPLER_DEFAULT) o->sampler = c->sampler;
    if (o->steps == 0) o->steps = settings.steps;
    if (o->eta < 0) o->eta = (float)c->eta;
    /* Who wants no refinement means none. */
    if (o->refine_low < 0) o->refine_low = o->refine == 0 ? 0 : settings.refine_low;
    if (o->refine < 0) o->refine = settings.refine;
    if (o->refine_window < 0) o->refine_window = settings.refine_window;
    if (o->refine_momentum < 0) o->refine_momentum = (float)settings.refine_momentum;
    if (o->postnet < 0) o->postnet = settings.postnet;
}

/* Which source is meant where the options leave it open. */
static lull_source default_source(const model_config *config, const lull_options *o) {
    bool pitch = o->pitch_model != NULL; /* nobody gives one for nothing */
    if (config && config->pitch_channels > 0) pitch = config->voiced;
    if (config && config->source) pitch = true; /* the network reads it */
    return pitch ? LULL_SOURCE_PITCH : LULL_SOURCE_NOISE;
}

/* A network that knows a band alone knows it in cycles a sample. */
static float resolve_crossover(const model_config *config, const mel_convention *mels,
                               float crossover) {
    if (crossover == 0)
        crossover = config && config->crossover_hz > 0 ? (float)config->crossover_hz
                                                       : VOCODER_DEFAULT_CROSSOVER;
    if (!config || config->below_hz == 0) return crossover;
    const double rate = mels ? mels->sample_rate : config->mel.sample_rate;
    return fminf(crossover, (float)(config->below_hz * rate / config->mel.sample_rate));
}

/* Which source, and whether there is what it needs. */
static lull_status resolve_source(const model_config *config, const mel_convention *mels,
                                  lull_options *o, lull_error *error) {
    const model_config *pitch = o->pitch_model ? &o->pitch_model->config : config;
    bool can = pitch && pitch->pitch_channels > 0 && (!config || config->whitened);
    if (o->source == LULL_SOURCE_DEFAULT)
        o->source = can || o->pitch_model ? default_source(config, o) : LULL_SOURCE_NOISE;
    o->crossover = resolve_crossover(config, mels, o->crossover);
    if (o->source != LULL_SOURCE_PITCH || can) return LULL_OK;
    if (config && !config->whitened)
        return base_fail(error, LULL_UNSUPPORTED,
                         "%s works on plain samples; the pitch source stands beside models that "
                         "work on the whitened waveform",
                         config->name);
    return base_fail(error, LULL_UNSUPPORTED,
                     "%s has no pitch network, which the pitch source asks: give one as "
                     "pitch_model; 'lull train --part pitch' makes one",
                     pitch ? pitch->name : "no model is given, so it");
}

/* Whether what lies above the mel is added. */
static lull_status resolve_bandwidth(const model_config *config, lull_options *o,
                                     lull_error *error) {
    bool can = !config || config->whitened;
    if (o->bandwidth == LULL_BANDWIDTH_DEFAULT)
        o->bandwidth = can && config && (config->full_bandwidth || config->bandwidth_channels > 0)
                           ? LULL_BANDWIDTH_FULL
                           : LULL_BANDWIDTH_MEL;
    if (can || o->bandwidth == LULL_BANDWIDTH_MEL) return LULL_OK;
    return base_fail(error, LULL_UNSUPPORTED,
                     "%s works on plain samples, and makes what is above its mels itself: nothing "
                     "can be added there",
                     config->name);
}

lull_status vocoder_resolve_options(const lull_options *given, const model_config *config,
                                    const mel_convention *mels, lull_options *resolved,
                                    lull_error *error) {
    lull_status status = copy_given(given, resolved, error);
    if (!status) status = check(resolved, error);
    if (status) return status;
    if (config) fill_from_model(config, mels, resolved);
    if (resolved->postnet == 1 && (!config || config->postnet_channels == 0))
        return base_fail(error, LULL_UNSUPPORTED,
                         "the model has no postnet; 'lull train --part postnet' adds one");
    if (resolved->postnet < 0) resolved->postnet = 0;
    status = resolve_source(config, mels, resolved, error);
    if (!status) status = resolve_bandwidth(config, resolved, error);
    if (status) return status;
    if (resolved->refine < 0) resolved->refine = VOCODER_NOISE_REFINE;
    if (resolved->refine_low < 0) resolved->refine_low = 0;
    if (resolved->refine_window < 0) resolved->refine_window = VOCODER_NOISE_REFINE_WINDOW;
    if (resolved->refine_momentum < 0) resolved->refine_momentum = VOCODER_NOISE_REFINE_MOMENTUM;
    if (resolved->queue_frames == 0) resolved->queue_frames = VOCODER_DEFAULT_QUEUE;
    if (resolved->memory_limit == 0) resolved->memory_limit = VOCODER_DEFAULT_MEMORY;
    return LULL_OK;
}

lull_status vocoder_check_convention(const lull_model *model, const mel_convention *convention,
                                     lull_error *error) {
    lull_status status = mel_convention_check(convention, error);
    if (status || !model || model->config.family != MODEL_DIFFWAVE) return status;
    const char *difference = mel_convention_difference(convention, &model->config.mel);
    if (!difference) return LULL_OK;
    return base_fail(
        error, LULL_MISMATCH,
        "%s: a DiffWave model reads its own mel convention alone; the mels differ from "
        "it in %s",
        model->config.name, difference);
}

lull_status vocoder_find_convention(const char *caller, const lull_model *model,
                                    const lull_options *given, mel_convention *convention,
                                    lull_error *error) {
    enum { ENOUGH = offsetof(lull_options, convention) + sizeof(char *) };
    const char *text = given && given->struct_size >= ENOUGH ? given->convention : NULL;
    if (!text && !model)
        return base_fail(error, LULL_INVALID,
                         "%s: model is NULL, and options.convention does not say what the frames "
                         "are",
                         caller);
    if (!text) {
        *convention = model->config.mel;
        return LULL_OK;
    }
    lull_status status = model_convention_read(text, 0, convention, error);
    return status ? status : vocoder_check_convention(model, convention, error);
}
