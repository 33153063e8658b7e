/* Fuzzing: the JSON configuration; what is accepted is printed and read again, and small networks
 * are run. */
#include "fuzz.h"

#include "vocoder/vocoder.h"

enum { SMALL = 20000, FRAMES = 3, BUDGET = 64 << 20 };

/* The linker sends base_alloc's callers here (--wrap): more than the budget is refused, as a
 * machine without that memory would. */
static size_t spent;
void *__real_base_alloc(size_t count, size_t size);
void *__wrap_base_alloc(size_t count, size_t size);
void *__wrap_base_alloc(size_t count, size_t size) {
    size_t product;
    if (__builtin_mul_overflow(count, size, &product) || product > BUDGET - spent) return NULL;
    spent += product;
    return __real_base_alloc(count, size);
}

static void run(lull_vocoder *vocoder, const model_config *config) {
    size_t bands = (size_t)config->mel.bands, accepted, produced, all = 0;
    float *frame = calloc(bands, sizeof *frame), samples[256];
    expect(frame);
    for (size_t b = 0; b < bands; b++) frame[b] = mel_convention_clips(&config->mel) ? 0.5f : -4.0f;
    lull_error error = {0};
    for (int f = 0; f < FRAMES; f++)
        expect(!lull_vocoder_push(vocoder, frame, 1, &accepted, &error) && accepted == 1);
    lull_vocoder_finish(vocoder);
    lull_status status = LULL_OK;
    while (!status && !lull_vocoder_ended(vocoder)) {
        status = lull_vocoder_pull(vocoder, samples, 256, &produced, &error);
        if (status) break;
        expect(produced > 0);
        for (size_t i = 0; i < produced; i++)
            expect(isfinite(samples[i]) && fabsf(samples[i]) <= 1);
        all += produced;
    }
    if (status)
        expect_told(status, &error);
    else
        expect(all == FRAMES * (size_t)config->mel.hop);
    free(frame);
}

/* A file of this configuration with weights: does the engine survive it? */
static void synthesize(const model_config *config) {
    lull_error error = {0};
    lull_model *model = base_alloc(1, sizeof *model);
    if (!model) return;
    model->config = *config;
    model->info.bands = config->mel.bands;
    model->info.hop = config->mel.hop;
    lull_vocoder *vocoder = NULL;
    lull_status status = model_parameters_new(config, &model->parameters, &error);
    if (!status) status = denoiser_shelf_new(&model->shelf, &error);
    if (!status) {
        model_parameters_initialize(model->parameters, 1);
        lull_options options;
        lull_options_init(&options);
        options.unchecked = 1; /* any frame for any convention */
        options.precision = LULL_PRECISION_F32;
        options.queue_frames = 8;
        options.refine = config->uses[LULL_LIVE].refine > 2 ? 2 : config->uses[LULL_LIVE].refine;
        options.steps = config->uses[LULL_LIVE].steps > 3 ? 3 : config->uses[LULL_LIVE].steps;
        status = lull_vocoder_new(model, &options, &vocoder, &error);
    }
    if (status)
        expect_told(status, &error);
    else
        run(vocoder, config);
    lull_vocoder_free(vocoder);
    lull_model_close(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1);
    expect(text);
    memcpy(text, data, size);
    text[size] = '\0';
    static model_config config, again;
    lull_error error = {0};
    spent = 0;
    lull_status status = model_config_parse(text, "it", &config, &error);
    free(text);
    if (status) {
        expect_told(status, &error);
        return 0;
    }
    expect(model_config_check(&config, "it", &error) == LULL_OK);
    char *printed = model_config_print(&config);
    expect(printed);
    status = model_config_parse(printed, "again", &again, &error);
    if (status) fprintf(stderr, "%s\n%s\n", error.message, printed);
    expect(!status);
    char *twice = model_config_print(&again);
    expect(twice && strcmp(printed, twice) == 0);
    base_free(printed);
    base_free(twice);
    if (model_parameters_total(&config) <= SMALL && config.mel.hop <= 2048) synthesize(&config);
    return 0;
}
