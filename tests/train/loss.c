/* Losses: values by hand, gradients against central differences. */
#include "helpers.h"

#include "base/low_pass.h"
#include "train/loss.h"
#include "train/refined_loss.h"
#include "train/spectrum_loss.h"

enum { LENGTH = 700, RATE = 8000 };

static void means(void **state) {
    (void)state;
    const float u[] = {1.0f, -2.0f, 0.5f, 3.0f}, target[] = {0.0f, -2.0f, 1.0f, 1.0f};
    float du[4];
    assert_true(fabs(train_loss_l2(u, target, 4, du) - (1.0 + 0.25 + 4.0) / 4.0) < 1e-12);
    assert_true(du[0] == 0.5f && du[1] == 0.0f && du[2] == -0.25f && du[3] == 1.0f);
    assert_true(fabs(train_loss_l1(u, target, 4, du) - 3.5 / 4.0) < 1e-12);
    assert_true(du[0] == 0.25f && du[1] == 0.0f && du[2] == -0.25f && du[3] == 0.25f);
}

/* The same loss in doubles, with transforms by their definition. */
static double reference(int rate, const double *u, const double *target, int length) {
    const int windows[] = {600, 1200, 240}, hops[] = {120, 240, 50};
    double total = 0.0;
    for (int r = 0; r < 3; r++) {
        int window = (int)lround(windows[r] * rate / 24000.0),
            hop = (int)lround(hops[r] * rate / 24000.0), size = 2;
        while (size < window) size *= 2;
        double *cosine = malloc(3 * (size_t)size * sizeof *cosine), *sine = cosine + size,
               *hann = sine + size;
        for (int i = 0; i < size; i++) {
            cosine[i] = cos(2 * M_PI * i / size);
            sine[i] = sin(2 * M_PI * i / size);
            hann[i] = 0.5 - 0.5 * cos(2 * M_PI * i / window);
        }
        double difference = 0.0, norm = 0.0, logs = 0.0, cells = 0.0;
        for (int start = 0; start + size <= length; start += hop)
            for (int k = 0; k <= size / 2; k++) {
                double re[2] = {0}, im[2] = {0}, magnitude[2];
                for (int i = 0; i < window; i++) {
                    int at = (size - window) / 2 + i;
                    double w = hann[i];
                    double c = cosine[(long)k * at % size], s = sine[(long)k * at % size];
                    re[0] += w * u[start + at] * c, im[0] += w * u[start + at] * s;
                    re[1] += w * target[start + at] * c, im[1] += w * target[start + at] * s;
                }
                for (int j = 0; j < 2; j++)
                    magnitude[j] = sqrt(re[j] * re[j] + im[j] * im[j] + 1e-7);
                difference += (magnitude[1] - magnitude[0]) * (magnitude[1] - magnitude[0]);
                norm += magnitude[1] * magnitude[1];
                logs += fabs(log(magnitude[1]) - log(magnitude[0]));
                cells += 1.0;
            }
        total += (sqrt(difference / norm) + logs / cells) / 3.0;
        free(cosine);
    }
    return total;
}

static void stft_gradient(void **state) {
    (void)state;
    static float u[LENGTH], target[LENGTH], du[LENGTH];
    static double u64[LENGTH], target64[LENGTH];
    train_stft_loss *loss;
    lull_error error;
    if (train_stft_loss_new(RATE, LENGTH, &loss, &error)) fail_msg("%s", error.message);
    random_normal(1, 0, 0, u, LENGTH);
    random_normal(1, 1, 0, target, LENGTH);
    for (int i = 0; i < LENGTH; i++) {
        du[i] = 1.0f; /* it must add */
        u64[i] = u[i];
        target64[i] = target[i];
    }
    double value = train_stft_loss_run(loss, u, target, 0.7, du), worst = 0.0, largest = 0.0;
    double expected = 0.7 * reference(RATE, u64, target64, LENGTH);
    assert_true(fabs(value - expected) < 1e-5 * expected);
    for (int i = 0; i < LENGTH; i++) largest = fmax(largest, fabs(du[i] - 1.0));
    for (int i = 3; i < LENGTH; i += 47) {
        double h = 1e-6;
        u64[i] = u[i] + h;
        double up = reference(RATE, u64, target64, LENGTH);
        u64[i] = u[i] - h;
        double slope = 0.7 * (up - reference(RATE, u64, target64, LENGTH)) / (2 * h);
        u64[i] = u[i];
        worst = fmax(worst, fabs(slope - (du[i] - 1.0)) / largest);
    }
    print_message("  gradient within %.2g of its largest element\n", worst);
    assert_true(worst < 1e-3);
    train_stft_loss_free(loss);
}

