/* Refinement of the low band as training runs it: forward against the engine's (mel/sliding.h), the
 * gradient against central differences; and what becomes of gradients that are kept in bounds. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "gradient/refinement.h"
#include "mel/low_band.h"
#include "mel/sliding.h"

enum { FRAMES = 9, MOST_BANDS = 100 };

typedef struct fixture {
    mel_convention convention;
    gradient_refinement *refinement;
    int size, hop, bins;
    size_t outputs;
    float *mel, *said, *open, *samples, *by_samples, *gradient;
} fixture;

static float *numbers(size_t n, uint32_t stream, float scale, float offset) {
    float *x = base_alloc(n, sizeof(float));
    assert_non_null(x);
    random_normal(7, stream, 0, x, n);
    for (size_t i = 0; i < n; i++) x[i] = scale * x[i] + offset;
    return x;
}

static void set_up(fixture *f, const char *name, int rate, int iterations, int window) {
    lull_error error;
    assert_int_equal(mel_convention_named(name, rate, &f->convention, &error), LULL_OK);
    const int d = mel_low_band_decimation(&f->convention);
    assert_true(d > 1);
    f->size = f->convention.n_fft / d;
    f->hop = f->convention.hop / d;
    f->bins = mel_low_band_bins(&f->convention);
    f->outputs = (size_t)(2 * f->bins * FRAMES);
    assert_int_equal(
        gradient_refinement_new(&f->convention, FRAMES, iterations, window, &f->refinement, &error),
        LULL_OK);
    assert_true(gradient_refinement_bytes(f->refinement) > 1000);
    f->mel = numbers((size_t)(f->convention.bands * FRAMES), 0, 0.7f, 0);
    for (int i = 0; i < f->convention.bands * FRAMES; i++)
        f->mel[i] += i / f->convention.bands < 2 ? -6 : -2; /* a faint beginning */
    f->said = numbers(f->outputs, 1, 0.5f, 0);
    f->open = numbers((size_t)(f->size * FRAMES), 2, 0.05f, 0);
    f->samples = numbers((size_t)(f->size + f->hop * FRAMES), 3, 1, 0);
    f->by_samples = numbers((size_t)(f->size + f->hop * FRAMES), 4, 1, 0);
    f->gradient = numbers(f->outputs, 5, 1, 0);
}

static void tear_down(fixture *f) {
    gradient_refinement_free(f->refinement);
    float *owned[] = {f->mel, f->said, f->open, f->samples, f->by_samples, f->gradient};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) base_free(owned[i]);
}

static const struct {
    const char *name;
    int rate;
} conventions[] = {
    {"hifigan-22k", 0}, {"parallelwavegan-24k", 0}, {"tacotron2", 22050}, {"hifigan-16k", 0}};

/* What the engine makes of the same frames. */
static void forward_is_the_engines(void **state) {
    (void)state;
    static const gradient_refinement_way ways[] = {{3, 0, 0}, {2, 1, 0.7}, {3, 3, 0.9}};
    for (size_t c = 0; c < sizeof conventions / sizeof *conventions; c++)
        for (size_t w = 0; w < sizeof ways / sizeof *ways; w++)
            for (int guided = 0; guided < 2; guided++) {
                fixture f;
                set_up(&f, conventions[c].name, conventions[c].rate, 3, 3);
                const float *said = guided ? f.said : NULL;
                gradient_refinement_forward(f.refinement, &ways[w], FRAMES, f.mel, said, f.open,
                                            f.samples);
                const size_t n = gradient_refinement_samples(f.refinement, FRAMES, ways[w].window);
                assert_int_equal(n, (size_t)((FRAMES - ways[w].window) * f.hop));
                mel_sliding *sliding;
                lull_error error;
                assert_int_equal(mel_sliding_new(&f.convention,
                                                 mel_low_band_decimation(&f.convention),
                                                 ways[w].iterations, ways[w].window,
                                                 (float)ways[w].momentum, &sliding, &error),
                                 LULL_OK);
                /* As the engine counts samples, hop by hop. */
                const int lead = mel_stft_grid_of(&f.convention).lead * f.size / f.convention.n_fft;
                const int overlap = mel_sliding_overlap(&f.convention) * f.hop;
                float out[1024];
                double square = 0, difference = 0;
                for (int t = 0; t < FRAMES; t++) {
                    memcpy(mel_sliding_open(sliding, f.mel + t * f.convention.bands,
                                            guided ? f.said + 2 * t * f.bins : NULL),
                           f.open + t * f.size, (size_t)f.size * sizeof(float));
                    mel_sliding_iterate(sliding);
                    mel_sliding_commit(sliding);
                    mel_sliding_read(sliding, out);
                    const int at = (t - ways[w].window) * f.hop + lead - overlap;
                    for (int i = 0; i < f.hop; i++) {
                        if (at + i < 0 || (size_t)(at + i) >= n || t < ways[w].window) continue;
                        square += (double)out[i] * (double)out[i];
                        difference += pow((double)out[i] - (double)f.samples[at + i], 2);
                    }
                    mel_sliding_advance(sliding);
                }
                assert_true(square > 0);
                if (!(difference < 1e-5 * square))
                    fail_msg("%s, way %zu, guided %d: error %g of %g", conventions[c].name, w,
                             guided, difference, square);
                mel_sliding_free(sliding);
                tear_down(&f);
            }
}

