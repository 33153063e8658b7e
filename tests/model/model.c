/* Model files: written, opened, described, and every way in which one can be broken. */
#include "base/memory.h"
#include "goldens.h"
#include "mel/frame_features.h"
#include "mel/low_band.h"
#include "model/bandwidth.h"
#include "model/embedding.h"
#include "model/model.h"
#include "model/pitch_network.h"
#include "model/spectrum_points.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

typedef struct folder {
    char path[64], file[128];
} folder;

static int make_folder(void **state) {
    folder *f = calloc(1, sizeof *f);
    strcpy(f->path, "/tmp/lull-test-XXXXXX");
    if (!mkdtemp(f->path)) return -1;
    snprintf(f->file, sizeof f->file, "%s/model.safetensors", f->path);
    *state = f;
    return 0;
}

static int remove_folder(void **state) {
    folder *f = *state;
    unlink(f->file);
    int failed = rmdir(f->path); /* nothing else may be left in it */
    free(f);
    return failed;
}

static model_config small_config(void) {
    model_config config;
    model_config_default(&config);
    strcpy(config.name, "small");
    strcpy(config.licence, "CC0-1.0");
    config.channels = 6;
    config.layers = 3;
    config.embedding_hidden = 20;
    config.conditioner_channels = 5;
    config.conditioner_layers = 2;
    return config;
}

static model_parameters *small_parameters(const model_config *config) {
    model_parameters *parameters = NULL;
    assert_int_equal(model_parameters_new(config, &parameters, NULL), LULL_OK);
    model_parameters_initialize(parameters, 11);
    return parameters;
}

/* ---- parameters ---- */

static void layout(void **state) {
    (void)state;
    model_config config = small_config();
    model_parameters *p = small_parameters(&config);
    assert_int_equal(p->total, model_parameters_total(&config));
    size_t end = 0, total = 0;
    for (size_t i = 0; i < p->tensor_count; i++) {
        const model_tensor *tensor = &p->tensors[i];
        assert_int_equal(tensor->offset % 16, 0);
        assert_true(tensor->offset >= end && tensor->offset < end + 16);
        for (; end < tensor->offset; end++) assert_true(p->data[end] == 0); /* padding */
        end = tensor->offset + tensor->count;
        total += tensor->count;
        size_t count = 1;
        for (int d = 0; d < tensor->dimensions; d++) count *= tensor->shape[d];
        assert_int_equal(count, tensor->count);
    }
    assert_int_equal(total, p->total);
    for (size_t i = 0; i < p->tensor_count; i++) { /* every one is found by what it is */
        const model_tensor *tensor = &p->tensors[i];
        assert_ptr_equal(tensor->bias
                             ? model_parameters_bias_tensor(p, tensor->role, tensor->index)
                             : model_parameters_weight_tensor(p, tensor->role, tensor->index),
                         tensor);
    }
    assert_ptr_equal(model_parameters_weight(p, MODEL_DILATED_CONVOLUTION, 0),
                     p->data + p->tensors[10].offset);
    model_parameters_free(p);
}

/* The shapes of the first shipped model are those of the file that PyTorch wrote. */
static void initial_values(void **state) {
    (void)state;
    model_config config;
    model_config_default(&config);
    config.conditioner_channels = 96;
    config.conditioner_layers = 2;
    model_parameters *p = small_parameters(&config), *twin = small_parameters(&config);
    assert_int_equal(p->total, 2095888);
    assert_memory_equal(p->data, twin->data, p->size * sizeof *p->data);
    model_parameters_initialize(twin, 12);
    assert_memory_not_equal(p->data, twin->data, p->size * sizeof *p->data);
    for (size_t i = 0; i < p->tensor_count; i++) {
        const model_tensor *tensor = &p->tensors[i];
        const float *data = p->data + tensor->offset;
        double squares = 0, largest = 0;
        for (size_t j = 0; j < tensor->count; j++) {
            squares += (double)data[j] * data[j];
            largest = fmax(largest, fabs(data[j]));
        }
        double deviation = sqrt(squares / (double)tensor->count);
        char name[MODEL_TENSOR_NAME];
        model_tensor_name(tensor, name);
        if (!strcmp(name, "output_projection.weight")) assert_true(largest == 0);
        if (!strcmp(name, "residual_layers.2.dilated_conv.weight")) /* Kaiming: √(2/(96·3)) */
            assert_true(fabs(deviation / sqrt(2.0 / 288) - 1) < 0.02);
        if (!strcmp(name, "diffusion_embedding.projection2.weight")) /* uniform in ±1/√512 */
            assert_true(largest <= 1 / sqrt(512) &&
                        fabs(deviation / sqrt(1.0 / 512 / 3) - 1) < 0.02);
        if (!strcmp(name, "residual_layers.2.dilated_conv.bias")) /* uniform in ±1/√288 */
            assert_true(largest <= 1 / sqrt(288) && largest > 0.9 / sqrt(288));
    }
    model_parameters_free(p);
    model_parameters_free(twin);
}

