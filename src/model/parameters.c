/* The weights of a configuration: which tensors there are, where they lie in the flat vector, how
 * they begin. */
#include "model/parameters.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"
#include "model/embedding.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ALIGNMENT = 16 };

/* Far above every useful size, and small enough that no product of sizes overflows. */
static const size_t most_weights = (size_t)1 << 28;

/* Collects tensors; with tensors == NULL it only counts. */
typedef struct layout {
    model_tensor *tensors;
    size_t count, size, total;
} layout;

static void add(layout *l, int dimensions, const size_t *shape, const char *format,
                va_list arguments) {
    size_t count = 1;
    for (int i = 0; i < dimensions; i++) count *= shape[i];
    if (l->tensors) {
        model_tensor *tensor = &l->tensors[l->count];
        vsnprintf(tensor->name, sizeof tensor->name, format, arguments);
        tensor->dimensions = dimensions;
        memcpy(tensor->shape, shape, (size_t)dimensions * sizeof *shape);
        tensor->offset = l->size;
        tensor->count = count;
    }
    l->count++;
    l->total += count;
    l->size += (count + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

__attribute__((format(printf, 4, 5))) static void
add_shape(layout *l, int dimensions, const size_t *shape, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    add(l, dimensions, shape, format, arguments);
    va_end(arguments);
}

/* A 1-D convolution: weight [out, in, kernel] and bias [out], as PyTorch keeps them. */
static void add_convolution(layout *l, int out, int in, int kernel, const char *name) {
    const size_t shape[] = {(size_t)out, (size_t)in, (size_t)kernel};
    add_shape(l, 3, shape, "%s.weight", name);
    add_shape(l, 1, shape, "%s.bias", name);
}

static void add_linear(layout *l, int out, int in, const char *name) {
    const size_t shape[] = {(size_t)out, (size_t)in};
    add_shape(l, 2, shape, "%s.weight", name);
    add_shape(l, 1, shape, "%s.bias", name);
}

static void lay_out(const model_config *c, layout *l) {
    int channels = c->channels, hidden = c->embedding_hidden, condition;
    char name[64];
    add_convolution(l, channels, c->patch, 1, "input_projection");
    add_linear(l, hidden, model_embedding_inputs(c), "diffusion_embedding.projection1");
    add_linear(l, hidden, hidden, "diffusion_embedding.projection2");
    if (c->family == MODEL_DIFFWAVE) {
        const size_t weight[] = {1, 1, 3, 32}, bias[] = {1};
        for (int i = 1; i <= 2; i++) {
            add_shape(l, 4, weight, "spectrogram_upsampler.conv%d.weight", i);
            add_shape(l, 1, bias, "spectrogram_upsampler.conv%d.bias", i);
        }
        condition = c->mel.bands;
    } else {
        condition = c->conditioner_channels;
        for (int i = 1; i <= c->conditioner_layers; i++) {
            snprintf(name, sizeof name, "conditioner.conv%d", i);
            add_convolution(l, condition, i == 1 ? c->mel.bands : condition, c->conditioner_kernel,
                            name);
        }
    }
    for (int i = 0; i < c->layers; i++) {
        snprintf(name, sizeof name, "residual_layers.%d.dilated_conv", i);
        add_convolution(l, 2 * channels, channels, c->kernel, name);
        snprintf(name, sizeof name, "residual_layers.%d.diffusion_projection", i);
        add_linear(l, channels, hidden, name);
        snprintf(name, sizeof name, "residual_layers.%d.conditioner_projection", i);
        add_convolution(l, 2 * channels, condition, 1, name);
        snprintf(name, sizeof name, "residual_layers.%d.output_projection", i);
        add_convolution(l, 2 * channels, channels, 1, name);
    }
    add_convolution(l, channels, channels, 1, "skip_projection");
    add_convolution(l, c->patch, channels, 1, "output_projection");
    for (int i = 1, last = model_config_postnet_convolutions(c); i <= last; i++) {
        const size_t out = i == last ? 1 : (size_t)c->postnet_channels;
        const size_t shape[] = {out, i == 1 ? 1 : (size_t)c->postnet_channels, 3, 3};
        add_shape(l, 4, shape, "postnet.conv%d.weight", i);
        add_shape(l, 1, &out, "postnet.conv%d.bias", i);
    }
}

size_t model_parameters_total(const model_config *config) {
    layout counted = {0};
    lay_out(config, &counted);
    return counted.total;
}

lull_status model_parameters_new(const model_config *config, model_parameters **result,
                                 lull_error *error) {
    *result = NULL;
    layout l = {0};
    lay_out(config, &l);
    if (l.total > most_weights)
        return base_fail(
            error, LULL_UNSUPPORTED,
            "the configuration has %zu weights; at most %zu are possible: fewer channels or "
            "layers",
            l.total, most_weights);
    model_parameters *p = base_alloc(1, sizeof *p);
    if (!p) return base_no_memory(error);
    p->tensor_count = l.count;
    p->size = l.size;
    p->total = l.total;
    p->tensors = base_alloc(l.count, sizeof *p->tensors);
    p->data = base_alloc(l.size, sizeof *p->data);
    if (!p->tensors || !p->data) {
        model_parameters_free(p);
        return base_no_memory(error);
    }
    l = (layout){.tensors = p->tensors};
    lay_out(config, &l);
    *result = p;
    return LULL_OK;
}

void model_parameters_free(model_parameters *parameters) {
    if (!parameters) return;
    base_free(parameters->tensors);
    base_free(parameters->data);
    base_free(parameters);
}

float *model_parameters_get(const model_parameters *parameters, const char *format, ...) {
    char name[96];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    for (size_t i = 0; i < parameters->tensor_count; i++)
        if (!strcmp(parameters->tensors[i].name, name))
            return parameters->data + parameters->tensors[i].offset;
    assert(!"a tensor that the configuration does not have");
    return NULL;
}

/* ---- initialisation ---- */

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && !strcmp(text + length - tail, end);
}

/* Inputs that one output element sums over. A transposed convolution's weight [in, out, …] counts
 * its second axis, as PyTorch does; both are 1 here. */
static size_t fan_in(const model_tensor *weight) {
    size_t count = 1;
    for (int i = 1; i < weight->dimensions; i++) count *= weight->shape[i];
    return count;
}

/* Which rule a weight follows. Linear layers, DiffWave's transposed convolutions, the conditioner's
 * and the postnet's keep PyTorch's default; the network's 1-D convolutions are Kaiming normal; the
 * last projection is zero, and the postnet's last convolution, so that untrained they predict
 * nothing. */
static bool kaiming_normal(const char *name) {
    return !strncmp(name, "input_projection", 16) || !strncmp(name, "skip_projection", 15) ||
           ends_with(name, "dilated_conv.weight") ||
           ends_with(name, "conditioner_projection.weight") ||
           (!strncmp(name, "residual_layers", 15) && ends_with(name, "output_projection.weight"));
}

void model_parameters_initialize(model_parameters *parameters, const model_config *config,
                                 uint64_t seed) {
    char postnet_last[32];
    snprintf(postnet_last, sizeof postnet_last, "postnet.conv%d.",
             model_config_postnet_convolutions(config));
    size_t fan = 1;
    for (size_t i = 0; i < parameters->tensor_count; i++) {
        const model_tensor *tensor = &parameters->tensors[i];
        float *data = parameters->data + tensor->offset;
        if (tensor->dimensions > 1) fan = fan_in(tensor); /* a bias follows its weight */
        if (!strcmp(tensor->name, "output_projection.weight") ||
            !strncmp(tensor->name, postnet_last, strlen(postnet_last))) {
            memset(data, 0, tensor->count * sizeof *data);
        } else if (kaiming_normal(tensor->name)) { /* gain √2: He et al. 2015, eq. 10 */
            random_normal(seed, (uint32_t)i, 0, data, tensor->count);
            float deviation = sqrtf(2.0f / (float)fan);
            for (size_t j = 0; j < tensor->count; j++) data[j] *= deviation;
        } else { /* a = √5 makes the bound 1/√fan, for weights and biases */
            double bound = 1 / sqrt((double)fan);
            for (size_t j = 0; j < tensor->count; j++)
                data[j] = (float)(bound * (2 * random_uniform(seed, (uint32_t)i, j) - 1));
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
    char name[160];
    snprintf(name, sizeof name, "%s%s", prefix ? prefix : "", tensor->name);
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

/* A prefix selects its tensors; without one, all tensors of the file must be the model's. */
static lull_status refuse_unknown(const model_parameters *parameters, const safetensors *file,
                                  const char *path, lull_error *error) {
    for (size_t i = 0; i < safetensors_count(file); i++) {
        const char *name = safetensors_at(file, i)->name;
        size_t j = 0;
        while (j < parameters->tensor_count && strcmp(parameters->tensors[j].name, name)) j++;
        if (j == parameters->tensor_count)
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
