/* The engine with a pitch: without a network what the pitch network and the source by their
 * definitions make, with one the two signals crossed over; however frames and samples are cut, on
 * any number of threads, at the latency that it says, in the memory that it says. */
#include "models.h"

#include "base/low_pass.h"
#include "diffusion/objective.h"
#include "model/pitch_network.h"
#include "model/reference.h"
#include "vocoder/crossover.h"
#include "vocoder/source.h"

enum { FRAMES = 41 };

static lull_model *pitch_model(int look_ahead) {
    model_config config;
    model_config_pitch(&config);
    config.pitch_channels = 16;
    config.pitch_layers = 3;
    config.pitch_look_ahead = look_ahead;
    return random_model(&config);
}

/* A denoiser with a postnet and a pitch network, which may read the source beside the signal. */
static lull_model *reading_model(int postnet, int pitch, bool source) {
    model_config config = small_lull();
    config.source = source;
    config.postnet_channels = 4;
    config.postnet_layers = 2;
    config.postnet_look_ahead = postnet;
    config.pitch_channels = 8;
    config.pitch_layers = 3;
    config.pitch_look_ahead = pitch;
    config.voiced = true;
    return random_model(&config);
}

static lull_model *whole_model(int postnet, int pitch) {
    return reading_model(postnet, pitch, false);
}

static lull_options some_options(const lull_model *pitch, int threads) {
    lull_options options;
    lull_options_init(&options);
    options.seed = 5;
    options.steps = 2;
    options.refine = 2;
    options.refine_window = 2;
    options.refine_momentum = 0.9f;
    options.threads = threads;
    options.pitch_model = pitch;
    return options;
}

static void sharpen(pitch_values *voices, double power) {
    for (int f = 0; f < FRAMES; f++)
        for (int b = 0; b < PITCH_BANDS; b++)
            voices[f].aperiodicity[b] = (float)pow(voices[f].aperiodicity[b], power);
}

/* The same signal from a vocoder that is given the source as its noise. */
static float *by_definition(const mel_convention *convention, const lull_model *pitch,
                            const float *mel, double transpose) {
    const size_t samples = FRAMES * (size_t)convention->hop;
    const vocoder_noise_source noise = {.seed = 5};
    pitch_values voices[FRAMES];
    float *start = base_alloc(samples, sizeof *start), *out = base_alloc(samples, sizeof *out);
    assert_int_equal(pitch_network_whole(&pitch->config, pitch->parameters, convention, mel, FRAMES,
                                         voices, NULL),
                     LULL_OK);
    sharpen(voices, pitch->config.uses[LULL_LIVE].aperiodicity_power);
    for (int f = 0; f < FRAMES; f++) voices[f].f0 *= (float)exp2(transpose / 12);
    assert_int_equal(vocoder_source_plain(convention->sample_rate, convention->hop,
                                          mel_convention_first_centre(convention), voices, FRAMES,
                                          &noise, start, samples, NULL),
                     LULL_OK);
    lull_options options = some_options(NULL, 1);
    lull_vocoder *vocoder = vocoder_of(NULL, convention, &options);
    assert_int_equal(vocoder_set_noise(vocoder, start, 1, samples, NULL), LULL_OK);
    synthesize(vocoder, convention, mel, FRAMES, 3, 500, out);
    lull_vocoder_free(vocoder);
    base_free(start);
    return out;
}

static void is_network_and_source(void **state) {
    (void)state;
    static const char *const names[] = {"hifigan", "tacotron2", "parallelwavegan"};
    for (int i = 0; i < 3; i++) {
        const mel_convention convention = named(names[i]);
        lull_model *pitch = pitch_model(i);
        const size_t samples = FRAMES * (size_t)convention.hop;
        float *mel = random_mel(&convention, FRAMES);
        float *wanted = by_definition(&convention, pitch, mel, i * 2.5);
        float *a = base_alloc(samples, sizeof *a);
        lull_options options = some_options(pitch, 1);
        options.transpose = (float)(i * 2.5);
        lull_vocoder *vocoder = vocoder_of(NULL, &convention, &options);
        synthesize(vocoder, &convention, mel, FRAMES, 1, 37, a);
        assert_true(signal_to_noise(a, wanted, samples) > 45);
        lull_vocoder_free(vocoder);
        base_free(mel);
        base_free(wanted);
        base_free(a);
        lull_model_close(pitch);
    }
}

