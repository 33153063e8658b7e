/* lull bench train: audio seconds a second, GFLOP/s and where the time of a training step goes. */
#include "cli/bench.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/clock.h"
#include "base/random.h"
#include "cli/options.h"
#include "io/file_bytes.h"
#include "gradient/engine.h"
#include "nn/kernels.h"

#include <stdio.h>
#include <string.h>

enum { WARM_UP_STEPS = 2 };

static const char *const PRESETS[] = {"lull", "diffwave", NULL};

typedef struct bench_settings {
    const char *config;
    int preset, precision, threads, batch, crop_frames;
    double seconds;
    bool json;
} bench_settings;

typedef struct bench_result {
    double step_seconds, audio_seconds, gflops, weights, bytes;
    int steps;
    gradient_engine_times times;
    const char *kernels;
} bench_result;

typedef struct batch_memory {
    model_parameters *parameters;
    float *x, *mel, *gradient;
    double *t, *losses;
    size_t samples; /* of a crop */
} batch_memory;

static double squared_loss(void *context, int crop, const float *u, float *du) {
    const batch_memory *memory = context;
    double sum = 0;
    (void)crop;
    for (size_t i = 0; i < memory->samples; i++) {
        sum += 0.5 * u[i] * u[i];
        du[i] = u[i];
    }
    return sum;
}

static void batch_free(batch_memory *memory) {
    model_parameters_free(memory->parameters);
    base_free(memory->x);
    base_free(memory->mel);
    base_free(memory->gradient);
    base_free(memory->t);
    base_free(memory->losses);
}

static lull_status batch_new(const model_config *config, const bench_settings *settings,
                             batch_memory *memory, lull_error *error) {
    size_t crops = (size_t)settings->batch;
    size_t margins = 2 * (size_t)gradient_engine_margin(config);
    size_t mel_frames = (size_t)settings->crop_frames + margins;
    size_t mel_floats = crops * mel_frames * (size_t)config->mel.bands;
    memory->samples = (size_t)settings->crop_frames * (size_t)config->mel.hop;
    lull_status status = model_parameters_new(config, &memory->parameters, error);
    if (status != LULL_OK) return status;
    model_parameters_initialize(memory->parameters, 0);
    memory->x = base_alloc(crops * memory->samples, sizeof(float));
    memory->mel = base_alloc(mel_floats, sizeof(float));
    memory->gradient = base_alloc(memory->parameters->size, sizeof(float));
    memory->t = base_alloc(crops, sizeof(double));
    memory->losses = base_alloc(crops, sizeof(double));
    if (!memory->x || !memory->mel || !memory->gradient || !memory->t || !memory->losses)
        return base_no_memory(error);
    random_normal(0, 0, 0, memory->x, crops * memory->samples);
    random_normal(0, 1, 0, memory->mel, mel_floats);
    for (size_t i = 0; i < crops; i++) memory->t[i] = (double)i / (double)crops;
    return LULL_OK;
}

static lull_status measure(const model_config *config, const bench_settings *settings,
                           bench_result *result, lull_error *error) {
    batch_memory memory = {0};
    thread_pool *pool = NULL;
    gradient_engine *engine = NULL;
    lull_status status = thread_pool_new(settings->threads, &pool, error);
    if (status == LULL_OK) status = batch_new(config, settings, &memory, error);
    if (status == LULL_OK)
        status = gradient_engine_new(config, settings->batch, settings->crop_frames,
                                     settings->precision == 1, pool, &engine, error);
    if (status != LULL_OK) goto done;
    gradient_engine_batch batch = {settings->batch, memory.x, memory.t, memory.mel, memory.x};
    double started = 0, now = 0;
    int steps = -WARM_UP_STEPS;
    do {
        if (steps == 0) {
            gradient_engine_time(engine, true);
            started = base_now();
        }
        gradient_engine_run(engine, memory.parameters, &batch, squared_loss, &memory, memory.losses,
                            memory.gradient);
        steps++;
        now = base_now();
    } while (steps < 1 || now - started < settings->seconds);
    result->steps = steps;
    result->step_seconds = (now - started) / steps;
    result->audio_seconds = settings->batch * (double)memory.samples / config->mel.sample_rate;
    result->gflops = settings->batch * gradient_engine_flops(engine) / result->step_seconds * 1e-9;
    result->weights = (double)memory.parameters->total;
    result->bytes = (double)gradient_engine_bytes(engine);
    result->times = gradient_engine_get_times(engine);
    result->kernels = nn_kernels_get()->name;
done:
    gradient_engine_free(engine);
    batch_free(&memory);
    thread_pool_free(pool);
    return status;
}

/* Name and seconds of every part, in order; returns their number. */
static int parts(const bench_result *result, const char **names, double *seconds) {
    const gradient_engine_times *t = &result->times;
    double timed = t->products + t->outers + t->gates + t->pairs;
    const char *all_names[] = {"products",     "weight gradients", "gates",          "row pairs",
                               "other passes", "packing",          "step embedding", "gathering"};
    double all[] = {t->products,      t->outers,  t->gates,     t->pairs,
                    t->total - timed, t->packing, t->embedding, t->gathering};
    int count = (int)(sizeof all / sizeof all[0]);
    for (int i = 0; i < count; i++) {
        names[i] = all_names[i];
        seconds[i] = all[i];
    }
    return count;
}

