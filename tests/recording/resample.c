/* Sample rate conversion: a sine stays that sine, what lies above the new band goes, and a stream
 * gives what the whole gives. */
#include "../base/temporary.h"

#include <math.h>

#include "base/memory.h"
#include "recording/resample.h"

static const double PI = 3.14159265358979323846;
static lull_error error;

static float *sine(size_t count, double frequency, int rate) {
    float *samples = base_alloc(count, sizeof *samples);
    assert_non_null(samples);
    for (size_t i = 0; i < count; i++) {
        samples[i] = (float)(0.5 * sin(2 * PI * frequency * (double)i / rate));
    }
    return samples;
}

static void sine_stays_a_sine(void **state) {
    (void)state;
    const int rates[][2] = {
        {44100, 16000}, {16000, 22050}, {48000, 16000}, {8000, 24000}, {16000, 16000}};
    for (size_t k = 0; k < sizeof rates / sizeof *rates; k++) {
        int from = rates[k][0], to = rates[k][1];
        size_t count = (size_t)from, got;
        float *in = sine(count, 1000, from), *out;
        assert_int_equal(recording_resample(in, count, from, to, &out, &got, &error), LULL_OK);
        assert_int_equal(got, to);
        double worst = 0;
        for (size_t i = 1000; i + 1000 < got; i++) {
            worst = fmax(worst, fabs(out[i] - 0.5 * sin(2 * PI * 1000 * (double)i / to)));
        }
        assert_true(worst < 1e-5);
        base_free(in);
        base_free(out);
    }
}

static void alias_is_gone(void **state) {
    (void)state;
    float *in = sine(48000, 9000, 48000), *out;
    size_t got;
    assert_int_equal(recording_resample(in, 48000, 48000, 16000, &out, &got, &error), LULL_OK);
    double worst = 0;
    for (size_t i = 1000; i + 1000 < got; i++) worst = fmax(worst, fabs(out[i]));
    assert_true(worst < 1e-5); /* 100 dB and more */
    base_free(in);
    base_free(out);
}

static void lengths_are_rounded(void **state) {
    (void)state;
    for (size_t count = 0; count < 50; count++) {
        float *in = sine(count, 1000, 44100), *out;
        size_t got;
        assert_int_equal(recording_resample(in, count, 44100, 16000, &out, &got, &error), LULL_OK);
        assert_true(fabs((double)got - (double)count * 16000 / 44100) <= 0.5);
        assert_non_null(out);
        base_free(out);
        base_free(in);
    }
}

static void stream_equals_whole(void **state) {
    (void)state;
    const int rates[][2] = {{16000, 48000}, {44100, 16000}, {22050, 22050}};
    for (size_t k = 0; k < 3; k++) {
        int from = rates[k][0], to = rates[k][1];
        enum { COUNT = 30000 };
        float *in = sine(COUNT, 700, from), *whole;
        size_t whole_count;
        assert_int_equal(recording_resample(in, COUNT, from, to, &whole, &whole_count, &error),
                         LULL_OK);
        float *out = base_alloc(whole_count + 1000, sizeof *out);
        recording_resampler *r;
        assert_int_equal(recording_resampler_new(from, to, &r, &error), LULL_OK);
        size_t taken = 0, made = 0, piece = 1;
        bool ended = false;
        for (int turn = 0; !ended; turn++) {
            assert_true(turn < 100000);
            piece = piece * 7 % 1009 + 1;
            size_t n = COUNT - taken < piece ? COUNT - taken : piece, used, given;
            size_t room = (size_t)turn * 13 % 300;
            if (room > whole_count + 1000 - made) room = whole_count + 1000 - made;
            bool last = taken == COUNT;
            assert_int_equal(recording_resampler_run(r, last ? NULL : in + taken, n, &used,
                                                     out + made, room, &given, last, &error),
                             LULL_OK);
            assert_true(used <= n && given <= room);
            taken += used;
            made += given;
            ended = last && given < room;
        }
        assert_int_equal(made, whole_count);
        for (size_t i = 0; i < made; i++) assert_true(fabsf(out[i] - whole[i]) < 1e-6f);
        recording_resampler_free(r);
        base_free(out);
        base_free(whole);
        base_free(in);
    }
    recording_resampler_free(NULL);
}

static void refuses_rates(void **state) {
    (void)state;
    recording_resampler *r = (recording_resampler *)1;
    assert_int_equal(recording_resampler_new(0, 16000, &r, &error), LULL_INVALID);
    assert_null(r);
    assert_contains(error.message, "0 Hz");
    assert_int_equal(recording_resampler_new(16000, -5, &r, &error), LULL_INVALID);
    float *out, one = 1;
    size_t got;
    assert_int_equal(recording_resample(&one, 1, 16000, 2000000000, &out, &got, &error),
                     LULL_INVALID);
    assert_null(out);
    assert_int_equal(recording_resample(&one, SIZE_MAX / 2, 16000, 48000, &out, &got, &error),
                     LULL_INVALID);
    for (size_t n = 1; n <= 2; n++) {
        base_memory_fail_at(n);
        assert_int_equal(recording_resample(&one, 1, 16000, 48000, &out, &got, &error),
                         LULL_NO_MEMORY);
        assert_null(out);
    }
    base_memory_fail_at(0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sine_stays_a_sine),   cmocka_unit_test(alias_is_gone),
        cmocka_unit_test(lengths_are_rounded), cmocka_unit_test(stream_equals_whole),
        cmocka_unit_test(refuses_rates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