static void check_cuts(const lull_model *model, const lull_model *pitch,
                       const mel_convention *convention, float crossover) {
    const size_t samples = FRAMES * (size_t)convention->hop;
    float *mel = random_mel(convention, FRAMES);
    float *a = base_alloc(samples, sizeof *a), *b = base_alloc(samples, sizeof *b);
    lull_options options = some_options(pitch, 1);
    options.crossover = crossover;
    lull_vocoder *one = vocoder_of(model, convention, &options);
    options.threads = 3;
    options.pull_work = 100;
    lull_vocoder *three = vocoder_of(model, convention, &options);
    synthesize(one, convention, mel, FRAMES, 1, 37, a);
    lull_vocoder_reset(one, 5);
    synthesize(one, convention, mel, FRAMES, 40, 7777, b);
    assert_memory_equal(a, b, samples * sizeof *a);
    lull_vocoder_reset(one, 6); /* another seed, another noise */
    synthesize(one, convention, mel, FRAMES, 40, 7777, b);
    assert_true(worst_error(a, b, samples) > 1e-3);
    size_t got = 0, accepted, produced;
    assert_int_equal(lull_vocoder_push(three, mel, FRAMES, &accepted, NULL), LULL_OK);
    assert_int_equal(accepted, FRAMES);
    lull_vocoder_finish(three);
    while (!lull_vocoder_ended(three)) {
        assert_int_equal(lull_vocoder_pull(three, b + got, samples - got, &produced, NULL),
                         LULL_OK);
        got += produced;
    }
    assert_memory_equal(a, b, samples * sizeof *a);
    lull_vocoder_free(one);
    lull_vocoder_free(three);
    base_free(mel);
    base_free(a);
    base_free(b);
}

static void cuts(void **state) {
    (void)state;
    static const char *const names[] = {"hifigan-16k", "vocos-24k", "styletts2-24k"};
    for (int i = 0; i < 3; i++) {
        const mel_convention convention = named(names[i]);
        lull_model *pitch = pitch_model(2), *model = whole_model(i, 2 - i);
        lull_model *reading = reading_model(i, 2 - i, true);
        check_cuts(NULL, pitch, &convention, 0);
        check_cuts(model, NULL, &convention, 0);
        check_cuts(model, pitch, &convention, 0);
        check_cuts(reading, NULL, &convention, 0);
        check_cuts(reading, pitch, &convention, 48000);
        lull_model_close(pitch);
        lull_model_close(model);
        lull_model_close(reading);
    }
}

/* With a network: no refinement, no pulses of colouring, the traced signal of the last step crossed
 * over with the source by definition is what comes out. */
typedef struct kept {
    float *signal;
    int stage;
} kept;

static void keep(void *context, int stage, double t, uint64_t first, const float *x,
                 const float *x0, size_t n) {
    kept *k = context;
    (void)t;
    (void)x0;
    if (stage == k->stage) memcpy(k->signal + first, x, n * sizeof *x);
}

/* A model's vocoder that keeps what its last step made, in `network`; `is`: its output. */
static lull_vocoder *kept_of(lull_model *model, const lull_options *options, const float *mel,
                             kept *kept, float *is) {
    const vocoder_trace trace = {keep, kept};
    lull_vocoder *vocoder = vocoder_of(model, &model->config.mel, options);
    kept->stage = vocoder_stages(vocoder);
    vocoder_set_trace(vocoder, &trace);
    synthesize(vocoder, &model->config.mel, mel, FRAMES, 4, 300, is);
    return vocoder;
}

/* The row of noise behind those of the steps. */
static float *last_row(const lull_vocoder *vocoder, size_t samples) {
    const int row = vocoder_noise_rows(vocoder) - 1;
    const vocoder_noise_source noise = {.seed = 5};
    float *drawn = base_alloc(samples, sizeof *drawn);
    assert_true(row >= 1);
    vocoder_noise_draw(&noise, row, 0, drawn, samples);
    return drawn;
}

