/* Fundamental frequency by YIN: see pitch.h. */
#include "eval/pitch.h"

#include <math.h>

#include "base/error.h"
#include "base/memory.h"

static const double WINDOW = 0.025, LOWEST = 60, HIGHEST = 500, THRESHOLD = 0.15, QUIET = 1e-4,
                    GROSS = 0.2;

typedef struct yin {
    int window, shortest, longest; /* samples */
    float *squares;                /* d(τ), longest + 2 */
    double *difference;            /* d'(τ), longest + 2 */
} yin;

/* de Cheveigné & Kawahara 2002, eqs. 6 and 8. at: window + longest + 1 samples. */
static void normalized_difference(yin *y, const float *at) {
    double sum = 0;
    float *restrict squares = y->squares;
    int lags = y->longest + 2;
    for (int lag = 0; lag < lags; lag++) squares[lag] = 0;
    for (int i = 0; i < y->window; i++) /* lags inside: compilers make vectors of this */
        for (int lag = 0; lag < lags; lag++) {
            float e = at[i] - at[i + lag];
            squares[lag] += e * e;
        }
    y->difference[0] = 1;
    for (int lag = 1; lag < lags; lag++) {
        sum += squares[lag];
        y->difference[lag] = sum > 0 ? squares[lag] * (double)lag / sum : 1;
    }
}

/* The first lag under the threshold, walked down to its dip; else the lowest dip of all (§II.D). */
static int choose_lag(const yin *y) {
    int best = y->shortest;
    for (int lag = y->shortest; lag <= y->longest; lag++) {
        if (y->difference[lag] < THRESHOLD) {
            while (lag < y->longest && y->difference[lag + 1] < y->difference[lag]) lag++;
            return lag;
        }
        if (y->difference[lag] < y->difference[best]) best = lag;
    }
    return best;
}

/* Parabola through the dip and its neighbours (§II.E). At the ends of the range the "dip" may be
 * the foot of a slope, whose parabola says nothing. */
static double refine_lag(const yin *y, int lag) {
    double a = y->difference[lag - 1], b = y->difference[lag], c = y->difference[lag + 1];
    return a >= b && c >= b && a + c > 2 * b ? lag + 0.5 * (a - c) / (a - 2 * b + c) : lag;
}

static eval_pitch_frame analyse(yin *y, const float *at, int rate) {
    eval_pitch_frame frame = {0, 0, 0};
    for (int i = 0; i < y->window; i++) frame.power += (double)at[i] * at[i] / y->window;
    if (frame.power <= 0) return frame;
    normalized_difference(y, at);
    int lag = choose_lag(y);
    double d = y->difference[lag];
    frame.periodicity = d < 1 ? 1 - d : 0;
    if (d < THRESHOLD) frame.f0 = rate / refine_lag(y, lag);
    return frame;
}

lull_status eval_pitch_track(const float *signal, size_t count, int rate, eval_pitch_frame **frames,
                             size_t *n, lull_error *error) {
    yin y = {(int)(WINDOW * rate), (int)(rate / HIGHEST), (int)(rate / LOWEST), NULL, NULL};
    size_t hop = (size_t)rate / 200, span = (size_t)y.window + (size_t)y.longest + 1;
    if (y.shortest < 2) y.shortest = 2;
    *n = count < span || hop == 0 ? 0 : 1 + (count - span) / hop;
    *frames = base_alloc(*n, sizeof(eval_pitch_frame));
    y.squares = base_alloc((size_t)y.longest + 2, sizeof(float));
    y.difference = base_alloc((size_t)y.longest + 2, sizeof(double));
    if (!*frames || !y.squares || !y.difference) {
        base_free(*frames);
        base_free(y.squares);
        base_free(y.difference);
        *frames = NULL;
        return base_no_memory(error);
    }
    double loudest = 0;
    for (size_t f = 0; f < *n; f++) {
        (*frames)[f] = analyse(&y, signal + f * hop, rate);
        loudest = fmax(loudest, (*frames)[f].power);
    }
    for (size_t f = 0; f < *n; f++)
        if ((*frames)[f].power < QUIET * loudest) (*frames)[f].f0 = 0;
    base_free(y.squares);
    base_free(y.difference);
    return LULL_OK;
}

void eval_pitch_times(int rate, double *first, double *step) {
    *first = (WINDOW + 1 / 150.0) / 2;
    *step = (double)(rate / 200) / rate;
}

static double root_mean(double sum, size_t count) {
    return count ? sqrt(sum / (double)count) : NAN;
}

lull_status eval_pitch_compare(const float *reference, const float *output, size_t count, int rate,
                               eval_pitch_errors *errors, lull_error *error) {
    eval_pitch_frame *a = NULL, *b = NULL;
    size_t n = 0;
    lull_status status = eval_pitch_track(reference, count, rate, &a, &n, error);
    if (status == LULL_OK) status = eval_pitch_track(output, count, rate, &b, &n, error);
    if (status == LULL_OK) {
        size_t both = 0, gross = 0, differ = 0, voiced = 0;
        double cents = 0, periodicity = 0;
        for (size_t f = 0; f < n; f++) {
            bool va = a[f].f0 > 0, vb = b[f].f0 > 0;
            if (va != vb) differ++;
            if (va) {
                double d = a[f].periodicity - b[f].periodicity;
                periodicity += d * d;
                voiced++;
            }
            if (!va || !vb) continue;
            both++;
            double ratio = b[f].f0 / a[f].f0;
            if (fabs(ratio - 1) > GROSS)
                gross++;
            else
                cents += pow(1200 * log2(ratio), 2);
        }
        errors->cents = root_mean(cents, both - gross);
        errors->gross = both ? (double)gross / (double)both : NAN;
        errors->voicing = n ? (double)differ / (double)n : NAN;
        errors->periodicity = root_mean(periodicity, voiced);
    }
    base_free(a);
    base_free(b);
    return status;
}
