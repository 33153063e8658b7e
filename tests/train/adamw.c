/* The optimizer against PyTorch's numbers: five steps on a small DiffWave, and its parts. */
#include "helpers.h"

#include "base/memory.h"
#include "base/thread_pool.h"
#include "goldens.h"
#include "gradient/engine.h"
#include "train/adamw.h"
#include "train/loss.h"

enum { CROPS = 2, FRAMES = 6, SAMPLES = FRAMES * 256, BANDS = 80 };

typedef struct golden_case {
    safetensors *file;
    model_config config;
    model_parameters *weights, *m, *v;
    thread_pool *pool;
    gradient_engine *engine;
    float *x, *eps, *mel, *gradient;
    double t[CROPS];
    bool l1;
} golden_case;

static float *read_tensor(const safetensors *file, const char *name, size_t count) {
    float *out = base_alloc(count, sizeof *out);
    assert_non_null(out);
    assert_int_equal(safetensors_read_f32(file, name, out, count, NULL), LULL_OK);
    return out;
}

static void set_up(golden_case *g) {
    lull_error error;
    memset(g, 0, sizeof *g);
    model_config_diffwave(&g->config);
    g->config.layers = 4;
    g->config.channels = 8;
    for (int i = 0; i < 4; i++) g->config.dilation[i] = g->config.look_ahead[i] = 1 << (i % 2);
    if (safetensors_open(golden_path("train_small.safetensors"), &g->file, &error))
        fail_msg("%s", error.message);
    model_parameters **all[] = {&g->weights, &g->m, &g->v};
    for (int i = 0; i < 3; i++)
        assert_int_equal(model_parameters_new(&g->config, all[i], NULL), LULL_OK);
    for (size_t i = 0; i < g->weights->tensor_count; i++) {
        const model_tensor *tensor = &g->weights->tensors[i];
        char name[144];
        char own[MODEL_TENSOR_NAME];
        snprintf(name, sizeof name, "param.%s", model_tensor_name(tensor, own));
        assert_true(
            golden_train_tensor(g->file, name, g->weights->data + tensor->offset, tensor->count));
    }
    g->x = read_tensor(g->file, "xt", CROPS * SAMPLES);
    g->eps = read_tensor(g->file, "eps", CROPS * SAMPLES);
    float *mel = read_tensor(g->file, "mel", CROPS * BANDS * FRAMES);
    g->mel = base_alloc(CROPS * BANDS * FRAMES, sizeof(float));
    for (int c = 0; c < CROPS; c++)
        for (int f = 0; f < FRAMES; f++)
            for (int b = 0; b < BANDS; b++)
                g->mel[(c * FRAMES + f) * BANDS + b] = mel[(c * BANDS + b) * FRAMES + f];
    base_free(mel);
    const char *t = safetensors_find(g->file, "t")->data;
    for (int i = 0; i < CROPS; i++) {
        int32_t step;
        memcpy(&step, t + 4 * i, sizeof step);
        g->t[i] = step;
    }
    g->gradient = base_alloc(g->weights->size, sizeof(float));
    assert_int_equal(thread_pool_new(2, &g->pool, NULL), LULL_OK);
    assert_int_equal(
        gradient_engine_new(&g->config, CROPS, FRAMES, false, g->pool, &g->engine, NULL), LULL_OK);
}

static void tear_down(golden_case *g) {
    gradient_engine_free(g->engine);
    thread_pool_free(g->pool);
    base_free(g->x);
    base_free(g->eps);
    base_free(g->mel);
    base_free(g->gradient);
    model_parameters_free(g->weights);
    model_parameters_free(g->m);
    model_parameters_free(g->v);
    safetensors_close(g->file);
}

static double loss_of(void *context, int crop, const float *u, float *du) {
    golden_case *g = context;
    const float *target = g->eps + crop * SAMPLES;
    double loss =
        g->l1 ? train_loss_l1(u, target, SAMPLES, du) : train_loss_l2(u, target, SAMPLES, du);
    for (int i = 0; i < SAMPLES; i++) du[i] /= CROPS;
    return loss;
}

