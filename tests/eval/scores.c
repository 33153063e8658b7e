/* Scores: numbers of an independent implementation, and pairs whose scores are known. */
#include "eval/scores.h"

#include "eval/cepstral.h"
#include "eval/estoi.h"
#include "eval/spectral.h"
#include "signals.h"

/* Printed by independent_scores.py --constants (NumPy 1.24 and SciPy 1.10, double precision), in
 * the order of eval_score. ESTOI of all of them is pystoi 0.4.1's on the same signals, too, to the
 * digits that it was compared with (five). */
static const struct golden {
    int rate;
    const char *change;
    double value[EVAL_COUNT];
} GOLDENS[] = {
    {16000,
     "noisy",
     {5.2587, 1.23104, 1.20618, 0.863111, 0.814951, 3.6696, 0, 1.36986, 0.00731047, 0.974582,
      -0.86171, 0.00393613, 0, 0.304551, -0.374168, 0.678719}},
    {16000,
     "warped",
     {2.09174, 0.979381, 0.751061, 0.69997, 0.359307, 31.6608, 0, 5.53633, 0.038704, 0.901171,
      -0.0786423, -1.39832e-05, 0, 0.65862, -0.0193473, 0.677967}},
    {16000,
     "loud",
     {5.64427, 4.41095, 2.19518, 2.14724, 2.18116, 9.74163, 0, 3.76712, 0.0244581, 0.622626,
      9.67304, 0.0496017, 49.8417, 0.695729, 0.0170087, 0.67872}},
    {22050,
     "noisy",
     {5.05868, 2.26718, 1.90277, 1.5897, 0.788425, 4.38516, 0, 1.02389, 0.00713418, 0.98302,
      -0.673287, 0.00396072, 0, 0.397422, -0.284353, 0.681775}},
    {22050,
     "warped",
     {2.00246, 0.998126, 0.598945, 0.570691, 0.371156, 30.4013, 0, 5.86207, 0.0448817, 0.901006,
      -0.0639424, -9.52297e-06, 0, 0.681082, 7.44312e-05, 0.681008}},
    {24000,
     "noisy",
     {5.02945, 2.63674, 2.09886, 1.77956, 0.782885, 3.16182, 0, 1.0274, 0.00711121, 0.98492,
      -0.647263, 0.00393014, 0, 0.405662, -0.276211, 0.681873}},
};
static const double TOLERANCE[EVAL_COUNT] = {2e-4, 2e-4, 1e-4, 1e-4, 1e-4, 1e-3, 1e-6, 1e-4,
                                             1e-4, 1e-3, 1e-5, 1e-6, 1e-4, 1e-3, 1e-3, 1e-3};

static void test_independent_numbers(void **state) {
    (void)state;
    for (size_t g = 0; g < sizeof GOLDENS / sizeof *GOLDENS; g++) {
        const struct golden *golden = &GOLDENS[g];
        size_t count;
        lull_error error;
        eval_scores scores;
        float *x = speech(golden->rate, &count);
        float *y = !strcmp(golden->change, "noisy")    ? noisy(x, count)
                   : !strcmp(golden->change, "warped") ? warped(x, &count)
                                                       : loud(x, count);
        assert_ok(eval_compare(x, y, count, golden->rate, &scores, &error), error);
        for (int s = 0; s < EVAL_COUNT; s++)
            if (!(fabs(scores.value[s] - golden->value[s]) <= TOLERANCE[s]))
                fail_msg("%d %s, %s: %.7g, expected %.7g", golden->rate, golden->change,
                         eval_score_name((eval_score)s), scores.value[s], golden->value[s]);
        base_free(x);
        base_free(y);
    }
}

/* Without the resampler the match is close: pystoi.stoi(x, noisy(x), 10000, extended=True), the
 * samples of speech_16000.wav taken as if they were of 10 kHz. */
static void test_estoi_of_its_authors(void **state) {
    (void)state;
    size_t count;
    lull_error error;
    double score;
    float *x = speech(16000, &count), *y = noisy(x, count);
    assert_ok(eval_estoi(x, y, count, 10000, &score, &error), error);
    assert_near(score, 0.8646801, 2e-6);
    base_free(x);
    base_free(y);
}

static void test_identical(void **state) {
    (void)state;
    size_t count;
    lull_error error;
    eval_scores scores;
    float *x = speech(16000, &count);
    assert_ok(eval_compare(x, x, count, 16000, &scores, &error), error);
    for (int s = 0; s < EVAL_COUNT; s++)
        if (s != EVAL_MODULATION && s != EVAL_MODULATION_REFERENCE)
            assert_near(scores.value[s], s == EVAL_ESTOI ? 1 : 0, 1e-6);
    assert_near(scores.value[EVAL_MODULATION], scores.value[EVAL_MODULATION_REFERENCE], 0);
    assert_true(scores.value[EVAL_MODULATION] > 0.4 && scores.value[EVAL_MODULATION] < 0.8);
    base_free(x);
}

