/* Muon: its iteration in closed form and beside a plain one, its tensors, and nobody else's. */
#include "helpers.h"

#include "base/memory.h"
#include "base/thread_pool.h"
#include "gradient/openblas.h"
#include "train/muon.h"

/* The scalar that the iteration makes of a singular value. */
static double quintic(double x) {
    for (int i = 0; i < 5; i++) x = 3.4445 * x - 4.7750 * x * x * x + 2.0315 * pow(x, 5);
    return x;
}

/* Orthonormal vectors of length n: the cosines of the DCT-II. */
static double basis(int n, int k, int i) {
    double scale = k == 0 ? sqrt(1.0 / n) : sqrt(2.0 / n);
    return scale * cos(3.14159265358979323846 * (i + 0.5) * k / n);
}

/* M = Σ s_k·u_k·v_kᵀ becomes Σ q(s_k / |s|)·u_k·v_kᵀ, the vectors kept. */
static void closed_form(int rows, int columns) {
    int rank = rows < columns ? rows : columns;
    double s[64], norm = 0.0;
    float *matrix = base_alloc((size_t)rows * (size_t)columns, sizeof(float));
    float *scratch = base_alloc(train_muon_scratch(rows, columns), sizeof(float));
    for (int k = 0; k < rank; k++) {
        s[k] = 0.02 + (k * 7 % 11) * 0.3;
        norm += s[k] * s[k];
    }
    norm = sqrt(norm);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            double sum = 0.0;
            for (int k = 0; k < rank; k++) sum += s[k] * basis(rows, k, i) * basis(columns, k, j);
            matrix[i * columns + j] = (float)sum;
        }
    train_muon_orthogonalize(matrix, rows, columns, scratch);
    double worst = 0.0;
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            double sum = 0.0;
            for (int k = 0; k < rank; k++)
                sum += quintic(s[k] / norm) * basis(rows, k, i) * basis(columns, k, j);
            worst = fmax(worst, fabs(matrix[i * columns + j] - sum));
        }
    print_message("  %d × %d: %.1e\n", rows, columns, worst);
    assert_true(worst < 2e-4);
    base_free(matrix);
    base_free(scratch);
}

static void singular_values_come_near_one(void **state) {
    (void)state;
    closed_form(1, 1);
    closed_form(5, 9);
    closed_form(9, 5);
    closed_form(13, 13);
    closed_form(1, 7);
    closed_form(24, 33);
    for (double x = 0.003; x <= 1.0; x += 0.001) assert_true(quintic(x) > 0.3 && quintic(x) < 1.3);
}

static void a_zero_gradient_stays_zero(void **state) {
    (void)state;
    float matrix[6] = {0}, scratch[64];
    assert_true(train_muon_scratch(2, 3) <= 64);
    train_muon_orthogonalize(matrix, 2, 3, scratch);
    for (int i = 0; i < 6; i++) assert_true(matrix[i] == 0.0f);
}

typedef struct vectors {
    model_parameters *weights, *m, *average;
    float *gradient;
} vectors;

static void fill(vectors *v, const model_config *config) {
    model_parameters **all[] = {&v->weights, &v->m, &v->average};
    for (int i = 0; i < 3; i++)
        assert_int_equal(model_parameters_new(config, all[i], NULL), LULL_OK);
    size_t size = v->weights->size;
    v->gradient = base_alloc(size, sizeof(float));
    random_normal(1, 1, 0, v->weights->data, size);
    random_normal(1, 2, 0, v->m->data, size);
    random_normal(1, 3, 0, v->gradient, size);
    memcpy(v->average->data, v->weights->data, size * sizeof(float));
}

static void release(vectors *v) {
    model_parameters_free(v->weights);
    model_parameters_free(v->m);
    model_parameters_free(v->average);
    base_free(v->gradient);
}

static const train_muon_step_options options = {0.9, 0.02, 0.1, 0.5f, 0.75};

static void step(vectors *v, int threads) {
    thread_pool *pool = NULL;
    train_muon *muon = NULL;
    assert_int_equal(thread_pool_new(threads, &pool, NULL), LULL_OK);
    assert_int_equal(train_muon_new(v->weights, pool, &muon, NULL), LULL_OK);
    train_muon_step(muon, &options, v->gradient, v->weights->data, v->m->data, v->average->data);
    train_muon_free(muon);
    thread_pool_free(pool);
}

