/* The optimizer: see adamw.h. */
#include "train/adamw.h"

#include <math.h>

/* Weights that a thread takes at a time: the five vectors of a block fit a core's cache. */
enum { BLOCK = 16384, LANES = 8 };

size_t train_norm_blocks(size_t n) {
    return (n + BLOCK - 1) / BLOCK;
}

typedef struct norm_task {
    const float *gradient;
    size_t n;
    double *partial;
} norm_task;

static void norm_block(void *context, int i, int worker) {
    (void)worker;
    norm_task *task = context;
    size_t first = (size_t)i * BLOCK;
    size_t n = task->n - first < BLOCK ? task->n - first : BLOCK;
    const float *g = task->gradient + first;
    double lanes[LANES] = {0};
    size_t k = 0;
    for (; k + LANES <= n; k += LANES)
        for (size_t lane = 0; lane < LANES; lane++)
            lanes[lane] += (double)g[k + lane] * g[k + lane];
    double sum = 0.0;
    for (; k < n; k++) sum += (double)g[k] * g[k];
    for (size_t lane = 0; lane < LANES; lane++) sum += lanes[lane];
    task->partial[i] = sum;
}

double train_norm(thread_pool *pool, const float *gradient, size_t n, double *partial) {
    norm_task task = {gradient, n, partial};
    int blocks = (int)train_norm_blocks(n);
    thread_pool_run(pool, blocks, norm_block, &task);
    double sum = 0.0;
    for (int i = 0; i < blocks; i++) sum += partial[i];
    return sqrt(sum);
}

float train_clip(double norm, double largest) {
    if (largest <= 0.0) return 1.0f;
    float coefficient = (float)largest / ((float)norm + 1e-6f);
    return coefficient < 1.0f ? coefficient : 1.0f;
}

typedef struct step_task {
    size_t n;
    const float *gradient;
    float *weights, *m, *v, *average;
    float scale, shrink, beta1, one_minus_beta1, beta2, one_minus_beta2, epsilon;
    float step_size, correction2_root, average_decay;
} step_task;

/* torch.optim.AdamW: weights shrink first, then the moments move, then the step is taken. */
static void step_block(void *context, int i, int worker) {
    (void)worker;
    const step_task *task = context;
    size_t first = (size_t)i * BLOCK;
    size_t n = task->n - first < BLOCK ? task->n - first : BLOCK;
    const float *restrict gradient = task->gradient + first;
    float *restrict weights = task->weights + first;
    float *restrict m = task->m + first;
    float *restrict v = task->v + first;
    const step_task s = *task;
    for (size_t k = 0; k < n; k++) {
        float g = gradient[k] * s.scale;
        float w = weights[k] * s.shrink;
        float first_moment = m[k] * s.beta1 + s.one_minus_beta1 * g;
        float second_moment = v[k] * s.beta2 + s.one_minus_beta2 * g * g;
        float denominator = sqrtf(second_moment) / s.correction2_root + s.epsilon;
        m[k] = first_moment;
        v[k] = second_moment;
        weights[k] = w - s.step_size * first_moment / denominator;
    }
    if (s.average == NULL) return;
    float *restrict average = s.average + first;
    float rest = 1.0f - s.average_decay;
    for (size_t k = 0; k < n; k++) average[k] = average[k] * s.average_decay + rest * weights[k];
}

void train_adamw_step(const train_adamw *adamw, thread_pool *pool, uint64_t step, double rate,
                      float scale, size_t n, const float *gradient, float *weights, float *m,
                      float *v, float *average, double average_decay) {
    double correction1 = 1.0 - pow(adamw->beta1, (double)step);
    double correction2 = 1.0 - pow(adamw->beta2, (double)step);
    step_task task = {
        .n = n,
        .gradient = gradient,
        .weights = weights,
        .m = m,
        .v = v,
        .average = average,
        .scale = scale,
        .shrink = (float)(1.0 - rate * adamw->decay),
        .beta1 = (float)adamw->beta1,
        .one_minus_beta1 = (float)(1.0 - adamw->beta1),
        .beta2 = (float)adamw->beta2,
        .one_minus_beta2 = (float)(1.0 - adamw->beta2),
        .epsilon = (float)adamw->epsilon,
        .step_size = (float)(rate / correction1),
        .correction2_root = (float)sqrt(correction2),
        .average_decay = (float)average_decay,
    };
    thread_pool_run(pool, (int)train_norm_blocks(n), step_block, &task);
}

double train_average_decay(double decay, uint64_t step) {
    double early = (1.0 + (double)step) / (10.0 + (double)step);
    return early < decay ? early : decay;
}

double train_rate(double rate, uint64_t step, uint64_t warm_up, bool cosine, double last,
                  double progress) {
    double factor = 1.0;
    if (cosine) {
        double p = progress < 0.0 ? 0.0 : progress > 1.0 ? 1.0 : progress;
        factor = last + (1.0 - last) * 0.5 * (1.0 + cos(M_PI * p));
    }
    if (step < warm_up) factor *= (double)step / (double)warm_up;
    return rate * factor;
}