/* In float, so along directions in which all outputs change at once. */
static void gradient_is_that_of_differences(void **state) {
    (void)state;
    static const gradient_refinement_way ways[] = {{1, 0, 0}, {2, 1, 0.7}, {2, 3, 0.9}};
    for (size_t c = 0; c < sizeof conventions / sizeof *conventions; c++)
        for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
            fixture f;
            set_up(&f, conventions[c].name, conventions[c].rate, 2, 3);
            const gradient_refinement_way *way = &ways[w];
            const size_t n = gradient_refinement_samples(f.refinement, FRAMES, way->window);
            gradient_refinement_forward(f.refinement, way, FRAMES, f.mel, f.said, f.open,
                                        f.samples);
            gradient_refinement_backward(f.refinement, f.by_samples, 1, INFINITY, f.gradient);
            for (uint32_t direction = 0; direction < 3; direction++) {
                float *along = numbers(f.outputs, 10 + direction, 1, 0);
                float *moved = numbers(f.outputs, 0, 0, 0);
                double expected = 0, sums[2] = {0};
                for (size_t i = 0; i < f.outputs; i++) {
                    /* targets alone, weights alone, one frame alone */
                    const size_t frame = i / (size_t)(2 * f.bins), k = i % (size_t)(2 * f.bins);
                    if ((direction == 0 && k >= (size_t)f.bins) ||
                        (direction == 1 && k < (size_t)f.bins) || (direction == 2 && frame != 4))
                        along[i] = 0;
                    expected += (double)along[i] * (double)f.gradient[i];
                }
                const double step = 2e-3;
                for (int side = 0; side < 2; side++) {
                    for (size_t i = 0; i < f.outputs; i++)
                        moved[i] = f.said[i] + (float)(side ? step : -step) * along[i];
                    gradient_refinement_forward(f.refinement, way, FRAMES, f.mel, moved, f.open,
                                                f.samples);
                    for (size_t i = 0; i < n; i++)
                        sums[side] += (double)f.samples[i] * (double)f.by_samples[i];
                }
                const double measured = (sums[1] - sums[0]) / (2 * step);
                if (!(fabs(measured - expected) < 0.02 * fabs(expected) + 2e-3))
                    fail_msg("%s, way %zu, direction %u: %g, differences %g", conventions[c].name,
                             w, direction, expected, measured);
                base_free(along);
                base_free(moved);
            }
            tear_down(&f);
        }
}

/* With nothing kept from turn to turn a frame's gradient is that of its last turn alone, and is
 * finite whatever comes. */
static void gradients_are_kept_in_bounds(void **state) {
    (void)state;
    fixture f;
    set_up(&f, "hifigan-22k", 0, 3, 3);
    const gradient_refinement_way way = {3, 3, 0.9};
    float *exact = numbers(f.outputs, 0, 0, 0);
    gradient_refinement_forward(f.refinement, &way, FRAMES, f.mel, f.said, f.open, f.samples);
    gradient_refinement_backward(f.refinement, f.by_samples, 1, INFINITY, exact);
    double longest = INFINITY;
    for (int i = 0; i < 3; i++) {
        gradient_refinement_forward(f.refinement, &way, FRAMES, f.mel, f.said, f.open, f.samples);
        gradient_refinement_backward(f.refinement, f.by_samples, i == 0 ? 1 : 0.5,
                                     i == 2   ? 0.01
                                     : i == 1 ? 2
                                              : 1e9,
                                     f.gradient);
        double length = 0;
        for (size_t k = 0; k < f.outputs; k++) length += pow(f.gradient[k], 2);
        if (i == 0) assert_memory_equal(exact, f.gradient, f.outputs * sizeof(float));
        assert_true(length > 0 && length < longest);
        longest = length;
    }
    for (size_t i = 0; i < f.outputs; i++) f.said[i] = i % 2 ? 1e30f : -1e30f;
    gradient_refinement_forward(f.refinement, &way, FRAMES, f.mel, f.said, f.open, f.samples);
    gradient_refinement_backward(f.refinement, f.by_samples, 0.5, 2, f.gradient);
    for (size_t i = 0; i < f.outputs; i++) assert_true(isfinite(f.gradient[i]));
    base_free(exact);
    tear_down(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_is_the_engines),
        cmocka_unit_test(gradient_is_that_of_differences),
        cmocka_unit_test(gradients_are_kept_in_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
