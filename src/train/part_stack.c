/* Training a stack of convolutions over frames: see part_stack.h. */
#include "train/part_stack.h"

#include "base/error.h"
#include "base/memory.h"

typedef struct stack_part {
    const train_settings *settings;
    train_part_stack_loss loss;
    gradient_frame_stack *stack;
    double *losses;
    /* The run at hand. */
    const train_batch *batch;
    float scale;
} stack_part;

lull_status train_part_stack_new(const model_frame_stack_shape *shape, const model_config *config,
                                 const train_settings *settings, thread_pool *pool,
                                 train_part_stack_loss loss, void **engine, lull_error *error) {
    stack_part *p = base_alloc(1, sizeof *p);
    *engine = p;
    if (p == NULL) return base_no_memory(error);
    p->settings = settings;
    p->loss = loss;
    p->losses = base_alloc((size_t)settings->batch, sizeof *p->losses);
    if (!p->losses) return base_no_memory(error);
    return gradient_frame_stack_new(shape, config, settings->batch, settings->crop_frames, pool,
                                    &p->stack, error);
}

void train_part_stack_free(void *engine) {
    stack_part *p = engine;
    if (p == NULL) return;
    gradient_frame_stack_free(p->stack);
    base_free(p->losses);
    base_free(p);
}

static double crop_loss(void *context, int crop, const float *made, float *gradient) {
    const stack_part *p = context;
    const size_t n = p->batch->sizes.target;
    const double loss =
        p->loss(p->settings, made, p->batch->target + (size_t)crop * n, n, gradient);
    for (size_t i = 0; i < n; i++) gradient[i] *= p->scale;
    return loss;
}

double train_part_stack_step(gradient_frame_stack *stack, const model_parameters *weights,
                             const train_batch *batch, gradient_engine_loss crop_loss,
                             void *context, double *losses, float *gradient) {
    double sum = 0.0;
    gradient_frame_stack_run(stack, weights, batch->crops, batch->mel, crop_loss, context, losses,
                             gradient);
    for (int i = 0; i < batch->crops; i++) sum += losses[i];
    return sum;
}

double train_part_stack_run(void *engine, const model_parameters *weights, const train_batch *batch,
                            float scale, float *gradient) {
    stack_part *p = engine;
    p->batch = batch;
    p->scale = scale;
    return train_part_stack_step(p->stack, weights, batch, crop_loss, p, p->losses, gradient);
}

double train_part_stack_flops(const void *engine) {
    return gradient_frame_stack_flops(((const stack_part *)engine)->stack);
}

size_t train_part_stack_bytes(const void *engine) {
    return gradient_frame_stack_bytes(((const stack_part *)engine)->stack);
}

int train_part_stack_margin(const model_config *config) {
    (void)config;
    return 0;
}
