/* Crops and batches: what is chosen, and that a crop is exactly a piece of the whole recording's
 * analysis. */
#include "helpers.h"

#include "base/memory.h"
#include "base/thread_pool.h"
#include "mel/front_end.h"
#include "mel/window.h"
#include "mel/whiten.h"
#include "gradient/engine.h"
#include "train/crops.h"
#include "train/reader.h"

enum { FRAMES = 32, HOP = 256, BANDS = 80, MARGIN = 3 };

typedef struct fixture {
    char folder[TEST_PATH];
    train_corpus *corpus;
    model_config config;
} fixture;

static void set_up(fixture *f, bool streamed) {
    thread_pool *pool;
    lull_error error;
    tiny_config(&f->config);
    make_temporary(f->folder);
    write_voice(f->folder, "a.wav", 16000, 1.0, 1);
    write_voice(f->folder, "b.wav", 16000, 3.0, 2);
    write_voice(f->folder, "c.wav", 22050, 2.011, 3);
    assert_int_equal(thread_pool_new(1, &pool, NULL), LULL_OK);
    const train_corpus_options options = {.rate = 16000,
                                          .least_samples = FRAMES * HOP,
                                          .side = TRAIN_SIDE_ALL,
                                          .cache_bytes = streamed ? 0 : 1 << 30};
    if (train_corpus_open(f->folder, &options, pool, &f->corpus, &error))
        fail_msg("%s", error.message);
    thread_pool_free(pool);
}

static void tear_down(fixture *f) {
    train_corpus_free(f->corpus);
    remove_all(f->folder);
}

static void choice(void **state) {
    (void)state;
    enum { N = 12000 };
    fixture f;
    set_up(&f, false);
    train_crops *crops;
    const train_crops_options options = {11, FRAMES, MARGIN, 6.0, 0.25};
    assert_int_equal(train_crops_new(&f.config, f.corpus, &options, &crops, NULL), LULL_OK);
    int count[3] = {0}, degraded = 0;
    double db = 0.0, widest = 0.0;
    int64_t last_of_b = 3 * 16000 / HOP - FRAMES, first_seen = 1000, last_seen = 0;
    for (uint64_t i = 0; i < N; i++) {
        train_crop crop, again;
        train_crops_choose(crops, i, &crop);
        train_crops_choose(crops, i, &again);
        assert_memory_equal(&crop, &again, sizeof crop);
        count[crop.recording]++;
        int64_t frames = (int64_t)f.corpus->recordings[crop.recording].samples / HOP;
        assert_true(crop.first_frame >= 0 && crop.first_frame + FRAMES <= frames);
        if (crop.recording == 1) {
            if (crop.first_frame < first_seen) first_seen = crop.first_frame;
            if (crop.first_frame > last_seen) last_seen = crop.first_frame;
        }
        degraded += crop.degrade.passes > 0;
        db += 20.0 * log10(crop.gain);
        widest = fmax(widest, fabs(20.0 * log10(crop.gain)));
    }
    assert_true(abs(count[0] - N / 6) < 300 && abs(count[1] - N / 2) < 300); /* 1 s, 3 s, 2 s */
    assert_true(first_seen == 0 && last_seen == last_of_b);
    assert_true(abs(degraded - N / 4) < 250);
    assert_true(fabs(db / N) < 0.15 && widest <= 6.0 && widest > 5.9);
    train_crops_free(crops);
    tear_down(&f);
}

