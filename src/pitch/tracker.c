/* Tracking pitch: see tracker.h. */
#include "pitch/tracker.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

/* Of the analysis, in seconds and hertz. */
static const double STEP = 0.005, WINDOW = 0.02, WORK_RATE = 8000, HIGH_PASS = 50, LOW_PASS = 3500;
/* Of the path. Strengths are correlations; a jump or a change of voicing costs as much whatever the
 * step is, relative to the 10 ms of Boersma's. */
static const double OCTAVE_COST = 0.03, JUMP_COST = 0.5, CHANGE_COST = 0.14, VOICED = 0.48,
                    SILENCE = 0.02;

enum {
    CANDIDATES = 12,   /* voiced ones of a frame; number CANDIDATES is "unvoiced" */
    STATES,            /* of the path */
    SINC_REACH = 6,    /* lags on each side in the interpolation of a correlation */
    LOW_PASS_REACH = 6 /* of the decimation filter, work samples on each side */
};

typedef struct candidate {
    float lag, correlation; /* work samples; lag 0: none */
} candidate;

typedef struct analysis {
    double rate;    /* of the work signal */
    float *work;    /* low-passed, decimated; silence around it */
    double *energy; /* running sum of squares: energy[i] = Σ work[0…i−1]² */
    size_t count, padding;
    int shortest, longest, window;
    float *correlation; /* at lag: longest + SINC_REACH + 1 */
    size_t frames;
    candidate *candidates; /* frames × CANDIDATES */
    float *level, *best;   /* of a frame: root mean square; the highest correlation */
    unsigned char *from;   /* frames × STATES */
} analysis;

/* ---- the work signal ---- */

/* Hann-windowed sinc, at every `factor`-th sample. What is left is so smooth that a parabola finds
 * its correlation's peaks. */
static lull_status decimate(const float *signal, size_t count, int factor, analysis *a,
                            lull_error *error) {
    int reach = LOW_PASS_REACH * factor, taps = 2 * reach + 1;
    float *filter = base_alloc((size_t)taps, sizeof *filter);
    if (!filter) return base_no_memory(error);
    double cut = 2 * LOW_PASS / (a->rate * factor), sum = 0;
    for (int i = -reach; i <= reach; i++) {
        double sinc = i ? sin(M_PI * cut * i) / (M_PI * i) : cut;
        filter[i + reach] = (float)(sinc * (0.5 + 0.5 * cos(M_PI * i / (reach + 1.0))));
        sum += filter[i + reach];
    }
    for (int i = 0; i < taps; i++) filter[i] = (float)(filter[i] / sum);
    for (size_t n = 0; n < a->count; n++) {
        int64_t at = (int64_t)n * factor - reach;
        int64_t from = at < 0 ? -at : 0;
        int64_t to = at + taps > (int64_t)count ? (int64_t)count - at : taps;
        float y = 0;
        for (int64_t i = from; i < to; i++) y += filter[i] * signal[at + i];
        a->work[a->padding + n] = y;
    }
    base_free(filter);
    return LULL_OK;
}

/* A Butterworth filter of second order against hum and rumble (bilinear transform), and the running
 * energy. */
static void high_pass(analysis *a) {
    double k = tan(M_PI * HIGH_PASS / a->rate), norm = 1 / (1 + M_SQRT2 * k + k * k);
    double a1 = 2 * (k * k - 1) * norm, a2 = (1 - M_SQRT2 * k + k * k) * norm;
    double x1 = 0, x2 = 0, y1 = 0, y2 = 0;
    for (size_t i = a->padding; i < a->padding + a->count; i++) {
        double x = a->work[i], y = norm * (x - 2 * x1 + x2) - a1 * y1 - a2 * y2;
        x2 = x1, x1 = x, y2 = y1, y1 = y;
        a->work[i] = (float)y;
    }
    for (size_t i = 0; i < a->count + 2 * a->padding; i++)
        a->energy[i + 1] = a->energy[i] + (double)a->work[i] * a->work[i];
}

