/* Labels: pulses and noise in known shares. */
#include "pitch/label.h"

#include "signals.h"

enum { SECONDS = 2, N = 150 };

static pitch_values *label(const float *x, size_t count, int rate) {
    lull_error error;
    pitch_values *values = base_alloc(N, sizeof *values);
    assert_non_null(values);
    assert_ok(pitch_label(x, count, rate, 0, (double)count / N, values, N, &error), error);
    return values;
}

static double mean_aperiodicity(const pitch_values *values, int band) {
    double sum = 0;
    for (int f = 10; f < N - 10; f++) sum += values[f].aperiodicity[band];
    return sum / (N - 20);
}

/* Partials in phase of one strength, and noise of the same power by band above `edge`. */
static float *mixture(size_t count, int rate, double f0, double edge, double share) {
    float *x = base_alloc(count, sizeof *x), *noise = white(count, 1, 7);
    assert_non_null(x);
    int harmonics = (int)(rate / 2.0 / f0);
    for (int h = 1; h <= harmonics; h++) {
        double gain = sqrt(2.0 / harmonics * (h * f0 < edge ? 1 : share));
        for (size_t i = 0; i < count; i++)
            x[i] += (float)(gain * cos(2 * 3.14159265358979 * f0 * h * (double)i / rate));
    }
    /* Noise above the edge: a difference of long moving sums would leak; a sharp FIR does not. */
    enum { REACH = 128 };
    float taps[2 * REACH + 1];
    for (int i = -REACH; i <= REACH; i++) {
        double cut = 2 * edge / rate, sinc = i ? sin(M_PI * cut * i) / (M_PI * i) : cut;
        taps[i + REACH] = (float)((i == 0) - sinc * (0.5 + 0.5 * cos(M_PI * i / (REACH + 1.0))));
    }
    for (size_t i = REACH; i + REACH < count; i++) {
        double sum = 0;
        for (int k = -REACH; k <= REACH; k++)
            sum += (double)taps[k + REACH] * noise[i + (size_t)(k + REACH) - REACH];
        x[i] += (float)(sqrt(1 - share) * sum);
    }
    base_free(noise);
    return x;
}

/* Below the edge everything is periodic, above it as much as was mixed in. */
static void test_shares(void **state) {
    (void)state;
    const int rates[] = {16000, 22050, 48000};
    const double f0s[] = {95, 210}, shares[] = {0, 0.5, 1};
    for (int r = 0; r < 3; r++)
        for (int i = 0; i < 2; i++)
            for (int s = 0; s < 3; s++) {
                size_t count = (size_t)rates[r] * SECONDS;
                float *x = mixture(count, rates[r], f0s[i], 3000, shares[s]);
                pitch_values *values = label(x, count, rates[r]);
                int right = 0;
                for (int f = 10; f < N - 10; f++) {
                    right += fabs(values[f].f0 / f0s[i] - 1) < 0.01;
                    assert_true(values[f].voicing == 1);
                }
                if (right < N - 23)
                    fail_msg("%d Hz, %g Hz, share %g: %d of %d frames", rates[r], f0s[i], shares[s],
                             right, N - 20);
                assert_in_range(right, N - 23, N - 20);
                for (int b = 0; b < PITCH_BANDS; b++) {
                    double a = mean_aperiodicity(values, b);
                    if (PITCH_BAND_EDGES[b] >= rates[r] / 2 - 100)
                        assert_near(a, 1, 0);
                    else if (PITCH_BAND_EDGES[b + 1] <= 3000)
                        assert_near(a, 0, 0.06);
                    else if (PITCH_BAND_EDGES[b + 1] <= rates[r] / 2) {
                        assert_near(a, 1 - shares[s], 0.2);
                    }
                }
                base_free(values);
                base_free(x);
            }
}

/* f0 is interpolated where nothing is voiced, and everything is noise there. */
static void test_bridges(void **state) {
    (void)state;
    size_t count = 32000;
    float *x = base_alloc(count, sizeof *x), *low = partials(count, 16000, 100, 1, 3000, 0.5),
          *high = partials(count, 16000, 200, 1, 3000, 0.5);
    for (size_t i = 8000; i < 12000; i++) x[i] = low[i];
    for (size_t i = 20000; i < 24000; i++) x[i] = high[i];
    pitch_values *values = label(x, count, 16000);
    double hop = (double)count / N;
    for (int f = 0; f < N; f++) {
        double at = f * hop;
        assert_true(values[f].f0 > 95 && values[f].f0 < 210);
        if (at < 7500) assert_near(values[f].f0, 100, 1);
        if (at > 12500 && at < 19500) {
            assert_near(values[f].f0, 100 * exp2((at - 12000) / 8000), 8);
            assert_true(values[f].f0 >= values[f - 1].f0);
        }
        if (at > 24500) assert_near(values[f].f0, 200, 2);
        if (at < 7500 || (at > 12500 && at < 19500) || at > 24500) {
            assert_true(values[f].voicing == 0);
            for (int b = 0; b < PITCH_BANDS; b++) assert_true(values[f].aperiodicity[b] == 1);
        }
    }
    base_free(values);
    memset(x, 0, count * sizeof *x);
    values = label(x, count, 16000);
    for (int f = 0; f < N; f++) assert_true(values[f].f0 == 150 && values[f].voicing == 0);
    base_free(values);
    base_free(x);
    base_free(low);
    base_free(high);
}

static void test_memory(void **state) {
    (void)state;
    lull_error error;
    pitch_values values[4];
    float *x = partials(8000, 16000, 100, 1, 2000, 0.5);
    bool failed = true;
    for (size_t n = 1; failed; n++) {
        base_memory_fail_at(n);
        lull_status status = pitch_label(x, 8000, 16000, 0, 2000, values, 4, &error);
        base_memory_fail_at(0);
        failed = status != LULL_OK;
        if (failed) assert_int_equal(status, LULL_NO_MEMORY);
        assert_true(n < 40);
    }
    assert_int_equal(pitch_label(x, 8000, 200000, 0, 2000, values, 4, &error), LULL_INVALID);
    base_free(x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_bridges),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
