/* Muon: see muon.h. */
#include "train/muon.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "gradient/openblas.h"

enum { ITERATIONS = 5 };

/* Jordan's quintic a·x + b·x³ + c·x⁵: it drives singular values to about 0.7 … 1.2, fast from small
 * ones. */
static const float A = 3.4445f, B = -4.7750f, C = 2.0315f;

struct train_muon {
    const model_parameters *shape;
    thread_pool *pool;
    size_t *tensors; /* indices of Muon's, the largest first, so that threads end together */
    int count;
    size_t most, scratch; /* floats of the largest tensor and of its scratch */
    float *room;          /* threads × (most + scratch) */
    /* The step at hand. */
    const train_muon_step_options *options;
    const float *gradient;
    float *weights, *m, *average;
};

/* [out, in, taps] is the matrix out × (in·taps). */
static int rows_of(const model_tensor *tensor) {
    return (int)tensor->shape[0];
}

static int columns_of(const model_tensor *tensor) {
    return (int)(tensor->count / tensor->shape[0]);
}

bool train_muon_takes(const model_tensor *tensor) {
    switch (tensor->role) {
    case MODEL_CONDITIONER_CONVOLUTION:
    case MODEL_DILATED_CONVOLUTION:
    case MODEL_CONDITION_PROJECTION:
    case MODEL_RESIDUAL_PROJECTION:
    case MODEL_SKIP_PROJECTION:
        return !tensor->bias;
    default:
        return false;
    }
}

size_t train_muon_scratch(int rows, int columns) {
    size_t small = (size_t)(rows < columns ? rows : columns);
    return 2 * small * small + (size_t)rows * (size_t)columns;
}

/* With X = matrix or its transpose, whichever has fewer rows than columns:
 * G = X·Xᵀ, X ← a·X + (b·G + c·G²)·X. */
void train_muon_orthogonalize(float *matrix, int rows, int columns, float *scratch) {
    int small = rows < columns ? rows : columns;
    size_t count = (size_t)rows * (size_t)columns, square = (size_t)small * (size_t)small;
    float *gram = scratch, *polynomial = gram + square, *next = polynomial + square;
    float *x = matrix, *y = next;
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) sum += (double)matrix[i] * matrix[i];
    float scale = (float)(1.0 / (sqrt(sum) + 1e-7));
    for (size_t i = 0; i < count; i++) matrix[i] *= scale;
    for (int i = 0; i < ITERATIONS; i++) {
        bool tall = rows > columns;
        gradient_openblas_product(tall, !tall, small, small, tall ? rows : columns, 1.0f, x,
                                  columns, x, columns, 0.0f, gram, small);
        memcpy(polynomial, gram, square * sizeof *gram);
        gradient_openblas_product(false, false, small, small, small, C, gram, small, gram, small, B,
                                  polynomial, small);
        memcpy(y, x, count * sizeof *x);
        if (tall)
            gradient_openblas_product(false, false, rows, columns, columns, 1.0f, x, columns,
                                      polynomial, small, A, y, columns);
        else
            gradient_openblas_product(false, false, rows, columns, rows, 1.0f, polynomial, small, x,
                                      columns, A, y, columns);
        float *old = x;
        x = y;
        y = old;
    }
    if (x != matrix) memcpy(matrix, x, count * sizeof *x);
}

lull_status train_muon_new(const model_parameters *shape, thread_pool *pool, train_muon **result,
                           lull_error *error) {
    *result = NULL;
    lull_status status = gradient_openblas_open(error);
    if (status) return status;
    train_muon *muon = base_alloc(1, sizeof *muon);
    if (muon == NULL) return base_no_memory(error);
    muon->shape = shape;
    muon->pool = pool;
    muon->tensors = base_alloc(shape->tensor_count, sizeof *muon->tensors);
    for (size_t i = 0; muon->tensors != NULL && i < shape->tensor_count; i++) {
        const model_tensor *tensor = &shape->tensors[i];
        if (!train_muon_takes(tensor)) continue;
        int at = muon->count++;
        for (; at > 0 && shape->tensors[muon->tensors[at - 1]].count < tensor->count; at--)
            muon->tensors[at] = muon->tensors[at - 1];
        muon->tensors[at] = i;
        size_t scratch = train_muon_scratch(rows_of(tensor), columns_of(tensor));
        if (scratch > muon->scratch) muon->scratch = scratch;
        if (tensor->count > muon->most) muon->most = tensor->count;
    }
    muon->room = base_alloc((size_t)thread_pool_size(pool) * (muon->most + muon->scratch),
                            sizeof *muon->room);
    if (muon->tensors == NULL || muon->room == NULL) {
        train_muon_free(muon);
        return base_no_memory(error);
    }
    *result = muon;
    return LULL_OK;
}

void train_muon_free(train_muon *muon) {
    if (muon == NULL) return;
    base_free(muon->tensors);
    base_free(muon->room);
    base_free(muon);
}

/* One tensor, whole, on one thread. */
static void step_tensor(void *context, int i, int worker) {
    const train_muon *muon = context;
    const train_muon_step_options *o = muon->options;
    const model_tensor *tensor = &muon->shape->tensors[muon->tensors[i]];
    int rows = rows_of(tensor), columns = columns_of(tensor);
    float *direction = muon->room + (size_t)worker * (muon->most + muon->scratch);
    const float *gradient = muon->gradient + tensor->offset;
    float *weights = muon->weights + tensor->offset, *m = muon->m + tensor->offset;
    float momentum = (float)o->momentum;
    for (size_t k = 0; k < tensor->count; k++) {
        float g = gradient[k] * o->scale;
        m[k] = momentum * m[k] + g;
        direction[k] = g + momentum * m[k];
    }
    train_muon_orthogonalize(direction, rows, columns, direction + muon->most);
    /* So that the step's root mean square is about AdamW's at the same rate. */
    float size = (float)(o->rate * 0.2 * sqrt(rows > columns ? rows : columns));
    float shrink = (float)(1.0 - o->rate * o->decay);
    for (size_t k = 0; k < tensor->count; k++)
        weights[k] = weights[k] * shrink - size * direction[k];
    if (muon->average == NULL) return;
    float *average = muon->average + tensor->offset;
    float decay = (float)o->average_decay, rest = 1.0f - decay;
    for (size_t k = 0; k < tensor->count; k++) average[k] = average[k] * decay + rest * weights[k];
}

void train_muon_step(train_muon *muon, const train_muon_step_options *options,
                     const float *gradient, float *weights, float *m, float *average) {
    muon->options = options;
    muon->gradient = gradient;
    muon->weights = weights;
    muon->m = m;
    muon->average = average;
    thread_pool_run(muon->pool, muon->count, step_tensor, muon);
}