/* What colouring alone makes of `start`; that of no model has no tilt. */
static void colour(const mel_convention *convention, const float *mel, const float *start,
                   size_t samples, float *out) {
    const lull_options plain = some_options(NULL, 1);
    lull_vocoder *vocoder = vocoder_of(NULL, convention, &plain);
    assert_int_equal(vocoder_set_noise(vocoder, start, 1, samples, NULL), LULL_OK);
    synthesize(vocoder, convention, mel, FRAMES, FRAMES, 4096, out);
    lull_vocoder_free(vocoder);
}

typedef struct crossing {
    float *mel, *network, *source, *start, *wanted, *is;
} crossing;

static crossing crossing_begin(const mel_convention *convention, size_t samples) {
    return (crossing){.mel = random_mel(convention, FRAMES),
                      .network = base_alloc(samples + 64, sizeof(float)),
                      .source = base_alloc(samples, sizeof(float)),
                      .start = base_alloc(samples, sizeof(float)),
                      .wanted = base_alloc(samples, sizeof(float)),
                      .is = base_alloc(samples, sizeof(float))};
}

static void crossing_end(crossing *c) {
    float *owned[] = {c->mel, c->network, c->source, c->start, c->wanted, c->is};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) base_free(owned[i]);
}

/* The crossover by its definition: n samples of whole signals. */
static void plain_crossover(double hertz, int rate, const float *network, const float *source,
                            float *out, size_t n) {
    const int half = low_pass_half(rate);
    float *taps = base_alloc(2 * (size_t)half + 1, sizeof *taps);
    assert_non_null(taps);
    low_pass_design(hertz / rate, half, taps);
    for (int64_t i = 0; i < (int64_t)n; i++) {
        double sum = 0;
        for (int k = -half; k <= half; k++)
            if (i + k >= 0 && i + k < (int64_t)n)
                sum += (double)taps[k + half] * ((double)network[i + k] - source[i + k]);
        out[i] = (float)(source[i] + sum);
    }
    base_free(taps);
}

static void crossed_over(void **state) {
    (void)state;
    lull_model *model = whole_model(0, 2);
    const mel_convention *convention = &model->config.mel;
    const size_t samples = FRAMES * (size_t)convention->hop;
    crossing c = crossing_begin(convention, samples);
    lull_options options = some_options(NULL, 1);
    options.postnet = 0;
    options.crossover = 1700;
    kept kept = {.signal = c.network};
    lull_vocoder *vocoder = kept_of(model, &options, c.mel, &kept, c.is);
    float *drawn = last_row(vocoder, samples);
    const vocoder_noise_source one_row = {.rows = drawn, .row_count = 1, .samples = samples};
    pitch_values voices[FRAMES];
    pitch_network_whole(&model->config, model->parameters, convention, c.mel, FRAMES, voices, NULL);
    sharpen(voices, model->config.uses[LULL_LIVE].aperiodicity_power);
    vocoder_source_plain(convention->sample_rate, convention->hop,
                         mel_convention_first_centre(convention), voices, FRAMES, &one_row,
                         c.source, samples, NULL);
    plain_crossover(1700, convention->sample_rate, c.network, c.source, c.start, samples);
    colour(convention, c.mel, c.start, samples, c.wanted);
    assert_true(model->config.tilt_hz == 0 || signal_to_noise(c.is, c.wanted, samples) < 45);
    model->config.tilt_hz = 0;
    lull_vocoder *untilted = vocoder_of(model, convention, &options);
    synthesize(untilted, convention, c.mel, FRAMES, 4, 300, c.is);
    assert_true(signal_to_noise(c.is, c.wanted, samples) > 45);
    lull_vocoder_free(untilted);
    lull_vocoder_free(vocoder);
    base_free(drawn);
    crossing_end(&c);
    lull_model_close(model);
}

/* A network that knows a band alone has noise above it where there is no pitch, and its band goes
 * with the rate. */
