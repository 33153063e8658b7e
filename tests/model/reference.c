/* The reference denoiser and the samplers' plans against what PyTorch computed. */
#include "base/memory.h"
#include "diffusion/sampler.h"
#include "goldens.h"
#include "model/model.h"
#include "model/reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static float *golden(const safetensors *file, const char *name, size_t *count) {
    const safetensors_tensor *tensor = safetensors_find(file, name);
    assert_non_null(tensor);
    size_t n = 1;
    for (int i = 0; i < tensor->dimensions; i++) n *= tensor->shape[i];
    float *data = base_alloc(n, sizeof *data);
    assert_non_null(data);
    assert_int_equal(safetensors_read_f32(file, name, data, n, NULL), LULL_OK);
    if (count) *count = n;
    return data;
}

/* [bands, n] as files keep a mel → n × bands. */
static float *transposed(float *mel, size_t bands, size_t n) {
    float *out = base_alloc(bands * n, sizeof *out);
    for (size_t b = 0; b < bands; b++)
        for (size_t f = 0; f < n; f++) out[f * bands + b] = mel[b * n + f];
    base_free(mel);
    return out;
}

static void expect_near(const char *what, const float *is, const float *should, size_t n,
                        double tolerance) {
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
        double error = fabs((double)is[i] - should[i]);
        if (!(error <= worst)) worst = error;
    }
    print_message("  %s: off by at most %.2g (allowed %.2g)\n", what, worst, tolerance);
    assert_true(worst <= tolerance);
}

static void expect_golden(const safetensors *file, const char *name, const float *is, size_t n,
                          double tolerance) {
    size_t count;
    float *should = golden(file, name, &count);
    assert_true(count >= n);
    expect_near(name, is, should, n, tolerance);
    base_free(should);
}

static safetensors *open_golden(const char *name) {
    safetensors *file = NULL;
    lull_error error;
    if (safetensors_open(golden_path(name), &file, &error)) fail_msg("%s", error.message);
    return file;
}

static void run_plan(const model_config *config, const model_parameters *parameters,
                     const diffusion_plan *plan, float *x, const float *mel, size_t n,
                     const float *const *noise) {
    size_t samples = n * (size_t)config->mel.hop;
    float *u = base_alloc(samples, sizeof *u), *carry = base_alloc(samples, sizeof *carry);
    for (int k = 0; k < plan->count; k++) {
        const diffusion_stage *stage = &plan->stages[k];
        assert_int_equal(model_reference_run(config, parameters, x, stage->t, mel, n, u, NULL),
                         LULL_OK);
        diffusion_stage_apply(stage, x, u, carry,
                              stage->noise_row < 0 ? NULL : noise[stage->noise_row], samples);
    }
    base_free(u);
    base_free(carry);
}

/* ---- DiffWave ---- */

static model_config small_diffwave(int layers, int channels, int cycle) {
    model_config config;
    model_config_diffwave(&config);
    config.layers = layers;
    config.channels = channels;
    for (int i = 0; i < layers; i++) config.look_ahead[i] = config.dilation[i] = 1 << (i % cycle);
    return config;
}

/* The checkpoint's weights come through tools/import_diffwave.py. */
static lull_model *import_small(char *folder) {
    char path[256], command[8192];
    lull_model *model = NULL;
    lull_error error;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/small.safetensors", folder);
    int length =
        snprintf(command, sizeof command, "python3 %s", source_path("tools/import_diffwave.py"));
    snprintf(command + length, sizeof command - (size_t)length, " --quiet %s %s",
             golden_path("diffwave_small.pt"), path);
    assert_int_equal(system(command), 0);
    if (lull_model_open(path, &model, &error)) fail_msg("%s", error.message);
    remove(path);
    remove(folder);
    return model;
}

