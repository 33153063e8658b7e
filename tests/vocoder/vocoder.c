/* The streaming engine: the same samples for any cut and any thread count, latency to the sample,
 * no memory after creation, clear refusals. */
#include "models.h"

#include "model/postnet.h"
#include "model/reference.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <pthread.h>

static lull_vocoder *new_vocoder(const lull_model *model, const lull_options *options) {
    lull_error error;
    lull_vocoder *vocoder = NULL;
    if (lull_vocoder_new(model, options, &vocoder, &error)) fail_msg("%s", error.message);
    return vocoder;
}

static lull_options some_options(int steps, int refine, int window) {
    lull_options options;
    lull_options_init(&options);
    options.steps = steps;
    options.refine = refine;
    options.refine_window = window;
    return options;
}

/* ---- the same bits however it is cut ---- */

static void expect_same_for_all_cuts(const char *what, const lull_model *model,
                                     lull_options options, size_t frames) {
    const mel_convention *convention = &model->config.mel;
    size_t samples = frames * (size_t)convention->hop;
    float *mel = random_mel(convention, frames), *should = base_alloc(samples, sizeof *should);
    float *is = base_alloc(samples, sizeof *is);
    const size_t pushes[] = {frames, 1, 2, 7, 64}, pulls[] = {4096, 1000, 1, 77, 100000};
    for (int threads = 1; threads <= 3; threads++) {
        options.threads = threads;
        options.queue_frames = threads == 2 ? 3 : 0;
        lull_vocoder *vocoder = new_vocoder(model, &options);
        for (int i = 0; i < 5; i++) {
            bool first = threads == 1 && i == 0;
            lull_vocoder_reset(vocoder, options.seed);
            synthesize(vocoder, convention, mel, frames, pushes[i], pulls[(i + threads - 1) % 5],
                       first ? should : is);
            if (!first && memcmp(is, should, samples * sizeof *is))
                fail_msg("%s: pushes of %zu on %d threads give other samples", what, pushes[i],
                         threads);
        }
        lull_vocoder_reset(vocoder, options.seed + 1);
        synthesize(vocoder, convention, mel, frames, 5, 4096, is);
        assert_memory_not_equal(is, should, samples * sizeof *is);
        lull_vocoder_free(vocoder);
    }
    double power = 0;
    for (size_t i = 0; i < samples; i++) power += (double)should[i] * should[i];
    assert_true(power > 0); /* not silence */
    base_free(mel);
    base_free(should);
    base_free(is);
}

static model_config with_postnet(model_config config) {
    config.postnet_channels = 6;
    config.postnet_layers = 3;
    config.postnet_look_ahead = 2;
    return config;
}

static void cuts(void **state) {
    (void)state;
    model_config config = small_lull();
    lull_model *model = random_model(&config);
    lull_options options = some_options(4, 3, 2);
    options.eta = 1;
    options.seed = UINT64_MAX;
    options.precision = LULL_PRECISION_F32;
    expect_same_for_all_cuts("small, f32", model, options, 75);
    options.precision = LULL_PRECISION_BF16;
    expect_same_for_all_cuts("small, bf16", model, options, 75);
    expect_same_for_all_cuts("one frame", model, options, 1);
    lull_model_close(model);

    config = with_postnet(config);
    model = random_model(&config);
    expect_same_for_all_cuts("postnet", model, some_options(2, 3, 2), 75);
    expect_same_for_all_cuts("postnet, one frame", model, some_options(2, 3, 2), 1);
    lull_model_close(model);

    config = small_lull();
    model_config_add_spectrum(&config);
    model = random_model(&config);
    normal(11,
           model_parameters_weight(model->parameters, MODEL_SPECTRUM_CONVOLUTION,
                                   config.spectrum_layers - 1),
           (size_t)(3 * 80 * config.spectrum_channels), 0.02f, 0);
    options = some_options(2, 2, 3);
    options.refine_low = 9;
    expect_same_for_all_cuts("spectrum network", model, options, 60);
    lull_model_close(model);

    config = small_lull();
    config.objective = DIFFUSION_FLOW;
    config.schedule.kind = DIFFUSION_LINEAR;
    config.sampler = LULL_SAMPLER_HEUN;
    config.whitened = false;
    model = random_model(&config);
    expect_same_for_all_cuts("Heun, not whitened", model, some_options(3, 2, 1), 40);
    lull_model_close(model);

    config = small_diffwave();
    model = random_model(&config);
    expect_same_for_all_cuts("DiffWave", model, some_options(6, 0, 0), 20);
    expect_same_for_all_cuts("DiffWave, refined", model, some_options(6, 2, 1), 20);
    options = some_options(0, 1, 0);
    options.sampler = LULL_SAMPLER_DDPM;
    expect_same_for_all_cuts("DiffWave, 50 steps", model, options, 3);
    lull_model_close(model);

    model = open_model("models/lull-speech-22k.safetensors");
    expect_same_for_all_cuts("shipped", model, some_options(3, 2, 2), 37);
    lull_model_close(model);
}