/* Every crop of a recording against the analysis and whitening of the whole of it. */
static void pieces_of_the_whole(void **state) {
    (void)state;
    for (int streamed = 0; streamed < 2; streamed++) {
        fixture f;
        set_up(&f, streamed != 0);
        train_crops *crops;
        const train_crops_options options = {1, FRAMES, MARGIN, 0.0, 0.0};
        assert_int_equal(train_crops_new(&f.config, f.corpus, &options, &crops, NULL), LULL_OK);
        static float signal[FRAMES * HOP], mel[(FRAMES + 2 * MARGIN) * BANDS];
        for (size_t r = 0; r < 2; r++) { /* at the model's rate: both ways of reading are exact */
            size_t samples = f.corpus->recordings[r].samples, n;
            float *audio = base_alloc(samples, sizeof *audio),
                  *whole = base_alloc(samples, sizeof *whole), *frames;
            assert_int_equal(train_corpus_read(f.corpus, r, 0, samples, audio, NULL), LULL_OK);
            assert_int_equal(mel_from_samples(&f.config.mel, audio, samples, &frames, &n, NULL),
                             LULL_OK);
            assert_int_equal(mel_filter_whole(&f.config.mel, f.config.tilt_hz, frames, n, audio,
                                              whole, samples, false, NULL),
                             LULL_OK);
            int64_t places = (int64_t)(samples / HOP) - FRAMES;
            for (int64_t first = 0; first <= places;
                 first = first < places && first + 7 > places ? places : first + 7) {
                const train_crop crop = {.recording = r, .first_frame = first, .gain = 1.0};
                assert_int_equal(train_crops_render(crops, &crop, signal, mel, NULL), LULL_OK);
                double power = 0.0;
                for (int64_t i = 0; i < FRAMES * HOP; i++) {
                    power += (double)signal[i] * signal[i] / (FRAMES * HOP);
                    if (signal[i] != whole[first * HOP + i])
                        fail_msg("recording %zu, crop at %d: sample %d is %g, whole %g", r,
                                 (int)first, (int)i, signal[i], whole[first * HOP + i]);
                }
                assert_true(power > 0.3 &&
                            power < 3.0); /* whitened speech has unit variance, roughly */
                for (int64_t k = -MARGIN; k < FRAMES + MARGIN; k++)
                    for (int64_t b = 0; b < BANDS; b++) {
                        int64_t at = first + k;
                        float value = mel[(k + MARGIN) * BANDS + b];
                        if (at < 0 || at >= (int64_t)n)
                            assert_true(value == -5.0f);
                        else
                            assert_true(value == frames[at * BANDS + b]); /* the very frames */
                    }
            }
            base_free(audio);
            base_free(whole);
            base_free(frames);
        }
        train_crops_free(crops);
        tear_down(&f);
    }
}

/* Gain moves the mel by ln gain and leaves the whitened speech alone; a degraded crop is whitened
 * by its own mel. */
static void gain_and_degradation(void **state) {
    (void)state;
    fixture f;
    set_up(&f, false);
    train_crops *crops;
    const train_crops_options options = {1, FRAMES, MARGIN, 6.0, 0.5};
    assert_int_equal(train_crops_new(&f.config, f.corpus, &options, &crops, NULL), LULL_OK);
    static float a[FRAMES * HOP], b[FRAMES * HOP], mel_a[(FRAMES + 2 * MARGIN) * BANDS],
        mel_b[(FRAMES + 2 * MARGIN) * BANDS];
    train_crop crop = {.recording = 1, .first_frame = 50, .gain = 1.0};
    assert_int_equal(train_crops_render(crops, &crop, a, mel_a, NULL), LULL_OK);
    crop.gain = 1.7;
    assert_int_equal(train_crops_render(crops, &crop, b, mel_b, NULL), LULL_OK);
    double worst = 0.0;
    for (int i = 0; i < FRAMES * HOP; i++) worst = fmax(worst, fabs((double)a[i] - b[i]));
    assert_true(worst < 0.02);
    for (int i = 0; i < (FRAMES + 2 * MARGIN) * BANDS; i++)
        if (mel_a[i] > -8.0f) assert_true(fabs(mel_b[i] - mel_a[i] - log(1.7)) < 2e-3);
    crop.gain = 1.0;
    crop.degrade = (train_degrade){.passes = 1, .time_kernel = {0.3, 0}, .offset = 0.25};
    assert_int_equal(train_crops_render(crops, &crop, b, mel_b, NULL), LULL_OK);
    double power_a = 0.0, power_b = 0.0, moved = 0.0;
    for (int i = 0; i < FRAMES * HOP; i++) power_a += a[i] * a[i], power_b += b[i] * b[i];
    for (int i = BANDS; i < (FRAMES + 2 * MARGIN - 1) * BANDS;
         i++) { /* [k, 1−2k, k] from the neighbours */
        double expected = 0.4 * mel_a[i] + 0.3 * (mel_a[i - BANDS] + mel_a[i + BANDS]) + 0.25;
        assert_true(fabs(mel_b[i] - expected) < 1e-4);
        moved = fmax(moved, fabs(mel_b[i] - mel_a[i]));
    }
    assert_true(moved > 0.2);
    /* A mel that claims more level whitens to less: e^-0.25 in amplitude. */
    assert_true(fabs(sqrt(power_b / power_a) - exp(-0.25)) < 0.08);
    train_crops_free(crops);
    tear_down(&f);
}

