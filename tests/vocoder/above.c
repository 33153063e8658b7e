/* What lies above the mel in the engine: it is added to what is made without it, above fmax alone,
 * with the same latency; however frames and samples are cut, on any number of threads. */
#include "models.h"

enum { FRAMES = 41 };

static lull_model *whole_model(bool pitch, bool reads_source) {
    model_config config = small_lull();
    model_config_add_bandwidth(&config);
    if (pitch) {
        config.pitch_channels = 8;
        config.pitch_layers = 3;
        config.pitch_look_ahead = 1;
        config.voiced = true;
        config.source = reads_source;
    }
    lull_model *model = random_model(&config);
    const int last = config.bandwidth_layers - 1;
    normal(11, model_parameters_weight(model->parameters, MODEL_BANDWIDTH_CONVOLUTION, last), 1000,
           0.05f, 0);
    return model;
}

static lull_options some_options(lull_bandwidth bandwidth) {
    lull_options options;
    lull_options_init(&options);
    options.seed = 5;
    options.steps = 2;
    options.refine = 2;
    options.refine_window = 2;
    options.bandwidth = bandwidth;
    return options;
}

/* Energy of x below and above hz. */
static void energies(const float *x, size_t n, int rate, double hz, double *below, double *above) {
    *below = *above = 0;
    for (int k = 1; k < 400; k++) { /* a coarse look: 400 frequencies */
        const double f = 0.5 * k / 400;
        double re = 0, im = 0;
        for (size_t i = 0; i < n; i++) {
            const double hann = 0.5 - 0.5 * cos(2 * M_PI * (double)i / (double)n);
            re += hann * x[i] * cos(2 * M_PI * f * (double)i);
            im += hann * x[i] * sin(2 * M_PI * f * (double)i);
        }
        *(f * rate < hz ? below : above) += re * re + im * im;
    }
}

static const char *const open_names[] = {"hifigan-22k", "cosyvoice2-24k", "parallelwavegan-24k"};

static void is_added_above_fmax(void **state) {
    (void)state;
    for (int i = 0; i < 8; i++) {
        const mel_convention convention = named(open_names[i % 3]);
        model_config bare = small_lull();
        bare.full_bandwidth = true;
        lull_model *model = i == 6   ? random_model(&bare)
                            : i == 7 ? NULL
                                     : whole_model(i >= 3, i == 4);
        const size_t samples = FRAMES * (size_t)convention.hop;
        float *mel = random_mel(&convention, FRAMES);
        float *a = base_alloc(samples, sizeof *a), *b = base_alloc(samples, sizeof *b);
        lull_options options = some_options(LULL_BANDWIDTH_MEL);
        lull_vocoder *without = vocoder_of(model, &convention, &options);
        /* The default is full where the model has the network, or says so. */
        options.bandwidth = i < 7 ? LULL_BANDWIDTH_DEFAULT : LULL_BANDWIDTH_FULL;
        lull_vocoder *with = vocoder_of(model, &convention, &options);
        assert_int_equal(lull_vocoder_latency(with), lull_vocoder_latency(without));
        synthesize(without, &convention, mel, FRAMES, 7, 300, a);
        synthesize(with, &convention, mel, FRAMES, 7, 300, b);
        for (size_t j = 0; j < samples; j++) b[j] -= a[j];
        double below, above, mel_below, mel_above;
        energies(b, samples, convention.sample_rate, convention.fmax - 150, &below, &above);
        energies(a, samples, convention.sample_rate, convention.fmax + 400, &mel_below, &mel_above);
        print_message("    %s: added %.1f dB below, %.1f above; of the mel's own %.1f above\n",
                      open_names[i % 3], 10 * log10(below), 10 * log10(above),
                      10 * log10(mel_above));
        assert_true(above > 1e4 * below && above > 100 * mel_above && above > 0);
        lull_vocoder_free(with);
        lull_vocoder_free(without);
        lull_model_close(model);
        base_free(mel);
        base_free(a);
        base_free(b);
    }
}