static double run(golden_case *g) {
    const gradient_engine_batch batch = {CROPS, g->x, g->t, g->mel, NULL};
    double losses[CROPS];
    gradient_engine_run(g->engine, g->weights, &batch, loss_of, g, losses, g->gradient);
    return (losses[0] + losses[1]) / CROPS;
}

static void losses_and_gradients(void **state) {
    (void)state;
    golden_case g;
    set_up(&g);
    float *l1 = read_tensor(g.file, "loss.l1", 1), *l2 = read_tensor(g.file, "loss.l2", 1);
    g.l1 = true;
    assert_true(fabs(run(&g) / *l1 - 1.0) < 1e-5);
    g.l1 = false;
    assert_true(fabs(run(&g) / *l2 - 1.0) < 1e-5);
    double worst = 0.0;
    for (size_t i = 0; i < g.weights->tensor_count; i++) {
        const model_tensor *tensor = &g.weights->tensors[i];
        float *expected = base_alloc(tensor->count, sizeof *expected);
        char name[144];
        char own[MODEL_TENSOR_NAME];
        snprintf(name, sizeof name, "grad.l2.%s", model_tensor_name(tensor, own));
        assert_true(golden_train_tensor(g.file, name, expected, tensor->count));
        double largest = 0.0, error = 0.0;
        for (size_t k = 0; k < tensor->count; k++) {
            largest = fmax(largest, fabs((double)expected[k]));
            error = fmax(error, fabs((double)g.gradient[tensor->offset + k] - expected[k]));
        }
        if (!(error <= 1e-4 * largest)) fail_msg("%s: off by %g of %g", own, error, largest);
        worst = fmax(worst, error / largest);
        base_free(expected);
    }
    print_message("  gradients within %.2g of each tensor's largest\n", worst);
    base_free(l1);
    base_free(l2);
    tear_down(&g);
}

static void five_steps(void **state) {
    (void)state;
    golden_case g;
    set_up(&g);
    float *expected = read_tensor(g.file, "adamw.loss_and_norm", 10);
    const train_adamw adamw = {0.9, 0.98, 1e-8, 0.01};
    double *partial = base_alloc(train_norm_blocks(g.weights->size), sizeof *partial);
    for (int step = 1; step <= 5; step++) {
        double loss = run(&g), norm = train_norm(g.pool, g.gradient, g.weights->size, partial);
        assert_true(fabs(loss / expected[2 * step - 2] - 1.0) < 1e-5);
        assert_true(fabs(norm / expected[2 * step - 1] - 1.0) < 1e-4);
        train_adamw_step(&adamw, g.pool, (uint64_t)step, 2e-3, train_clip(norm, 0.1),
                         g.weights->size, g.gradient, g.weights->data, g.m->data, g.v->data, NULL,
                         0.0);
    }
    int compared = 0;
    for (size_t i = 0; i < g.weights->tensor_count; i++) {
        const model_tensor *tensor = &g.weights->tensors[i];
        char name[144];
        char own[MODEL_TENSOR_NAME];
        snprintf(name, sizeof name, "adamw.param5.%s", model_tensor_name(tensor, own));
        if (!safetensors_find(g.file, name)) continue;
        float *after = read_tensor(g.file, name, tensor->count);
        /* A weight moves by at most 5 · 2e-3. */
        for (size_t k = 0; k < tensor->count; k++)
            if (!(fabs((double)g.weights->data[tensor->offset + k] - after[k]) < 2e-5))
                fail_msg("%s[%zu] is %.8g, expected %.8g", own, k,
                         g.weights->data[tensor->offset + k], after[k]);
        compared++;
        base_free(after);
    }
    assert_int_equal(compared, 10);
    base_free(partial);
    base_free(expected);
    tear_down(&g);
}