static void stft_of_itself_is_zero(void **state) {
    (void)state;
    static float u[LENGTH], du[LENGTH];
    train_stft_loss *loss;
    assert_int_equal(train_stft_loss_new(RATE, LENGTH, &loss, NULL), LULL_OK);
    random_normal(1, 0, 0, u, LENGTH);
    assert_true(train_stft_loss_run(loss, u, u, 1.0, du) < 1e-6);
    for (int i = 0; i < LENGTH; i++) assert_true(fabsf(du[i]) < 1e-5f);
    train_stft_loss_free(loss);
    lull_error error;
    assert_int_equal(train_stft_loss_new(24000, 1000, &loss, &error), LULL_INVALID);
    assert_non_null(strstr(error.message, "--crop-frames"));
}

static double band_reference(const float *taps, int half, const double *u, const float *target) {
    double below = 0, all = 0;
    for (int i = 0; i < LENGTH; i++) {
        double low = 0;
        for (int k = -half; k <= half; k++)
            if (i + k >= 0 && i + k < LENGTH)
                low += (double)taps[half + k] * (u[i + k] - target[i + k]);
        below += low * low;
        all += (u[i] - target[i]) * (u[i] - target[i]);
    }
    return (below + 0.01 * all) / LENGTH;
}

/* Of magnitudes: against differences; what is not known counts for nothing. */
static void spectrum_gradient(void **state) {
    (void)state;
    enum { N = 40 };
    float outputs[N], targets[N], gradient[N], none[N];
    random_normal(1, 0, 0, outputs, N);
    random_normal(1, 1, 0, targets, N);
    targets[3] = targets[17] = NAN;
    const double loss = train_spectrum_loss(outputs, targets, N, gradient);
    assert_true(loss > 0 && gradient[3] == 0 && gradient[17] == 0);
    for (int i = 0; i < N; i++) {
        const float kept = outputs[i];
        outputs[i] = kept + 1e-3f;
        const double above = train_spectrum_loss(outputs, targets, N, none);
        outputs[i] = kept - 1e-3f;
        const double below = train_spectrum_loss(outputs, targets, N, none);
        outputs[i] = kept;
        assert_true(fabs((above - below) / 2e-3 - gradient[i]) < 1e-5);
    }
    outputs[3] = 5;
    assert_true(train_spectrum_loss(outputs, targets, N, none) == loss);
    assert_true(train_spectrum_loss(targets, targets, N, none) == 0);
    for (int i = 0; i < N; i++) targets[i] = NAN;
    assert_true(train_spectrum_loss(outputs, targets, N, none) == 0);
}

/* What a frame is to say: its magnitudes over the envelope, held within bounds, NaN where the mel is
 * silent. */
static void spectrum_targets(void **state) {
    (void)state;
    const float spectrum[] = {3, 4, 0, 0, 1e6f, 0, 1, 1};
    const float envelope[] = {logf(2), 0, 0, -30};
    float target[4];
    train_spectrum_target(spectrum, envelope, 4, 1e-4, target);
    assert_true(fabsf(target[0] - logf(2.5f)) < 1e-6f);
    assert_true(fabsf(target[1] - logf(0.001f)) < 1e-5f && fabsf(target[2] - logf(20)) < 1e-6f);
    assert_true(isnan(target[3]));
}

enum { LOW = 640, DIVIDED = 4 };

/* A signal and what its low band is at a quarter of the rate. */
static void tones(float *whole, float *low) {
    for (int i = 0; i < LOW * DIVIDED; i++) {
        const double t = i / 22050.0;
        whole[i] = (float)(0.1 * sin(2 * M_PI * 210 * t) + 0.05 * sin(2 * M_PI * 1100 * t + 1));
        if (i % DIVIDED == 0) low[i / DIVIDED] = whole[i];
        whole[i] += (float)(0.2 * sin(2 * M_PI * 5000 * t)); /* above: does not count */
    }
}