/* Pushes of every size between, on a thread of their own, while another pulls. */
typedef struct producer {
    lull_vocoder *vocoder;
    const float *mel;
    size_t frames, bands;
} producer;

static void *produce(void *argument) {
    const producer *p = argument;
    size_t pushed = 0, size = 1;
    while (pushed < p->frames) {
        size_t accepted = 0, wanted = size < p->frames - pushed ? size : p->frames - pushed;
        if (lull_vocoder_push(p->vocoder, p->mel + pushed * p->bands, wanted, &accepted, NULL))
            return NULL;
        pushed += accepted;
        size = size % 9 + 1;
    }
    lull_vocoder_finish(p->vocoder);
    return NULL;
}

static void two_threads(void **state) {
    (void)state;
    enum { FRAMES = 300 };
    model_config config = small_lull();
    lull_model *model = random_model(&config);
    size_t samples = FRAMES * (size_t)config.mel.hop;
    float *mel = random_mel(&config.mel, FRAMES), *should = base_alloc(samples, sizeof *should);
    float *is = base_alloc(samples, sizeof *is);
    lull_options options = some_options(2, 1, 1);
    options.queue_frames = 5;
    lull_vocoder *vocoder = new_vocoder(model, &options);
    synthesize(vocoder, &config.mel, mel, FRAMES, FRAMES, 4096, should);
    for (int round = 0; round < 3; round++) {
        lull_vocoder_reset(vocoder, 0);
        producer p = {vocoder, mel, FRAMES, (size_t)config.mel.bands};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, produce, &p), 0);
        size_t got = 0;
        while (!lull_vocoder_ended(vocoder)) {
            size_t produced = 0;
            assert_int_equal(lull_vocoder_pull(vocoder, is + got,
                                               160 < samples - got ? 160 : samples - got, &produced,
                                               NULL),
                             LULL_OK);
            got += produced;
        }
        pthread_join(thread, NULL);
        assert_int_equal(got, samples);
        assert_memory_equal(is, should, samples * sizeof *is);
    }
    lull_vocoder_free(vocoder);
    lull_model_close(model);
    base_free(mel);
    base_free(should);
    base_free(is);
}

/* ---- one model, many vocoders ---- */

typedef struct singer {
    const lull_model *model;
    const float *mel;
    size_t frames;
    float *out;
} singer;

static void *sing(void *argument) {
    const singer *s = argument;
    lull_options options = some_options(2, 1, 1);
    lull_vocoder *vocoder = new_vocoder(s->model, &options);
    synthesize(vocoder, &s->model->config.mel, s->mel, s->frames, 3, 500, s->out);
    lull_vocoder_free(vocoder);
    return NULL;
}

static void many_vocoders(void **state) {
    (void)state;
    enum { VOICES = 8, FRAMES = 40 };
    model_config config = small_lull();
    lull_model *model = random_model(&config);
    size_t samples = FRAMES * (size_t)config.mel.hop;
    float *mel = random_mel(&config.mel, FRAMES);
    pthread_t threads[VOICES];
    singer singers[VOICES];
    for (int i = 0; i < VOICES; i++) {
        singers[i] = (singer){model, mel, FRAMES, base_alloc(samples, sizeof(float))};
        assert_int_equal(pthread_create(&threads[i], NULL, sing, &singers[i]), 0);
    }
    for (int i = 0; i < VOICES; i++) {
        pthread_join(threads[i], NULL);
        assert_memory_equal(singers[i].out, singers[0].out, samples * sizeof(float));
    }
    for (int i = 0; i < VOICES; i++) base_free(singers[i].out);
    base_free(mel);
    lull_model_close(model);
}