/* Half as loud: every logarithm falls by ln 2, the convergence is ½, the shape stays. */
static void test_scaled(void **state) {
    (void)state;
    enum { COUNT = 16000 };
    lull_error error;
    eval_scores scores;
    float *x = white(COUNT, 0.1f, 3), *y = white(COUNT, 0.05f, 3);
    assert_ok(eval_compare(x, y, COUNT, 16000, &scores, &error), error);
    assert_near(scores.value[EVAL_MCD], 0, 1e-3);
    assert_near(scores.value[EVAL_STFT], 0.5 + log(2), 1e-4);
    assert_near(scores.value[EVAL_LSD_512], log(2), 1e-3);
    assert_near(scores.value[EVAL_LSD_2048], log(2), 1e-3);
    assert_near(scores.value[EVAL_MEL], log(2), 1e-4);
    assert_near(scores.value[EVAL_ESTOI], 1, 1e-4);
    assert_near(scores.value[EVAL_LEVEL], 20 * log10(0.5), 1e-5);
    base_free(x);
    base_free(y);
}

/* Two independent noises: the ratio of two Rayleigh magnitudes has |Δ ln| of mean ln 2 (the
 * difference of two logarithms of exponential variables is logistic, whose mean magnitude is 2 ln
 * 2; the root halves it); nothing is intelligible or periodic. */
static void test_independent_noises(void **state) {
    (void)state;
    enum { COUNT = 48000 };
    lull_error error;
    eval_scores scores;
    float *x = white(COUNT, 0.1f, 3), *y = white(COUNT, 0.1f, 4);
    assert_ok(eval_compare(x, y, COUNT, 16000, &scores, &error), error);
    assert_near(scores.value[EVAL_LSD_512], log(2), 0.01);
    assert_near(scores.value[EVAL_LSD_2048], log(2), 0.01);
    assert_near(scores.value[EVAL_ESTOI], 0, 0.03);
    assert_true(isnan(scores.value[EVAL_F0]));
    assert_true(isnan(scores.value[EVAL_PERIODICITY]));
    assert_near(scores.value[EVAL_VOICING], 0, 0.5);
    assert_true(isnan(scores.value[EVAL_MODULATION]));
    base_free(x);
    base_free(y);
}

/* A sine of amplitude a: its peak is a in the units of the floor, and rms a/√2. */
static void test_level_dc_clipping(void **state) {
    (void)state;
    enum { COUNT = 16000 };
    lull_error error;
    eval_scores scores;
    float *x = tone(COUNT, 16000, 250, 1), *y = base_alloc(COUNT, sizeof *y);
    for (int i = 0; i < COUNT; i++) y[i] = 0.5f * x[i] + 0.03f;
    for (int i = 0; i < COUNT; i += 1000) y[i] = i % 2000 ? 1.5f : -32767.0f / 32768.0f;
    double power = 0, reference = 0, mean = 0;
    for (int i = 0; i < COUNT; i++) {
        power += (double)y[i] * y[i];
        reference += (double)x[i] * x[i];
        mean += (double)y[i] - x[i];
    }
    assert_near(reference, COUNT * 0.02, 1e-2);
    assert_ok(eval_compare(x, y, COUNT, 16000, &scores, &error), error);
    assert_near(scores.value[EVAL_CLIPPED], 0.1, 1e-9);
    assert_near(scores.value[EVAL_DC], mean / COUNT, 1e-9);
    assert_near(scores.value[EVAL_LEVEL], 10 * log10(power / reference), 1e-9);
    base_free(x);
    base_free(y);
}

/* A small delay leaves what is made of magnitudes nearly alone; the longer, the worse. */
static void test_delayed(void **state) {
    (void)state;
    size_t count;
    lull_error error;
    eval_scores near, far;
    float *x = speech(16000, &count);
    assert_ok(eval_compare(x, x + 8, count - 800, 16000, &near, &error), error);
    assert_ok(eval_compare(x, x + 800, count - 800, 16000, &far, &error), error);
    for (int s = 0; s < EVAL_LEVEL; s++) {
        if (s == EVAL_F0_GROSS) continue;
        double a = near.value[s], b = far.value[s];
        assert_true(eval_score_higher_is_better((eval_score)s) ? b < a : b > a);
    }
    assert_true(near.value[EVAL_MCD] < 0.5);
    assert_true(near.value[EVAL_ESTOI] > 0.99);
    assert_true(far.value[EVAL_ESTOI] < 0.6);
    base_free(x);
}