static void crossed_over_with_noise(void **state) {
    (void)state;
    lull_model *model = whole_model(0, 2);
    const mel_convention *convention = &model->config.mel;
    const size_t samples = FRAMES * (size_t)convention->hop;
    model->config.below_hz = 1500;
    model->config.tilt_hz = 0;
    crossing c = crossing_begin(convention, samples);
    lull_options options = some_options(NULL, 1);
    options.postnet = 0;
    options.source = LULL_SOURCE_NOISE;
    options.crossover = 1700; /* more than it knows */
    kept kept = {.signal = c.network};
    lull_vocoder *vocoder = kept_of(model, &options, c.mel, &kept, c.is);
    float *drawn = last_row(vocoder, samples);
    plain_crossover(1500, convention->sample_rate, c.network, drawn, c.start, samples);
    colour(convention, c.mel, c.start, samples, c.wanted);
    assert_true(signal_to_noise(c.is, c.wanted, samples) > 45);
    lull_vocoder_free(vocoder);
    for (int i = 0; i < 3; i++) {
        static const char *const names[] = {"hifigan-16k", "vocos-24k", "styletts2-24k"};
        const mel_convention other = named(names[i]);
        check_cuts(model, NULL, &other, 0);
    }
    base_free(drawn);
    crossing_end(&c);
    lull_model_close(model);
}

/* A network that reads the source: what its first step says of the speech is what the plain network
 * says of a patch of noise and a patch of the source, or of noise in its place. */
static void keep_guess(void *context, int stage, double t, uint64_t first, const float *x,
                       const float *x0, size_t n) {
    kept *k = context;
    (void)t;
    (void)x;
    if (stage == k->stage) memcpy(k->signal + first, x0, n * sizeof *x0);
}

static void reads_the_source(void **state) {
    (void)state;
    lull_model *model = reading_model(0, 2, true);
    const model_config *config = &model->config;
    const mel_convention *convention = &config->mel;
    const size_t samples = FRAMES * (size_t)convention->hop, patch = (size_t)config->patch;
    float *mel = random_mel(convention, FRAMES);
    float *is = base_alloc(samples, sizeof *is), *guess = base_alloc(samples + 64, sizeof *guess);
    float *start = base_alloc(samples, sizeof *start), *drawn = base_alloc(samples, sizeof *drawn);
    float *source = base_alloc(samples, sizeof *source), *u = base_alloc(samples, sizeof *u);
    float *input = base_alloc(2 * samples, sizeof *input);
    for (int pitch = 0; pitch < 2; pitch++) {
        lull_options options = some_options(NULL, 1);
        options.postnet = 0;
        options.source = pitch ? LULL_SOURCE_PITCH : LULL_SOURCE_NOISE;
        options.crossover = pitch ? 1700 : 48000;
        options.precision = LULL_PRECISION_F32; /* as the plain twin, on every processor */
        lull_vocoder *vocoder = vocoder_of(model, convention, &options);
        kept kept = {guess, 0};
        const vocoder_trace trace = {keep_guess, &kept};
        vocoder_set_trace(vocoder, &trace);
        synthesize(vocoder, convention, mel, FRAMES, 4, 300, is);
        const vocoder_noise_source noise = {.seed = 5};
        vocoder_noise_draw(&noise, 0, 0, start, samples);
        vocoder_noise_draw(&noise, vocoder_noise_rows(vocoder) - 1, 0, drawn, samples);
        if (pitch) {
            const vocoder_noise_source one_row = {
                .rows = drawn, .row_count = 1, .samples = samples};
            pitch_values voices[FRAMES];
            pitch_network_whole(config, model->parameters, convention, mel, FRAMES, voices, NULL);
            sharpen(voices, config->uses[LULL_LIVE].aperiodicity_power);
            vocoder_source_plain(convention->sample_rate, convention->hop,
                                 mel_convention_first_centre(convention), voices, FRAMES, &one_row,
                                 source, samples, NULL);
        } else {
            memcpy(source, drawn, samples * sizeof *source);
        }
        for (size_t i = 0; i < samples; i += patch) {
            memcpy(input + 2 * i, start + i, patch * sizeof *input);
            memcpy(input + 2 * i + patch, source + i, patch * sizeof *input);
        }
        const double t = vocoder_plan(vocoder)->stages[0].t;
        assert_int_equal(
            model_reference_run(config, model->parameters, input, t, mel, FRAMES, u, NULL),
            LULL_OK);
        double x0_x, x0_u, eps_x, eps_u;
        diffusion_recover(config->objective, diffusion_schedule_levels(&config->schedule, t), &x0_x,
                          &x0_u, &eps_x, &eps_u);
        for (size_t i = 0; i < samples; i++) u[i] = (float)(x0_x * start[i] + x0_u * u[i]);
        assert_true(signal_to_noise(guess, u, samples) > (pitch ? 45 : 80));
        lull_vocoder_free(vocoder);
    }
    base_free(mel), base_free(is), base_free(guess), base_free(start), base_free(drawn);
    base_free(source), base_free(u), base_free(input);
    lull_model_close(model);
}

