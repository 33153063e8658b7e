/* Crops for networks over frames: what they are a function of, that features and targets tell of the
 * same sound at the same time, the pool of conventions, and the losses. */
#include "helpers.h"

#include "base/memory.h"
#include "base/thread_pool.h"
#include "mel/analysis.h"
#include "mel/frame_features.h"
#include "mel/low_band.h"
#include "base/random.h"
#include "train/bandwidth_target.h"
#include "train/frame_crops.h"
#include "train/pitch_target.h"
#include "train/convention_pool.h"

enum { FRAMES = 40, RATE = 24000 };

static const double PITCH = 150;

/* Two seconds of harmonics of PITCH Hz, on and off for 0.3 s each. */
static void write_bursts(const char *folder, const char *name, int rate) {
    const size_t count = (size_t)(2 * rate);
    float *samples = malloc(count * sizeof *samples);
    char path[TEST_PATH];
    assert_non_null(samples);
    for (size_t i = 0; i < count; i++) {
        const double t = (double)i / rate, phase = 2 * M_PI * PITCH * t;
        double sum = 0;
        for (int h = 1; h <= 20; h++) sum += cos(h * phase) / h;
        samples[i] = fmod(t, 0.6) < 0.3 ? (float)(0.15 * sum) : 0;
    }
    join(path, folder, name);
    write_wav(path, rate, 1, samples, count);
    free(samples);
}

typedef struct fixture {
    char folder[TEST_PATH];
    train_corpus *corpus;
} fixture;

static void set_up(fixture *f, int rate) {
    thread_pool *pool;
    lull_error error;
    make_temporary(f->folder);
    write_bursts(f->folder, "a.wav", rate);
    write_bursts(f->folder, "b.wav", rate);
    assert_int_equal(thread_pool_new(1, &pool, NULL), LULL_OK);
    const train_corpus_options options = {
        .rate = RATE, .least_samples = 1000, .side = TRAIN_SIDE_ALL, .cache_bytes = 1 << 30};
    if (train_corpus_open(f->folder, &options, pool, &f->corpus, &error))
        fail_msg("%s", error.message);
    thread_pool_free(pool);
}

static void tear_down(fixture *f) {
    train_corpus_free(f->corpus);
    remove_all(f->folder);
}

static train_frame_crops *crops_of(fixture *f, const train_frame_options *options) {
    train_frame_crops *crops;
    lull_error error;
    if (train_frame_crops_new(f->corpus, options, &crops, &error)) fail_msg("%s", error.message);
    return crops;
}

typedef struct rendered {
    float features[FRAMES * MEL_FEATURES], targets[FRAMES * PITCH_OUTPUTS];
} rendered;

static void render(train_frame_crops *crops, uint64_t index, rendered *r) {
    lull_error error;
    if (train_frame_crops_render(crops, index, r->features, r->targets, &error))
        fail_msg("%s", error.message);
}

static void function_of_seed_and_index(void **state) {
    (void)state;
    fixture f;
    set_up(&f, RATE);
    train_frame_options options = {TRAIN_FRAME_PITCH, 7, FRAMES, 6, 0.7, 0.2, 0.5, NULL};
    train_frame_crops *one = crops_of(&f, &options), *two = crops_of(&f, &options);
    options.seed = 8;
    train_frame_crops *other = crops_of(&f, &options);
    static rendered a, b;
    int same = 0;
    for (uint64_t i = 0; i < 12; i++) {
        render(one, i, &a);
        render(two, 11 - i, &b); /* another order */
        render(two, i, &b);
        assert_memory_equal(&a, &b, sizeof a);
        render(other, i, &b);
        same += memcmp(&a, &b, sizeof a) == 0;
        for (int j = 0; j < FRAMES * MEL_FEATURES; j++) assert_true(fabsf(a.features[j]) < 12);
    }
    assert_true(same < 2);
    assert_true(train_frame_crops_bytes(one) > 0);
    train_frame_crops_free(one);
    train_frame_crops_free(two);
    train_frame_crops_free(other);
    tear_down(&f);
}