/* The number is in dB of the spectrum: a smooth change of it counts with its root mean square. */
static void test_cepstral_scale(void **state) {
    (void)state;
    enum { COUNT = 64000 };
    lull_error error;
    double db, db_twice;
    float *x = white(COUNT, 0.1f, 5), *y = base_alloc(COUNT, sizeof *y),
          *z = base_alloc(COUNT, sizeof *z);
    for (int i = 1; i < COUNT; i++) y[i] = x[i] + 0.5f * x[i - 1];
    for (int i = 1; i < COUNT; i++) z[i] = y[i] + 0.5f * y[i - 1];
    assert_ok(eval_cepstral_distortion(x, y, COUNT, 16000, &db, &error), error);
    assert_ok(eval_cepstral_distortion(x, z, COUNT, 16000, &db_twice, &error), error);
    /* The deviation of 20·log10|1 + 0.5·e^-jω| over the centres of the 80 bands (slaney, 0 to 8
     * kHz), computed with NumPy. */
    assert_near(db, 2.431, 0.005);
    assert_near(db_twice, 2 * db, 0.01);
    base_free(x);
    base_free(y);
    base_free(z);
}

/* Silence, on either side or both: nothing infinite, and NaN only where nothing is defined. */
static void test_silence(void **state) {
    (void)state;
    size_t count;
    lull_error error;
    eval_scores scores;
    float *x = speech(16000, &count), *silence = base_alloc(count, sizeof *silence);
    for (int which = 1; which < 4; which++) {
        const float *a = which & 1 ? silence : x, *b = which & 2 ? silence : x;
        assert_ok(eval_compare(a, b, count, 16000, &scores, &error), error);
        for (int s = 0; s < EVAL_COUNT; s++) assert_false(isinf(scores.value[s]));
        assert_true(isnan(scores.value[EVAL_LEVEL]));
        assert_true(isnan(scores.value[EVAL_F0]));
        assert_false(isnan(scores.value[EVAL_MCD]));
        assert_false(isnan(scores.value[EVAL_STFT]));
    }
    base_free(x);
    base_free(silence);
}

/* Signals from the shortest allowed on, at rates from telephone to studio. */
static void test_short_and_other_rates(void **state) {
    (void)state;
    lull_error error;
    eval_scores scores;
    float *x = white(96000, 0.1f, 6);
    assert_int_equal(eval_compare(x, x, 511, 16000, &scores, &error), LULL_INVALID);
    assert_non_null(strstr(error.message, "511"));
    for (size_t count = 512; count < 3000; count += 131)
        assert_ok(eval_compare(x, x + 1, count, 16000, &scores, &error), error);
    const int rates[] = {8000, 11025, 44100, 48000, 96000, 192000};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        assert_ok(eval_compare(x, x, 24000, rates[i], &scores, &error), error);
        assert_near(scores.value[EVAL_MCD], 0, 1e-9);
        assert_near(scores.value[EVAL_LSD_512], 0, 1e-9);
    }
    base_free(x);
}

static void test_every_allocation_may_fail(void **state) {
    (void)state;
    enum { COUNT = 4000 };
    lull_error error;
    eval_scores scores;
    float *x = white(COUNT, 0.1f, 7);
    size_t n = 1;
    for (;; n++) {
        base_memory_fail_at(n);
        lull_status status = eval_compare(x, x, COUNT, 16000, &scores, &error);
        base_memory_fail_at(0);
        if (status == LULL_OK) break;
        assert_int_equal(status, LULL_NO_MEMORY);
        assert_true(n < 1000);
    }
    assert_true(n > 20);
    base_free(x);
}

static void test_names(void **state) {
    (void)state;
    for (int s = 0; s < EVAL_COUNT; s++) {
        assert_non_null(eval_score_name((eval_score)s));
        assert_non_null(eval_score_title((eval_score)s));
        assert_int_equal(eval_score_higher_is_better((eval_score)s), s == EVAL_ESTOI);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_independent_numbers),
        cmocka_unit_test(test_estoi_of_its_authors),
        cmocka_unit_test(test_identical),
        cmocka_unit_test(test_scaled),
        cmocka_unit_test(test_independent_noises),
        cmocka_unit_test(test_level_dc_clipping),
        cmocka_unit_test(test_delayed),
        cmocka_unit_test(test_cepstral_scale),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_short_and_other_rates),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
