/* Mels of another convention than the model's: the same samples for any cut and any thread count,
 * as many as the frames are long, at a known latency; the model's own convention is as ever. */
#include "models.h"

static const char *const kinds[] = {"vocos-24k", "cosyvoice2-24k", "parallelwavegan-24k",
                                    "styletts2-24k", "diffsinger-44k",
                                    /* hops that are no whole patches, and one below a patch */
                                    "odd-100", "odd-275", "odd-12"};
enum { KINDS = sizeof kinds / sizeof *kinds, FRAMES = 23 };

static mel_convention kind_of(const char *name) {
    if (strncmp(name, "odd-", 4) != 0) return named(name);
    mel_convention c = named("hifigan-22k");
    c.hop = atoi(name + 4);
    c.centred = true;
    return c;
}

static lull_model *mending_model(void) {
    model_config config = small_lull();
    config.postnet_channels = 4;
    config.postnet_layers = 2;
    config.postnet_look_ahead = 2;
    return random_model(&config);
}

static lull_options some_options(int steps, int postnet, int threads) {
    lull_options options;
    lull_options_init(&options);
    options.steps = steps;
    options.refine = 2;
    options.refine_window = 1;
    options.postnet = postnet;
    options.threads = threads;
    return options;
}

static void cuts(void **state) {
    (void)state;
    lull_model *model = mending_model();
    const size_t pushes[] = {FRAMES, 1, 3}, pulls[] = {4096, 7, 100000};
    for (int k = 0; k < KINDS; k++) {
        mel_convention c = kind_of(kinds[k]);
        size_t samples = FRAMES * (size_t)c.hop;
        float *mel = random_mel(&c, FRAMES), *should = base_alloc(samples, sizeof *should);
        float *is = base_alloc(samples, sizeof *is);
        for (int threads = 1; threads <= 2; threads++) {
            lull_options options = some_options(2, 1, threads);
            lull_vocoder *vocoder = vocoder_of(model, &c, &options);
            for (int i = 0; i < 3; i++) {
                bool first = threads == 1 && i == 0;
                lull_vocoder_reset(vocoder, options.seed);
                synthesize(vocoder, &c, mel, FRAMES, pushes[i], pulls[i], first ? should : is);
                if (!first && memcmp(is, should, samples * sizeof *is))
                    fail_msg("%s: pushes of %zu on %d threads give other samples", kinds[k],
                             pushes[i], threads);
            }
            lull_vocoder_free(vocoder);
        }
        double power = 0;
        for (size_t i = 0; i < samples; i++) power += (double)should[i] * should[i];
        assert_true(power > 0 && isfinite(power));
        base_free(mel);
        base_free(should);
        base_free(is);
    }
    lull_model_close(model);
}

/* Samples come neither later nor earlier than the latency says, whether or not the hop is whole
 * patches. */
static void latency(void **state) {
    (void)state;
    lull_model *model = mending_model();
    for (int k = 0; k < KINDS; k++) {
        enum { MANY = 60 };
        mel_convention c = kind_of(kinds[k]);
        lull_options options = some_options(1, 1, 1);
        lull_vocoder *vocoder = vocoder_of(model, &c, &options);
        size_t late = lull_vocoder_latency(vocoder), hop = (size_t)c.hop, got = 0, produced;
        float *mel = random_mel(&c, MANY), *out = base_alloc(MANY * hop, sizeof *out);
        for (size_t n = 1; n <= MANY; n++) {
            size_t accepted = 0;
            lull_vocoder_push(vocoder, mel + (n - 1) * (size_t)c.bands, 1, &accepted, NULL);
            lull_vocoder_pull(vocoder, out, MANY * hop, &produced, NULL);
            got += produced;
            size_t expected = n * hop > late ? n * hop - late : 0;
            if (got != expected)
                fail_msg("%s: after %zu frames %zu samples, not %zu", kinds[k], n, got, expected);
        }
        base_free(mel);
        base_free(out);
        lull_vocoder_free(vocoder);
    }
    lull_model_close(model);
}