static void release(analysis *a) {
    void *owned[] = {a->work, a->energy, a->correlation, a->candidates, a->level, a->best, a->from};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) base_free(owned[i]);
}

static lull_status prepare(const float *signal, size_t count, int rate, analysis *a,
                           lull_error *error) {
    int factor = (int)(rate / WORK_RATE);
    if (factor < 1) factor = 1;
    a->rate = (double)rate / factor;
    a->count = (count + (size_t)factor - 1) / (size_t)factor;
    a->window = (int)(WINDOW * a->rate);
    a->shortest = (int)(a->rate / PITCH_HIGHEST);
    a->longest = (int)ceil(a->rate / PITCH_LOWEST);
    a->padding = (size_t)(a->window + a->longest + 2 * SINC_REACH);
    a->frames = (size_t)((double)count / rate / STEP) + 1;
    a->work = base_alloc(a->count + 2 * a->padding, sizeof *a->work);
    a->energy = base_alloc(a->count + 2 * a->padding + 1, sizeof *a->energy);
    a->correlation = base_alloc((size_t)a->longest + SINC_REACH + 1, sizeof *a->correlation);
    a->candidates = base_alloc(a->frames * CANDIDATES, sizeof *a->candidates);
    a->level = base_alloc(a->frames, sizeof *a->level);
    a->best = base_alloc(a->frames, sizeof *a->best);
    a->from = base_alloc(a->frames * STATES, sizeof *a->from);
    if (!a->work || !a->energy || !a->correlation || !a->candidates || !a->level || !a->best ||
        !a->from)
        return base_no_memory(error);
    lull_status status = decimate(signal, count, factor, a, error);
    if (!status) high_pass(a);
    return status;
}

/* ---- candidates ---- */

/* Correlation of two windows `lag` apart, of which those for the lag `about` lie symmetrically
 * about the middle of the frame. */
static float correlate(const analysis *a, size_t middle, int about, int lag) {
    size_t at = middle - (size_t)((a->window + about) / 2);
    const float *x = a->work + at, *y = x + lag;
    float sum[4] = {0};
    int i = 0;
    for (; i + 4 <= a->window; i += 4)
        for (int k = 0; k < 4; k++) sum[k] += x[i + k] * y[i + k];
    for (; i < a->window; i++) sum[0] += x[i] * y[i];
    size_t window = (size_t)a->window, shift = (size_t)lag;
    double first = a->energy[at + window] - a->energy[at];
    double second = a->energy[at + shift + window] - a->energy[at + shift];
    double scale = first * second;
    return scale > 1e-20 ? (float)((sum[0] + sum[1] + (sum[2] + sum[3])) / sqrt(scale)) : 0;
}

static double strength(const analysis *a, candidate c) {
    return c.correlation - OCTAVE_COST * log2(c.lag / a->shortest);
}

/* Adds a candidate; the weakest makes room. */
static void keep(const analysis *a, candidate *list, candidate c) {
    int weakest = 0;
    for (int i = 0; i < CANDIDATES; i++) {
        if (list[i].lag == 0) {
            list[i] = c;
            return;
        }
        if (strength(a, list[i]) < strength(a, list[weakest])) weakest = i;
    }
    if (strength(a, c) > strength(a, list[weakest])) list[weakest] = c;
}

static size_t middle_of(const analysis *a, size_t frame) {
    size_t at = (size_t)((double)frame * STEP * a->rate + 0.5);
    return a->padding + (at < a->count ? at : a->count);
}

/* The correlation between whole lags, by a Hann-windowed sinc. values: at lags base − SINC_REACH …
 * base + SINC_REACH. */
