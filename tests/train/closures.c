/* Pulses of a voice that is known: where they are found, and which way they point. */
#include "helpers.h"

#include "train/closures.h"

enum { FRAMES = 40 };

/* Harmonics of a pulse train turned by turn[f], of any strength, in noise; frames from `silent` to
 * `silent` + 8 have none. */
static void make(train_closure_frame *frame, const double *turn, int sign, double noise,
                 int silent) {
    float random[2 * TRAIN_CLOSURE_HARMONICS];
    for (int f = 0; f < FRAMES; f++) {
        frame[f].harmonics = f >= silent && f < silent + 8 ? 0 : 20;
        random_normal(3, 0, (uint64_t)f * 2 * TRAIN_CLOSURE_HARMONICS, random,
                      2 * TRAIN_CLOSURE_HARMONICS);
        for (int h = 1; h <= 20; h++) {
            double level = (1 + f % 3) * (1 + 0.5 * cos(h)), angle = 2 * M_PI * h * turn[f];
            frame[f].part[2 * h - 2] =
                (float)(level * (sign * cos(angle) + noise * random[2 * h - 2]));
            frame[f].part[2 * h - 1] =
                (float)(level * (sign * sin(angle) + noise * random[2 * h - 1]));
        }
    }
}

static void check(int sign, double noise, int silent, double within) {
    train_closure_frame frame[FRAMES];
    train_closures *closures;
    double turn[FRAMES], found[FRAMES];
    for (int f = 0; f < FRAMES; f++) turn[f] = 0.7 + 0.03 * f + 0.05 * sin(0.3 * f);
    make(frame, turn, sign, noise, silent);
    assert_int_equal(train_closures_new(FRAMES, &closures, NULL), LULL_OK);
    assert_int_equal(train_closures_find(closures, frame, found), sign);
    for (int f = 0; f < FRAMES; f++) {
        double off = found[f] - turn[f];
        /* In a gap it is on its way from one side to the other. */
        double most = frame[f].harmonics == 0 ? 0.3 : within;
        if (!(fabs(off - round(off)) < most)) fail_msg("frame %d: off by %g", f, off);
        assert_true(f == 0 || fabs(found[f] - found[f - 1]) < 0.1);
    }
    train_closures_free(closures);
}

static void pulses(void **state) {
    (void)state;
    check(1, 0, FRAMES, 0.01);
    check(-1, 0, FRAMES, 0.01);
    check(1, 0.7, FRAMES, 0.05);
    check(-1, 0.7, FRAMES, 0.05);
}

static void gap(void **state) {
    (void)state;
    check(1, 0, 15, 0.01);
    check(-1, 0, 0, 0.01);
}

static void nothing_voiced(void **state) {
    (void)state;
    train_closure_frame frame[FRAMES] = {0};
    train_closures *closures;
    double found[FRAMES];
    assert_int_equal(train_closures_new(FRAMES, &closures, NULL), LULL_OK);
    assert_int_equal(train_closures_find(closures, frame, found), 1);
    for (int f = 0; f < FRAMES; f++) assert_true(found[f] == 0);
    train_closures_free(closures);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pulses),
        cmocka_unit_test(gap),
        cmocka_unit_test(nothing_voiced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
