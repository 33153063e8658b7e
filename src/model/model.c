/* Model files: opening, describing, writing (docs/formats.md). */
#include "model/model.h"

#include "base/error.h"
#include "base/memory.h"
#include "model/bandwidth.h"
#include "model/pitch_network.h"
#include "model/postnet.h"
#include "model/spectrum.h"

#include <string.h>

/* Multiply-adds of the network for one of its frames in one evaluation, the conditioner's work
 * counted where it is repeated in every evaluation (DiffWave projects the upsampled mel in each
 * layer; lull does it once a mel frame). */
static double macs_per_frame(const model_config *c) {
    double channels = c->channels;
    double layer = 2 * channels * channels * c->kernel + 2 * channels * channels;
    if (c->family == MODEL_DIFFWAVE)
        layer += 2 * channels * c->mel.bands;
    else
        layer += 2 * 2 * channels; /* interpolation between two rows */
    return c->layers * layer + channels * (c->patch + model_config_input(c)) + channels * channels;
}

/* Multiply-adds of what a mel frame needs once, whatever the number of steps. */
static double macs_per_mel_frame(const model_config *c) {
    if (c->family == MODEL_DIFFWAVE) /* 2 of 32 taps meet a row */
        return (16.0 + 256.0) * c->mel.bands * 3 * 2;
    double wide = c->conditioner_channels, sum = 0;
    for (int i = 0; i < c->conditioner_layers; i++)
        sum += wide * (i ? wide : c->mel.bands) * c->conditioner_kernel;
    return sum + c->layers * 2.0 * c->channels * wide;
}

double model_network_flops(const model_config *config) {
    return 2.0 * config->mel.sample_rate / config->patch * macs_per_frame(config);
}

/* The same of the stacks over frames that the settings make use of. */
static double macs_of_stacks(const model_config *c, const model_settings *settings) {
    model_frame_stack_shape shapes[4];
    int count = 0;
    double sum = 0;
    if (settings->postnet) shapes[count++] = postnet_shape(c);
    if (c->pitch_channels > 0 && (c->voiced || c->source)) shapes[count++] = pitch_network_shape(c);
    if (c->bandwidth_channels > 0 && bandwidth_is_open(&c->mel))
        shapes[count++] = bandwidth_shape(c);
    if (settings->refine_low > 0 && spectrum_guides(c, &c->mel))
        shapes[count++] = spectrum_shape(c);
    for (int i = 0; i < count; i++) sum += model_frame_stack_products(&shapes[i]);
    return sum;
}

double model_flops(const model_config *c, const model_settings *settings, int evaluations) {
    double mel_frames = (double)c->mel.sample_rate / c->mel.hop;
    double once = macs_per_mel_frame(c) + macs_of_stacks(c, settings);
    return evaluations * model_network_flops(c) + 2 * mel_frames * once;
}

static const char *const family_names[] = {"lull", "diffwave", "pitch"};

/* A pitch network alone has neither a convention nor settings of synthesis. */
static void fill_pitch_info(lull_model *model) {
    const model_config *c = &model->config;
    model->info = (lull_model_info){.name = c->name,
                                    .family = family_names[c->family],
                                    .objective = "",
                                    .convention = "",
                                    .licence = c->licence,
                                    .parameters = model->parameters->total};
}

static void fill_convention(lull_model_info *info, const mel_convention *mel) {
    static const char *const compressions[] = {
        [MEL_COMPRESS_LN] = "ln", [MEL_COMPRESS_LOG10] = "log10", [MEL_COMPRESS_LINEAR] = "linear"};
    info->window = mel->window;
    info->centred = mel->centred;
    info->padding = mel->padding == MEL_PADDING_ZEROS ? "zeros" : "reflect";
    info->magnitude_epsilon = mel->magnitude_epsilon;
    info->normalized_window = mel->normalized_window;
    info->power = mel->power;
    info->fmin = mel->fmin;
    info->fmax = mel->fmax;
    info->scale = mel->scale == MEL_SCALE_HTK ? "htk" : "slaney";
    info->norm = mel->norm == MEL_NORM_NONE ? "none" : "slaney";
    info->filter_rate = mel->filter_rate;
    info->floor = mel->floor;
    info->floor_added = mel->floor_added;
    info->compression = compressions[mel->compression];
    info->gain = mel->gain;
    info->offset = mel->offset;
    info->clip_low = mel->clip_low;
    info->clip_high = mel->clip_high;
    info->mean = mel->statistics ? mel->mean : NULL;
    info->deviation = mel->statistics ? mel->deviation : NULL;
}

static lull_status fill_info(lull_model *model, lull_error *error) {
    const model_config *c = &model->config;
    diffusion_plan *plan = NULL;
    if (c->family == MODEL_PITCH_ALONE) {
        fill_pitch_info(model);
        return LULL_OK;
    }
    const model_settings live = model_config_settings(c, LULL_LIVE);
    lull_status status = diffusion_plan_new(c->sampler, c->objective, &c->schedule, live.steps,
                                            c->eta, &plan, error);
    if (status) return status;
    model->info = (lull_model_info){
        .name = c->name,
        .family = family_names[c->family],
        .objective = diffusion_objective_name(c->objective),
        .convention = c->mel.name,
        .licence = c->licence,
        .sample_rate = c->mel.sample_rate,
        .bands = c->mel.bands,
        .hop = c->mel.hop,
        .n_fft = c->mel.n_fft,
        .default_steps = live.steps,
        .default_refine = live.refine,
        .default_refine_window = live.refine_window,
        .parameters = model->parameters->total,
        .flops_per_second = model_flops(c, &live, plan->count),
    };
    fill_convention(&model->info, &c->mel);
    diffusion_plan_free(plan);
    return LULL_OK;
}

