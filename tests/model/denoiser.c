/* The streaming denoiser against the one in plain loops, on odd shapes, for both families and
 * precisions; any cut of the signal must give the same bits. And the shipped model against what
 * PyTorch computed. */
#include "base/memory.h"
#include "base/random.h"
#include "goldens.h"
#include "model/denoiser.h"
#include "model/model.h"
#include "model/reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* ---- running a stream over a whole signal, in blocks of given sizes ---- */

typedef struct signal {
    const float *x, *mel;
    size_t frames; /* mel frames */
} signal;

/* Conditioning rows of the whole signal, or a ring of them that is filled only as far as the stream
 * says it must be, and drops rows as early as it says it may. */
typedef struct conditioning {
    denoiser_conditioner *conditioner;
    const signal *in;
    int bands;
    size_t pushed, width;
    float *fresh;
    denoiser_rows rows;
} conditioning;

static void push_one(conditioning *c) {
    const float *frame[1] = {c->pushed < c->in->frames ? c->in->mel + c->pushed * (size_t)c->bands
                                                       : NULL};
    int n = denoiser_conditioner_push(c->conditioner, frame, 1, c->fresh);
    c->pushed++;
    for (int i = 0; i < n; i++, c->rows.end++) {
        assert_true(c->rows.end - c->rows.first < c->rows.capacity);
        memcpy((float *)c->rows.rows + (size_t)(c->rows.end % c->rows.capacity) * c->width,
               c->fresh + (size_t)i * c->width, c->width * sizeof(float));
    }
}

static void fill_rows(conditioning *c, const denoiser_stream *stream, int n) {
    uint64_t all = c->in->frames * (size_t)denoiser_conditioner_rows_per_frame(c->conditioner);
    uint64_t needed = denoiser_stream_rows_needed(stream, n);
    c->rows.first = denoiser_stream_oldest_row(stream);
    while (c->rows.end < needed && c->rows.end < all) {
        push_one(c);
        /* Exactly as late as promised. */
        int lag = denoiser_conditioner_look_ahead(c->conditioner),
            per_frame = denoiser_conditioner_rows_per_frame(c->conditioner);
        int64_t complete = (int64_t)c->pushed - lag;
        assert_int_equal(c->rows.end, complete > 0 ? (uint64_t)complete * (uint64_t)per_frame : 0);
    }
    c->rows.ended = c->rows.end == all;
}

static void run_stream(const denoiser_weights *weights, const model_config *config, double t,
                       const signal *in, const int *blocks, int block_count, float *u) {
    lull_error error;
    denoiser_stream *stream;
    enum { MOST = 200 };
    if (denoiser_stream_new(weights, t, MOST, NULL, &stream, &error)) fail_msg("%s", error.message);
    conditioning c = {.in = in, .bands = config->mel.bands};
    assert_int_equal(denoiser_conditioner_new(weights, &c.conditioner, &error), LULL_OK);
    c.width = (size_t)denoiser_conditioner_width(c.conditioner);
    size_t per_frame = (size_t)denoiser_conditioner_rows_per_frame(c.conditioner);
    c.fresh = base_alloc(per_frame * c.width, sizeof(float));
    size_t total = in->frames * (size_t)model_config_frames_per_hop(config);
    c.rows.capacity = ((size_t)denoiser_stream_look_ahead(stream) + MOST) * per_frame /
                          (size_t)model_config_frames_per_hop(config) +
                      3 * per_frame + 2;
    float *ring = base_alloc(c.rows.capacity * c.width, sizeof *ring);
    c.rows.rows = ring;

    size_t fed = 0, got = 0, patch = (size_t)config->patch;
    size_t width = (size_t)model_config_input(config);
    for (int i = 0; got < total; i++) {
        int n = blocks[i % block_count];
        if (fed < total && (size_t)n > total - fed) n = (int)(total - fed);
        fill_rows(&c, stream, n);
        int real = denoiser_stream_run(stream, fed < total ? in->x + fed * width : NULL, n, &c.rows,
                                       u + got * patch);
        fed += (size_t)n;
        got += (size_t)real;
        /* u runs behind by the look-ahead and no more. */
        size_t delay = (size_t)denoiser_stream_look_ahead(stream);
        size_t expected = fed > delay ? fed - delay : 0;
        assert_int_equal(got, expected < total ? expected : total);
    }
    base_free(ring);
    base_free(c.fresh);
    denoiser_conditioner_free(c.conditioner);
    denoiser_stream_free(stream);
}