static void too_large(void **state) {
    (void)state;
    model_config config;
    model_parameters *parameters = NULL;
    lull_error error;
    model_config_default(&config);
    config.channels = 1024;
    config.layers = 128;
    config.kernel = 31;
    assert_int_equal(model_parameters_new(&config, &parameters, &error), LULL_UNSUPPORTED);
    assert_null(parameters);
    assert_non_null(strstr(error.message, "weights"));
}

/* ---- files ---- */

static void write_and_open(void **state) {
    folder *f = *state;
    model_config config = small_config();
    model_parameters *p = small_parameters(&config);
    for (int bf16 = 0; bf16 <= 1; bf16++) {
        lull_model *model = NULL;
        lull_error error;
        if (model_write(f->file, &config, p, "{\"steps\": 3}", bf16, &error))
            fail_msg("%s", error.message);
        if (lull_model_open(f->file, &model, &error)) fail_msg("%s", error.message);
        assert_string_equal(model->training_json, "{\"steps\": 3}");
        const lull_model_info *info = lull_model_get_info(model);
        assert_string_equal(info->name, "small");
        assert_string_equal(info->family, "lull");
        assert_string_equal(info->objective, "v");
        assert_string_equal(info->convention, "hifigan");
        assert_string_equal(info->licence, "CC0-1.0");
        assert_int_equal(info->sample_rate, 22050);
        assert_int_equal(info->bands, 80);
        assert_int_equal(info->hop, 256);
        assert_int_equal(info->n_fft, 1024);
        assert_int_equal(info->parameters, p->total);
        assert_int_equal(info->default_steps, config.uses[LULL_LIVE].steps);
        assert_int_equal(info->default_refine, config.uses[LULL_LIVE].refine);
        assert_int_equal(info->default_refine_window, config.uses[LULL_LIVE].refine_window);
        for (size_t i = 0; i < p->size; i++)
            assert_true(fabsf(model->parameters->data[i] - p->data[i]) <=
                        (bf16 ? fabsf(p->data[i]) / 256 : 0));
        lull_model_close(model);
    }
    model_parameters_free(p);
}

/* Operations of a second of audio, counted by hand for the default network: a patch costs 12 ×
 * (2C·C·3 for the convolution, 2C·C for the output, 4C for the conditioning) and 2·C·16 + C² at the
 * ends; six steps. */
static void operations(void **state) {
    (void)state;
    lull_model *model = NULL;
    assert_int_equal(
        lull_model_open(source_path("models/lull-bootstrap-16k.safetensors"), &model, NULL),
        LULL_OK);
    double c = 96, patch = 12 * (8 * c * c + 4 * c) + 2 * c * 16 + c * c;
    double mel_frame = 80 * c * 3 + c * c * 3 + 12 * 2 * c * c;
    double expected = 2 * (6 * patch * 1000 + mel_frame * 62.5);
    assert_true(fabs(lull_model_get_info(model)->flops_per_second / expected - 1) < 1e-9);
    lull_model_close(model);
}

/* … and of the networks over mel frames, each where the settings make use of it. */
static void operations_of_stacks(void **state) {
    (void)state;
    model_config config;
    model_config_default(&config);
    model_settings none = model_config_settings(&config, LULL_LIVE);
    none.refine_low = 0;
    const double bare = model_flops(&config, &none, 1), frames = 22050.0 / 256;
    config.postnet_channels = 3, config.postnet_layers = 1, config.postnet_patch = 1;
    const double bands = config.mel.bands, postnet = 3 * 3 * bands * (3 + 3 * 3 + 3);
    config.pitch_channels = 12, config.pitch_layers = 3;
    const double pitch = 3.0 * (MEL_FEATURES * 12 + 12 * 12 + 12 * PITCH_OUTPUTS);
    config.bandwidth_channels = config.bandwidth_layers = 1;
    const double bandwidth = 3.0 * MEL_FEATURES * BANDWIDTH_POINTS;
    config.spectrum_channels = 7, config.spectrum_layers = 2;
    const double spectrum = 3.0 * 7 * (MEL_FEATURES + SPECTRUM_OUTPUTS);
    model_settings all = none;
    all.postnet = true;
    all.refine_low = 4;
    double expected = bare + 2 * frames * (postnet + pitch + bandwidth + spectrum);
    assert_true(fabs(model_flops(&config, &all, 1) / expected - 1) < 1e-9);
    config.voiced = false;
    config.mel.fmax = 11025; /* nothing lies above */
    assert_true(fabs(model_flops(&config, &none, 1) / bare - 1) < 1e-9);
}