/* A low-pass and what it leaves are the whole again; well below the crossover the signal is the
 * network's, well above it the source's. */
static void splits_bands(void **state) {
    (void)state;
    enum { N = 4096 };
    static float low[N], high[N], zero[N], out[N];
    for (int rate = 16000; rate <= 48000; rate += 8000) {
        for (int i = 0; i < N; i++) {
            low[i] = (float)sin(2 * M_PI * 1500 * i / rate);
            high[i] = (float)sin(2 * M_PI * 3500 * i / rate);
        }
        plain_crossover(2500, rate, low, zero, out, N);
        assert_true(signal_to_noise(out + 500, low + 500, N - 1000) > 40);
        plain_crossover(2500, rate, high, zero, out, N);
        assert_true(worst_error(out + 500, zero + 500, N - 1000) < 0.01);
        plain_crossover(2500, rate, zero, high, out, N);
        assert_true(signal_to_noise(out + 500, high + 500, N - 1000) > 40);
        plain_crossover(2500, rate, high, high, out, N);
        assert_true(worst_error(out, high, N) < 1e-6);
    }
}

/* Nothing voiced, or a crossover that leaves nothing to the source: the noise as ever, bit for bit. */
static void without_a_voice(void **state) {
    (void)state;
    lull_model *model = whole_model(1, 2);
    const mel_convention *convention = &model->config.mel;
    const size_t samples = FRAMES * (size_t)convention->hop;
    float *mel = random_mel(convention, FRAMES), unvoiced[FRAMES] = {0};
    float *is = base_alloc(samples, sizeof *is), *should = base_alloc(samples, sizeof *should);
    lull_options options = some_options(model, 1);
    lull_vocoder *vocoder = vocoder_of(NULL, convention, &options);
    size_t accepted, produced;
    assert_int_equal(lull_vocoder_push_pitch(vocoder, mel, unvoiced, FRAMES, &accepted, NULL),
                     LULL_OK);
    assert_int_equal(accepted, FRAMES);
    lull_vocoder_finish(vocoder);
    assert_int_equal(lull_vocoder_pull(vocoder, is, samples, &produced, NULL), LULL_OK);
    assert_int_equal(produced, samples);
    lull_vocoder_free(vocoder);
    options.source = LULL_SOURCE_NOISE;
    vocoder = vocoder_of(NULL, convention, &options);
    synthesize(vocoder, convention, mel, FRAMES, FRAMES, 4096, should);
    lull_vocoder_free(vocoder);
    assert_memory_equal(is, should, samples * sizeof *is);

    vocoder = vocoder_of(model, convention, &options);
    const size_t latency = lull_vocoder_latency(vocoder);
    synthesize(vocoder, convention, mel, FRAMES, FRAMES, 4096, should);
    lull_vocoder_free(vocoder);
    options.source = LULL_SOURCE_PITCH;
    options.crossover = (float)convention->sample_rate / 2;
    vocoder = vocoder_of(model, convention, &options);
    assert_int_equal(lull_vocoder_latency(vocoder), latency);
    synthesize(vocoder, convention, mel, FRAMES, FRAMES, 4096, is);
    lull_vocoder_free(vocoder);
    assert_memory_equal(is, should, samples * sizeof *is);
    base_free(mel);
    base_free(is);
    base_free(should);
    lull_model_close(model);
}

/* A pitch that is given is what sounds: delayed by its period the signal is alike, by three quarters
 * of it not. */