static void own_convention_is_as_ever(void **state) {
    (void)state;
    lull_model *model = mending_model();
    const mel_convention *c = &model->config.mel;
    size_t samples = FRAMES * (size_t)c->hop;
    float *mel = random_mel(c, FRAMES), *a = base_alloc(samples, sizeof *a);
    float *b = base_alloc(samples, sizeof *b);
    lull_options options = some_options(2, 1, 1);
    lull_error error;
    lull_vocoder *vocoder = NULL;
    if (lull_vocoder_new(model, &options, &vocoder, &error)) fail_msg("%s", error.message);
    synthesize(vocoder, c, mel, FRAMES, FRAMES, 4096, a);
    lull_vocoder_free(vocoder);
    vocoder = vocoder_of(model, c, &options);
    synthesize(vocoder, c, mel, FRAMES, FRAMES, 4096, b);
    lull_vocoder_free(vocoder);
    assert_memory_equal(a, b, samples * sizeof *a);
    base_free(mel);
    base_free(a);
    base_free(b);
    lull_model_close(model);
}

static void diffwave_reads_its_own(void **state) {
    (void)state;
    model_config config = small_diffwave();
    lull_model *model = random_model(&config);
    mel_convention c = named("vocos-24k");
    lull_error error;
    lull_vocoder *vocoder = NULL;
    assert_int_equal(vocoder_new_reading(model, &c, NULL, &vocoder, &error), LULL_MISMATCH);
    assert_non_null(strstr(error.message, "sample_rate"));
    lull_model_close(model);
}

/* lull.h says the convention by a text; without a model there is no network. */
static void by_name(void **state) {
    (void)state;
    lull_model *model = mending_model();
    lull_options options = some_options(1, 1, 1);
    lull_error error;
    lull_convention_info info;
    options.convention = "cosyvoice2-24k";
    assert_int_equal(lull_convention_find(options.convention, &info, &error), LULL_OK);
    assert_int_equal(info.hop, 480);
    mel_convention c = named(options.convention);
    size_t samples = FRAMES * (size_t)c.hop, latency = 0;
    float *mel = random_mel(&c, FRAMES), *a = base_alloc(samples, sizeof *a);
    float *b = base_alloc(samples, sizeof *b);
    if (lull_synthesize(model, &options, mel, FRAMES, a, &error)) fail_msg("%s", error.message);
    lull_vocoder *vocoder = vocoder_of(model, &c, &options);
    synthesize(vocoder, &c, mel, FRAMES, 2, 99, b);
    assert_memory_equal(a, b, samples * sizeof *a);
    assert_int_equal(lull_latency(model, &options, &latency, &error), LULL_OK);
    assert_int_equal(latency, lull_vocoder_latency(vocoder));
    lull_vocoder_free(vocoder);

    options.convention = "{\"mel\": {\"convention\": \"cosyvoice2-24k\", \"floor\": 1e-5}}";
    if (lull_synthesize(model, &options, mel, FRAMES, b, &error)) fail_msg("%s", error.message);
    assert_memory_equal(a, b, samples * sizeof *a);
    options.postnet = -1;
    if (lull_synthesize(NULL, &options, mel, FRAMES, b, &error)) fail_msg("%s", error.message);
    assert_memory_not_equal(a, b, samples * sizeof *a);

    options.convention = "cosyvoice9";
    assert_int_equal(lull_synthesize(model, &options, mel, FRAMES, b, &error), LULL_INVALID);
    assert_non_null(strstr(error.message, "cosyvoice9"));
    options.convention = NULL;
    assert_int_equal(lull_synthesize(NULL, &options, mel, FRAMES, b, &error), LULL_INVALID);
    assert_non_null(strstr(error.message, "convention"));
    base_free(mel);
    base_free(a);
    base_free(b);
    lull_model_close(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(cuts), cmocka_unit_test(latency),
                                       cmocka_unit_test(own_convention_is_as_ever),
                                       cmocka_unit_test(diffwave_reads_its_own),
                                       cmocka_unit_test(by_name)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