/* ---- latency ---- */

/* After n frames pull must give max(0, n·hop − latency) samples in all, for every n. */
static void expect_latency(const char *what, lull_vocoder *vocoder,
                           const mel_convention *convention) {
    enum { FRAMES = 90 };
    size_t latency = lull_vocoder_latency(vocoder), hop = (size_t)convention->hop, got = 0,
           produced;
    float *mel = random_mel(convention, FRAMES),
          *samples = base_alloc(FRAMES * hop, sizeof *samples);
    print_message("  %s: %zu samples = %.1f ms\n", what, latency,
                  1e3 * (double)latency / convention->sample_rate);
    for (size_t n = 1; n <= FRAMES; n++) {
        size_t accepted = 0;
        lull_vocoder_push(vocoder, mel + (n - 1) * (size_t)convention->bands, 1, &accepted, NULL);
        assert_int_equal(accepted, 1);
        assert_int_equal(lull_vocoder_pull(vocoder, samples, FRAMES * hop, &produced, NULL),
                         LULL_OK);
        got += produced;
        size_t expected = n * hop > latency ? n * hop - latency : 0;
        if (got != expected)
            fail_msg("%s: after %zu frames %zu samples, not %zu", what, n, got, expected);
    }
    assert_true(got > 0);
    lull_vocoder_finish(vocoder);
    assert_false(lull_vocoder_ended(vocoder));
    lull_vocoder_pull(vocoder, samples, FRAMES * hop, &produced, NULL);
    assert_int_equal(got + produced, FRAMES * hop);
    assert_true(lull_vocoder_ended(vocoder));
    base_free(mel);
    base_free(samples);
    lull_vocoder_free(vocoder);
}

static void expect_model_latency(const char *what, const model_config *config, int steps,
                                 int refine, int window) {
    lull_model *model = random_model(config);
    for (int threads = 1; threads <= 2; threads++) {
        lull_options options = some_options(steps, refine, window);
        options.threads = threads;
        expect_latency(what, new_vocoder(model, &options), &config->mel);
    }
    lull_model_close(model);
}

static void latency(void **state) {
    (void)state;
    model_config config = small_lull();
    expect_model_latency("6 steps, refine 2 in 3", &config, 6, 2, 3);
    expect_model_latency("2 steps, refine 0", &config, 2, 0, 7);
    expect_model_latency("1 step, refine 1 in 0", &config, 1, 1, 0);
    model_config mended = with_postnet(config);
    expect_model_latency("postnet", &mended, 2, 2, 3);
    mended.postnet_look_ahead = 0;
    expect_model_latency("causal postnet", &mended, 1, 0, 0);
    memset(config.look_ahead, 0, sizeof config.look_ahead);
    config.conditioner_look_ahead = 0;
    expect_model_latency("causal", &config, 6, 1, 1);
    config.look_ahead[0] = 1;
    expect_model_latency("causal but one", &config, 6, 1, 1);
    config.mel.centred = true;
    expect_model_latency("centred mel", &config, 3, 1, 1);
    config.whitened = false;
    expect_model_latency("not whitened, refine 0", &config, 3, 0, 0);
    config = small_diffwave();
    expect_model_latency("DiffWave", &config, 6, 0, 0);
    expect_model_latency("DiffWave, refined", &config, 6, 2, 2);

    static const char *const names[] = {"hifigan", "tacotron2", "diffwave", "parallelwavegan"};
    for (int i = 0; i < 4; i++) {
        mel_convention convention;
        lull_vocoder *vocoder;
        lull_error error;
        lull_options options = some_options(0, 2, 3);
        assert_int_equal(mel_convention_named(names[i], 0, &convention, &error), LULL_OK);
        if (vocoder_new_reading(NULL, &convention, &options, &vocoder, &error))
            fail_msg("%s", error.message);
        expect_latency(names[i], vocoder, &convention);
    }
}