static void given_pitch(void **state) {
    (void)state;
    lull_model *pitch = pitch_model(1);
    const mel_convention convention = named("hifigan");
    const size_t samples = FRAMES * (size_t)convention.hop;
    float *mel = base_alloc(FRAMES * (size_t)convention.bands, sizeof *mel), f0[FRAMES];
    for (int i = 0; i < FRAMES * convention.bands; i++) mel[i] = -4;
    for (int i = 0; i < FRAMES; i++) f0[i] = 22050.0f / 128;
    float *out = base_alloc(samples, sizeof *out);
    lull_options options = some_options(pitch, 1);
    options.unchecked = 1; /* no voice stays as it is */
    for (int octave = -12; octave <= 12; octave += 12) {
        options.transpose = (float)octave;
        lull_vocoder *vocoder = vocoder_of(NULL, &convention, &options);
        size_t accepted, produced;
        assert_int_equal(lull_vocoder_push_pitch(vocoder, mel, f0, FRAMES, &accepted, NULL),
                         LULL_OK);
        lull_vocoder_finish(vocoder);
        assert_int_equal(lull_vocoder_pull(vocoder, out, samples, &produced, NULL), LULL_OK);
        const size_t period = octave < 0 ? 256 : octave > 0 ? 64 : 128;
        double at_period = 0, between = 0;
        for (size_t i = 2000; i < samples - 2000; i++) {
            at_period += out[i] * out[i + period];
            between += out[i] * out[i + period * 3 / 4];
        }
        assert_true(at_period > 0 && between < 0.3 * at_period);
        lull_vocoder_free(vocoder);
    }
    base_free(mel);
    base_free(out);
    lull_model_close(pitch);
}

/* With n frames pushed exactly max(0, n·hop − latency) samples come out, and the parts say how many
 * of them they keep back. */
static void latency_is_exact(void **state) {
    (void)state;
    for (int i = 0; i < 9; i++) {
        const mel_convention convention = named(i % 2 ? "tacotron2" : "hifigan");
        const size_t hop = (size_t)convention.hop;
        lull_model *pitch = pitch_model(2);
        lull_model *model = i < 2 ? NULL : reading_model(i == 5 || i == 7 ? 2 : 0, 3, i >= 6);
        lull_options options = some_options(i < 4 ? pitch : NULL, 1);
        if (i == 8) options.crossover = 48000;
        options.refine_window = i / 2;
        float *mel = random_mel(&convention, FRAMES), *out = base_alloc(FRAMES * hop, sizeof *out);
        lull_vocoder *vocoder = vocoder_of(model, &convention, &options);
        const size_t latency = lull_vocoder_latency(vocoder);
        vocoder_delay delays[VOCODER_MAX_DELAYS];
        size_t sum = 0, told = 0;
        for (int d = 0, n = vocoder_delays(vocoder, delays); d < n; d++) {
            sum += delays[d].samples;
            if (!strcmp(delays[d].name, "pitch")) told = delays[d].samples;
        }
        assert_int_equal(sum, latency);
        if (!model)
            assert_int_equal(told, 2 * hop + hop - mel_convention_first_centre(&convention));
        size_t total = 0;
        for (size_t f = 0; f < FRAMES; f++) {
            size_t accepted, produced, pushed = (f + 1) * hop;
            assert_int_equal(
                lull_vocoder_push(vocoder, mel + f * (size_t)convention.bands, 1, &accepted, NULL),
                LULL_OK);
            assert_int_equal(lull_vocoder_pull(vocoder, out, FRAMES * hop, &produced, NULL),
                             LULL_OK);
            total += produced;
            assert_int_equal(total, pushed > latency ? pushed - latency : 0);
        }
        lull_vocoder_free(vocoder);
        base_free(mel);
        base_free(out);
        lull_model_close(pitch);
        lull_model_close(model);
    }
}

static void empty_and_short(void **state) {
    (void)state;
    const mel_convention convention = named("tacotron2");
    lull_model *pitch = pitch_model(2), *model = whole_model(1, 2);
    lull_model *reading = reading_model(1, 2, true);
    for (int i = 0; i < 3; i++) {
        lull_options options = some_options(pitch, 1);
        if (i == 2) options.crossover = 48000;
        lull_vocoder *vocoder = vocoder_of(i == 2 ? reading
                                           : i    ? model
                                                  : NULL,
                                           &convention, &options);
        float *mel = random_mel(&convention, 3), out[3 * 256];
        size_t produced;
        assert_int_equal(lull_vocoder_finish(vocoder), LULL_OK);
        assert_int_equal(lull_vocoder_pull(vocoder, out, 10, &produced, NULL), LULL_OK);
        assert_int_equal(produced, 0);
        assert_true(lull_vocoder_ended(vocoder));
        for (size_t n = 1; n <= 3; n++) {
            lull_vocoder_reset(vocoder, n);
            synthesize(vocoder, &convention, mel, n, 1, 99, out);
            assert_true(lull_vocoder_ended(vocoder));
        }
        lull_vocoder_free(vocoder);
        base_free(mel);
    }
    lull_model_close(pitch);
    lull_model_close(model);
    lull_model_close(reading);
}