/* ---- comparing ---- */

static double worst_error(const float *a, const float *b, size_t n) {
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
        double error = fabs((double)a[i] - b[i]);
        if (!(error <= worst)) worst = error;
    }
    return worst;
}

static double snr(const float *is, const float *should, size_t n) {
    double signal = 0, noise = 1e-30;
    for (size_t i = 0; i < n; i++) {
        double error = (double)is[i] - should[i];
        signal += (double)should[i] * should[i];
        noise += error * error;
    }
    return 10 * log10(signal / noise);
}

static const int whole[] = {200}, odd[] = {1, 7, 49, 3, 2, 64, 200, 5}, single[] = {1};

static void expect_same_for_all_cuts(const denoiser_weights *weights, const model_config *config,
                                     double t, const signal *in, float *u, size_t samples) {
    float *other = base_alloc(samples, sizeof *other);
    run_stream(weights, config, t, in, whole, 1, u);
    run_stream(weights, config, t, in, odd, 8, other);
    assert_memory_equal(u, other, samples * sizeof *u);
    run_stream(weights, config, t, in, single, 1, other);
    assert_memory_equal(u, other, samples * sizeof *u);
    base_free(other);
}

static void fill(uint32_t stream, float *out, size_t n, float scale, float offset) {
    random_normal(7, stream, 0, out, n);
    for (size_t i = 0; i < n; i++) out[i] = out[i] * scale + offset;
}

static void check_config(const char *what, const model_config *config, double t, size_t frames) {
    lull_error error;
    if (model_config_check(config, what, &error)) fail_msg("%s", error.message);
    model_parameters *parameters;
    assert_int_equal(model_parameters_new(config, &parameters, &error), LULL_OK);
    model_parameters_initialize(parameters, 3);
    /* The last projection starts at zero: give it something to do. */
    fill(9, model_parameters_weight(parameters, MODEL_OUTPUT_PROJECTION, 0),
         (size_t)config->patch * (size_t)config->channels, 0.3f, 0);

    size_t samples = frames * (size_t)config->mel.hop, bands = (size_t)config->mel.bands;
    size_t values = samples / (size_t)config->patch * (size_t)model_config_input(config);
    float *x = base_alloc(values, sizeof *x), *mel = base_alloc(frames * bands, sizeof *mel);
    float *u = base_alloc(samples, sizeof *u), *should = base_alloc(samples, sizeof *should);
    fill(1, x, values, 1, 0);
    fill(2, mel, frames * bands, 2, config->family == MODEL_LULL ? -4 : 0);
    signal in = {x, mel, frames};
    assert_int_equal(model_reference_run(config, parameters, x, t, mel, frames, should, &error),
                     LULL_OK);
    double size = 0;
    for (size_t i = 0; i < samples; i++) size = fmax(size, fabs(should[i]));
    for (int half = 0; half < 2; half++) {
        denoiser_weights *weights;
        assert_int_equal(denoiser_weights_new(config, parameters, half, &weights, &error), LULL_OK);
        expect_same_for_all_cuts(weights, config, t, &in, u, samples);
        double worst = worst_error(u, should, samples), ratio = snr(u, should, samples);
        print_message("  %s, %s: off by at most %.2g of %.2g, SNR %.1f dB\n", what,
                      half ? "bf16" : "f32", worst, size, ratio);
        if (half)
            assert_true(ratio > 30);
        else
            assert_true(worst <= 1e-5 * size + 1e-6);
        denoiser_weights_free(weights);
    }
    base_free(x);
    base_free(mel);
    base_free(u);
    base_free(should);
    model_parameters_free(parameters);
}

static void lull_family(void **state) {
    (void)state;
    model_config config;
    model_config_default(&config);
    config.mel.bands = 11;
    config.channels = 13;
    config.layers = 5;
    config.embedding_hidden = 24;
    config.conditioner_channels = 9;
    config.mel.hop = 64;
    config.mel.n_fft = config.mel.window = 256;
    static const int dilation[] = {1, 4, 2, 16, 1}, ahead[] = {1, 0, 2, 1, 1};
    memcpy(config.dilation, dilation, sizeof dilation);
    memcpy(config.look_ahead, ahead, sizeof ahead);
    check_config("look-ahead 5 patches", &config, 0.3, 23);
    check_config("one mel frame", &config, 0.3, 1);
    memset(config.look_ahead, 0, sizeof config.look_ahead);
    config.conditioner_look_ahead = 0;
    check_config("causal", &config, 0.7, 9);
    config.mel.centred = true;
    config.patch = 64;
    check_config("centred mel, patch = hop", &config, 0, 40);
    config.kernel = 5;
    config.look_ahead[2] = 4;
    config.patch = 2;
    config.conditioner_look_ahead = 1;
    config.conditioner_layers = 3;
    check_config("5 taps", &config, 0, 7);
    config.source = true;
    check_config("with the source", &config, 0.4, 7);
}

