/* What a run starts from: see start.h. */
#include "train/start.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "model/model.h"

/* Tensor `to` among those that were read, or NULL. */
static const model_tensor *same_tensor(const model_parameters *read, const model_tensor *to) {
    for (size_t i = 0; i < read->tensor_count; i++) {
        const model_tensor *from = &read->tensors[i];
        if (from->role == to->role && from->index == to->index && from->bias == to->bias)
            return from;
    }
    return NULL;
}

/* A tensor into one whose rows may be longer: what is new in them is zero. */
static void widen(const model_tensor *from, const float *values, const model_tensor *to,
                  float *out) {
    size_t rows = from->shape[0], old = from->count / rows, all = to->count / rows;
    for (size_t row = 0; row < rows; row++, values += old, out += all) {
        memcpy(out, values, old * sizeof *out);
        memset(out + old, 0, (all - old) * sizeof *out);
    }
}

static bool lacks_source(const model_config *whole, const safetensors *file) {
    const safetensors_tensor *input = safetensors_find(file, "input_projection.weight");
    return input && input->dimensions > 1 && input->shape[1] == (size_t)whole->patch;
}

/* The weights of a model that lacks the postnet, another small network or the source that this
 * one has. */
static lull_status read_what_there_is(const model_config *whole, const safetensors *file,
                                      const char *path, model_parameters *weights,
                                      lull_error *error) {
    model_config config = *whole;
    model_parameters *read = NULL;
    if (!safetensors_find(file, "postnet.conv1.weight"))
        config.postnet_channels = config.postnet_layers = config.postnet_look_ahead = 0;
    if (!safetensors_find(file, "pitch.conv1.weight"))
        config.pitch_channels = config.pitch_layers = config.pitch_look_ahead = 0;
    if (!safetensors_find(file, "bandwidth.conv1.weight"))
        config.bandwidth_channels = config.bandwidth_layers = 0;
    if (!safetensors_find(file, "spectrum.conv1.weight"))
        config.spectrum_channels = config.spectrum_layers = 0;
    if (config.source && lacks_source(&config, file)) config.source = false;
    lull_status status = model_parameters_new(&config, &read, error);
    if (!status) status = model_parameters_read(read, file, "", path, error);
    for (size_t i = 0; i < weights->tensor_count && !status; i++) {
        const model_tensor *to = &weights->tensors[i];
        const model_tensor *from = same_tensor(read, to);
        if (from) widen(from, read->data + from->offset, to, weights->data + to->offset);
    }
    model_parameters_free(read);
    return status;
}

/* A part is trained for the mels that the rest of its model reads. */
static lull_status check_mel(const train_start_options *o, const safetensors *file,
                             lull_error *error) {
    const char *init = o->settings->init, *text = safetensors_metadata(file, "lull");
    model_config theirs;
    if (o->settings->part == TRAIN_DENOISER || !text) return LULL_OK;
    lull_status status = model_config_parse(text, init, &theirs, error);
    if (status) return status;
    const char *member = mel_convention_difference(&theirs.mel, &o->config->mel);
    if (!member) return LULL_OK;
    return base_fail(error, LULL_INVALID,
                     "%s reads mels of '%s' at %d Hz; this run is for others (%s differs): the "
                     "rest of the model would not read them; leave --convention and --sample-rate "
                     "out",
                     init, theirs.mel.name, theirs.mel.sample_rate, member);
}

static lull_status begin(const train_start_options *o, train_state *state, lull_error *error) {
    const char *init = o->settings->init;
    model_parameters_initialize(state->weights, o->settings->seed);
    if (*init != '\0') {
        safetensors *file = NULL;
        lull_status status = safetensors_open(init, &file, error);
        if (status) return status;
        status = check_mel(o, file, error);
        if (!status) status = read_what_there_is(o->config, file, init, state->weights, error);
        safetensors_close(file);
        if (status) return status;
    }
    memcpy(state->average->data, state->weights->data, state->weights->size * sizeof(float));
    return LULL_OK;
}

static void warn(void *context, const char *line) {
    train_say(context, TRAIN_LINE_WARNING, "%s", line);
}

static lull_status find(const train_start_options *o, train_state *state, train_log **log,
                        lull_error *error) {
    bool found = false;
    lull_status status = LULL_OK;
    if (o->resume)
        status = train_checkpoint_read(o->run, state, &found, warn, (void *)o->voice, error);
    if (status) return status;
    if (found)
        train_say(o->voice, TRAIN_LINE_EVENT, "resuming after step %llu",
                  (unsigned long long)state->progress.step);
    else if (o->resume)
        train_say(o->voice, TRAIN_LINE_EVENT, "no checkpoint yet: beginning at the first step");
    if (!found) status = begin(o, state, error);
    if (!status) status = train_log_open(o->run, state->progress.log_bytes, log, error);
    if (!status && train_log_missing(*log) > 0)
        train_say(o->voice, TRAIN_LINE_WARNING,
                  "%s/log.jsonl: %llu of the %llu bytes that its checkpoint counts are missing; it "
                  "goes on from its last whole line",
                  o->run, (unsigned long long)train_log_missing(*log),
                  (unsigned long long)state->progress.log_bytes);
    return status;
}

lull_status train_start(const train_start_options *o, train_state *state, train_log **log,
                        lull_error *error) {
    lull_status status = train_state_new(o->config, state, error);
    if (!status && ranks_rank(o->ranks) == 0) status = find(o, state, log, error);
    status = ranks_agree(o->ranks, status, error);
    model_parameters *const all[] = {state->weights, state->average, state->m, state->v};
    for (int i = 0; i < 4 && !status; i++)
        status = ranks_broadcast(o->ranks, all[i]->data, all[i]->size * sizeof(float), error);
    if (!status)
        status = ranks_broadcast(o->ranks, &state->progress, sizeof state->progress, error);
    return status;
}

lull_status train_start_facts(const train_settings *settings, char **facts, lull_error *error) {
    lull_model *model = NULL;
    const char *text = "";
    if (settings->init[0] != '\0' && !lull_model_open(settings->init, &model, NULL))
        text = model->training_json;
    *facts = base_strdup(text);
    lull_model_close(model);
    return *facts != NULL ? LULL_OK : base_no_memory(error);
}
