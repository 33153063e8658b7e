/* HF modulation: see modulation.h. */
#include "eval/modulation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/sort.h"
#include "mel/fft.h"
#include "recording/resample.h"

enum {
    RATE = 16000,
    FRAME = 640,
    STEP = 160,
    SHORTEST = 40, /* period */
    LONGEST = 229,
    PIECE = 8192,  /* samples filtered at once, … */
    MARGIN = 1024, /* … of which so many at either end only ring */
    LEAST_FRAMES = 20
};

typedef struct voiced_frame {
    size_t start;
    int period; /* 0: not voiced */
    double energy;
} voiced_frame;

/* ---- filters ---- */

/* |H|² of the bilinear transform of Butterworth's filters (order 4 below 900 Hz; order 6 between 3
 * and 7.5 kHz). */
static double low_pass(double hz) {
    const double ratio = tan(M_PI * hz / RATE) / tan(M_PI * 900 / RATE);
    return 1 / (1 + pow(ratio, 8));
}

static double band_pass(double hz) {
    const double low = tan(M_PI * 3000 / RATE), high = tan(M_PI * 7500 / RATE);
    const double w = tan(M_PI * hz / RATE);
    return hz > 0 ? 1 / (1 + pow((w * w - low * high) / ((high - low) * w), 12)) : 0;
}

typedef struct filter {
    mel_fft_pair *transform;
    double (*gain)(double hz);
    bool envelope; /* the magnitude of the analytic signal, else the signal */
} filter;

static void run_piece(const filter *f, const float *in, size_t count, int64_t from, float *out) {
    float *frames = f->transform->frames, *spectrum = f->transform->spectrum;
    for (int i = 0; i < PIECE; i++) {
        const int64_t at = from - MARGIN + i;
        frames[2 * i] = at >= 0 && at < (int64_t)count ? in[at] : 0;
        frames[2 * i + 1] = 0;
    }
    mel_fft_pair_forward(f->transform);
    for (int k = 0; k < PIECE; k++) { /* one-sided: twice the signal as the real part */
        const double sides = k == 0 || k == PIECE / 2 ? 1 : k < PIECE / 2 ? 2 : 0;
        const double hz = (double)k * RATE / PIECE;
        const float gain = sides > 0 ? (float)(sides * f->gain(fmin(hz, 7999)) / PIECE) : 0;
        spectrum[2 * k] *= gain;
        spectrum[2 * k + 1] *= gain;
    }
    mel_fft_pair_inverse(f->transform);
    for (int i = MARGIN; i < PIECE - MARGIN; i++) {
        const int64_t at = from - MARGIN + i;
        if (at >= (int64_t)count) break;
        const float *z = frames + 2 * i;
        out[at] = f->envelope ? sqrtf(z[0] * z[0] + z[1] * z[1]) : z[0];
    }
}

static void filter_run(const filter *f, const float *in, size_t count, float *out) {
    for (int64_t from = 0; from < (int64_t)count; from += PIECE - 2 * MARGIN)
        run_piece(f, in, count, from, out);
}

/* ---- voiced frames ---- */

/* Period of the frame at s, whose mean is taken off; correlations divided by the energies. */
static int period_of(const float *s, double *energy, double *best) {
    double mean = 0;
    float centred[FRAME];
    int period = 0;
    for (int i = 0; i < FRAME; i++) mean += s[i] / (double)FRAME;
    *energy = 0;
    for (int i = 0; i < FRAME; i++) {
        centred[i] = (float)(s[i] - mean);
        *energy += (double)centred[i] * centred[i];
    }
    *best = -1;
    for (int lag = SHORTEST; lag <= LONGEST; lag++) {
        double product = 0, later = 0;
        for (int i = 0; i < FRAME; i++) {
            product += (double)centred[i] * s[i + lag];
            later += (double)s[i + lag] * s[i + lag];
        }
        const double correlation = product / sqrt(*energy * later + 1e-12);
        if (correlation > *best) {
            *best = correlation;
            period = lag;
        }
    }
    return period;
}

static double median(double *values, size_t n) {
    qsort(values, n, sizeof *values, base_compare_doubles);
    return n % 2 ? values[n / 2] : 0.5 * (values[n / 2 - 1] + values[n / 2]);
}

static void find_voiced(const float *low, voiced_frame *frames, double *energies, size_t n) {
    for (size_t f = 0; f < n; f++) {
        double best;
        frames[f].start = f * STEP;
        frames[f].period = period_of(low + f * STEP, &frames[f].energy, &best);
        if (best <= 0.85) frames[f].period = 0;
        energies[f] = frames[f].energy;
    }
    const double level = n ? median(energies, n) : 0;
    for (size_t f = 0; f < n; f++)
        if (frames[f].energy <= level) frames[f].period = 0;
}

/* ---- the score ---- */

static double mean_correlation(const float *envelope, const voiced_frame *frames, size_t n) {
    double sum = 0;
    size_t voiced = 0;
    for (size_t f = 0; f < n; f++) {
        if (frames[f].period == 0) continue;
        const float *a = envelope + frames[f].start, *b = a + frames[f].period;
        double mean_a = 0, mean_b = 0, product = 0, first = 0, second = 0;
        for (int i = 0; i < FRAME; i++) {
            mean_a += a[i] / (double)FRAME;
            mean_b += b[i] / (double)FRAME;
        }
        for (int i = 0; i < FRAME; i++) {
            const double x = a[i] - mean_a, y = b[i] - mean_b;
            product += x * y;
            first += x * x;
            second += y * y;
        }
        sum += product / sqrt(first * second + 1e-15);
        voiced++;
    }
    return voiced < LEAST_FRAMES ? NAN : sum / (double)voiced;
}

/* Both at 16 kHz. `room`: count floats. */
static lull_status score(const float *reference, const float *output, size_t count, float *room,
                         double *of_reference, double *of_output, lull_error *error) {
    const size_t n = count > 2 * FRAME ? (count - 2 * FRAME - 1) / STEP + 1 : 0;
    filter f = {.gain = low_pass};
    lull_status status = mel_fft_pair_new(PIECE, &f.transform, error);
    if (status) return status;
    voiced_frame *frames = base_alloc(n, sizeof *frames);
    double *energies = base_alloc(n, sizeof *energies);
    if (frames && energies) {
        filter_run(&f, reference, count, room);
        find_voiced(room, frames, energies, n);
        f.gain = band_pass;
        f.envelope = true;
        filter_run(&f, reference, count, room);
        *of_reference = mean_correlation(room, frames, n);
        filter_run(&f, output, count, room);
        *of_output = mean_correlation(room, frames, n);
    } else {
        status = base_no_memory(error);
    }
    base_free(frames);
    base_free(energies);
    mel_fft_pair_free(f.transform);
    return status;
}

lull_status eval_modulation(const float *reference, const float *output, size_t count, int rate,
                            double *of_reference, double *of_output, lull_error *error) {
    float *x = NULL, *y = NULL, *room = NULL;
    size_t n = 0, m = 0;
    *of_reference = *of_output = NAN;
    lull_status status = recording_resample(reference, count, rate, RATE, &x, &n, error);
    if (!status) status = recording_resample(output, count, rate, RATE, &y, &m, error);
    if (!status) {
        room = base_alloc(n, sizeof *room);
        status = room ? score(x, y, n < m ? n : m, room, of_reference, of_output, error)
                      : base_no_memory(error);
    }
    base_free(x);
    base_free(y);
    base_free(room);
    return status;
}