/* Mean of the points of 100 Hz to 1 kHz. */
static double loudness(const float *features) {
    double sum = 0;
    int n = 0;
    for (int i = 0; i < MEL_FEATURE_POINTS; i++)
        if (mel_feature_hz(i) > 100 && mel_feature_hz(i) < 1000) sum += features[i], n++;
    return sum / n;
}

/* Bursts are where they are heard, and have their pitch. */
static void targets_are_of_the_features(void **state) {
    (void)state;
    fixture f;
    set_up(&f, RATE);
    const train_frame_options options = {TRAIN_FRAME_PITCH, 3, FRAMES, 20, 0, 0, 0, NULL};
    train_frame_crops *crops = crops_of(&f, &options);
    static rendered r;
    int frames = 0, agree = 0, voiced = 0, right = 0, periodic = 0;
    for (uint64_t i = 0; i < 60; i++) {
        render(crops, i, &r);
        for (int t = 0; t < FRAMES; t++) {
            const float *target = r.targets + t * PITCH_OUTPUTS;
            const bool sounds = loudness(r.features + t * MEL_FEATURES) > -1;
            frames++;
            agree += sounds == (target[PITCH_OUT_VOICING] > 0.5f);
            if (target[PITCH_OUT_VOICING] < 1) continue;
            voiced++;
            right += fabs(target[PITCH_OUT_F0] - log2(PITCH / 200)) < 0.02;
            periodic += target[PITCH_OUT_APERIODICITY] < 0.3f;
        }
    }
    print_message("    of %d frames %d agree; of %d voiced %d have the pitch, %d are periodic\n",
                  frames, agree, voiced, right, periodic);
    assert_true(right > voiced * 95 / 100 && periodic > voiced * 9 / 10);
    assert_true(voiced > frames / 6 && agree > frames * 85 / 100);
    train_frame_crops_free(crops);
    tear_down(&f);
}

/* Played faster and slower, the pitch goes with it; a recording of 16 kHz knows nothing of the bands
 * above 8. */
static void speed_and_bandwidth(void **state) {
    (void)state;
    fixture f;
    set_up(&f, 16000);
    const train_frame_options options = {TRAIN_FRAME_PITCH, 3, FRAMES, 0, 0, 0.25, 0, NULL};
    train_frame_crops *crops = crops_of(&f, &options);
    static rendered r;
    float lowest = 9, highest = -9;
    for (uint64_t i = 0; i < 60; i++) {
        render(crops, i, &r);
        for (int t = 0; t < FRAMES; t++) {
            const float *target = r.targets + t * PITCH_OUTPUTS;
            if (target[PITCH_OUT_VOICING] < 1) continue;
            lowest = fminf(lowest, target[PITCH_OUT_F0]);
            highest = fmaxf(highest, target[PITCH_OUT_F0]);
            assert_true(target[PITCH_OUT_APERIODICITY + 5] >= 0);
            assert_true(target[PITCH_OUT_APERIODICITY + 6] == -1);
        }
    }
    const double middle = log2(PITCH / 200), reach = 0.25 / M_LN2;
    assert_true(lowest < middle - 0.4 * reach && lowest > middle - reach - 0.02);
    assert_true(highest > middle + 0.4 * reach && highest < middle + reach + 0.02);
    train_frame_crops_free(crops);
    tear_down(&f);
}