static int print_json(const bench_settings *settings, const bench_result *result) {
    const char *names[8];
    double seconds[8];
    json_writer json = json_writer_new();
    yyjson_mut_val *root = json.root;
    json_add_text(&json, root, "kernels", result->kernels);
    json_add_text(&json, root, "precision", cli_precision_choices[settings->precision + 1]);
    json_add_number(&json, root, "threads", settings->threads);
    json_add_number(&json, root, "batch", settings->batch);
    json_add_number(&json, root, "crop_frames", settings->crop_frames);
    json_add_number(&json, root, "steps", result->steps);
    json_add_number(&json, root, "weights", result->weights);
    json_add_number(&json, root, "memory_bytes", result->bytes);
    json_add_number(&json, root, "seconds_per_step", result->step_seconds);
    json_add_number(&json, root, "audio_seconds_per_second",
                    result->audio_seconds / result->step_seconds);
    json_add_number(&json, root, "gflops", result->gflops);
    yyjson_mut_val *object = json_add_object(&json, root, "seconds");
    int count = parts(result, names, seconds);
    for (int i = 0; i < count; i++) json_add_number(&json, object, names[i], seconds[i]);
    return cli_print_json(&json);
}

static int print_text(const bench_settings *settings, const bench_result *result) {
    const char *names[8];
    double seconds[8], all = 0;
    printf("  %.2f million weights, kernels %s, %s, %d thread%s, batch of %d × %d frames\n",
           result->weights / 1e6, result->kernels, cli_precision_choices[settings->precision + 1],
           settings->threads, settings->threads == 1 ? "" : "s", settings->batch,
           settings->crop_frames);
    printf("  %.1f ms a step, %.1f audio seconds a second, %.0f GFLOP/s, %.0f MB\n",
           result->step_seconds * 1e3, result->audio_seconds / result->step_seconds, result->gflops,
           result->bytes / 1e6);
    int count = parts(result, names, seconds);
    for (int i = 0; i < count; i++) all += seconds[i];
    for (int i = 0; i < count; i++) printf("  %-18s%5.1f %%\n", names[i], 100 * seconds[i] / all);
    return cli_finish_stdout();
}

static lull_status read_config(const char *path, model_config *config, lull_error *error) {
    file_bytes bytes = {0};
    lull_status status = file_bytes_read(path, &bytes, error);
    if (status != LULL_OK) return status;
    yyjson_doc *tree = NULL;
    status = json_parse(bytes.data, bytes.size, path, &tree, error);
    if (!status) status = model_config_read(yyjson_doc_get_root(tree), path, config, error);
    yyjson_doc_free(tree);
    file_bytes_free(&bytes);
    return status;
}

int bench_train(int argc, char **argv) {
    bench_settings settings = {NULL, 0, 0, 1, 8, 64, 3, false};
    int first = 0, code = CLI_OK;
    settings.precision = nn_kernels_get()->bf16_native ? 1 : 0;
    const cli_option options[] = {
        CLI_CHOICE(0, "preset", NULL, &settings.preset, PRESETS, "the network"),
        CLI_TEXT('c', "config", "FILE", &settings.config, "a model's JSON in place of a preset"),
        CLI_CHOICE('p', "precision", NULL, &settings.precision, cli_precision_choices + 1,
                   "of the products (default: the faster)"),
        CLI_INT('t', "threads", "N", &settings.threads, 1, 256, "threads (default 1)"),
        CLI_INT('b', "batch", "N", &settings.batch, 1, 4096, "crops in a step (default 8)"),
        CLI_INT(0, "crop-frames", "N", &settings.crop_frames, 1, 100000,
                "mel frames in a crop (default 64)"),
        CLI_NUMBER(0, "seconds", "X", &settings.seconds, 0.0, 3600.0,
                   "how long to measure (default 3)"),
        CLI_FLAG('j', "json", &settings.json, "print JSON"),
        CLI_END};
    const cli_command_line line = {"bench train",
                                   "[OPTIONS]",
                                   "Measures forward and backward passes on random crops.",
                                   NULL,
                                   options,
                                   0,
                                   0};
    if (!cli_parse(&line, argc, argv, &first, &code)) return code;

    lull_error error = {LULL_OK, ""};
    lull_status status = LULL_OK;
    model_config config;
    bench_result result = {0};
    if (settings.config != NULL) {
        status = read_config(settings.config, &config, &error);
    } else if (settings.preset == 1) {
        model_config_diffwave(&config);
    } else {
        model_config_default(&config);
    }
    if (status == LULL_OK) status = measure(&config, &settings, &result, &error);
    if (status != LULL_OK) return cli_fail(&error);
    return settings.json ? print_json(&settings, &result) : print_text(&settings, &result);
}