/* A model file with one thing changed by `change`. */
typedef struct tampered {
    model_config config;
    model_parameters *parameters;
    safetensors_entry entries[64];
    size_t count;
    char *json;
    const char *key;
} tampered;

static tampered start(void) {
    static char names[64][MODEL_TENSOR_NAME]; /* the entries point to them */
    tampered t = {.config = small_config(), .key = "lull"};
    t.parameters = small_parameters(&t.config);
    t.json = model_config_print(&t.config);
    for (; t.count < t.parameters->tensor_count; t.count++) {
        const model_tensor *tensor = &t.parameters->tensors[t.count];
        t.entries[t.count] = (safetensors_entry){.name = model_tensor_name(tensor, names[t.count]),
                                                 .dtype = SAFETENSORS_F32,
                                                 .dimensions = tensor->dimensions,
                                                 .data = t.parameters->data + tensor->offset};
        memcpy(t.entries[t.count].shape, tensor->shape, sizeof tensor->shape);
    }
    return t;
}

static void expect_refusal(folder *f, tampered *t, lull_status status, const char *says) {
    lull_model *model = NULL;
    lull_error error = {0};
    const char *keys[] = {t->key}, *values[] = {t->json};
    if (safetensors_write(f->file, t->entries, t->count, keys, values, 1, &error))
        fail_msg("%s", error.message);
    lull_status is = lull_model_open(f->file, &model, &error);
    if (is != status || !strstr(error.message, says) || !strstr(error.message, "model.safetensors"))
        fail_msg("gave %d '%s', expected %d '%s'", is, error.message, status, says);
    assert_null(model);
    model_parameters_free(t->parameters);
    base_free(t->json);
}

static void missing_tensor(void **state) {
    tampered t = start();
    memmove(t.entries + 12, t.entries + 13, (t.count - 13) * sizeof *t.entries);
    t.count--;
    expect_refusal(*state, &t, LULL_FORMAT,
                   "residual_layers.0.diffusion_projection.weight is missing");
}

static void unknown_tensor(void **state) {
    tampered t = start();
    t.entries[t.count] = t.entries[1];
    t.entries[t.count++].name = "residual_layers.3.extra.bias";
    expect_refusal(*state, &t, LULL_FORMAT, "residual_layers.3.extra.bias is not of this model");
}

static void wrong_shape(void **state) {
    tampered t = start();
    size_t *shape = t.entries[0].shape; /* the same number of weights, turned */
    size_t first = shape[0];
    shape[0] = shape[1], shape[1] = first;
    expect_refusal(*state, &t, LULL_FORMAT, "input_projection.weight has shape [16, 6, 1]");
    t = start();
    t.entries[1].shape[0] = 5;
    expect_refusal(*state, &t, LULL_FORMAT, "input_projection.bias has shape [5]");
    t = start();
    t.entries[1].dimensions = 2;
    t.entries[1].shape[1] = 1;
    expect_refusal(*state, &t, LULL_FORMAT, "its configuration demands [6]");
}

static void not_finite(void **state) {
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        tampered t = start();
        model_parameters_weight(t.parameters, MODEL_SKIP_PROJECTION, 0)[7] = bad[i];
        expect_refusal(*state, &t, LULL_FORMAT,
                       "skip_projection.weight holds NaN or infinity at element 7");
    }
}

static void wrong_dtype(void **state) {
    tampered t = start();
    t.entries[1].dtype = SAFETENSORS_U8;
    expect_refusal(*state, &t, LULL_FORMAT, "input_projection.bias");
}

static void wrong_metadata(void **state) {
    tampered t = start();
    t.key = "other";
    expect_refusal(*state, &t, LULL_FORMAT, "import_diffwave.py");
    t = start();
    *strstr(t.json, "\"format\": 1") = 'x'; /* no JSON any more */
    expect_refusal(*state, &t, LULL_FORMAT, "not valid JSON");
    t = start();
    strstr(t.json, "\"format\": 1")[10] = '2';
    expect_refusal(*state, &t, LULL_UNSUPPORTED, "reads format 1");
}

/* Well-formed, but not a network: the file is at fault. */
static void impossible_configuration(void **state) {
    tampered t = start();
    t.config.patch = 15;
    base_free(t.json);
    t.json = model_config_print(&t.config);
    expect_refusal(*state, &t, LULL_FORMAT, "does not divide the hop");
}

/* A configuration that asks for far more than the file has is refused before anything is allocated
 * for it. */
