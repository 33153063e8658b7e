/* Features: the same sound has the same in every convention, at the level that its formula says. */
#include "mel/frame_features.h"

#include "goldens.h"

#include "base/random.h"
#include "mel/front_end.h"

/* Conventions that differ in everything: the first is what the others are compared with. */
typedef struct kind {
    const char *name;
    int rate, n_fft, window, hop, bands;
    double fmin, fmax;
    mel_scale scale;
    mel_compression compression;
    double floor;
    bool centred, statistics;
} kind;

static const kind kinds[] = {
    {"24k", 24000, 1024, 1024, 256, 100, 0, 12000, MEL_SCALE_SLANEY, MEL_COMPRESS_LN, 1e-5, false,
     false},
    {"24k HTK", 24000, 1024, 1024, 256, 100, 0, 12000, MEL_SCALE_HTK, MEL_COMPRESS_LN, 1e-7, true,
     false},
    {"22k 8 kHz", 22050, 1024, 1024, 256, 80, 0, 8000, MEL_SCALE_SLANEY, MEL_COMPRESS_LN, 1e-5,
     false, false},
    {"16k", 16000, 1024, 700, 200, 80, 80, 7600, MEL_SCALE_SLANEY, MEL_COMPRESS_LOG10, 1e-10, true,
     true},
    {"24k long", 24000, 2048, 1200, 300, 80, 80, 7600, MEL_SCALE_SLANEY, MEL_COMPRESS_LOG10, 1e-10,
     true, true},
    {"22k DiffWave", 22050, 1024, 1024, 256, 80, 20, 11025, MEL_SCALE_HTK, MEL_COMPRESS_LOG10, 1e-5,
     true, false},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static mel_convention convention_of(const kind *k) {
    const bool diffwave = strcmp(k->name, "22k DiffWave") == 0;
    mel_convention c = {.sample_rate = k->rate,
                        .n_fft = k->n_fft,
                        .window = k->window,
                        .hop = k->hop,
                        .bands = k->bands,
                        .fmin = k->fmin,
                        .fmax = k->fmax,
                        .scale = k->scale,
                        .compression = k->compression,
                        .floor = k->floor,
                        .centred = k->centred,
                        .norm = k->scale == MEL_SCALE_SLANEY ? MEL_NORM_SLANEY : MEL_NORM_NONE,
                        .normalized_window = diffwave,
                        .power = 1,
                        .gain = diffwave ? 0.2 : 1,
                        .offset = diffwave ? 0.8 : 0,
                        .clip_high = diffwave ? 1 : 0,
                        .statistics = k->statistics};
    snprintf(c.name, sizeof c.name, "%s", k->name);
    for (int b = 0; b < k->bands; b++) {
        c.mean[b] = (float)(0.01 * b - 3);
        c.deviation[b] = (float)(0.5 + 0.01 * b);
    }
    return c;
}

/* frames × MEL_FEATURES of a recording. */
static float *features_of(const mel_convention *c, const float *samples, size_t count, size_t *n) {
    lull_error error;
    float *frames = NULL;
    mel_features *m = NULL;
    assert_ok(mel_from_samples(c, samples, count, &frames, n, &error), error);
    assert_ok(mel_features_new(c, &m, &error), error);
    float *out = base_alloc(*n * MEL_FEATURES, sizeof *out);
    for (size_t f = 0; f < *n; f++)
        mel_features_of_frame(m, frames + f * (size_t)c->bands, out + f * MEL_FEATURES);
    for (int i = 0; i < MEL_FEATURE_POINTS; i++) {
        const double hz = mel_feature_hz(i);
        assert_int_equal(mel_features_shows(m, i), hz >= c->fmin && hz <= c->fmax);
        if (!mel_features_shows(m, i)) assert_true(out[i] == 0);
    }
    mel_features_free(m);
    base_free(frames);
    return out;
}

static double value_of(float feature) {
    return feature / MEL_FEATURE_SCALE - MEL_FEATURE_OFFSET;
}

/* White noise of 1/√Hz · 24000^-½ shows its density at every point: the mean of a Rayleigh
 * magnitude is √(π/4) of its root mean square, and of its logarithm, where a band is one bin wide,
 * e^(−γ/2). */
static void noise_has_its_density(void **state) {
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        const mel_convention c = convention_of(&kinds[k]);
        const size_t count = 4 * (size_t)c.sample_rate;
        float *samples = base_alloc(count, sizeof *samples);
        random_normal(11, 0, 0, samples, count);
        const float level = 0.02f * sqrtf((float)c.sample_rate / 24000);
        for (size_t i = 0; i < count; i++) samples[i] *= level;
        size_t n;
        float *features = features_of(&c, samples, count, &n);
        const double rms = log(0.02 / sqrt(24000)), highest = rms + 0.5 * log(M_PI / 4),
                     lowest = rms - 0.5 * 0.5772;
        double worst = 0;
        for (int i = 0; i < MEL_FEATURE_POINTS; i++) {
            const double hz = mel_feature_hz(i);
            if (hz < c.fmin || hz > c.fmax || hz < 100 || hz > c.sample_rate / 2.0 - 200) continue;
            double mean = 0;
            for (size_t f = 0; f < n; f++)
                mean += value_of(features[f * MEL_FEATURES + (size_t)i]) / (double)n;
            worst = fmax(worst, fmax(mean - highest, lowest - mean));
        }
        assert_within(c.name, worst, 0.08);
        base_free(samples);
        base_free(features);
    }
}

