/* Mels of every convention against reference data, whole and as a stream. */
#include "mel/front_end.h"

#include "goldens.h"

#include "base/random.h"
#include "mel/compression.h"

static const struct {
    const char *name;
    int rate;
} cases[] = {{"hifigan", 16000},   {"hifigan", 22050},         {"tacotron2", 22050},
             {"diffwave", 22050},  {"parallelwavegan", 24000}, {"vocos-24k", 0},
             {"bigvgan-24k", 0},   {"cosyvoice2-24k", 0},      {"seedvc-22k", 0},
             {"styletts2-24k", 0}, {"speecht5-16k", 0},        {"parallelwavegan-22k", 0},
             {"coqui-22k", 0},     {"diffsinger-44k", 0}};

/* The largest difference in the convention's unit. Bands more than 120 dB below the loudest of
 * their frame hold nothing but the rounding of the transform, here and there: they are compared as
 * linear mels. */
static double distance(const mel_convention *c, const float *frames, const float *golden,
                       size_t n) {
    double largest = 0;
    float a[MEL_MAX_BANDS], b[MEL_MAX_BANDS];
    for (size_t f = 0; f < n; f++) {
        const size_t at = f * (size_t)c->bands;
        double top = -100;
        mel_to_natural_log(c, frames + at, a);
        mel_to_natural_log(c, golden + at, b);
        for (int k = 0; k < c->bands; k++) top = fmax(top, (double)b[k]);
        for (int k = 0; k < c->bands; k++) {
            const double apart = fabs(exp((double)a[k]) - exp((double)b[k])) / exp(top);
            if (apart > 1e-6)
                largest = fmax(
                    largest, fabs((double)frames[at + (size_t)k] - (double)golden[at + (size_t)k]));
        }
    }
    return largest;
}

static void whole_matches_reference(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lull_error error;
        mel_convention convention;
        size_t count, n, golden_n;
        float *frames;
        assert_ok(mel_convention_named(cases[i].name, cases[i].rate, &convention, &error), error);
        const size_t bands = (size_t)convention.bands;
        float *samples = golden_speech(convention.sample_rate, &count);
        float *golden = golden_mel(cases[i].name, cases[i].rate, bands, &golden_n);
        assert_ok(mel_from_samples(&convention, samples, count, &frames, &n, &error), error);
        assert_int_equal(n, golden_n);
        char what[64];
        snprintf(what, sizeof what, "%s at %d Hz", cases[i].name, cases[i].rate);
        assert_within(what, distance(&convention, frames, golden, n), 1e-4);
        base_free(samples);
        base_free(golden);
        base_free(frames);
    }
}

/* Pushes and pulls random pieces; returns the frames. */
static float *stream(const mel_convention *convention, const float *samples, size_t count,
                     uint64_t seed, size_t longest, size_t room, size_t *n) {
    lull_error error;
    mel_front_end *e;
    assert_ok(mel_front_end_new(convention, &e, &error), error);
    const size_t bands = (size_t)convention->bands;
    float *frames = base_alloc((room + 8) * bands, sizeof(float));
    size_t given = 0, at = 0;
    for (uint64_t draw = 0; at < count; draw++) {
        size_t piece = (size_t)(random_uniform(seed, 1, draw) * (double)(longest + 1));
        if (piece > count - at) piece = count - at;
        assert_ok(mel_front_end_push(e, samples + at, piece, &error), error);
        at += piece;
        size_t wanted = (size_t)(random_uniform(seed, 2, draw) * 4);
        if (given + wanted > room) wanted = room - given;
        given += mel_front_end_pull(e, frames + given * bands, wanted);
    }
    assert_ok(mel_front_end_finish(e, &error), error);
    given += mel_front_end_pull(e, frames + given * bands, room + 8 - given);
    assert_int_equal(mel_front_end_pull(e, frames, 1), 0);
    assert_int_equal(mel_front_end_push(e, samples, 1, &error), LULL_FINISHED);
    mel_front_end_free(e);
    *n = given;
    return frames;
}