/* Two seconds of white noise, and of noise that is ten times fainter above 9 kHz. */
static void write_noise(const char *folder, const char *name, int rate, bool falls) {
    const size_t count = (size_t)(2 * rate), taps = 127;
    float *noise = malloc((count + taps) * sizeof *noise),
          *samples = malloc(count * sizeof *samples);
    char path[TEST_PATH];
    assert_true(noise && samples);
    random_normal(11, 0, 0, noise, count + taps);
    for (size_t i = 0; i < count; i++) {
        double low = 0;
        for (size_t k = 0; falls && k < taps; k++) {
            const double at = (double)k - 63, cut = 2 * 9000.0 / rate;
            const double sinc = at == 0 ? cut : sin(M_PI * cut * at) / (M_PI * at);
            low += noise[i + k] * sinc * (0.54 + 0.46 * cos(M_PI * at / 64));
        }
        const double all = noise[i + 63];
        samples[i] = (float)(0.05 * (falls ? 0.9 * low + 0.1 * all : all));
    }
    join(path, folder, name);
    write_wav(path, rate, 1, samples, count);
    free(noise);
    free(samples);
}

static void set_up_noise(fixture *f, int rate, bool falls) {
    thread_pool *pool;
    lull_error error;
    make_temporary(f->folder);
    write_noise(f->folder, "a.wav", rate, falls);
    assert_int_equal(thread_pool_new(1, &pool, NULL), LULL_OK);
    const train_corpus_options options = {
        .rate = RATE, .least_samples = 1000, .side = TRAIN_SIDE_ALL, .cache_bytes = 1 << 30};
    if (train_corpus_open(f->folder, &options, pool, &f->corpus, &error))
        fail_msg("%s", error.message);
    thread_pool_free(pool);
}

/* What lies above the mel is measured where the mel is, whatever its convention: as loud as what
 * is below, or 20 dB fainter from 9 kHz on. */
static void above_the_mel(void **state) {
    (void)state;
    static float features[FRAMES * MEL_FEATURES], targets[FRAMES * BANDWIDTH_POINTS];
    const double tenth = log(0.1) * MEL_FEATURE_SCALE;
    for (int falls = 0; falls < 2; falls++) {
        fixture f;
        set_up_noise(&f, RATE, falls);
        const train_frame_options options = {TRAIN_FRAME_BANDWIDTH, 3, FRAMES, 8, 0.5, 0, 0, NULL};
        train_frame_crops *crops = crops_of(&f, &options);
        double below = 0, above = 0;
        int n_below = 0, n_above = 0, unknown = 0;
        lull_error error;
        for (uint64_t i = 0; i < 30; i++) {
            if (train_frame_crops_render(crops, i, features, targets, &error))
                fail_msg("%s", error.message);
            /* Away from the ends of the recording, where windows see silence. */
            for (int t = 10; t < FRAMES - 10; t++)
                for (int p = 0; p < BANDWIDTH_POINTS; p++) {
                    const double hz = mel_feature_hz(BANDWIDTH_FIRST + p);
                    const float value = targets[t * BANDWIDTH_POINTS + p];
                    if (hz < 7000) assert_true(isnan(value)); /* every mel shows it */
                    unknown += isnan(value);
                    if (isnan(value) || features[t * MEL_FEATURES + 60] < 0) continue;
                    if (hz < 8500) below += value, n_below++;
                    if (hz > 9600 && hz < 11500) above += value, n_above++;
                }
        }
        assert_true(n_below > 100 && n_above > 1000 && unknown > 1000);
        print_message("    %s: %.3f below 8.5 kHz, %.3f above 9.6\n", falls ? "falls" : "flat",
                      below / n_below, above / n_above);
        assert_true(fabs(below / n_below) < 0.08);
        assert_true(fabs(above / n_above - (falls ? tenth : 0)) < 0.1);
        train_frame_crops_free(crops);
        tear_down(&f);
    }
}

/* Crops with the recording itself go through the pool in turn; the mel is that of the samples, and
 * the features are those of the mel. */
