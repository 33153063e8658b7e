/* The short-time Fourier transform and its overlap-add: against the definitions in double
 * precision, on grids of every kind that conventions have. */
#include "mel/overlap.h"
#include "mel/stft.h"

#include "goldens.h"

static const mel_stft_grid grids[] = {
    {.size = 1024, .window = 1024, .hop = 256, .lead = 384}, /* HiFi-GAN's */
    {.size = 2048, .window = 1200, .hop = 300, .lead = 1024},
    {.size = 1920, .window = 1920, .hop = 480, .lead = 720},
    {.size = 2048, .window = 2048, .hop = 512, .lead = 768},
    {.size = 30, .window = 21, .hop = 8, .lead = 11},
    {.size = 600, .window = 599, .hop = 97, .lead = 0},
};
enum { GRIDS = sizeof grids / sizeof *grids };

static float noise(size_t i) {
    return (float)(sin(12.9898 * (double)(i + 1)) * 43758.5453 -
                   floor(sin(12.9898 * (double)(i + 1)) * 43758.5453) - 0.5);
}

static double hann(const mel_stft_grid *g, int i) {
    const int at = i - (g->size - g->window) / 2;
    return at < 0 || at >= g->window ? 0 : 0.5 - 0.5 * cos(2 * M_PI * at / g->window);
}

static mel_stft *made(const mel_stft_grid *grid, mel_stft_kind kind) {
    mel_stft *stft;
    lull_error error;
    assert_ok(mel_stft_new(grid, kind, &stft, &error), error);
    return stft;
}

static void windows(void **state) {
    (void)state;
    for (int g = 0; g < GRIDS; g++) {
        mel_stft *s = made(&grids[g], MEL_STFT_FAST);
        for (int i = 0; i < grids[g].size; i++) {
            const double w = hann(&grids[g], i);
            assert_true(fabs(s->window[i] - w) < 1e-6);
            assert_true(s->power[i] == s->window[i] * s->window[i]);
            assert_true(s->synthesis[i] == s->window[i] / (float)grids[g].size);
        }
        mel_stft_free(s);
    }
}

/* Every index of signals from one sample on, mirrored step by step. */
static void mirrors(void **state) {
    (void)state;
    for (size_t count = 1; count <= 7; count++) {
        size_t at = 0;
        int step = 1;
        for (int64_t i = 0; i < 40; i++) {
            assert_int_equal(mel_stft_mirrored(i, count), at);
            assert_int_equal(mel_stft_mirrored(-i, count), at);
            if (count == 1) continue;
            if (at + 1 == count) step = -1;
            if (at == 0) step = 1;
            at = (size_t)((int)at + step);
        }
    }
}

static void cuts(void **state) {
    (void)state;
    const mel_stft_grid grid = grids[4];
    mel_stft *s = made(&grid, MEL_STFT_FAST);
    float signal[100], segment[30];
    for (size_t count = 0; count <= 100; count += 5) {
        for (size_t i = 0; i < count; i++) signal[i] = noise(i);
        for (int64_t begin = -70; begin < 180; begin++)
            for (int mirror = 0; mirror < 2; mirror++) {
                mel_stft_cut(s, signal, count, begin, mirror, segment);
                for (int64_t i = 0; i < 30; i++) {
                    const int64_t at = begin + i;
                    const bool inside = at >= 0 && at < (int64_t)count;
                    const float wanted = inside            ? signal[at]
                                         : mirror && count ? signal[mel_stft_mirrored(at, count)]
                                                           : 0;
                    assert_true(segment[i] == wanted);
                }
            }
        /* Frames: those that end before the mirrored signal does. */
        size_t frames = 0;
        while (count && mel_stft_begin(s, (int64_t)frames) + 30 <= (int64_t)count + 11) frames++;
        assert_int_equal(mel_stft_frames(s, count), frames);
    }
    mel_stft_free(s);
}