static void refined_gradient(void **state) {
    (void)state;
    static float whole[LOW * DIVIDED], low[LOW], made[LOW], gradient[LOW], none[LOW];
    train_refined_loss *loss;
    lull_error error;
    tones(whole, low);
    assert_int_equal(train_refined_loss_new(22050, DIVIDED, 2350, LOW, &loss, &error), LULL_OK);
    assert_true(train_refined_loss_bytes(loss) > 1000);
    /* Itself: nothing but what leaks down from above; negated, which nobody hears, the same. */
    const double same = train_refined_loss_run(loss, low, whole, LOW, none);
    for (int i = 0; i < LOW; i++) made[i] = -low[i];
    assert_true(fabs(train_refined_loss_run(loss, made, whole, LOW, none) - same) < 1e-6);
    random_normal(1, 0, 0, made, LOW);
    for (int i = 0; i < LOW; i++) made[i] = 0.6f * low[i] + 0.02f * made[i];
    const double cost = train_refined_loss_run(loss, made, whole, LOW, gradient);
    assert_true(same < 0.02 && cost > 5 * same);
    /* Louder both: as far apart. */
    for (int i = 0; i < LOW * DIVIDED; i++) whole[i] *= 8;
    for (int i = 0; i < LOW; i++) made[i] *= 8;
    assert_true(fabs(train_refined_loss_run(loss, made, whole, LOW, none) - cost) < 0.01 * cost);
    for (int i = 0; i < LOW * DIVIDED; i++) whole[i] /= 8;
    for (int i = 0; i < LOW; i++) made[i] /= 8;
    for (int i = 0; i < LOW; i += 37) {
        const float kept = made[i], step = 2e-4f;
        made[i] = kept + step;
        const double above = train_refined_loss_run(loss, made, whole, LOW, none);
        made[i] = kept - step;
        const double below = train_refined_loss_run(loss, made, whole, LOW, none);
        made[i] = kept;
        const double measured = (above - below) / (2.0 * step);
        assert_true(fabs(measured - gradient[i]) < 0.05 * fabs(measured) + 5e-4);
    }
    train_refined_loss_free(loss);
    train_refined_loss_free(NULL);
    /* Too short for any window: nothing to say. */
    assert_int_equal(train_refined_loss_new(22050, DIVIDED, 2350, 60, &loss, &error), LULL_OK);
    assert_true(train_refined_loss_run(loss, made, whole, 60, gradient) == 0);
    train_refined_loss_free(loss);
}

static void band_gradient(void **state) {
    (void)state;
    static float u[LENGTH], target[LENGTH], du[LENGTH], taps[2 * LENGTH];
    static double u64[LENGTH];
    train_band_loss *loss;
    assert_int_equal(train_band_loss_new(RATE, 1500, LENGTH, &loss, NULL), LULL_OK);
    low_pass_design(1500.0 / RATE, low_pass_half(RATE), taps);
    random_normal(1, 0, 0, u, LENGTH);
    random_normal(1, 1, 0, target, LENGTH);
    for (int i = 0; i < LENGTH; i++) u64[i] = u[i];
    double value = train_band_loss_run(loss, u, target, du), worst = 0, largest = 0;
    double expected = band_reference(taps, low_pass_half(RATE), u64, target);
    assert_true(fabs(value - expected) < 1e-5 * expected);
    for (int i = 0; i < LENGTH; i++) largest = fmax(largest, fabs(du[i]));
    for (int i = 0; i < LENGTH; i += 17) {
        u64[i] = u[i] + 1e-4;
        double up = band_reference(taps, low_pass_half(RATE), u64, target);
        u64[i] = u[i] - 1e-4;
        double slope = (up - band_reference(taps, low_pass_half(RATE), u64, target)) / 2e-4;
        u64[i] = u[i];
        worst = fmax(worst, fabs(slope - du[i]) / largest);
    }
    assert_true(worst < 1e-5);
    train_band_loss_free(loss);
}

/* An error at 500 Hz counts, one at 3 kHz hardly. */
static void band_counts_below(void **state) {
    (void)state;
    static float u[LENGTH], zero[LENGTH], du[LENGTH];
    train_band_loss *loss;
    assert_int_equal(train_band_loss_new(RATE, 1500, LENGTH, &loss, NULL), LULL_OK);
    for (int i = 0; i < LENGTH; i++) u[i] = (float)sin(2 * M_PI * 500 / RATE * i);
    assert_true(train_band_loss_run(loss, u, zero, du) > 0.48);
    for (int i = 0; i < LENGTH; i++) u[i] = (float)sin(2 * M_PI * 3000 / RATE * i);
    assert_true(train_band_loss_run(loss, u, zero, du) < 0.007);
    train_band_loss_free(loss);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means),
        cmocka_unit_test(spectrum_gradient),
        cmocka_unit_test(spectrum_targets),
        cmocka_unit_test(refined_gradient),
        cmocka_unit_test(band_gradient),
        cmocka_unit_test(band_counts_below),
        cmocka_unit_test(stft_gradient),
        cmocka_unit_test(stft_of_itself_is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
