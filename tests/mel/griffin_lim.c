/* Griffin-Lim comes closer to the mel with iterations, in every convention. */
#include "mel/front_end.h"
#include "mel/griffin_lim.h"

#include "goldens.h"

static void closer_with_iterations(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int rate;
        double unit;
    } cases[] = {{"hifigan", 16000, 1},
                 {"tacotron2", 22050, 1},
                 {"diffwave", 22050, 0.2 / M_LN10},
                 {"parallelwavegan", 24000, 1 / M_LN10}};
    for (size_t i = 0; i < 4; i++) {
        lull_error error;
        mel_convention c;
        size_t n, m;
        assert_ok(mel_convention_named(cases[i].name, cases[i].rate, &c, &error), error);
        float *mel = golden_mel(cases[i].name, cases[i].rate, 80, &n), *back;
        float *out = base_alloc(n * (size_t)c.hop, sizeof(float));
        double errors[2];
        for (int round = 0; round < 2; round++) {
            assert_ok(mel_griffin_lim(&c, mel, n, round ? 32 : 0, 3, out, &error), error);
            assert_ok(mel_from_samples(&c, out, n * (size_t)c.hop, &back, &m, &error), error);
            errors[round] = 0;
            for (size_t j = 0; j < n * 80; j++)
                errors[round] +=
                    fabs((double)back[j] - (double)mel[j]) / (double)(n * 80) / cases[i].unit;
            base_free(back);
        }
        print_message("    %s: mel error %.3f, after 32 iterations %.3f\n", cases[i].name,
                      errors[0], errors[1]);
        assert_true(errors[1] < 0.35);
        assert_true(errors[1] < 0.6 * errors[0]);
        base_free(mel);
        base_free(out);
    }
}

static void seeds_and_bad_arguments(void **state) {
    (void)state;
    lull_error error;
    mel_convention c;
    float mel[4 * 80], a[1024], b[1024], d[1024];
    assert_ok(mel_convention_named("hifigan", 16000, &c, &error), error);
    for (int i = 0; i < 320; i++) mel[i] = -3;
    assert_ok(mel_griffin_lim(&c, mel, 4, 4, 1, a, &error), error);
    assert_ok(mel_griffin_lim(&c, mel, 4, 4, 1, b, &error), error);
    assert_ok(mel_griffin_lim(&c, mel, 4, 4, 2, d, &error), error);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_not_equal(a, d, sizeof a);
    assert_int_equal(mel_griffin_lim(&c, mel, 4, -1, 1, a, &error), LULL_INVALID);
    assert_int_equal(mel_griffin_lim(&c, mel, SIZE_MAX / 4, 1, 1, a, &error), LULL_INVALID);
    int failed = 0;
    for (size_t at = 1;; at++) {
        base_memory_fail_at(at);
        const lull_status status = mel_griffin_lim(&c, mel, 4, 1, 1, a, &error);
        base_memory_fail_at(0);
        if (status == LULL_OK) break;
        assert_int_equal(status, LULL_NO_MEMORY);
        failed++;
    }
    assert_true(failed > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(closer_with_iterations),
                                       cmocka_unit_test(seeds_and_bad_arguments)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