static void recorded(void **state) {
    (void)state;
    enum { SAMPLES = 60000 };
    fixture f;
    set_up(&f, RATE);
    mel_convention own;
    assert_int_equal(mel_convention_named("vocos-24k", 0, &own, NULL), LULL_OK);
    train_frame_options options = {TRAIN_FRAME_RECORDED, 3, FRAMES, 3, 0.7, 0.2, 0, &own};
    train_frame_crops *crops = crops_of(&f, &options);
    options.degrade = 1;
    train_frame_crops *degraded = crops_of(&f, &options);
    static float features[FRAMES * MEL_FEATURES], seen[MEL_FEATURES];
    static float mel[FRAMES * MEL_MAX_BANDS], blurred[FRAMES * MEL_MAX_BANDS], one[MEL_MAX_BANDS];
    static float samples[SAMPLES], same[SAMPLES];
    train_convention_pool pool = train_frame_recorded_pool(&own, 3);
    mel_convention c;
    uint64_t count = 0, different = 0;
    for (; train_convention_pool_next(&pool, &c); count++) {
        const size_t n = (size_t)((FRAMES - 1) * c.hop + c.n_fft), all = (size_t)(FRAMES * c.bands);
        mel_analysis *analysis;
        mel_features *reader;
        lull_error error;
        assert_true(n <= SAMPLES);
        assert_true(mel_low_band_decimation(&c) > 1);
        if (count % 2 == 0) assert_string_equal(c.name, own.name);
        assert_string_equal(train_frame_crops_convention(crops, count)->name, c.name);
        if (train_frame_crops_recorded(crops, count, features, mel, samples, &error))
            fail_msg("%s", error.message);
        assert_int_equal(mel_analysis_new(&c, &analysis, NULL), LULL_OK);
        assert_int_equal(mel_features_new(&c, &reader, NULL), LULL_OK);
        for (int t = 0; t < FRAMES; t++) {
            mel_analysis_frame(analysis, samples + t * c.hop, one);
            assert_memory_equal(one, mel + t * c.bands, (size_t)c.bands * sizeof *one);
            mel_features_of_frame(reader, one, seen);
            assert_memory_equal(seen, features + t * MEL_FEATURES, sizeof seen);
        }
        /* A blurred mel is of the same recording. */
        assert_int_equal(train_frame_crops_recorded(degraded, count, features, blurred, same, NULL),
                         LULL_OK);
        assert_memory_equal(samples, same, n * sizeof *samples);
        different += memcmp(mel, blurred, all * sizeof *mel) != 0;
        mel_analysis_free(analysis);
        mel_features_free(reader);
    }
    assert_true(count > 20 && count % 2 == 0 && different >= count - 2);
    assert_string_equal(train_frame_crops_convention(crops, count + 1)->name,
                        train_frame_crops_convention(crops, 1)->name);
    train_frame_crops_free(crops);
    train_frame_crops_free(degraded);
    tear_down(&f);
}

static void nothing_above_the_mel(void **state) {
    (void)state;
    fixture f;
    set_up_noise(&f, 16000, false);
    const train_frame_options options = {TRAIN_FRAME_BANDWIDTH, 3, FRAMES, 8, 0, 0, 0, NULL};
    train_frame_crops *crops;
    lull_error error;
    assert_int_equal(train_frame_crops_new(f.corpus, &options, &crops, &error), LULL_INVALID);
    assert_non_null(strstr(error.message, "22050 Hz"));
    tear_down(&f);
}

static void gradient_of_the_bandwidth_loss(void **state) {
    (void)state;
    enum { N = 3 };
    float outputs[N * BANDWIDTH_POINTS], targets[N * BANDWIDTH_POINTS],
        gradient[N * BANDWIDTH_POINTS], none[N * BANDWIDTH_POINTS];
    random_normal(1, 0, 0, outputs, N * BANDWIDTH_POINTS);
    random_normal(2, 0, 0, targets, N * BANDWIDTH_POINTS);
    for (int i = 0; i < BANDWIDTH_POINTS; i++) targets[BANDWIDTH_POINTS + i] = NAN; /* a frame */
    targets[4] = NAN;
    const double loss = train_bandwidth_loss(outputs, targets, N, gradient);
    assert_true(loss > 0 && gradient[4] == 0 && gradient[BANDWIDTH_POINTS + 4] == 0);
    for (int i = 0; i < N * BANDWIDTH_POINTS; i++) {
        const float kept = outputs[i], step = 1e-3f;
        outputs[i] = kept + step;
        const double above = train_bandwidth_loss(outputs, targets, N, none);
        outputs[i] = kept - step;
        const double below = train_bandwidth_loss(outputs, targets, N, none);
        outputs[i] = kept;
        assert_true(fabs((above - below) / (2 * step) - gradient[i]) < 1e-3);
    }
}