/* Bytes of the file's tensors: a configuration may not ask for more weights than there can be. */
static lull_status check_size(const safetensors *file, const model_config *config, const char *name,
                              lull_error *error) {
    size_t values = 0, wanted = model_parameters_total(config);
    for (size_t i = 0; i < safetensors_count(file); i++)
        values += safetensors_at(file, i)->bytes / 2;
    if (wanted <= values) return LULL_OK;
    return base_fail(
        error, LULL_FORMAT,
        "%s: the configuration demands %zu weights, more than the file's tensors can hold; a "
        "tensor is missing or of the wrong shape",
        name, wanted);
}

static lull_status read_model(lull_model *model, const safetensors *file, const char *name,
                              lull_error *error) {
    const char *json = safetensors_metadata(file, "lull");
    if (!json)
        return base_fail(
            error, LULL_FORMAT,
            "%s: not a lull model: a safetensors file without the metadata `lull`; DiffWave "
            "checkpoints are converted by tools/import_diffwave.py",
            name);
    lull_error reason = {0};
    lull_status status = model_config_parse(json, name, &model->config, &reason);
    if (status) /* what is an invalid argument elsewhere is a broken file here */
        return base_fail(error, status == LULL_INVALID ? LULL_FORMAT : status, "%s",
                         reason.message);
    status = check_size(file, &model->config, name, error);
    if (!status) status = model_parameters_new(&model->config, &model->parameters, error);
    if (!status) status = model_parameters_read(model->parameters, file, NULL, name, error);
    if (status) return status;
    const char *training = safetensors_metadata(file, "training");
    model->training_json = base_strdup(training ? training : "");
    if (!model->training_json) return base_no_memory(error);
    return fill_info(model, error);
}

static lull_status open_parsed(safetensors *file, const char *name, lull_model **result,
                               lull_error *error) {
    lull_model *model = base_alloc(1, sizeof *model);
    lull_status status = model ? read_model(model, file, name, error) : base_no_memory(error);
    if (!status) status = denoiser_shelf_new(&model->shelf, error);
    safetensors_close(file);
    if (status)
        lull_model_close(model);
    else
        *result = model;
    return status;
}

lull_status lull_model_open(const char *path, lull_model **model, lull_error *error) {
    if (!model) return base_fail(error, LULL_INVALID, "lull_model_open: model is NULL");
    *model = NULL;
    if (!path) return base_fail(error, LULL_INVALID, "lull_model_open: path is NULL");
    safetensors *file = NULL;
    lull_status status = safetensors_open(path, &file, error);
    return status ? status : open_parsed(file, path, model, error);
}

lull_status lull_model_open_memory(const void *data, size_t size, const char *name,
                                   lull_model **model, lull_error *error) {
    if (!model) return base_fail(error, LULL_INVALID, "lull_model_open_memory: model is NULL");
    *model = NULL;
    if (!data) return base_fail(error, LULL_INVALID, "lull_model_open_memory: data is NULL");
    if (!name) name = "(memory)";
    safetensors *file = NULL;
    lull_status status = safetensors_parse(data, size, name, &file, error);
    return status ? status : open_parsed(file, name, model, error);
}

void lull_model_close(lull_model *model) {
    if (!model) return;
    denoiser_shelf_free(model->shelf);
    model_parameters_free(model->parameters);
    base_free(model->training_json);
    base_free(model);
}

const lull_model_info *lull_model_get_info(const lull_model *model) {
    return model ? &model->info : NULL;
}

lull_status model_write(const char *path, const model_config *config,
                        const model_parameters *parameters, const char *training_json, bool bf16,
                        lull_error *error) {
    char *json = model_config_print(config);
    safetensors_entry *entries = base_alloc(parameters->tensor_count, sizeof *entries);
    char(*names)[MODEL_TENSOR_NAME] = base_alloc(parameters->tensor_count, sizeof *names);
    lull_status status;
    if (!json || !entries || !names) {
        status = base_no_memory(error);
        goto done;
    }
    for (size_t i = 0; i < parameters->tensor_count; i++) {
        const model_tensor *tensor = &parameters->tensors[i];
        entries[i] = (safetensors_entry){.name = model_tensor_name(tensor, names[i]),
                                         .dtype = bf16 ? SAFETENSORS_BF16 : SAFETENSORS_F32,
                                         .dimensions = tensor->dimensions,
                                         .data = parameters->data + tensor->offset};
        memcpy(entries[i].shape, tensor->shape, (size_t)tensor->dimensions * sizeof *tensor->shape);
    }
    const char *keys[] = {"lull", "training"}, *values[] = {json, training_json};
    status = safetensors_write(path, entries, parameters->tensor_count, keys, values,
                               training_json && *training_json ? 2 : 1, error);
done:
    base_free(entries);
    base_free(names);
    base_free(json);
    return status;
}