static void diffwave(void **state) {
    (void)state;
    char folder[] = "/tmp/lull-test-XXXXXX";
    lull_model *model = import_small(folder);
    const model_config *config = &model->config;
    assert_int_equal(config->layers, 6);
    assert_int_equal(config->channels, 16);
    assert_int_equal(config->dilation[5], 4);
    assert_int_equal(config->look_ahead[5], 4);
    safetensors *file = open_golden("diffwave_small.safetensors");
    enum { FRAMES = 12, SAMPLES = FRAMES * 256, BANDS = 80, FIRST = 256 };
    float *mel = transposed(golden(file, "mel", NULL), BANDS, FRAMES), *x = golden(file, "x", NULL);
    float *u = base_alloc(SAMPLES, sizeof *u), *up = base_alloc(SAMPLES * BANDS, sizeof *up);

    assert_int_equal(model_reference_conditioner(config, model->parameters, mel, FRAMES, up, NULL),
                     LULL_OK);
    float *should = transposed(golden(file, "upsampled_first_frames", NULL), BANDS, FIRST);
    expect_near("upsampled_first_frames", up, should, FIRST * BANDS, 1e-4);
    base_free(should);

    const char *names[] = {"eps_t0", "eps_t7_3", "eps_t49"};
    const double times[] = {0, 7.3, 49};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            model_reference_run(config, model->parameters, x, times[i], mel, FRAMES, u, NULL),
            LULL_OK);
        expect_golden(file, names[i], u, SAMPLES, 1e-4);
    }

    /* The fast sampler: the file's noise[n−1] is added after step n = 5 … 1, ours is numbered as
     * drawn. */
    diffusion_plan *plan;
    assert_int_equal(diffusion_plan_new(config->sampler, config->objective, &config->schedule, 6, 0,
                                        &plan, NULL),
                     LULL_OK);
    float *noise = golden(file, "noise", NULL), *steps = golden(file, "T", NULL);
    const float *rows[6] = {NULL};
    for (int row = 1; row <= 5; row++) rows[row] = noise + (5 - row) * SAMPLES;
    for (int k = 0; k < 6; k++) assert_true(fabs(plan->stages[k].t - steps[5 - k]) < 2e-4);
    assert_int_equal(plan->noise_rows, 6);
    run_plan(config, model->parameters, plan, x, mel, FRAMES, rows);
    expect_golden(file, "fast", x, SAMPLES, 1e-3);

    diffusion_plan_free(plan);
    base_free(noise);
    base_free(steps);
    base_free(mel);
    base_free(x);
    base_free(u);
    base_free(up);
    safetensors_close(file);
    lull_model_close(model);
}

/* The training golden's losses, forward only: also checks what tests/goldens.h computes. */
static void diffwave_losses(void **state) {
    (void)state;
    model_config config = small_diffwave(4, 8, 2);
    model_parameters *parameters;
    assert_int_equal(model_parameters_new(&config, &parameters, NULL), LULL_OK);
    safetensors *file = open_golden("train_small.safetensors");
    for (size_t i = 0; i < parameters->tensor_count; i++) {
        const model_tensor *tensor = &parameters->tensors[i];
        char name[128];
        char own[MODEL_TENSOR_NAME];
        snprintf(name, sizeof name, "param.%s", model_tensor_name(tensor, own));
        assert_true(
            golden_train_tensor(file, name, parameters->data + tensor->offset, tensor->count));
    }
    enum { CROPS = 2, FRAMES = 6, SAMPLES = FRAMES * 256, BANDS = 80 };
    float *xt = golden(file, "xt", NULL), *eps = golden(file, "eps", NULL),
          *mel = golden(file, "mel", NULL);
    float u[SAMPLES], *l1 = golden(file, "loss.l1", NULL), *l2 = golden(file, "loss.l2", NULL);
    const int32_t *t = safetensors_find(file, "t")->data;
    double sum = 0, squares = 0;
    for (int crop = 0; crop < CROPS; crop++) {
        float *own = base_alloc(BANDS * FRAMES, sizeof *own);
        memcpy(own, mel + crop * BANDS * FRAMES, BANDS * FRAMES * sizeof *own);
        own = transposed(own, BANDS, FRAMES);
        int32_t step;
        memcpy(&step, (const char *)t + crop * 4, sizeof step);
        assert_int_equal(model_reference_run(&config, parameters, xt + crop * SAMPLES, step, own,
                                             FRAMES, u, NULL),
                         LULL_OK);
        for (int i = 0; i < SAMPLES; i++) {
            double error = (double)u[i] - eps[crop * SAMPLES + i];
            sum += fabs(error);
            squares += error * error;
        }
        base_free(own);
    }
    print_message("  losses %.7g %.7g, expected %.7g %.7g\n", sum / (CROPS * SAMPLES),
                  squares / (CROPS * SAMPLES), *l1, *l2);
    assert_true(fabs(sum / (CROPS * SAMPLES) / *l1 - 1) < 1e-5);
    assert_true(fabs(squares / (CROPS * SAMPLES) / *l2 - 1) < 1e-5);
    base_free(xt);
    base_free(eps);
    base_free(mel);
    base_free(l1);
    base_free(l2);
    safetensors_close(file);
    model_parameters_free(parameters);
}