static void diffwave_family(void **state) {
    (void)state;
    model_config config;
    model_config_diffwave(&config);
    config.layers = 4;
    config.channels = 9;
    config.mel.bands = 13;
    for (int i = 0; i < 4; i++) config.look_ahead[i] = config.dilation[i] = 1 << (2 * i);
    check_config("DiffWave", &config, 12.4, 5);
    check_config("DiffWave, one frame", &config, 49, 1);
}

/* ---- goldens ---- */

static float *golden(const safetensors *file, const char *name, size_t count) {
    float *data = base_alloc(count, sizeof *data);
    lull_error error;
    if (safetensors_read_f32(file, name, data, count, &error)) fail_msg("%s", error.message);
    return data;
}

static void shipped_model(void **state) {
    (void)state;
    enum { FRAMES = 93, SAMPLES = FRAMES * 256, BANDS = 80 };
    lull_error error;
    lull_model *model;
    if (lull_model_open(source_path("models/lull-bootstrap-16k.safetensors"), &model, &error))
        fail_msg("%s", error.message);
    safetensors *file;
    assert_int_equal(safetensors_open(golden_path("lull_bootstrap.safetensors"), &file, &error),
                     LULL_OK);
    float *bands_first = golden(file, "mel", FRAMES * BANDS), *x = golden(file, "noise", SAMPLES);
    float *mel = base_alloc(FRAMES * BANDS, sizeof *mel), *u = base_alloc(SAMPLES, sizeof *u);
    for (int f = 0; f < FRAMES; f++)
        for (int b = 0; b < BANDS; b++) mel[f * BANDS + b] = bands_first[b * FRAMES + f];
    signal in = {x, mel, FRAMES};
    for (int half = 0; half < 2; half++) {
        denoiser_weights *weights;
        assert_int_equal(
            denoiser_weights_new(&model->config, model->parameters, half, &weights, &error),
            LULL_OK);
        for (int i = 0; i < 2; i++) {
            const char *name = i ? "u_t0_5" : "u_t0";
            float *should = golden(file, name, SAMPLES);
            run_stream(weights, &model->config, i ? 0.5 : 0, &in, odd, 8, u);
            double worst = worst_error(u, should, SAMPLES), ratio = snr(u, should, SAMPLES);
            print_message("  %s, %s: off by at most %.2g, SNR %.1f dB\n", name,
                          half ? "bf16" : "f32", worst, ratio);
            if (half)
                assert_true(ratio > 30);
            else
                assert_true(worst <= 1e-4);
            base_free(should);
        }
        denoiser_weights_free(weights);
    }
    base_free(bands_first);
    base_free(mel);
    base_free(x);
    base_free(u);
    safetensors_close(file);
    lull_model_close(model);
}

/* Every allocation failing in turn is an error, not a crash. */
static void memory_out(void **state) {
    (void)state;
    model_config config;
    model_config_default(&config);
    config.layers = 2;
    config.channels = 8;
    lull_error error;
    model_parameters *parameters;
    assert_int_equal(model_parameters_new(&config, &parameters, &error), LULL_OK);
    int failures = 0;
    for (size_t n = 1;; n++) {
        denoiser_weights *weights = NULL;
        denoiser_stream *stream = NULL;
        denoiser_conditioner *conditioner = NULL;
        base_memory_fail_at(n);
        lull_status status = denoiser_weights_new(&config, parameters, n % 2, &weights, &error);
        if (!status) status = denoiser_stream_new(weights, 0.5, 64, NULL, &stream, &error);
        if (!status) status = denoiser_conditioner_new(weights, &conditioner, &error);
        base_memory_fail_at(0);
        denoiser_conditioner_free(conditioner);
        denoiser_stream_free(stream);
        denoiser_weights_free(weights);
        if (!status) break;
        assert_int_equal(status, LULL_NO_MEMORY);
        failures++;
    }
    assert_true(failures > 30);
    model_parameters_free(parameters);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lull_family),
        cmocka_unit_test(diffwave_family),
        cmocka_unit_test(shipped_model),
        cmocka_unit_test(memory_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
