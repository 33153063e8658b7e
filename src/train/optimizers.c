/* Who moves which tensor: see optimizers.h. */
#include "train/optimizers.h"

#include "base/error.h"
#include "base/memory.h"
#include "train/adamw.h"
#include "train/muon.h"

struct train_optimizers {
    const train_settings *settings;
    model_part part;
    const model_parameters *shape;
    thread_pool *pool;
    train_muon *muon; /* NULL with AdamW alone */
    double *partial;
};

lull_status train_optimizers_new(const train_settings *settings, model_part part,
                                 const model_parameters *shape, thread_pool *pool,
                                 train_optimizers **result, lull_error *error) {
    train_optimizers *o = base_alloc(1, sizeof *o);
    *result = NULL;
    if (o == NULL) return base_no_memory(error);
    o->settings = settings;
    o->part = part;
    o->shape = shape;
    o->pool = pool;
    o->partial = base_alloc(train_norm_blocks(shape->size), sizeof *o->partial);
    lull_status status = o->partial ? LULL_OK : base_no_memory(error);
    if (!status && settings->optimizer == TRAIN_MUON)
        status = train_muon_new(shape, pool, &o->muon, error);
    if (status)
        train_optimizers_free(o);
    else
        *result = o;
    return status;
}

void train_optimizers_free(train_optimizers *o) {
    if (o == NULL) return;
    train_muon_free(o->muon);
    base_free(o->partial);
    base_free(o);
}

double train_optimizers_norm(train_optimizers *o, const float *gradient) {
    return train_norm(o->pool, gradient, o->shape->size, o->partial);
}

static bool adamw_takes(const train_optimizers *o, const model_tensor *tensor) {
    return tensor->part == o->part && !(o->muon && train_muon_takes(tensor));
}

/* AdamW on its tensors, neighbours at once; padding between them is 0 and stays 0. */
static void adamw_step(const train_optimizers *o, double rate, float scale, double average_decay,
                       const float *gradient, train_state *state) {
    const train_settings *s = o->settings;
    const train_adamw adamw = {s->beta1, s->beta2, s->epsilon, s->decay};
    const model_parameters *shape = o->shape;
    for (size_t i = 0, next; i < shape->tensor_count; i = next) {
        next = i + 1;
        if (!adamw_takes(o, &shape->tensors[i])) continue;
        while (next < shape->tensor_count && adamw_takes(o, &shape->tensors[next])) next++;
        size_t from = shape->tensors[i].offset;
        size_t to = next < shape->tensor_count ? shape->tensors[next].offset : shape->size;
        train_adamw_step(&adamw, o->pool, state->progress.updates, rate, scale, to - from,
                         gradient + from, state->weights->data + from, state->m->data + from,
                         state->v->data + from, state->average->data + from, average_decay);
    }
}

void train_optimizers_step(train_optimizers *o, double rate, double norm, const float *gradient,
                           train_state *state) {
    const train_settings *s = o->settings;
    float scale = train_clip(norm, s->clip);
    double average_decay = train_average_decay(s->average, ++state->progress.updates);
    adamw_step(o, rate, scale, average_decay, gradient, state);
    if (o->muon == NULL) return;
    const train_muon_step_options options = {s->momentum, rate, s->decay, scale, average_decay};
    train_muon_step(o->muon, &options, gradient, state->weights->data, state->m->data,
                    state->average->data);
}