/* ---- lull ---- */

typedef struct speech {
    lull_model *model;
    safetensors *file;
    float *mel;
} speech;

enum { BOOTSTRAP_FRAMES = 93, HOP = 256 };

static int open_speech(void **state) {
    speech *s = base_alloc(1, sizeof *s);
    lull_error error;
    if (lull_model_open(source_path("models/lull-bootstrap-16k.safetensors"), &s->model, &error))
        fail_msg("%s", error.message);
    s->file = open_golden("lull_bootstrap.safetensors");
    s->mel = transposed(golden(s->file, "mel", NULL), 80, BOOTSTRAP_FRAMES);
    *state = s;
    return 0;
}

static int close_speech(void **state) {
    speech *s = *state;
    lull_model_close(s->model);
    safetensors_close(s->file);
    base_free(s->mel);
    base_free(s);
    return 0;
}

static void lull_network(void **state) {
    speech *s = *state;
    const model_config *config = &s->model->config;
    const model_parameters *parameters = s->model->parameters;
    enum { SAMPLES = BOOTSTRAP_FRAMES * HOP, WIDE = 96 };
    float *u = base_alloc(SAMPLES, sizeof *u), *noise = golden(s->file, "noise", NULL);
    float *condition = base_alloc(BOOTSTRAP_FRAMES * WIDE, sizeof *condition);
    assert_int_equal(
        model_reference_conditioner(config, parameters, s->mel, BOOTSTRAP_FRAMES, condition, NULL),
        LULL_OK);
    expect_golden(s->file, "conditioner", condition, BOOTSTRAP_FRAMES * WIDE, 1e-4);
    model_reference_run(config, parameters, noise, 0, s->mel, BOOTSTRAP_FRAMES, u, NULL);
    expect_golden(s->file, "u_t0", u, SAMPLES, 1e-4);
    model_reference_run(config, parameters, noise, 0.5, s->mel, BOOTSTRAP_FRAMES, u, NULL);
    expect_golden(s->file, "u_t0_5", u, SAMPLES, 1e-4);
    base_free(condition);
    base_free(noise);
    base_free(u);
}

/* Six steps on the first 24 mel frames. What lies behind them reaches back 3 frames through the
 * conditioner and 12 patches a step through the network, so 16 frames are comparable. */
static void lull_sampling(void **state) {
    speech *s = *state;
    const model_config *config = &s->model->config;
    enum { STORED = 40 * HOP, FRAMES = 24, SAMPLES = FRAMES * HOP, COMPARABLE = 16 * HOP };
    float *rows = golden(s->file, "noise_rows", NULL), *x = base_alloc(SAMPLES, sizeof *x);
    const float *noise[6];
    for (int i = 0; i < 6; i++) noise[i] = rows + i * STORED;
    for (int eta = 0; eta <= 1; eta++) {
        diffusion_plan *plan;
        assert_int_equal(diffusion_plan_new(LULL_SAMPLER_DDIM, config->objective, &config->schedule,
                                            6, eta, &plan, NULL),
                         LULL_OK);
        memcpy(x, rows, SAMPLES * sizeof *x);
        run_plan(config, s->model->parameters, plan, x, s->mel, FRAMES, noise);
        expect_golden(s->file, eta ? "whitened_eta1" : "whitened", x, COMPARABLE, 1e-3);
        diffusion_plan_free(plan);
    }
    base_free(rows);
    base_free(x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(diffwave),
        cmocka_unit_test(diffwave_losses),
        cmocka_unit_test_setup_teardown(lull_network, open_speech, close_speech),
        cmocka_unit_test_setup_teardown(lull_sampling, open_speech, close_speech),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