/* ---- postnet ---- */

/* The postnet's mel is the only mel: the same samples as from the mended mel without a postnet. */
static void postnet_first(void **state) {
    (void)state;
    enum { FRAMES = 30 };
    model_config config = with_postnet(small_lull());
    config.uses[LULL_LOW_LATENCY].postnet = false; /* the model decides for every use */
    lull_model *model = random_model(&config);
    size_t samples = FRAMES * (size_t)config.mel.hop, bands = (size_t)config.mel.bands;
    float *mel = random_mel(&config.mel, FRAMES), *mended = base_alloc(FRAMES * bands, sizeof *mel);
    float *a = base_alloc(samples, sizeof *a), *b = base_alloc(samples, sizeof *b);
    const model_frame_stack_shape shape = postnet_shape(&config);
    assert_int_equal(
        model_reference_frame_stack(&shape, model->parameters, mel, FRAMES, mended, NULL), LULL_OK);
    lull_options options = some_options(1, 2, 2);
    lull_vocoder *with = new_vocoder(model, &options);
    assert_int_equal(vocoder_options(with)->postnet, 1);
    options.use = LULL_LOW_LATENCY;
    lull_vocoder *low = new_vocoder(model, &options);
    assert_int_equal(vocoder_options(low)->postnet, 0);
    options.use = LULL_LIVE;
    options.postnet = 0;
    lull_vocoder *without = new_vocoder(model, &options);
    assert_int_equal(lull_vocoder_latency(with),
                     lull_vocoder_latency(without) + 2 * (size_t)config.mel.hop);
    synthesize(with, &config.mel, mel, FRAMES, 7, 999, a);
    synthesize(without, &config.mel, mended, FRAMES, 7, 999, b);
    assert_true(worst_error(a, b, samples) < 1e-3);
    lull_vocoder_reset(without, 0);
    synthesize(without, &config.mel, mel, FRAMES, 7, 999, b);
    assert_true(worst_error(a, b, samples) > 1e-2);
    /* A postnet that loses itself is told of, as a network is. */
    lull_vocoder_free(with);
    model_parameters_bias(model->parameters, MODEL_POSTNET_CONVOLUTION, 1)[0] = 3e38f;
    model_parameters_bias(model->parameters, MODEL_POSTNET_CONVOLUTION, 2)[0] = 3e38f;
    options.postnet = 1;
    with = new_vocoder(model, &options);
    size_t accepted, produced;
    lull_error told = {0};
    assert_int_equal(lull_vocoder_push(with, mel, FRAMES, &accepted, &told), LULL_OK);
    assert_int_equal(lull_vocoder_pull(with, a, samples, &produced, &told), LULL_NOT_FINITE);
    lull_vocoder_free(with);
    lull_vocoder_free(low);
    lull_vocoder_free(without);
    lull_model_close(model);

    config = small_lull();
    model = random_model(&config);
    options.postnet = 1;
    lull_error error = {0};
    lull_vocoder *none = NULL;
    assert_int_equal(lull_vocoder_new(model, &options, &none, &error), LULL_UNSUPPORTED);
    assert_non_null(strstr(error.message, "postnet"));
    lull_model_close(model);
    base_free(mel);
    base_free(mended);
    base_free(a);
    base_free(b);
}

/* ---- memory ---- */

/* Bytes in use, where the C library says. */
static size_t heap(void) {
#ifdef __GLIBC__
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#else
    return 0;
#endif
}

/* Ten minutes of frames, and not one allocation after creation: neither of ours (the next one would
 * fail) nor of a library (the heap stays as it was). */
