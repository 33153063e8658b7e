/* The weights of a configuration in their flat vector: how they begin, how they are read. */
#include "model/parameters.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Far above every useful size, and small enough that no product of sizes overflows. */
static const size_t most_weights = (size_t)1 << 28;

size_t model_parameters_total(const model_config *config) {
    model_layout layout;
    model_tensors_lay_out(config, NULL, &layout);
    return layout.total;
}

lull_status model_parameters_new(const model_config *config, model_parameters **result,
                                 lull_error *error) {
    *result = NULL;
    model_layout layout;
    model_tensors_lay_out(config, NULL, &layout);
    if (layout.total > most_weights)
        return base_fail(
            error, LULL_UNSUPPORTED,
            "the configuration has %zu weights; at most %zu are possible: fewer channels or "
            "layers",
            layout.total, most_weights);
    model_parameters *p = base_alloc(1, sizeof *p);
    if (!p) return base_no_memory(error);
    p->tensor_count = layout.count;
    p->size = layout.size;
    p->total = layout.total;
    memcpy(p->place, layout.place, sizeof p->place);
    p->tensors = base_alloc(layout.count, sizeof *p->tensors);
    p->data = base_alloc(layout.size, sizeof *p->data);
    if (!p->tensors || !p->data) {
        model_parameters_free(p);
        return base_no_memory(error);
    }
    model_tensors_lay_out(config, p->tensors, &layout);
    *result = p;
    return LULL_OK;
}

void model_parameters_free(model_parameters *parameters) {
    if (!parameters) return;
    base_free(parameters->tensors);
    base_free(parameters->data);
    base_free(parameters);
}

const model_tensor *model_parameters_weight_tensor(const model_parameters *parameters,
                                                   model_role role, int index) {
    const model_role_place *place = &parameters->place[role];
    assert(index >= 0 && index < place->count);
    return &parameters->tensors[place->first + (size_t)index * place->step];
}

const model_tensor *model_parameters_bias_tensor(const model_parameters *parameters,
                                                 model_role role, int index) {
    return model_parameters_weight_tensor(parameters, role, index) + 1;
}

float *model_parameters_weight(const model_parameters *parameters, model_role role, int index) {
    return parameters->data + model_parameters_weight_tensor(parameters, role, index)->offset;
}

float *model_parameters_bias(const model_parameters *parameters, model_role role, int index) {
    return parameters->data + model_parameters_bias_tensor(parameters, role, index)->offset;
}

void model_parameters_initialize(model_parameters *parameters, uint64_t seed) {
    for (size_t i = 0; i < parameters->tensor_count; i++) {
        const model_tensor *tensor = &parameters->tensors[i];
        float *data = parameters->data + tensor->offset;
        float deviation = sqrtf(2.0f / (float)tensor->fan);
        double bound = 1 / sqrt((double)tensor->fan);
        switch (tensor->start) {
        case MODEL_START_ZERO:
            memset(data, 0, tensor->count * sizeof *data);
            break;
        case MODEL_START_NORMAL:
            random_normal(seed, (uint32_t)i, 0, data, tensor->count);
            for (size_t j = 0; j < tensor->count; j++) data[j] *= deviation;
            break;
        case MODEL_START_UNIFORM:
            for (size_t j = 0; j < tensor->count; j++)
                data[j] = (float)(bound * (2 * random_uniform(seed, (uint32_t)i, j) - 1));
            break;
        }
    }
}

/* ---- reading ---- */

static void print_shape(char *text, size_t size, int dimensions, const size_t *shape) {
    size_t at = (size_t)snprintf(text, size, "[");
    for (int i = 0; i < dimensions && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%zu", i ? ", " : "", shape[i]);
    if (at < size) snprintf(text + at, size - at, "]");
}

static bool same_shape(const model_tensor *wanted, const safetensors_tensor *found) {
    if (wanted->dimensions != found->dimensions) return false;
    for (int i = 0; i < wanted->dimensions; i++)
        if (wanted->shape[i] != found->shape[i]) return false;
    return true;
}

static lull_status read_tensor(const model_parameters *parameters, const model_tensor *tensor,
                               const safetensors *file, const char *prefix, const char *path,
                               lull_error *error) {
    char own[MODEL_TENSOR_NAME], name[MODEL_TENSOR_NAME + 64];
    snprintf(name, sizeof name, "%s%s", prefix ? prefix : "", model_tensor_name(tensor, own));
    const safetensors_tensor *found = safetensors_find(file, name);
    if (!found)
        return base_fail(
            error, LULL_FORMAT,
            "%s: the tensor %s is missing; the file is not a whole model of its configuration",
            path, name);
    if (!same_shape(tensor, found)) {
        char wanted[96], is[192];
        print_shape(wanted, sizeof wanted, tensor->dimensions, tensor->shape);
        print_shape(is, sizeof is, found->dimensions, found->shape);
        return base_fail(error, LULL_FORMAT,
                         "%s: the tensor %s has shape %s; its configuration demands %s", path, name,
                         is, wanted);
    }
    float *data = parameters->data + tensor->offset;
    lull_error reason = {0};
    lull_status status = safetensors_read_f32(file, name, data, tensor->count, &reason);
    if (status)
        return base_fail(error, status, "%s: the tensor %s: %s", path, name, reason.message);
    for (size_t i = 0; i < tensor->count; i++)
        if (!isfinite(data[i]))
            return base_fail(
                error, LULL_FORMAT,
                "%s: the tensor %s holds NaN or infinity at element %zu; the weights are broken",
                path, name, i);
    return LULL_OK;
}

static bool is_known(const model_parameters *parameters, const char *name) {
    char own[MODEL_TENSOR_NAME];
    for (size_t i = 0; i < parameters->tensor_count; i++)
        if (!strcmp(model_tensor_name(&parameters->tensors[i], own), name)) return true;
    return false;
}

/* A prefix selects its tensors; without one, all tensors of the file must be the model's. */
static lull_status refuse_unknown(const model_parameters *parameters, const safetensors *file,
                                  const char *path, lull_error *error) {
    for (size_t i = 0; i < safetensors_count(file); i++) {
        const char *name = safetensors_at(file, i)->name;
        if (!is_known(parameters, name))
            return base_fail(
                error, LULL_FORMAT,
                "%s: the tensor %.80s is not of this model; its configuration is of another "
                "network",
                path, name);
    }
    return LULL_OK;
}

lull_status model_parameters_read(model_parameters *parameters, const safetensors *file,
                                  const char *prefix, const char *path, lull_error *error) {
    for (size_t i = 0; i < parameters->tensor_count; i++) {
        lull_status status =
            read_tensor(parameters, &parameters->tensors[i], file, prefix, path, error);
        if (status) return status;
    }
    if (prefix && *prefix) return LULL_OK;
    return refuse_unknown(parameters, file, path, error);
}