/* What cannot be is refused: no pitch network, a model of plain samples, pitches that are none. */
static void refusals(void **state) {
    (void)state;
    const mel_convention convention = named("hifigan");
    lull_model *pitch = pitch_model(1);
    model_config config = small_lull(), samples = small_diffwave();
    lull_model *without = random_model(&config), *diffwave = random_model(&samples);
    lull_vocoder *vocoder = NULL;
    lull_error error;
    assert_int_equal(lull_vocoder_new(pitch, NULL, &vocoder, &error), LULL_UNSUPPORTED);
    assert_non_null(strstr(error.message, "pitch network alone"));
    lull_options options = some_options(NULL, 1);
    options.source = LULL_SOURCE_PITCH;
    assert_int_equal(vocoder_new_reading(without, &convention, &options, &vocoder, &error),
                     LULL_UNSUPPORTED);
    assert_non_null(strstr(error.message, "--part pitch"));
    assert_int_equal(vocoder_new_reading(NULL, &convention, &options, &vocoder, &error),
                     LULL_UNSUPPORTED);
    options.pitch_model = without;
    assert_int_equal(vocoder_new_reading(NULL, &convention, &options, &vocoder, &error),
                     LULL_UNSUPPORTED);
    /* Nor is one that cannot serve passed over where nobody says which source. */
    options.source = LULL_SOURCE_DEFAULT;
    assert_int_equal(vocoder_new_reading(without, &convention, &options, &vocoder, &error),
                     LULL_UNSUPPORTED);
    options.pitch_model = pitch;
    assert_int_equal(lull_vocoder_new(diffwave, &options, &vocoder, &error), LULL_UNSUPPORTED);
    options.source = LULL_SOURCE_PITCH;
    assert_int_equal(lull_vocoder_new(diffwave, &options, &vocoder, &error), LULL_UNSUPPORTED);
    options.transpose = 25;
    assert_int_equal(vocoder_new_reading(NULL, &convention, &options, &vocoder, &error),
                     LULL_INVALID);
    assert_null(vocoder);
    options.transpose = 0;
    vocoder = vocoder_of(NULL, &convention, &options);
    float *mel = random_mel(&convention, 2);
    const float wrong[][2] = {{100, -1}, {6000, 100}, {INFINITY, 0}};
    size_t accepted = 7;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(lull_vocoder_push_pitch(vocoder, mel, wrong[i], 2, &accepted, &error),
                         LULL_INVALID);
        assert_int_equal(accepted, 0);
    }
    assert_int_equal(lull_vocoder_push_pitch(vocoder, mel, NULL, 2, &accepted, &error),
                     LULL_INVALID);
    lull_vocoder_free(vocoder);
    base_free(mel);
    lull_model_close(pitch);
    lull_model_close(without);
    lull_model_close(diffwave);
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    const mel_convention convention = named("hifigan");
    lull_model *model = reading_model(1, 1, true);
    lull_options options = some_options(model, 1);
    for (int i = 0; i < 2; i++) {
        lull_vocoder *vocoder = NULL;
        lull_status status;
        size_t n = 0;
        do {
            base_memory_fail_at(++n);
            status = vocoder_new_reading(i ? model : NULL, &convention, &options, &vocoder, NULL);
            base_memory_fail_at(0);
            assert_true(status == LULL_OK || (status == LULL_NO_MEMORY && !vocoder));
        } while (status);
        assert_true(n > 30);
        lull_vocoder_free(vocoder);
    }
    lull_model_close(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_network_and_source),
        cmocka_unit_test(cuts),
        cmocka_unit_test(splits_bands),
        cmocka_unit_test(crossed_over),
        cmocka_unit_test(crossed_over_with_noise),
        cmocka_unit_test(reads_the_source),
        cmocka_unit_test(without_a_voice),
        cmocka_unit_test(given_pitch),
        cmocka_unit_test(latency_is_exact),
        cmocka_unit_test(empty_and_short),
        cmocka_unit_test(refusals),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