static void memory_flat(void **state) {
    (void)state;
    model_config config = small_lull();
    config.channels = 4;
    config.layers = 2;
    lull_model *model = random_model(&config);
#if defined(__SANITIZE_THREAD__)
    enum { PIECE = 50, SECONDS = 60 }; /* two hundred times slower */
#else
    enum { PIECE = 50, SECONDS = 600 };
#endif
    size_t frames = SECONDS * (size_t)config.mel.sample_rate / (size_t)config.mel.hop, pulled = 0;
    size_t ten_seconds = frames / (SECONDS / 10), before = 0;
    float *mel = random_mel(&config.mel, PIECE);
    float *samples = base_alloc(PIECE * (size_t)config.mel.hop, sizeof *samples);
    lull_options options = some_options(2, 1, 1);
    options.threads = 2;
    lull_vocoder *vocoder = new_vocoder(model, &options);
    for (size_t f = 0; f < frames; f += PIECE) {
        size_t accepted = 0, produced = 0;
        if (f >= ten_seconds && !before) {
            before = heap();
            base_memory_fail_at(1);
        }
        assert_int_equal(lull_vocoder_push(vocoder, mel, PIECE, &accepted, NULL), LULL_OK);
        assert_int_equal(accepted, PIECE);
        assert_int_equal(
            lull_vocoder_pull(vocoder, samples, PIECE * (size_t)config.mel.hop, &produced, NULL),
            LULL_OK);
        pulled += produced;
    }
    lull_vocoder_finish(vocoder);
    while (!lull_vocoder_ended(vocoder)) {
        size_t produced = 0;
        lull_vocoder_pull(vocoder, samples, 1000, &produced, NULL);
        pulled += produced;
    }
    assert_int_equal(heap(), before);
    void *probe = base_alloc(1, 1); /* the armed failure was not used up */
    assert_null(probe);
    assert_true(pulled >= frames * (size_t)config.mel.hop);
    lull_vocoder_free(vocoder);
    base_free(mel);
    base_free(samples);
    lull_model_close(model);
}

/* Creation with every allocation failing in turn. */
static void memory_out(void **state) {
    (void)state;
    model_config config = small_diffwave();
    config.layers = 2;
    lull_model *model = random_model(&config);
    lull_options options = some_options(6, 1, 1);
    options.threads = 2;
    for (size_t n = 1;; n++) {
        lull_vocoder *vocoder = NULL;
        lull_error error;
        base_memory_fail_at(n);
        lull_status status = lull_vocoder_new(model, &options, &vocoder, &error);
        base_memory_fail_at(0);
        lull_vocoder_free(vocoder);
        if (!status) {
            assert_true(n > 40);
            break;
        }
        assert_int_equal(status, LULL_NO_MEMORY);
        assert_null(vocoder);
    }
    lull_model_close(model);
}

/* ---- edges ---- */

static void edges(void **state) {
    (void)state;
    model_config config = small_lull();
    lull_model *model = random_model(&config);
    lull_options options = some_options(2, 1, 1);
    lull_vocoder *vocoder = new_vocoder(model, &options);
    lull_error error;
    float samples[512], *mel = random_mel(&config.mel, 4);
    size_t accepted = 9, produced = 9;

    /* Nothing in, nothing out. */
    assert_int_equal(lull_vocoder_pull(vocoder, samples, 512, &produced, &error), LULL_OK);
    assert_int_equal(produced, 0);
    assert_false(lull_vocoder_ended(vocoder));
    assert_int_equal(lull_vocoder_finish(vocoder), LULL_OK);
    assert_true(lull_vocoder_ended(vocoder));
    assert_int_equal(lull_vocoder_pull(vocoder, samples, 512, &produced, &error), LULL_OK);
    assert_int_equal(produced, 0);

    assert_int_equal(lull_vocoder_push(vocoder, mel, 1, &accepted, &error), LULL_FINISHED);
    assert_int_equal(accepted, 0);
    print_message("  %s\n", error.message);

    /* NaN: nothing of the piece is taken. */
    lull_vocoder_reset(vocoder, 0);
    mel[80 * 2 + 7] = NAN;
    assert_int_equal(lull_vocoder_push(vocoder, mel, 4, &accepted, &error), LULL_NOT_FINITE);
    assert_int_equal(accepted, 0);
    assert_non_null(strstr(error.message, "frame 2, band 7"));
    mel[80 * 2 + 7] = -INFINITY;
    assert_int_equal(lull_vocoder_push(vocoder, mel, 4, &accepted, NULL), LULL_NOT_FINITE);
    assert_int_equal(lull_vocoder_push(vocoder, mel, 2, &accepted, &error), LULL_OK);
    assert_int_equal(accepted, 2);
    assert_int_equal(lull_vocoder_push(vocoder, mel, 0, &accepted, &error), LULL_OK);
    assert_int_equal(lull_vocoder_push(NULL, mel, 1, &accepted, &error), LULL_INVALID);
    assert_int_equal(lull_vocoder_push(vocoder, NULL, 1, &accepted, &error), LULL_INVALID);
    assert_int_equal(lull_vocoder_pull(vocoder, NULL, 1, &produced, &error), LULL_INVALID);
    lull_vocoder_free(vocoder);

    /* The queue takes what it has room for. */
    options.queue_frames = 3;
    vocoder = new_vocoder(model, &options);
    mel[80 * 2 + 7] = -4;
    assert_int_equal(lull_vocoder_push(vocoder, mel, 4, &accepted, &error), LULL_OK);
    assert_int_equal(accepted, 3);
    assert_int_equal(lull_vocoder_push(vocoder, mel, 1, &accepted, &error), LULL_OK);
    assert_int_equal(accepted, 0);
    lull_vocoder_free(vocoder);
    lull_vocoder_free(NULL);
    base_free(mel);
    lull_model_close(model);
}

