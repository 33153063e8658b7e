/* The whole engine against what PyTorch computed: the shipped model's whitened signal and speech,
 * and DiffWave's six fast steps. */
#include "models.h"

static float *golden(const safetensors *file, const char *name, size_t count) {
    float *data = base_alloc(count, sizeof *data);
    lull_error error;
    if (safetensors_read_f32(file, name, data, count, &error))
        fail_msg("%s: %s", name, error.message);
    return data;
}

static safetensors *open_golden(const char *name) {
    lull_error error;
    safetensors *file = NULL;
    if (safetensors_open(golden_path(name), &file, &error)) fail_msg("%s", error.message);
    return file;
}

/* [bands, n] as files keep a mel → n × bands. */
static float *golden_mel(const safetensors *file, size_t bands, size_t n) {
    float *in = golden(file, "mel", bands * n), *out = base_alloc(bands * n, sizeof *out);
    for (size_t b = 0; b < bands; b++)
        for (size_t f = 0; f < n; f++) out[f * bands + b] = in[b * n + f];
    base_free(in);
    return out;
}

static void expect_near(const char *what, const float *is, const float *should, size_t n,
                        double tolerance) {
    double worst = worst_error(is, should, n);
    print_message("  %s: off by at most %.2g (allowed %.2g)\n", what, worst, tolerance);
    assert_true(worst <= tolerance);
}

typedef struct traced {
    int stage; /* which one is wanted */
    float *signal;
    uint64_t next;
} traced;

static void keep_trace(void *context, int stage, double t, uint64_t first, const float *x,
                       const float *x0, size_t n) {
    traced *kept = context;
    (void)t;
    (void)x0;
    if (stage != kept->stage) return;
    assert_int_equal(first, kept->next);
    memcpy(kept->signal + first, x, n * sizeof *x);
    kept->next += n;
}

enum { BANDS = 80, HOP = 256, FRAMES = 93, KEPT = 40 };

typedef struct run {
    float eta;
    int refine, window;
    const float *noise;
    size_t rows, frames;
    lull_precision precision;
} run;

/* Speech, and the signal before it was coloured. */
static void run_shipped(const lull_model *model, const float *mel, const run *r, float *whitened,
                        float *audio) {
    lull_options options;
    lull_error error;
    lull_vocoder *vocoder = NULL;
    lull_options_init(&options);
    options.steps = 6;
    options.sampler = LULL_SAMPLER_DDIM;
    options.eta = r->eta;
    options.refine = r->refine;
    options.refine_window = r->window;
    options.precision = r->precision;
    if (lull_vocoder_new(model, &options, &vocoder, &error)) fail_msg("%s", error.message);
    if (vocoder_set_noise(vocoder, r->noise, r->rows, r->frames * HOP, &error))
        fail_msg("%s", error.message);
    traced kept = {vocoder_stages(vocoder), whitened, 0};
    vocoder_trace trace = {keep_trace, &kept};
    vocoder_set_trace(vocoder, &trace);
    synthesize(vocoder, &model->config.mel, mel, r->frames, 5, 1000, audio);
    assert_int_equal(kept.next, r->frames * HOP);
    lull_vocoder_free(vocoder);
}

static void shipped_model(void **state) {
    (void)state;
    lull_model *model = open_model("models/lull-bootstrap-16k.safetensors");
    safetensors *file = open_golden("lull_bootstrap.safetensors");
    float *mel = golden_mel(file, BANDS, FRAMES), *start = golden(file, "noise", FRAMES * HOP);
    float *rows = golden(file, "noise_rows", 6 * KEPT * HOP);
    float *whitened = base_alloc(FRAMES * HOP, sizeof *whitened),
          *audio = base_alloc(FRAMES * HOP, sizeof *audio);

    float *should = golden(file, "whitened", KEPT * HOP);
    run r = {0, 0, 0, start, 1, FRAMES, LULL_PRECISION_F32};
    run_shipped(model, mel, &r, whitened, audio);
    expect_near("whitened, eta 0", whitened, should, KEPT * HOP, 1e-3);
    r.precision = LULL_PRECISION_BF16;
    run_shipped(model, mel, &r, whitened, audio);
    print_message("  whitened, eta 0, bf16: SNR %.1f dB\n",
                  signal_to_noise(whitened, should, KEPT * HOP));
    assert_true(signal_to_noise(whitened, should, KEPT * HOP) > 20);
    base_free(should);

    /* Computed on the whole utterance and kept up to frame 40: compared before the missing future's
     * reach, six steps of 12 patches, 2.5 mel frames of the conditioner, and the window. */
    size_t heard = KEPT * HOP - 6 * 12 * 16 - 640, spoken = heard - 2 * 1024;
    run eta1 = {1, 0, 0, rows, 6, KEPT, LULL_PRECISION_F32};
    run_shipped(model, mel, &eta1, whitened, audio);
    should = golden(file, "whitened_eta1", KEPT * HOP);
    expect_near("whitened, eta 1", whitened, should, heard, 1e-3);
    base_free(should);
    should = golden(file, "audio_eta1", KEPT * HOP);
    expect_near("audio, eta 1", audio, should, spoken, 1e-3);
    base_free(should);

    eta1.refine = 8;
    eta1.window = 3;
    run_shipped(model, mel, &eta1, whitened, audio);
    should = golden(file, "refined_window3_8", KEPT * HOP);
    /* That opened its frames with windowed speech, not with the colouring filter's own frames:
     * near, not equal (tests/mel compares the iteration itself). */
    double ratio = signal_to_noise(audio, should, spoken - 4 * 1024);
    print_message("  refined: SNR %.1f dB\n", ratio);
    assert_true(ratio > 15);
    base_free(should);

    base_free(mel);
    base_free(start);
    base_free(rows);
    base_free(whitened);
    base_free(audio);
    safetensors_close(file);
    lull_model_close(model);
}