static void cuts_and_threads(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        const mel_convention convention = named(open_names[i % 3]);
        lull_model *model = whole_model(i >= 2, i == 3);
        const size_t samples = FRAMES * (size_t)convention.hop;
        float *mel = random_mel(&convention, FRAMES);
        float *a = base_alloc(samples, sizeof *a), *b = base_alloc(samples, sizeof *b);
        lull_options options = some_options(LULL_BANDWIDTH_FULL);
        lull_vocoder *one = vocoder_of(model, &convention, &options);
        options.threads = 3;
        options.pull_work = 100;
        lull_vocoder *three = vocoder_of(model, &convention, &options);
        synthesize(one, &convention, mel, FRAMES, 1, 37, a);
        lull_vocoder_reset(one, 5);
        synthesize(one, &convention, mel, FRAMES, 40, 7777, b);
        assert_memory_equal(a, b, samples * sizeof *a);
        size_t got = 0, accepted, produced;
        assert_int_equal(lull_vocoder_push(three, mel, FRAMES, &accepted, NULL), LULL_OK);
        lull_vocoder_finish(three);
        while (!lull_vocoder_ended(three)) {
            assert_int_equal(lull_vocoder_pull(three, b + got, samples - got, &produced, NULL),
                             LULL_OK);
            got += produced;
        }
        assert_memory_equal(a, b, samples * sizeof *a);
        lull_vocoder_free(one);
        lull_vocoder_free(three);
        lull_model_close(model);
        base_free(mel);
        base_free(a);
        base_free(b);
    }
}

/* A mel that shows all there is stays bit for bit what it was; to what works on plain samples
 * nothing can be added, and asking for it is an error. */
static void nothing_to_add(void **state) {
    (void)state;
    const mel_convention shut = named("vocos-24k");
    lull_model *model = whole_model(false, false);
    const size_t samples = FRAMES * (size_t)shut.hop;
    float *mel = random_mel(&shut, FRAMES);
    float *a = base_alloc(samples, sizeof *a), *b = base_alloc(samples, sizeof *b);
    for (int full = 0; full < 2; full++) {
        lull_options options = some_options(full ? LULL_BANDWIDTH_FULL : LULL_BANDWIDTH_MEL);
        lull_vocoder *vocoder = vocoder_of(model, &shut, &options);
        synthesize(vocoder, &shut, mel, FRAMES, 5, 500, full ? b : a);
        lull_vocoder_free(vocoder);
    }
    assert_memory_equal(a, b, samples * sizeof *a);
    lull_model_close(model);
    model_config plain = small_diffwave();
    model = random_model(&plain);
    lull_options options = some_options(LULL_BANDWIDTH_FULL);
    options.sampler = LULL_SAMPLER_DDIM;
    lull_vocoder *vocoder = NULL;
    lull_error error;
    assert_int_equal(vocoder_new_reading(model, &plain.mel, &options, &vocoder, &error),
                     LULL_UNSUPPORTED);
    assert_non_null(strstr(error.message, "plain samples"));
    options.bandwidth = (lull_bandwidth)3;
    assert_int_equal(vocoder_new_reading(model, &plain.mel, &options, &vocoder, &error),
                     LULL_INVALID);
    lull_model_close(model);
    base_free(mel);
    base_free(a);
    base_free(b);
}

/* What full bandwidth adds to the first `frames` frames of a mel. */
static void added(const float *mel, const mel_convention *convention, size_t frames, float *out) {
    const size_t samples = frames * (size_t)convention->hop;
    float *without = base_alloc(samples, sizeof *without);
    for (int full = 0; full < 2; full++) {
        lull_options options = some_options(full ? LULL_BANDWIDTH_FULL : LULL_BANDWIDTH_MEL);
        options.refine_window = 8;
        lull_vocoder *vocoder = vocoder_of(NULL, convention, &options);
        synthesize(vocoder, convention, mel, frames, 1, 300, full ? out : without);
        lull_vocoder_free(vocoder);
    }
    for (size_t i = 0; i < samples; i++) out[i] -= without[i];
    base_free(without);
}

/* A signal that ends before its first hop is due is the beginning of a longer one, up to where the
 * windows reach its end. */
static void short_signals(void **state) {
    (void)state;
    const mel_convention convention = named("hifigan-22k");
    const size_t hop = (size_t)convention.hop;
    float *mel = random_mel(&convention, FRAMES);
    float *whole = base_alloc(FRAMES * hop, sizeof *whole),
          *begun = base_alloc(20 * hop, sizeof *begun);
    added(mel, &convention, FRAMES, whole);
    for (size_t frames = 1; frames <= 20; frames++) {
        double power = 0;
        added(mel, &convention, frames, begun);
        for (size_t i = 0; i < frames * hop; i++) power += (double)begun[i] * begun[i];
        assert_true(power > 0);
        for (size_t i = 0; i + 5 * hop < frames * hop; i++)
            assert_true(fabsf(begun[i] - whole[i]) < 1e-6f);
    }
    base_free(mel);
    base_free(whole);
    base_free(begun);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_added_above_fmax),
        cmocka_unit_test(cuts_and_threads),
        cmocka_unit_test(nothing_to_add),
        cmocka_unit_test(short_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