static void stream_equals_whole(void **state) {
    (void)state;
    const size_t longest[] = {3, 300, 5000, 100000};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lull_error error;
        mel_convention convention;
        size_t count, n, streamed_n;
        float *frames;
        assert_ok(mel_convention_named(cases[i].name, cases[i].rate, &convention, &error), error);
        float *samples = golden_speech(convention.sample_rate, &count);
        assert_ok(mel_from_samples(&convention, samples, count, &frames, &n, &error), error);
        for (size_t p = 0; p < sizeof longest / sizeof *longest; p++) {
            float *streamed =
                stream(&convention, samples, count, 7 * i + p, longest[p], n, &streamed_n);
            assert_int_equal(streamed_n, n);
            assert_memory_equal(streamed, frames, n * (size_t)convention.bands * sizeof(float));
            base_free(streamed);
        }
        base_free(samples);
        base_free(frames);
    }
}

/* Recordings shorter than the reflection: the signal is mirrored as often as it takes, as NumPy
 * pads. */
static void short_recordings(void **state) {
    (void)state;
    lull_error error;
    size_t count, n, streamed_n;
    float *samples = golden_speech(16000, &count), *frames;
    for (int centred = 0; centred < 2; centred++)
        for (size_t length = 0; length < 1600; length += length < 8 ? 1 : 97) {
            mel_convention c;
            assert_ok(mel_convention_named(centred ? "tacotron2" : "hifigan", 16000, &c, &error),
                      error);
            assert_ok(mel_from_samples(&c, samples + 8000, length, &frames, &n, &error), error);
            assert_int_equal(n, length == 0 ? 0 : centred ? length / 256 + 1 : length / 256);
            float *streamed = stream(&c, samples + 8000, length, length, 50, n, &streamed_n);
            assert_int_equal(streamed_n, n);
            assert_memory_equal(streamed, frames, n * 80 * sizeof(float));
            for (size_t j = 0; j < n * 80; j++) assert_true(isfinite(frames[j]));
            base_free(streamed);
            base_free(frames);
        }
    /* One sample is mirrored into a constant. */
    mel_convention c;
    assert_ok(mel_convention_named("tacotron2", 16000, &c, &error), error);
    float *constant = base_alloc(1025, sizeof(float)), *one;
    size_t one_n;
    for (int i = 0; i < 1025; i++) constant[i] = 0.5f;
    assert_ok(mel_from_samples(&c, constant, 1, &one, &one_n, &error), error);
    assert_ok(mel_from_samples(&c, constant, 1025, &frames, &n, &error), error);
    assert_int_equal(one_n, 1);
    assert_memory_equal(one, frames, 80 * sizeof(float));
    base_free(one);
    base_free(frames);
    base_free(constant);
    base_free(samples);
}

static void silence_is_the_floor(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lull_error error;
        mel_convention c;
        float silence[16384] = {0}, *frames;
        size_t n;
        assert_ok(mel_convention_named(cases[i].name, cases[i].rate, &c, &error), error);
        assert_ok(mel_from_samples(&c, silence, 16384, &frames, &n, &error), error);
        const size_t bands = (size_t)c.bands;
        assert_true(n > 20);
        for (size_t j = 0; j < n * bands; j++) assert_true(frames[j] == frames[j % bands]);
        assert_ok(mel_convention_check_frames(&c, frames, n, "silence", &error), error);
        base_free(frames);
    }
}

/* Ends padded with zeros, as librosa does from 0.10 on when not told otherwise: the frames of the
 * same signal with silence around it. */
static void ends_padded_with_zeros(void **state) {
    (void)state;
    lull_error error;
    for (int centred = 0; centred < 2; centred++)
        for (size_t length = 300; length < 6000; length += 1817) {
            mel_convention c;
            size_t count, n, padded_n;
            assert_ok(mel_convention_named(centred ? "tacotron2" : "hifigan", 16000, &c, &error),
                      error);
            float *samples = golden_speech(16000, &count), *frames, *padded;
            float *around = base_alloc(length + 4096, sizeof(float));
            memcpy(around + 2048, samples + 8000, length * sizeof(float));
            assert_ok(mel_from_samples(&c, around, length + 4096, &padded, &padded_n, &error),
                      error);
            c.padding = MEL_PADDING_ZEROS;
            assert_ok(mel_from_samples(&c, samples + 8000, length, &frames, &n, &error), error);
            assert_memory_equal(frames, padded + 8 * 80, n * 80 * sizeof(float));
            size_t streamed_n;
            float *streamed = stream(&c, samples + 8000, length, length, 200, n, &streamed_n);
            assert_int_equal(streamed_n, n);
            assert_memory_equal(streamed, frames, n * 80 * sizeof(float));
            base_free(streamed);
            base_free(samples);
            base_free(frames);
            base_free(padded);
            base_free(around);
        }
}