/* One step by hand, in doubles, with an average; padding floats stay 0. */
static void one_step_by_hand(void **state) {
    (void)state;
    enum { N = 40000 };
    thread_pool *pool;
    assert_int_equal(thread_pool_new(2, &pool, NULL), LULL_OK);
    float *all = base_alloc(5 * N, sizeof *all), *before = base_alloc(4 * N, sizeof *before);
    float *g = all, *w = all + N, *m = all + 2 * N, *v = all + 3 * N, *average = all + 4 * N;
    random_normal(1, 1, 0, all, 5 * N);
    for (int i = 0; i < N; i++) v[i] = v[i] * v[i];
    g[N - 1] = w[N - 1] = m[N - 1] = v[N - 1] = average[N - 1] = 0.0f;
    memcpy(before, w, 4 * N * sizeof *before);
    const train_adamw adamw = {0.9, 0.99, 1e-8, 0.01};
    train_adamw_step(&adamw, pool, 7, 1e-2, 0.5f, N, g, w, m, v, average, 0.75);
    for (int i = 0; i < N; i++) {
        double grad = 0.5 * g[i], m1 = 0.9 * before[N + i] + 0.1 * grad,
               v1 = 0.99 * before[2 * N + i] + 0.01 * grad * grad;
        double step = m1 / (1.0 - pow(0.9, 7)) / (sqrt(v1 / (1.0 - pow(0.99, 7))) + 1e-8);
        double expected = before[i] * (1.0 - 1e-4) - 1e-2 * step;
        assert_true(fabs(w[i] - expected) < 1e-5 * (1.0 + fabs(expected)));
        assert_true(fabs(average[i] - (0.75 * before[3 * N + i] + 0.25 * expected)) <
                    1e-5 * (1.0 + fabs(expected)));
    }
    assert_true(w[N - 1] == 0.0f && average[N - 1] == 0.0f);
    base_free(all);
    base_free(before);
    thread_pool_free(pool);
}

static void norm_and_clip(void **state) {
    (void)state;
    enum { N = 50021 };
    float *g = base_alloc(N, sizeof *g);
    double *partial = base_alloc(train_norm_blocks(N), sizeof *partial), sum = 0.0, first = 0.0;
    random_normal(3, 1, 0, g, N);
    for (int i = 0; i < N; i++) sum += (double)g[i] * g[i];
    for (int threads = 1; threads <= 3; threads++) {
        thread_pool *pool;
        assert_int_equal(thread_pool_new(threads, &pool, NULL), LULL_OK);
        double norm = train_norm(pool, g, N, partial);
        assert_true(fabs(norm / sqrt(sum) - 1.0) < 1e-12);
        if (threads == 1) first = norm;
        assert_true(norm == first);
        thread_pool_free(pool);
    }
    assert_true(train_clip(0.5, 1.0) == 1.0f);
    assert_true(train_clip(1e9, 0.0) == 1.0f);
    assert_true(fabs(train_clip(4.0, 1.0) * 4.0 - 1.0) < 1e-6);
    base_free(g);
    base_free(partial);
}

static void courses(void **state) {
    (void)state;
    assert_true(train_rate(2e-3, 1, 200, false, 0.02, 0.5) == 1e-5);
    assert_true(train_rate(2e-3, 200, 200, false, 0.02, 0.5) == 2e-3);
    assert_true(fabs(train_rate(2e-3, 1000, 200, true, 0.02, 0.5) - 2e-3 * 0.51) < 1e-12);
    assert_true(fabs(train_rate(2e-3, 1000, 200, true, 0.02, 1.7) - 4e-5) < 1e-12);
    assert_true(train_average_decay(0.9995, 1) < 0.2);
    assert_true(train_average_decay(0.9995, 1000000) == 0.9995);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_and_gradients),
        cmocka_unit_test(five_steps),
        cmocka_unit_test(one_step_by_hand),
        cmocka_unit_test(norm_and_clip),
        cmocka_unit_test(courses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
