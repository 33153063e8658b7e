/* One iteration of two frames beside its definition, written as sums over everything, in double. */
#include "mel/corrector.h"

#include "base/memory.h"
#include "base/random.h"
#include "mel/filterbank.h"
#include "mel/kernels.h"

#include "goldens.h"

#include <complex.h>
#include <math.h>

enum { SIZE = 64, BINS = SIZE / 2 + 1, BANDS = 10 };

static mel_convention small_convention(void) {
    lull_error error;
    mel_convention c;
    assert_ok(mel_convention_named("hifigan", 16000, &c, &error), error);
    c.n_fft = c.window = SIZE;
    c.hop = SIZE / 4;
    c.bands = BANDS;
    return c;
}

/* S drawn towards the guide's magnitudes, then multiplied by E(wanted)/E(its mel). */
static void naive(const mel_convention *c, const mel_filterbank *f, const float *wanted,
                  const mel_guide *guide, const float *segment, double *out) {
    double complex spectrum[BINS];
    double magnitude[BINS], ratio[BANDS + 1];
    for (int k = 0; k < BINS; k++) {
        spectrum[k] = 0;
        for (int i = 0; i < SIZE; i++)
            spectrum[k] += (0.5 - 0.5 * cos(2 * M_PI * i / SIZE)) * (double)segment[i] *
                           cexp(-2 * M_PI * I * i * k / SIZE);
        if (guide) {
            const double power = creal(spectrum[k] * conj(spectrum[k])) + (double)guide->floor[k];
            const double q = (double)guide->weight[k] * ((double)guide->target[k] - log(power) / 2);
            spectrum[k] *= exp(fmin(fmax(q, -MEL_PULL_LIMIT), MEL_PULL_LIMIT));
        }
        magnitude[k] = cabs(spectrum[k]);
    }
    for (int b = 0; b < BANDS; b++) {
        double m = 0;
        for (int i = 0; i < f->count[b]; i++)
            m += (double)f->weights[f->offset[b] + i] * magnitude[f->start[b] + i];
        ratio[b] = (double)wanted[b] - log(fmax(m, c->floor));
    }
    ratio[BANDS] = ratio[BANDS - 1];
    for (int k = 0; k < BINS; k++) {
        const double low = ratio[f->place[k].low], high = ratio[f->place[k].low + 1];
        spectrum[k] *= exp(low + (double)f->place[k].fraction * (high - low));
    }
    for (int i = 0; i < SIZE; i++) {
        out[i] = creal(spectrum[0]) + creal(spectrum[BINS - 1]) * (i % 2 ? -1 : 1);
        for (int k = 1; k < BINS - 1; k++)
            out[i] += 2 * creal(spectrum[k] * cexp(2 * M_PI * I * i * k / SIZE));
    }
}

static void both_frames_equal_the_definition(void **state) {
    (void)state;
    const mel_convention c = small_convention();
    lull_error error;
    mel_corrector corrector;
    mel_filterbank *f;
    assert_ok(mel_corrector_init(&corrector, &c, 1, &error), error);
    assert_ok(mel_filterbank_new(&c, &f, &error), error);
    float segments[2][SIZE], mels[2][BANDS], target[BINS + 7], weight[BINS + 7], floor[BINS + 7];
    for (uint32_t i = 0; i < 2; i++) {
        random_normal(3, i, 0, segments[i], SIZE);
        random_normal(3, 2 + i, 0, mels[i], BANDS);
    }
    random_normal(3, 4, 0, target, BINS);
    for (int b = 0; b < BANDS; b++) {
        mels[0][b] -= 4;
        mels[1][b] -= 4;
    }
    for (int k = 0; k < BINS; k++) {
        weight[k] = (float)k / BINS;
        floor[k] = k % 3 ? 1e-6f : 1;
        target[k] *= 3;
    }
    const mel_guide guide = {
        .bins = BINS, .count = BINS, .target = target, .weight = weight, .floor = floor};
    const float *const wanted[2] = {mels[0], mels[1]}, *const segment[2] = {segments[0],
                                                                            segments[1]};
    for (int guided = 0; guided < 3; guided++) {
        const mel_guide *const guides[2] = {guided > 0 ? &guide : NULL, guided > 1 ? &guide : NULL};
        mel_corrector_run(&corrector, wanted, guides, segment);
        for (int i = 0; i < 2; i++) {
            double expected[SIZE], worst = 0;
            naive(&c, f, mels[i], guides[i], segments[i], expected);
            for (int j = 0; j < SIZE; j++) {
                const double is = (double)corrector.stft->pair->frames[2 * j + i];
                worst = fmax(worst, fabs(expected[j] - is));
            }
            assert_within(i ? "second frame" : "first frame", worst, 1e-4);
        }
    }
    mel_filterbank_free(f);
    mel_corrector_clear(&corrector);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(both_frames_equal_the_definition)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