static void times(void **state) {
    (void)state;
    const diffusion_schedule angle = {.kind = DIFFUSION_ANGLE},
                             betas = {DIFFUSION_BETAS, 50, 1e-4, 0.05};
    int middle = 0;
    for (int i = 0; i < 10000; i++) {
        double q = (i + 0.5) / 10000, t = train_time(&angle, TRAIN_DENSITY_SINE, q);
        assert_true(fabs(0.5 * (1.0 - cos(3.14159265358979 * t)) - q) < 1e-9);
        middle += t > 0.25 && t < 0.75;
        assert_true(train_time(&angle, TRAIN_DENSITY_UNIFORM, q) == q);
        assert_true(fabs(cbrt(train_time(&angle, TRAIN_DENSITY_START, q)) - q) < 1e-12);
        double step = train_time(&betas, TRAIN_DENSITY_SINE, q);
        assert_true(step == floor(50 * q) && step < 50);
    }
    assert_true(abs(middle - 7071) < 10);
}

/* t is in its stratum, which begins at `low`; v: sin φ·x + cos φ·u is the speech, cos φ·x − sin φ·u
 * the noise, of unit variance. */
static void expect_mixture(double t, double low, const float *x, const float *target) {
    double q = 0.5 * (1.0 - cos(3.141592653589793 * t));
    assert_true(q >= low - 1e-9 && q < low + 1 / 12.0 + 1e-9);
    double phi = 1.5707963267948966 * t, power = 0.0;
    for (int k = 0; k < FRAMES * HOP; k++) {
        double eps = cos(phi) * x[k] - sin(phi) * target[k];
        power += eps * eps / (FRAMES * HOP);
    }
    assert_true(fabs(power - 1.0) < 0.1);
}

/* N machines with batches of B draw what one draws with N·B; parts of a step follow each other; the
 * stratum of each t and the mixture x = a·x0 + s·ε are right; so is the source beside it. */
static void batches(void **state) {
    (void)state;
    fixture f;
    set_up(&f, false);
    f.config.source = true;
    train_settings settings;
    train_settings_default(&settings);
    settings.crop_frames = FRAMES;
    settings.seed = 77;
    settings.degrade = 0.5;
    const train_crops_options options = {settings.seed, FRAMES, MARGIN, 6.0, 0.5};
    static float x[12][FRAMES * HOP], target[12][FRAMES * HOP], source[12][FRAMES * HOP];
    static double t[12];
    size_t bytes = sizeof x[0];
    for (int way = 0; way < 3; way++) {
        int ranks = way == 1 ? 3 : 1;
        settings.batch = way == 0 ? 12 : way == 1 ? 4 : 6;
        settings.accumulate = way == 2 ? 2 : 1;
        for (int rank = 0; rank < ranks; rank++) {
            train_crops *crops;
            train_reader *reader;
            lull_error error;
            assert_int_equal(train_crops_new(&f.config, f.corpus, &options, &crops, NULL), LULL_OK);
            assert_int_equal(train_reader_new(crops, &f.config, &settings, 5, 4 * 12, rank, ranks,
                                              &reader, NULL),
                             LULL_OK);
            for (int part = 0; part < settings.accumulate; part++) {
                const train_batch *batch;
                double waited = 0.0;
                if (train_reader_next(reader, &batch, &waited, &error))
                    fail_msg("%s", error.message);
                assert_int_equal(batch->step, 5);
                assert_int_equal(batch->part, part);
                for (int i = 0; i < settings.batch; i++) {
                    int number = (part * ranks + rank) * settings.batch + i;
                    const float *own = batch->x + (size_t)i * FRAMES * HOP,
                                *goal = batch->target + (size_t)i * FRAMES * HOP,
                                *beside = batch->source + (size_t)i * FRAMES * HOP;
                    if (way == 0) {
                        memcpy(x[number], own, bytes);
                        memcpy(target[number], goal, bytes);
                        memcpy(source[number], beside, bytes);
                        t[number] = batch->t[i];
                        expect_mixture(batch->t[i], number / 12.0, own, goal);
                    } else {
                        assert_memory_equal(own, x[number], bytes);
                        assert_memory_equal(goal, target[number], bytes);
                        assert_memory_equal(beside, source[number], bytes);
                        assert_true(batch->t[i] == t[number]);
                    }
                }
            }
            train_reader_free(reader);
            train_crops_free(crops);
        }
    }
    tear_down(&f);
}

