/* Degraded mels: the limits and the frequencies of what is drawn, and what a smoothing does. */
#include "helpers.h"

#include "train/degrade.h"

static void draws(void **state) {
    (void)state;
    enum { N = 20000 };
    int twice = 0, time_only = 0, bands_only = 0;
    double offset = 0.0, noise = 0.0, widest = 0.0;
    for (uint64_t i = 0; i < N; i++) {
        double uniform[8];
        train_degrade d;
        for (uint64_t k = 0; k < 8; k++) uniform[k] = random_uniform(5, 0, 8 * i + k);
        train_degrade_draw(uniform, &d);
        assert_in_range(d.passes, 1, 2);
        twice += d.passes == 2;
        bool time = d.time_kernel[0] > 0.0, bands = d.band_kernel[0] > 0.0;
        assert_true(time || bands);
        time_only += !bands;
        bands_only += !time;
        for (int p = 0; p < 2; p++) {
            assert_true(d.time_kernel[p] >= 0.0 && d.time_kernel[p] < 0.34);
            assert_true(d.band_kernel[p] >= 0.0 && d.band_kernel[p] < 0.34);
            assert_true(p < d.passes || (d.time_kernel[p] == 0.0 && d.band_kernel[p] == 0.0));
            widest = fmax(widest, d.time_kernel[p]);
        }
        assert_true(d.noise >= 0.0 && d.noise < 0.15 && fabs(d.offset) <= 0.3);
        noise += d.noise;
        offset += d.offset;
    }
    assert_true(abs(twice - N / 2) < 400);
    assert_true(abs(time_only - N / 4) < 400 && abs(bands_only - N / 4) < 400);
    assert_true(fabs(noise / N - 0.075) < 0.002 && fabs(offset / N) < 0.005 && widest > 0.339);
}

static void smoothing(void **state) {
    (void)state;
    enum { FRAMES = 7, BANDS = 80 };
    mel_convention mel;
    assert_int_equal(mel_convention_named("hifigan", 16000, &mel, NULL), LULL_OK);
    static float frames[FRAMES * BANDS], noise[FRAMES * BANDS], scratch[FRAMES * BANDS];
    train_degrade d = {
        .passes = 1, .time_kernel = {0.25, 0}, .band_kernel = {0.1, 0}, .offset = 0.2};
    frames[3 * BANDS + 40] = 1.0f;
    train_degrade_apply(&d, &mel, frames, FRAMES, noise, scratch);
    for (int f = 0; f < FRAMES; f++)
        for (int b = 0; b < BANDS; b++) {
            double t = f == 3            ? 0.5
                       : abs(f - 3) == 1 ? 0.25
                                         : 0.0,
                   k = b == 40            ? 0.8
                       : abs(b - 40) == 1 ? 0.1
                                          : 0.0;
            assert_true(fabs(frames[f * BANDS + b] - (t * k + 0.2)) < 1e-6);
        }
    /* A constant mel stays what it is, edges too. */
    for (int i = 0; i < FRAMES * BANDS; i++) frames[i] = -4.0f;
    d.passes = 2;
    d.time_kernel[1] = d.band_kernel[1] = 0.33;
    d.offset = 0.0;
    train_degrade_apply(&d, &mel, frames, FRAMES, noise, scratch);
    for (int i = 0; i < FRAMES * BANDS; i++) assert_true(fabsf(frames[i] + 4.0f) < 1e-5f);
}

/* Noise has its deviation, in the convention's own unit; DiffWave's range holds. */
static void units(void **state) {
    (void)state;
    enum { FRAMES = 500, BANDS = 80, N = FRAMES * BANDS };
    const char *names[] = {"hifigan", "parallelwavegan", "diffwave"};
    const double per_ln[] = {1.0, 0.4342944819, 0.0868588964};
    float *frames = malloc(3 * N * sizeof *frames), *noise = frames + N;
    random_normal(1, 0, 0, noise, N);
    for (int c = 0; c < 3; c++) {
        mel_convention mel;
        assert_int_equal(mel_convention_named(names[c], 0, &mel, NULL), LULL_OK);
        mel.bands = BANDS;
        const train_degrade d = {.passes = 1, .noise = 0.1};
        for (int i = 0; i < N; i++) frames[i] = 0.5f;
        train_degrade_apply(&d, &mel, frames, FRAMES, noise, frames + 2 * N);
        double power = 0.0;
        for (int i = 0; i < N; i++) power += (frames[i] - 0.5) * (frames[i] - 0.5);
        assert_true(fabs(sqrt(power / N) / (0.1 * per_ln[c]) - 1.0) < 0.02);
        if (c == 2) {
            const train_degrade loud = {.passes = 1, .noise = 0.15, .offset = 0.3};
            for (int i = 0; i < N; i++) frames[i] = i % 2 ? 1.0f : 0.0f;
            train_degrade_apply(&loud, &mel, frames, FRAMES, noise, frames + 2 * N);
            for (int i = 0; i < N; i++) assert_true(frames[i] >= 0.0f && frames[i] <= 1.0f);
        }
    }
    free(frames);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws),
        cmocka_unit_test(smoothing),
        cmocka_unit_test(units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