/* Analysis of each kind against the definition, at a few bins. */
static void analysis(void **state) {
    (void)state;
    for (int g = 0; g < GRIDS; g++) {
        const mel_stft_grid *grid = &grids[g];
        float segment[2][2048];
        for (int i = 0; i < grid->size; i++)
            segment[0][i] = noise((size_t)i), segment[1][i] = noise((size_t)i + 5000);
        mel_stft *kinds[] = {made(grid, MEL_STFT_FAST), made(grid, MEL_STFT_EXACT),
                             made(grid, MEL_STFT_PAIRS)};
        for (int k = 0; k < 2; k++) mel_stft_analyse(kinds[k], segment[0]);
        mel_stft_analyse_pair(kinds[2], segment[0], segment[1]);
        const float *pair = kinds[2]->pair->spectrum;
        for (int bin = 0; bin < kinds[0]->bins; bin += 7) {
            double re[2] = {0}, im[2] = {0};
            for (int i = 0; i < grid->size; i++)
                for (int j = 0; j < 2; j++) {
                    const double x = (double)segment[j][i] * hann(grid, i);
                    re[j] += x * cos(2 * M_PI * ((double)i * bin / grid->size));
                    im[j] -= x * sin(2 * M_PI * ((double)i * bin / grid->size));
                }
            for (int k = 0; k < 2; k++) {
                assert_true(fabs(kinds[k]->spectrum[2 * bin] - re[0]) < 2e-5);
                assert_true(fabs(kinds[k]->spectrum[2 * bin + 1] - im[0]) < 2e-5);
            }
            assert_true(fabs(pair[2 * bin] - (re[0] - im[1])) < 2e-5);
            assert_true(fabs(pair[2 * bin + 1] - (im[0] + re[1])) < 2e-5);
        }
        for (int k = 0; k < 3; k++) mel_stft_free(kinds[k]);
    }
}

/* Analysis, synthesis and overlap-add give the signal back wherever windows reach it, and the same
 * in pieces that move along. */
static void there_and_back(void **state) {
    (void)state;
    enum { COUNT = 12000 };
    static float signal[COUNT], back[COUNT], moved[COUNT + 2048], segment[2048];
    for (size_t i = 0; i < COUNT; i++) signal[i] = noise(i);
    for (int g = 0; g < GRIDS; g++) {
        const mel_stft_grid *grid = &grids[g];
        mel_stft *s = made(grid, MEL_STFT_FAST);
        mel_overlap *whole, *along;
        lull_error error;
        const size_t hop = (size_t)grid->hop, extent = (size_t)grid->size;
        assert_ok(mel_overlap_new(s, COUNT, &whole, &error), error);
        assert_ok(mel_overlap_new(s, extent, &along, &error), error);
        const size_t n = COUNT / hop + 1;
        size_t written = 0;
        for (size_t f = 0; f < n; f++) {
            const int64_t begin = mel_stft_begin(s, (int64_t)f);
            mel_stft_cut(s, signal, COUNT, begin, false, segment);
            mel_stft_analyse(s, segment);
            mel_stft_synthesise(s, segment);
            mel_overlap_add(whole, begin, segment);
            mel_overlap_add(along, 0, segment);
            mel_overlap_read(along, 0, hop, moved + written);
            mel_overlap_advance(along, hop);
            written += hop;
        }
        mel_overlap_read(whole, 0, COUNT, back);
        double worst = 0;
        for (size_t i = 0; i < COUNT; i++) {
            double weight = 0;
            for (size_t f = 0; f < n; f++) {
                const int64_t at = (int64_t)i - mel_stft_begin(s, (int64_t)f);
                if (at >= 0 && at < grid->size) weight += pow(hann(grid, (int)at), 2);
            }
            const double wanted = signal[i] * weight / fmax(weight, 0.01);
            worst = fmax(worst, fabs(back[i] - wanted));
            const size_t at = i + (size_t)grid->lead;
            if (at < written) assert_true(moved[at] == back[i]);
        }
        assert_within("overlap-add", worst, 2e-5);
        mel_overlap_reset(whole);
        mel_overlap_read(whole, 0, COUNT, back);
        for (size_t i = 0; i < COUNT; i++) assert_true(back[i] == 0);
        mel_overlap_free(whole);
        mel_overlap_free(along);
        mel_stft_free(s);
    }
}

static void no_memory(void **state) {
    (void)state;
    for (int kind = 0; kind < 3; kind++)
        for (long n = 1;; n++) {
            mel_stft *stft;
            base_memory_fail_at(n);
            const lull_status status = mel_stft_new(&grids[0], (mel_stft_kind)kind, &stft, NULL);
            base_memory_fail_at(0);
            if (status == LULL_OK) {
                assert_true(n > 5);
                mel_stft_free(stft);
                break;
            }
            assert_int_equal(status, LULL_NO_MEMORY);
            assert_null(stft);
        }
    mel_stft_free(NULL);
    mel_overlap_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows),  cmocka_unit_test(mirrors),        cmocka_unit_test(cuts),
        cmocka_unit_test(analysis), cmocka_unit_test(there_and_back), cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