/* A crop's source is a function of the crop, and its pulses lie on the recording's, whatever their
 * sign in the recording. */
static void sources(void **state) {
    enum { COUNT = 48000, SAMPLES = FRAMES * HOP };
    const double f0 = 137.3, sign = *(const int *)*state;
    fixture f;
    tiny_config(&f.config);
    f.config.source = true;
    make_temporary(f.folder);
    float *voice = calloc(COUNT, sizeof *voice);
    for (int i = 0; i < COUNT; i++)
        for (int h = 1; h <= 50; h++)
            voice[i] += (float)(sign * 0.01 * cos(2.0 * M_PI * f0 * h * (i / 16000.0 + 0.0007)));
    char path[TEST_PATH];
    join(path, f.folder, "a.wav");
    write_wav(path, 16000, 1, voice, COUNT);
    free(voice);
    thread_pool *pool;
    assert_int_equal(thread_pool_new(1, &pool, NULL), LULL_OK);
    const train_corpus_options corpus = {
        .rate = 16000, .least_samples = SAMPLES, .side = TRAIN_SIDE_ALL, .cache_bytes = 1 << 30};
    assert_int_equal(train_corpus_open(f.folder, &corpus, pool, &f.corpus, NULL), LULL_OK);
    thread_pool_free(pool);
    train_crops *crops;
    const train_crops_options options = {11, FRAMES, MARGIN, 6.0, 0.0};
    assert_int_equal(train_crops_new(&f.config, f.corpus, &options, &crops, NULL), LULL_OK);
    float *signal = calloc(SAMPLES, sizeof *signal), *before = calloc(SAMPLES, sizeof *before);
    float *source = calloc(SAMPLES, sizeof *source), *again = calloc(SAMPLES, sizeof *again);
    float *mel = calloc((FRAMES + 2 * MARGIN) * BANDS, sizeof *mel);
    for (uint64_t i = 0; i < 6; i++) {
        train_crop crop;
        train_crops_choose(crops, i, &crop);
        assert_int_equal(train_crops_render(crops, &crop, before, mel, NULL), LULL_OK);
        memcpy(signal, before, SAMPLES * sizeof *signal);
        assert_int_equal(train_crops_source(crops, &crop, mel, signal, source, NULL), LULL_OK);
        double own = 0.0, of_source = 0.0, both = 0.0;
        for (int k = 0; k < SAMPLES; k++) {
            assert_true(signal[k] == (float)sign * before[k]);
            own += (double)signal[k] * signal[k] / SAMPLES;
            of_source += (double)source[k] * source[k] / SAMPLES;
            both += (double)signal[k] * source[k] / SAMPLES;
        }
        assert_true(of_source > 0.8 && of_source < 1.25);
        if (!(both > 0.6 * sqrt(own * of_source)))
            fail_msg("crop %d: correlation %g", (int)i, both / sqrt(own * of_source));
        assert_int_equal(train_crops_source(crops, &crop, mel, signal, again, NULL), LULL_OK);
        assert_memory_equal(source, again, SAMPLES * sizeof *source);
    }
    free(signal), free(before), free(source), free(again), free(mel);
    train_crops_free(crops);
    tear_down(&f);
}

static int plus = 1, minus = -1;

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(choice),
        cmocka_unit_test(pieces_of_the_whole),
        cmocka_unit_test(gain_and_degradation),
        cmocka_unit_test(times),
        cmocka_unit_test(batches),
        cmocka_unit_test_prestate(sources, &plus),
        cmocka_unit_test_prestate(sources, &minus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