static void pool_is_valid_and_wide(void **state) {
    (void)state;
    int centred = 0, powers = 0, htk = 0, different = 0;
    for (int i = 0; i < 300; i++) {
        mel_convention c, other;
        lull_error error;
        train_convention_pool_draw(5, i, &c);
        if (mel_convention_check(&c, &error)) fail_msg("%d: %s", i, error.message);
        const double window = (double)c.window / c.sample_rate, hop = (double)c.hop / c.sample_rate;
        assert_true(window > 0.0199 && window < 0.0851);
        assert_true(hop > 0.0039 && hop < 0.0201 && hop <= window / 2 + 1e-9);
        assert_true(c.bands >= 60 && c.bands <= 130);
        centred += c.centred;
        powers += c.power == 2;
        htk += c.scale == MEL_SCALE_HTK;
        train_convention_pool_draw(6, i, &other);
        different += other.window != c.window;
        train_convention_pool_draw(5, i, &other);
        assert_memory_equal(&other, &c, sizeof c);
    }
    assert_true(centred > 100 && centred < 200 && powers > 40 && htk > 80 && different > 280);
}

static void gradient_of_the_loss(void **state) {
    (void)state;
    enum { N = 5 };
    float outputs[N * PITCH_OUTPUTS], targets[N * PITCH_OUTPUTS], gradient[N * PITCH_OUTPUTS],
        none[N * PITCH_OUTPUTS];
    random_normal(1, 0, 0, outputs, N * PITCH_OUTPUTS);
    for (int i = 0; i < N * PITCH_OUTPUTS; i++) {
        outputs[i] *= 2;
        targets[i] = (float)random_uniform(2, 0, (uint64_t)i);
    }
    targets[PITCH_OUT_APERIODICITY + 3] = -1;
    const double loss = train_pitch_loss(outputs, targets, N, gradient);
    assert_true(loss > 0 && gradient[PITCH_OUT_APERIODICITY + 3] == 0);
    for (int i = 0; i < N * PITCH_OUTPUTS; i++) {
        const float kept = outputs[i], step = 1e-3f;
        outputs[i] = kept + step;
        const double above = train_pitch_loss(outputs, targets, N, none);
        outputs[i] = kept - step;
        const double below = train_pitch_loss(outputs, targets, N, none);
        outputs[i] = kept;
        assert_true(fabs((above - below) / (2 * step) - gradient[i]) < 1e-3);
    }
    /* At the targets nothing is better. */
    for (int i = 0; i < N; i++) outputs[i * PITCH_OUTPUTS] = targets[i * PITCH_OUTPUTS];
    train_pitch_loss(outputs, targets, N, gradient);
    assert_true(gradient[PITCH_OUT_F0] == 0);
    outputs[0] = 1e9f;
    assert_true(isfinite(train_pitch_loss(outputs, targets, N, gradient)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(function_of_seed_and_index),
        cmocka_unit_test(targets_are_of_the_features),
        cmocka_unit_test(speed_and_bandwidth),
        cmocka_unit_test(pool_is_valid_and_wide),
        cmocka_unit_test(gradient_of_the_loss),
        cmocka_unit_test(above_the_mel),
        cmocka_unit_test(recorded),
        cmocka_unit_test(nothing_above_the_mel),
        cmocka_unit_test(gradient_of_the_bandwidth_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