static void huge_configuration(void **state) {
    tampered t = start();
    t.config.channels = 1000;
    t.config.layers = 100;
    for (int i = 0; i < 100; i++) t.config.dilation[i] = t.config.look_ahead[i] = 1;
    base_free(t.json);
    t.json = model_config_print(&t.config);
    expect_refusal(*state, &t, LULL_FORMAT, "more than the file's tensors can hold");
}

static void truncated(void **state) {
    folder *f = *state;
    model_config config = small_config();
    model_parameters *p = small_parameters(&config);
    assert_int_equal(model_write(f->file, &config, p, NULL, false, NULL), LULL_OK);
    model_parameters_free(p);
    struct stat info;
    assert_int_equal(stat(f->file, &info), 0);
    char *bytes = malloc((size_t)info.st_size);
    FILE *file = fopen(f->file, "rb");
    assert_int_equal(fread(bytes, 1, (size_t)info.st_size, file), info.st_size);
    fclose(file);
    lull_model *model = NULL;
    lull_error error = {0};
    assert_int_equal(lull_model_open_memory(bytes, (size_t)info.st_size, "whole", &model, &error),
                     LULL_OK);
    memset(bytes, 0, (size_t)info.st_size); /* it keeps no pointer */
    assert_true(*model_parameters_weight(model->parameters, MODEL_INPUT_PROJECTION, 0) != 0);
    lull_model_close(model);
    free(bytes);
    for (off_t size = info.st_size - 1; size > 0; size = size * 3 / 4) {
        assert_int_equal(truncate(f->file, size), 0);
        assert_int_equal(lull_model_open(f->file, &model, &error), LULL_FORMAT);
        assert_null(model);
    }
    assert_int_equal(truncate(f->file, 0), 0);
    assert_int_equal(lull_model_open(f->file, &model, &error), LULL_FORMAT);
}

static void no_file(void **state) {
    folder *f = *state;
    lull_model *model = NULL;
    lull_error error = {0};
    assert_int_equal(lull_model_open(f->file, &model, &error), LULL_IO);
    assert_non_null(strstr(error.message, f->file));
    assert_int_not_equal(lull_model_open(f->path, &model, &error), LULL_OK);
    assert_int_equal(lull_model_open(NULL, &model, &error), LULL_INVALID);
    assert_int_equal(lull_model_open_memory(NULL, 0, NULL, &model, &error), LULL_INVALID);
    lull_model_close(NULL);
}

static void every_allocation_may_fail(void **state) {
    folder *f = *state;
    model_config config = small_config();
    model_parameters *p = small_parameters(&config);
    assert_int_equal(model_write(f->file, &config, p, NULL, false, NULL), LULL_OK);
    model_parameters_free(p);
    lull_model *model = NULL;
    size_t n = 0;
    lull_status status;
    do {
        base_memory_fail_at(++n);
        status = lull_model_open(f->file, &model, NULL);
        base_memory_fail_at(0);
        assert_true(status == LULL_OK || (status == LULL_NO_MEMORY && !model));
    } while (status);
    assert_true(n > 3 && n < 1000);
    lull_model_close(model);
}

/* A pitch network alone: written, opened, described; it has no mel and no operations of a denoiser. */
static void pitch_alone(void **state) {
    const folder *f = *state;
    model_config config;
    model_config_pitch(&config);
    config.pitch_channels = 12;
    config.pitch_layers = 3;
    model_parameters *p = small_parameters(&config);
    assert_int_equal(p->tensor_count, 6);
    for (size_t i = 0; i < p->tensor_count; i++) assert_int_equal(p->tensors[i].part, MODEL_PITCH);
    assert_int_equal(model_write(f->file, &config, p, NULL, true, NULL), LULL_OK);
    lull_model *model = NULL;
    lull_error error;
    assert_int_equal(lull_model_open(f->file, &model, &error), LULL_OK);
    const lull_model_info *info = lull_model_get_info(model);
    assert_string_equal(info->family, "pitch");
    assert_string_equal(info->convention, "");
    assert_int_equal(info->parameters, p->total);
    assert_true(info->flops_per_second == 0);
    lull_model_close(model);
    model_parameters_free(p);
}

#define FILE_TEST(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout),
        cmocka_unit_test(initial_values),
        cmocka_unit_test(too_large),
        cmocka_unit_test(operations),
        cmocka_unit_test(operations_of_stacks),
        FILE_TEST(write_and_open),
        FILE_TEST(missing_tensor),
        FILE_TEST(unknown_tensor),
        FILE_TEST(wrong_shape),
        FILE_TEST(not_finite),
        FILE_TEST(wrong_dtype),
        FILE_TEST(wrong_metadata),
        FILE_TEST(impossible_configuration),
        FILE_TEST(huge_configuration),
        FILE_TEST(truncated),
        FILE_TEST(no_file),
        FILE_TEST(every_allocation_may_fail),
        FILE_TEST(pitch_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