/* One tensor's step, written down again. */
static void check_tensor(const model_tensor *tensor, const vectors *before, const vectors *after) {
    int rows = (int)tensor->shape[0], columns = (int)(tensor->count / tensor->shape[0]);
    float *direction = base_alloc(tensor->count, sizeof(float));
    float *scratch = base_alloc(train_muon_scratch(rows, columns), sizeof(float));
    size_t at = tensor->offset;
    for (size_t k = 0; k < tensor->count; k++) {
        float g = 0.5f * before->gradient[at + k], m = 0.9f * before->m->data[at + k] + g;
        assert_true(fabsf(after->m->data[at + k] - m) < 1e-6f);
        direction[k] = g + 0.9f * m;
    }
    train_muon_orthogonalize(direction, rows, columns, scratch);
    double size = 0.02 * 0.2 * sqrt(fmax(rows, columns));
    for (size_t k = 0; k < tensor->count; k++) {
        double old = before->weights->data[at + k];
        double expected = old * (1.0 - 0.02 * 0.1) - size * direction[k];
        assert_true(fabs(after->weights->data[at + k] - expected) < 1e-5);
        assert_true(fabs(after->average->data[at + k] - (0.75 * old + 0.25 * expected)) < 1e-5);
    }
    base_free(direction);
    base_free(scratch);
}

static void its_tensors_and_no_others(void **state) {
    (void)state;
    model_config config;
    vectors before, after, again;
    tiny_config(&config);
    fill(&before, &config);
    fill(&after, &config);
    fill(&again, &config);
    step(&after, 1);
    step(&again, 3);
    size_t bytes = before.weights->size * sizeof(float);
    assert_memory_equal(after.weights->data, again.weights->data, bytes);
    assert_memory_equal(after.average->data, again.average->data, bytes);
    int taken = 0;
    for (size_t i = 0; i < before.weights->tensor_count; i++) {
        const model_tensor *tensor = &before.weights->tensors[i];
        if (train_muon_takes(tensor)) {
            check_tensor(tensor, &before, &after);
            taken++;
            continue;
        }
        assert_memory_equal(before.weights->data + tensor->offset,
                            after.weights->data + tensor->offset, tensor->count * sizeof(float));
        assert_memory_equal(before.m->data + tensor->offset, after.m->data + tensor->offset,
                            tensor->count * sizeof(float));
    }
    /* A layer's dilated convolution, conditioner and output; the conditioner's; skip_projection. */
    assert_int_equal(taken, 3 * config.layers + config.conditioner_layers + 1);
    release(&before);
    release(&after);
    release(&again);
}

static void who_takes_what(void **state) {
    (void)state;
    const struct {
        model_role role;
        bool bias, taken;
    } tensors[] = {
        {MODEL_DILATED_CONVOLUTION, false, true},     {MODEL_RESIDUAL_PROJECTION, false, true},
        {MODEL_DILATED_CONVOLUTION, true, false},     {MODEL_STEP_PROJECTION, false, false},
        {MODEL_CONDITIONER_CONVOLUTION, false, true}, {MODEL_SKIP_PROJECTION, false, true},
        {MODEL_INPUT_PROJECTION, false, false},       {MODEL_OUTPUT_PROJECTION, false, false},
        {MODEL_EMBEDDING_PROJECTION, false, false},   {MODEL_UPSAMPLER_CONVOLUTION, false, false},
        {MODEL_POSTNET_CONVOLUTION, false, false}};
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        const model_tensor tensor = {.role = tensors[i].role, .bias = tensors[i].bias};
        assert_int_equal(train_muon_takes(&tensor), tensors[i].taken);
    }
}

int main(void) {
    if (gradient_openblas_open(NULL)) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(singular_values_come_near_one),
        cmocka_unit_test(a_zero_gradient_stays_zero),
        cmocka_unit_test(its_tensors_and_no_others),
        cmocka_unit_test(who_takes_what),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