static void bad_samples_are_refused(void **state) {
    (void)state;
    lull_error error;
    mel_convention c;
    mel_front_end *e;
    float samples[1000] = {0};
    assert_ok(mel_convention_named("hifigan", 0, &c, &error), error);
    assert_ok(mel_front_end_new(&c, &e, &error), error);
    samples[500] = NAN;
    assert_int_equal(mel_front_end_push(e, samples, 1000, &error), LULL_NOT_FINITE);
    assert_non_null(strstr(error.message, "500"));
    samples[500] = -INFINITY;
    assert_int_equal(mel_front_end_push(e, samples, 1000, NULL), LULL_NOT_FINITE);
    /* Nothing was taken. */
    assert_ok(mel_front_end_finish(e, &error), error);
    float frame[80];
    assert_int_equal(mel_front_end_pull(e, frame, 1), 0);
    mel_front_end_free(e);
    mel_front_end_free(NULL);
}

static void statistics_normalize(void **state) {
    (void)state;
    lull_error error;
    mel_convention c;
    size_t count, n;
    float *samples = golden_speech(24000, &count), *plain, *normal;
    assert_ok(mel_convention_named("parallelwavegan", 24000, &c, &error), error);
    assert_ok(mel_from_samples(&c, samples, count, &plain, &n, &error), error);
    c.statistics = true;
    for (int b = 0; b < 80; b++) {
        c.mean[b] = -2 + 0.01f * (float)b;
        c.deviation[b] = 0.5f + 0.01f * (float)b;
    }
    assert_ok(mel_from_samples(&c, samples, count, &normal, &n, &error), error);
    for (size_t i = 0; i < n * 80; i++)
        assert_true(fabsf(normal[i] * c.deviation[i % 80] + c.mean[i % 80] - plain[i]) < 1e-5f);
    base_free(samples);
    base_free(plain);
    base_free(normal);
}

/* An hour of samples may pass through while the object stays small: it forgets what it has used. */
static void memory_stays_flat(void **state) {
    (void)state;
    lull_error error;
    mel_convention c;
    mel_front_end *e;
    float samples[4096], frames[32 * 80];
    assert_ok(mel_convention_named("hifigan", 16000, &c, &error), error);
    assert_ok(mel_front_end_new(&c, &e, &error), error);
    random_normal(3, 0, 0, samples, 4096);
    size_t given = 0;
    for (int i = 0; i < 100; i++) {
        assert_ok(mel_front_end_push(e, samples, 4096, &error), error);
        given += mel_front_end_pull(e, frames, 32);
        /* From here on the buffer has its size: no further allocation may be needed. */
        if (i == 10) base_memory_fail_at(1);
    }
    base_memory_fail_at(0);
    assert_true(given >= 100 * 16 - 4);
    mel_front_end_free(e);
}

static void failing_allocations(void **state) {
    (void)state;
    lull_error error;
    mel_convention c;
    float samples[3000] = {0}, *frames;
    size_t n;
    assert_ok(mel_convention_named("diffwave", 0, &c, &error), error);
    bool done = false;
    int failed = 0;
    for (size_t at = 1; !done; at++) {
        base_memory_fail_at(at);
        const lull_status status = mel_from_samples(&c, samples, 3000, &frames, &n, &error);
        base_memory_fail_at(0);
        done = status == LULL_OK;
        if (!done) {
            assert_int_equal(status, LULL_NO_MEMORY);
            assert_null(frames);
            failed++;
        }
    }
    assert_true(failed > 10);
    base_free(frames);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_matches_reference), cmocka_unit_test(stream_equals_whole),
        cmocka_unit_test(short_recordings),        cmocka_unit_test(ends_padded_with_zeros),
        cmocka_unit_test(silence_is_the_floor),    cmocka_unit_test(bad_samples_are_refused),
        cmocka_unit_test(statistics_normalize),    cmocka_unit_test(memory_stays_flat),
        cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