static double between(const float *values, double offset) {
    double sum = 0, weights = 0;
    for (int i = -SINC_REACH; i <= SINC_REACH; i++) {
        double d = offset - i, reach = SINC_REACH + 1;
        double sinc = fabs(d) < 1e-9 ? 1 : sin(M_PI * d) / (M_PI * d);
        double weight = sinc * (0.5 + 0.5 * cos(M_PI * d / reach));
        sum += weight * values[i + SINC_REACH];
        weights += weight;
    }
    return sum / weights;
}

static void find_candidates(analysis *a, size_t frame) {
    size_t middle = middle_of(a, frame), half = (size_t)a->window / 2;
    candidate *list = a->candidates + frame * CANDIDATES;
    double power = (a->energy[middle + half] - a->energy[middle - half]) / (2.0 * (double)half);
    a->level[frame] = (float)sqrt(fmax(power, 0));
    if (power <= 1e-14) return;
    /* About its own middle each, so that an estimate belongs to the frame's time. */
    for (int lag = a->shortest - SINC_REACH; lag <= a->longest + SINC_REACH; lag++)
        a->correlation[lag] = correlate(a, middle, lag, lag);
    for (int lag = a->shortest; lag <= a->longest; lag++) {
        float l = a->correlation[lag - 1], c = a->correlation[lag], r = a->correlation[lag + 1];
        if (c > a->best[frame]) a->best[frame] = c;
        if (!(c > 0.2f && c >= l && c > r)) continue;
        float bend = l - 2 * c + r, shift = 0.5f * (l - r) / bend;
        double peak = between(a->correlation + lag - SINC_REACH, shift);
        keep(a, list, (candidate){(float)lag + shift, fmaxf(c, (float)peak)});
    }
}

/* ---- the path ---- */

static double unvoiced_strength(const analysis *a, size_t frame, double loudest) {
    double quiet = 2 - a->level[frame] / loudest / (SILENCE / (1 + VOICED));
    return VOICED + fmax(0, quiet);
}

/* Viterbi's search; afterwards state[f] is the candidate of frame f. */
static void find_path(analysis *a, double loudest, unsigned char *state) {
    double total[STATES] = {0}, scale = 0.01 / STEP;
    float log_lag[2][CANDIDATES] = {{0}};
    for (size_t f = 0; f < a->frames; f++) {
        const candidate *list = a->candidates + f * CANDIDATES;
        const float *before = log_lag[(f + 1) % 2];
        float *now = log_lag[f % 2];
        double next[STATES];
        for (int s = 0; s < STATES; s++) {
            bool voiced = s < CANDIDATES;
            next[s] = -1e30;
            if (voiced && list[s].lag == 0) continue;
            if (voiced) now[s] = log2f(list[s].lag);
            double own = voiced ? strength(a, list[s]) : unvoiced_strength(a, f, loudest);
            double best = -1e30;
            for (int p = 0; p < STATES; p++) {
                double cost = 0;
                if (f && voiced != (p < CANDIDATES)) cost = CHANGE_COST * scale;
                if (f && voiced && p < CANDIDATES)
                    cost = JUMP_COST * scale * fabs((double)(now[s] - before[p]));
                if (total[p] - cost > best) {
                    best = total[p] - cost;
                    a->from[f * STATES + (size_t)s] = (unsigned char)p;
                }
            }
            next[s] = best + own;
        }
        memcpy(total, next, sizeof total);
    }
    int s = 0;
    for (int i = 1; i < STATES; i++)
        if (total[i] > total[s]) s = i;
    for (size_t f = a->frames; f-- > 0;) {
        state[f] = (unsigned char)s;
        s = a->from[f * STATES + (size_t)s];
    }
}

/* The loud frames' level: what 5 % of those that are not silent exceed. */
static double loud_level(const analysis *a) {
    enum { BINS = 400 }; /* of half a decibel below full scale … */
    size_t histogram[BINS] = {0}, heard = 0;
    float most = 0;
    for (size_t f = 0; f < a->frames; f++) most = fmaxf(most, a->level[f]);
    if (most <= 0) return 1;
    for (size_t f = 0; f < a->frames; f++) {
        double down = a->level[f] > 0 ? -40 * log10(a->level[f] / most) : BINS;
        if (down >= 120) continue; /* 60 dB below the loudest */
        histogram[(int)down]++;
        heard++;
    }
    size_t above = 0;
    for (int b = 0; b < BINS; b++) {
        above += histogram[b];
        if (above * 20 >= heard) return most * pow(10, -b / 40.0);
    }
    return most;
}