/* Mean difference from the first convention's of shown points between 100 Hz and 7 kHz in frames
 * with sound, whose times are interpolated; in natural logarithms. */
static double difference(const mel_convention *a, const float *x, size_t n, const mel_convention *b,
                         const float *y, size_t m) {
    double sum = 0;
    int points = 0;
    for (size_t f = 0; f < n; f++) {
        const double seconds =
            ((double)f * a->hop + mel_convention_first_centre(a)) / a->sample_rate;
        const double at = (seconds * b->sample_rate - mel_convention_first_centre(b)) / b->hop;
        if (at < 0 || at >= (double)m - 1) continue;
        const float *row = x + f * MEL_FEATURES, *low = y + (size_t)at * MEL_FEATURES;
        const float part = (float)(at - floor(at));
        for (int i = 0; i < MEL_FEATURE_POINTS; i++) {
            const double hz = mel_feature_hz(i);
            if (hz < 100 || hz > 7000 || value_of(row[i]) < -13) continue;
            const float other = low[i] + part * (low[i + MEL_FEATURES] - low[i]);
            sum += fabs(value_of(row[i]) - value_of(other));
            points++;
        }
    }
    assert_true(points > 1000);
    return sum / points;
}

static void speech_looks_the_same(void **state) {
    (void)state;
    size_t count, n, m;
    const mel_convention first = convention_of(&kinds[0]);
    float *samples = golden_speech(first.sample_rate, &count);
    float *x = features_of(&first, samples, count, &n);
    base_free(samples);
    for (int k = 1; k < KINDS; k++) {
        const mel_convention c = convention_of(&kinds[k]);
        samples = golden_speech(c.sample_rate, &count);
        float *y = features_of(&c, samples, count, &m);
        assert_within(c.name, difference(&first, x, n, &c, y, m), 0.25);
        base_free(samples);
        base_free(y);
    }
    base_free(x);
}

/* The facts tell conventions apart, and a level is a constant in the points. */
static void facts_and_level(void **state) {
    (void)state;
    size_t count, n, m;
    const mel_convention c = convention_of(&kinds[1]);
    float *samples = golden_speech(c.sample_rate, &count);
    float *x = features_of(&c, samples, count, &n);
    for (size_t i = 0; i < count; i++) samples[i] *= 0.5f;
    float *y = features_of(&c, samples, count, &m);
    for (size_t i = 0; i < n * MEL_FEATURES; i++) {
        const bool fact = i % MEL_FEATURES >= MEL_FEATURE_POINTS;
        if (!fact && value_of(y[i]) <= MEL_FEATURE_FLOOR + 1e-4) continue;
        const double wanted = x[i] - (fact ? 0 : M_LN2 * MEL_FEATURE_SCALE);
        /* the magnitudes' epsilon and the floor bend what is faint */
        assert_true(fabs(y[i] - wanted) < (value_of(y[i]) < -12 ? 0.3 : 1e-3));
    }
    const float *facts = x + MEL_FEATURE_POINTS;
    assert_true(fabs(facts[0] - log(1024 / 24000.0 / 0.046)) < 1e-6);
    assert_true(fabs(facts[1] - log(256 / 24000.0 / 0.0116)) < 1e-6);
    assert_true(facts[2] > -1 && facts[2] < 1);
    assert_true(facts[3] == 0 && fabs(facts[4] - (51.14 - 45) / 3) < 0.01);
    base_free(samples);
    base_free(x);
    base_free(y);
}

/* Extremes: one band, a range that begins above the axis, silence. */
static void odd_conventions(void **state) {
    (void)state;
    const kind odd[] = {
        {"one band", 16000, 64, 64, 16, 1, 0, 8000, MEL_SCALE_HTK, MEL_COMPRESS_LN, 1e-5, true,
         false},
        {"ultrasound", 96000, 512, 512, 128, 7, 13000, 48000, MEL_SCALE_SLANEY, MEL_COMPRESS_LN,
         1e-30, true, false},
        {"narrow", 16000, 256, 256, 64, 90, 10, 8000, MEL_SCALE_SLANEY, MEL_COMPRESS_LN, 1e-9, true,
         false},
    };
    for (size_t k = 0; k < sizeof odd / sizeof *odd; k++) {
        const mel_convention c = convention_of(&odd[k]);
        float *silence = base_alloc(5000, sizeof *silence);
        size_t n;
        float *x = features_of(&c, silence, 5000, &n);
        for (size_t i = 0; i < n * MEL_FEATURES; i++) assert_true(fabsf(x[i]) < 12);
        for (int i = 0; i < MEL_FEATURE_POINTS; i++)
            assert_true(x[i] >= (MEL_FEATURE_FLOOR + MEL_FEATURE_OFFSET) * MEL_FEATURE_SCALE);
        base_free(silence);
        base_free(x);
    }
    lull_error error;
    mel_features *m;
    mel_convention c = convention_of(&kinds[0]);
    c.hop = 0;
    assert_int_equal(mel_features_new(&c, &m, &error), LULL_INVALID);
    assert_null(m);
    assert_true(mel_feature_hz(0) == 0 && fabs(mel_feature_hz(MEL_FEATURE_POINTS - 1) - 12000) < 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noise_has_its_density),
        cmocka_unit_test(speech_looks_the_same),
        cmocka_unit_test(facts_and_level),
        cmocka_unit_test(odd_conventions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
