/* Between the points of the spectrum network: those of its own frames are the bins, between them lies
 * a line, and the way back is the transpose. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "mel/low_band.h"
#include "model/spectrum_points.h"

enum { ROOM = 2 * 2048 };

static void begin(const char *name, mel_convention *c, spectrum_points *p) {
    assert_int_equal(mel_convention_named(name, 0, c, NULL), LULL_OK);
    assert_int_equal(spectrum_points_init(c, p, NULL), LULL_OK);
    assert_int_equal(p->bins, mel_low_band_bins(c));
    assert_true(2 * p->bins <= ROOM);
    assert_true(spectrum_points_bytes(c) >= (uint64_t)p->bins * 8);
}

static void points_are_the_bins_of_its_frames(void **state) {
    (void)state;
    mel_convention c;
    spectrum_points p;
    static float outputs[SPECTRUM_OUTPUTS], bins[ROOM];
    begin("hifigan-22k", &c, &p);
    random_normal(1, 0, 0, outputs, SPECTRUM_OUTPUTS);
    spectrum_points_to_bins(&p, outputs, bins);
    for (int k = 0; k < p.bins; k++) {
        assert_true(fabsf(bins[k] - outputs[k]) < 1e-6f);
        assert_true(fabsf(bins[p.bins + k] - outputs[SPECTRUM_POINTS + k]) < 1e-6f);
    }
    spectrum_points_clear(&p);
}

static void lines_stay_lines(void **state) {
    (void)state;
    static const char *const names[] = {"hifigan-16k", "vocos-24k", "cosyvoice2-24k",
                                        "diffsinger-44k"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        mel_convention c;
        spectrum_points p;
        static float outputs[SPECTRUM_OUTPUTS], bins[ROOM];
        begin(names[i], &c, &p);
        for (int k = 0; k < SPECTRUM_POINTS; k++) {
            outputs[k] = (float)(k * SPECTRUM_POINT_HZ);
            outputs[SPECTRUM_POINTS + k] = 3 - outputs[k];
        }
        spectrum_points_to_bins(&p, outputs, bins);
        for (int k = 0; k < p.bins; k++) {
            const float hz = (float)k * (float)c.sample_rate / (float)c.n_fft;
            assert_true(fabsf(bins[k] - hz) < 1e-3f);
            assert_true(fabsf(bins[p.bins + k] - (3 - hz)) < 1e-3f);
        }
        spectrum_points_clear(&p);
    }
}

/* <to_bins(a), b> = <a, gather(b)> */
static void gather_is_the_transpose(void **state) {
    (void)state;
    mel_convention c;
    spectrum_points p;
    static float outputs[SPECTRUM_OUTPUTS], bins[ROOM], given[ROOM], gathered[SPECTRUM_OUTPUTS];
    begin("cosyvoice2-24k", &c, &p);
    random_normal(2, 0, 0, outputs, SPECTRUM_OUTPUTS);
    random_normal(3, 0, 0, given, 2 * (size_t)p.bins);
    spectrum_points_to_bins(&p, outputs, bins);
    spectrum_points_gather(&p, given, gathered);
    double there = 0, back = 0;
    for (int k = 0; k < 2 * p.bins; k++) there += (double)bins[k] * (double)given[k];
    for (int k = 0; k < SPECTRUM_OUTPUTS; k++) back += (double)outputs[k] * (double)gathered[k];
    assert_true(fabs(there) > 1);
    assert_true(fabs(there - back) < 1e-4 * fabs(there));
    spectrum_points_clear(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_are_the_bins_of_its_frames),
        cmocka_unit_test(lines_stay_lines),
        cmocka_unit_test(gather_is_the_transpose),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