/* ---- precision ---- */

/* The peak that a parabola through whole lags found, to a hundredth of a work sample. */
static double refine(const analysis *a, size_t frame, double lag) {
    float values[2 * SINC_REACH + 1];
    int base = (int)(lag + 0.5);
    for (int i = -SINC_REACH; i <= SINC_REACH; i++) {
        int l = base + i > 1 ? base + i : 1;
        values[i + SINC_REACH] = correlate(a, middle_of(a, frame), base, l);
    }
    double centre = lag - base;
    for (double step = 0.25; step > 0.02; step *= 0.25) {
        double l = between(values, centre - step), c = between(values, centre),
               r = between(values, centre + step), bend = l - 2 * c + r;
        if (bend >= 0) break;
        double shift = 0.5 * (l - r) / bend;
        centre += step * (shift < -1 ? -1 : shift > 1 ? 1 : shift);
    }
    return fabs(centre - (lag - base)) < 1 ? base + centre : lag;
}

/* ---- the estimates ---- */

/* Between the frames on both sides: the pitch linear in its logarithm where both are voiced, else
 * the nearer frame's. */
static pitch_estimate at_time(const pitch_estimate *frames, size_t count, double seconds) {
    double position = seconds / STEP;
    if (position < 0 || position > (double)(count - 1) + 0.5) return (pitch_estimate){0, 0};
    size_t f = (size_t)position, g = f + 1 < count ? f + 1 : f;
    if (f >= count) f = g = count - 1;
    double share = position - (double)f;
    pitch_estimate nearer = share < 0.5 ? frames[f] : frames[g];
    if (frames[f].f0 > 0 && frames[g].f0 > 0)
        nearer.f0 = (float)(frames[f].f0 * pow(frames[g].f0 / frames[f].f0, share));
    return nearer;
}

static lull_status track_frames(analysis *a, pitch_estimate *frames, lull_error *error) {
    unsigned char *state = base_alloc(a->frames, sizeof *state);
    if (!state) return base_no_memory(error);
    for (size_t f = 0; f < a->frames; f++) find_candidates(a, f);
    find_path(a, loud_level(a), state);
    for (size_t f = 0; f < a->frames; f++) {
        float confidence = a->best[f];
        if (state[f] < CANDIDATES) {
            candidate c = a->candidates[f * CANDIDATES + state[f]];
            frames[f].f0 = (float)(a->rate / refine(a, f, c.lag));
            confidence = c.correlation;
        }
        frames[f].confidence = fminf(fmaxf(confidence, 0), 1);
    }
    base_free(state);
    return LULL_OK;
}

lull_status pitch_track(const float *signal, size_t count, int rate, double first, double hop,
                        pitch_estimate *estimates, size_t n, lull_error *error) {
    if (rate < 8000 || rate > 96000 || !(hop > 0))
        return base_fail(error, LULL_INVALID,
                         "pitch of a signal at %d Hz every %g samples; rates of 8000 to 96000 Hz "
                         "and hops above 0 are possible",
                         rate, hop);
    analysis a = {0};
    pitch_estimate *frames = NULL;
    lull_status status = prepare(signal, count, rate, &a, error);
    if (!status) {
        frames = base_alloc(a.frames, sizeof *frames);
        status = frames ? track_frames(&a, frames, error) : base_no_memory(error);
    }
    for (size_t i = 0; !status && i < n; i++)
        estimates[i] = at_time(frames, a.frames, (first + (double)i * hop) / rate);
    base_free(frames);
    release(&a);
    return status;
}