/* The checkpoint's weights come through tools/import_diffwave.py. */
static lull_model *import_small(void) {
    char folder[] = "/tmp/lull-test-XXXXXX", path[256], command[8192];
    lull_model *model = NULL;
    lull_error error;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/small.safetensors", folder);
    int length =
        snprintf(command, sizeof command, "python3 '%s'", source_path("tools/import_diffwave.py"));
    snprintf(command + length, sizeof command - (size_t)length, " --quiet '%s' %s",
             golden_path("diffwave_small.pt"), path);
    assert_int_equal(system(command), 0);
    if (lull_model_open(path, &model, &error)) fail_msg("%s", error.message);
    remove(path);
    remove(folder);
    return model;
}

static void diffwave_fast(void **state) {
    (void)state;
    enum { SHORT = 12, SAMPLES = SHORT * HOP };
    lull_model *model = import_small();
    safetensors *file = open_golden("diffwave_small.safetensors");
    float *mel = golden_mel(file, BANDS, SHORT), *should = golden(file, "fast", SAMPLES);
    float *x = golden(file, "x", SAMPLES), *given = golden(file, "noise", 5 * SAMPLES);
    float *noise = base_alloc(6 * SAMPLES, sizeof *noise),
          *audio = base_alloc(SAMPLES, sizeof *audio);
    float *last = base_alloc(SAMPLES, sizeof *last);
    /* The file's noise[n−1] is added after step n = 5 … 1; ours is numbered as drawn. */
    memcpy(noise, x, SAMPLES * sizeof *x);
    for (int k = 1; k < 6; k++)
        memcpy(noise + k * SAMPLES, given + (5 - k) * SAMPLES, SAMPLES * sizeof *x);

    for (int threads = 1; threads <= 2; threads++) {
        lull_options options;
        lull_error error;
        lull_vocoder *vocoder = NULL;
        lull_options_init(&options);
        options.sampler = LULL_SAMPLER_FAST;
        options.steps = 6;
        options.refine = 0;
        options.threads = threads;
        options.precision = LULL_PRECISION_F32;
        if (lull_vocoder_new(model, &options, &vocoder, &error)) fail_msg("%s", error.message);
        if (vocoder_set_noise(vocoder, noise, 6, SAMPLES, &error)) fail_msg("%s", error.message);
        traced kept = {vocoder_stages(vocoder), last, 0};
        vocoder_trace trace = {keep_trace, &kept};
        vocoder_set_trace(vocoder, &trace);
        synthesize(vocoder, &model->config.mel, mel, SHORT, 1, 333, audio);
        expect_near("DiffWave, fast", last, should, SAMPLES, 1e-3);
        /* The limiter bends what is nearly full scale. */
        for (int i = 0; i < SAMPLES; i++)
            if (fabsf(should[i]) < 0.97f) assert_true(fabs(audio[i] - should[i]) <= 1e-3);
        lull_vocoder_free(vocoder);
    }
    base_free(mel);
    base_free(should);
    base_free(x);
    base_free(given);
    base_free(noise);
    base_free(audio);
    base_free(last);
    safetensors_close(file);
    lull_model_close(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shipped_model),
        cmocka_unit_test(diffwave_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
