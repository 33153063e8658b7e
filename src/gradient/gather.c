/* The groups' shares of the gradient: summed in the groups' order, whatever thread made them. */
#include "gradient/gather.h"

#include <string.h>

#include "base/memory.h"
#include "gradient/convolution.h"
#include "gradient/passes.h"

static size_t fourth_floats(const gradient_engine *e) {
    bool any = false;
    for (int i = 0; i < e->config.layers; i++) any |= e->layers[i].paired;
    return any ? (size_t)e->config.layers * (size_t)e->c2 * (size_t)e->c : 0;
}

void gradient_sums_new(gradient_engine *e, bool *ok) {
    e->layer_groups =
        gradient_take(&e->bytes, (size_t)e->config.layers, sizeof(*e->layer_groups), ok);
    e->group = gradient_take(&e->bytes, (size_t)e->groups, sizeof(*e->group), ok);
    for (int i = 0; *ok && i < e->groups; i++) {
        e->group[i].gradient = gradient_take(&e->bytes, e->shape->size, sizeof(float), ok);
        e->group[i].fourth = gradient_take(&e->bytes, fourth_floats(e), sizeof(float), ok);
    }
}

void gradient_sums_free(gradient_engine *e) {
    for (int i = 0; e->group && i < e->groups; i++) {
        base_free(e->group[i].gradient);
        base_free(e->group[i].fourth);
    }
    base_free(e->group);
    base_free(e->layer_groups);
}

/* Only embedding_backward writes the step embedding's tensors: groups have no part in them. */
static bool is_embedding(const model_tensor *tensor) {
    return tensor->role == MODEL_EMBEDDING_PROJECTION || tensor->role == MODEL_STEP_PROJECTION;
}

void gradient_sums_clear(const gradient_engine *e, const gradient_sums *sums) {
    memset(sums->fourth, 0, fourth_floats(e) * sizeof(float));
    for (size_t i = 0; i < e->shape->tensor_count; i++) {
        const model_tensor *tensor = &e->shape->tensors[i];
        if (!is_embedding(tensor))
            memset(sums->gradient + tensor->offset, 0, tensor->count * sizeof(float));
    }
}

int gradient_group_count(const gradient_engine *e) {
    return (e->batch->crops + GRADIENT_GROUP_CROPS - 1) / GRADIENT_GROUP_CROPS;
}

/* Is this tensor tap-major in the groups' sums? */
static bool tap_major(const model_tensor *tensor) {
    return tensor->dimensions == 3 && tensor->shape[2] > 1;
}

/* The fourth matrix of a paired layer, summed over the groups; the three lie in its place. */
static void gather_pairs(gradient_engine *e, int layer, float *taps) {
    size_t matrix = (size_t)e->c2 * (size_t)e->c, at = (size_t)layer * matrix;
    for (int g = 1; g < gradient_group_count(e); g++)
        gradient_add_columns(e->group[0].fourth + at, e->group[g].fourth + at, 1, (int)matrix,
                             matrix);
    gradient_combine_pairs(e, taps, e->group[0].fourth + at);
}

/* One tensor of the gradient, summed over the groups in their order, in PyTorch's layout. */
static void gather_tensor(gradient_engine *e, const model_tensor *tensor) {
    float *first = e->group[0].gradient + tensor->offset, *out = e->gradient + tensor->offset;
    for (int g = 1; g < gradient_group_count(e); g++) {
        const float *next = e->group[g].gradient + tensor->offset;
        for (size_t j = 0; j < tensor->count; j++) first[j] += next[j];
    }
    if (tensor->role == MODEL_DILATED_CONVOLUTION && !tensor->bias &&
        e->layers[tensor->index].paired)
        gather_pairs(e, tensor->index, first);
    if (!tap_major(tensor)) {
        memcpy(out, first, tensor->count * sizeof(float));
        return;
    }
    size_t taps = tensor->shape[2], matrix = tensor->count / taps;
    for (size_t k = 0; k < taps; k++)
        for (size_t j = 0; j < matrix; j++) out[j * taps + k] = first[k * matrix + j];
}

void gradient_layer_finished(gradient_engine *e, int layer) {
    if (atomic_fetch_add(&e->layer_groups[layer], 1) + 1 < gradient_group_count(e)) return;
    for (size_t i = 0; i < e->shape->tensor_count; i++) {
        const model_tensor *tensor = &e->shape->tensors[i];
        if (!gradient_engine_is_early(tensor) || tensor->index != layer) continue;
        gather_tensor(e, tensor);
        if (e->ready) e->ready(e->ready_context, tensor->offset, tensor->count);
    }
}

void gradient_gather_task(void *context, int i, int worker) {
    (void)worker;
    gradient_engine *e = context;
    const model_tensor *tensor = &e->shape->tensors[i];
    if (is_embedding(tensor) || gradient_engine_is_early(tensor)) return;
    gather_tensor(e, tensor);
}