static void expect_refused(const lull_model *model, lull_options options, const char *word) {
    lull_error error = {0};
    lull_vocoder *vocoder = NULL;
    assert_int_equal(lull_vocoder_new(model, &options, &vocoder, &error), LULL_INVALID);
    assert_null(vocoder);
    if (!strstr(error.message, word)) fail_msg("\"%s\" does not speak of %s", error.message, word);
}

static void bad_options(void **state) {
    (void)state;
    model_config config = small_lull();
    lull_model *model = random_model(&config);
    lull_options good = some_options(2, 1, 1), bad;
#define REFUSED(member, value)                                                                     \
    bad = good;                                                                                    \
    bad.member = value;                                                                            \
    expect_refused(model, bad, #member)
    REFUSED(steps, -1);
    REFUSED(steps, 1001);
    REFUSED(eta, 1.5f);
    REFUSED(eta, NAN);
    REFUSED(refine, -2);
    REFUSED(refine_window, 257);
    REFUSED(refine_momentum, 1.0f);
    REFUSED(refine_momentum, NAN);
    REFUSED(postnet, 2);
    REFUSED(postnet, -2);
    REFUSED(threads, 0);
    REFUSED(threads, 65);
    REFUSED(sampler, (lull_sampler)9);
    REFUSED(precision, (lull_precision)3);
    REFUSED(queue_frames, (size_t)1 << 40);
    REFUSED(struct_size, 0);
    bad = good;
    bad.sampler = LULL_SAMPLER_FAST;
    expect_refused(model, bad, "");
    lull_vocoder *vocoder = NULL;
    assert_int_equal(lull_vocoder_new(NULL, NULL, &vocoder, NULL), LULL_INVALID);
    vocoder = new_vocoder(model, NULL);
    lull_vocoder_free(vocoder);
    lull_model_close(model);
}

/* Weights that overflow: said once, then silence up to the right length, and reset does not heal
 * the model. */
static void network_lost(void **state) {
    (void)state;
    model_config config = small_lull();
    lull_model *model = random_model(&config);
    float *bias = model_parameters_bias(model->parameters, MODEL_OUTPUT_PROJECTION, 0);
    bias[3] = 3e38f;
    model_parameters_weight(model->parameters, MODEL_OUTPUT_PROJECTION, 0)[3 * config.channels] =
        3e38f;
    model_parameters_bias(model->parameters, MODEL_SKIP_PROJECTION, 0)[0] = 10;
    enum { FRAMES = 60 };
    float *mel = random_mel(&config.mel, FRAMES), samples[700];
    for (int threads = 1; threads <= 2; threads++) {
        lull_options options = some_options(3, 1, 1);
        options.threads = threads;
        lull_vocoder *vocoder = new_vocoder(model, &options);
        for (int round = 0; round < 2; round++) {
            size_t accepted = 0, total = 0, produced = 0;
            int told = 0;
            lull_vocoder_push(vocoder, mel, FRAMES, &accepted, NULL);
            assert_int_equal(accepted, FRAMES);
            lull_vocoder_finish(vocoder);
            while (!lull_vocoder_ended(vocoder)) {
                lull_error error;
                lull_status status = lull_vocoder_pull(vocoder, samples, 700, &produced, &error);
                for (size_t i = 0; i < produced; i++) assert_true(isfinite(samples[i]));
                total += produced;
                told += status == LULL_NOT_FINITE;
                assert_true(status == LULL_OK || status == LULL_NOT_FINITE);
            }
            assert_int_equal(told, 1);
            assert_int_equal(total, FRAMES * (size_t)config.mel.hop);
            lull_vocoder_reset(vocoder, 0);
        }
        lull_vocoder_free(vocoder);
    }
    base_free(mel);
    lull_model_close(model);
}

/* Mels far beyond any speech must not make the output anything but limited. */
static void loud(void **state) {
    (void)state;
    enum { FRAMES = 30 };
    mel_convention convention;
    lull_error error;
    lull_vocoder *vocoder;
    lull_options options = some_options(0, 4, 2);
    options.unchecked = 1;
    assert_int_equal(mel_convention_named("hifigan", 16000, &convention, &error), LULL_OK);
    assert_int_equal(vocoder_new_reading(NULL, &convention, &options, &vocoder, &error), LULL_OK);
    size_t samples = FRAMES * (size_t)convention.hop;
    float *mel = random_mel(&convention, FRAMES), *out = base_alloc(samples, sizeof *out);
    for (int i = 0; i < FRAMES * 80; i++) mel[i] += 9;
    synthesize(vocoder, &convention, mel, FRAMES, 4, 1000, out);
    uint64_t above = 0;
    for (size_t i = 0; i < samples; i++) {
        assert_true(fabsf(out[i]) <= 1);
        above += fabsf(out[i]) > 0.98f;
    }
    assert_true(above > 100);
    assert_int_equal(lull_vocoder_limited(vocoder), above);
    lull_vocoder_free(vocoder);
    base_free(mel);
    base_free(out);
}

/* Given noise: its rows are counted, and frames beyond it refused. */
static void given_noise(void **state) {
    (void)state;
    model_config config = small_lull();
    lull_model *model = random_model(&config);
    lull_options options = some_options(4, 0, 0);
    options.eta = 1;
    lull_vocoder *vocoder = new_vocoder(model, &options);
    int rows = vocoder_noise_rows(vocoder);
    assert_int_equal(rows, 4); /* the start, then after every step but the last */
    size_t samples = 5 * 256 + 17, accepted = 0;
    float *noise = base_alloc((size_t)rows * samples, sizeof *noise),
          *mel = random_mel(&config.mel, 6);
    lull_error error;
    assert_int_equal(vocoder_set_noise(vocoder, noise, 3, samples, &error), LULL_MISMATCH);
    for (int r = 0; r < rows; r++)
        random_normal(5, (uint32_t)r, 0, noise + (size_t)r * samples, samples);
    assert_int_equal(vocoder_set_noise(vocoder, noise, 4, samples, &error), LULL_OK);
    assert_int_equal(lull_vocoder_push(vocoder, mel, 6, &accepted, &error), LULL_MISMATCH);
    float is[5 * 256], should[5 * 256];
    synthesize(vocoder, &config.mel, mel, 5, 5, 100, is);
    assert_int_equal(vocoder_set_noise(vocoder, NULL, 0, 0, &error), LULL_OK);
    lull_vocoder_reset(vocoder, 5);
    synthesize(vocoder, &config.mel, mel, 5, 5, 100, should);
    assert_memory_equal(is, should, sizeof is);
    lull_vocoder_free(vocoder);
    base_free(noise);
    base_free(mel);
    lull_model_close(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts),          cmocka_unit_test(two_threads),
        cmocka_unit_test(many_vocoders), cmocka_unit_test(latency),
        cmocka_unit_test(memory_flat),   cmocka_unit_test(memory_out),
        cmocka_unit_test(edges),         cmocka_unit_test(bad_options),
        cmocka_unit_test(network_lost),  cmocka_unit_test(postnet_first),
        cmocka_unit_test(loud),          cmocka_unit_test(given_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
