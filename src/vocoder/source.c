/* The pitch source: see source.h. */
#include "vocoder/source.h"

#include "base/error.h"
#include "base/memory.h"
#include "vocoder/kernels.h"

#include <math.h>

/* Half the length of the noise's filters; Hz over which the last harmonics fade below half the
 * rate. */
static const double FILTER_REACH = 0.0029, FADE = 100;

enum {
    PARTS = 4,       /* pieces of a hop in which the amplitudes of harmonics are linear */
    RESPONSE = 1024, /* points of a band's frequency response up to half the rate */
    LOWEST_F0 = 30
};

typedef struct voice {
    float f0, turn;
    bool noise_only;         /* of all bands */
    float gain[PITCH_BANDS]; /* of the noise */
} voice;

struct vocoder_source {
    const vocoder_kernels *kernels;
    int rate, hop, first_centre, noise_row, reach, taps;
    int most;             /* harmonics at LOWEST_F0 */
    float *band_taps;     /* PITCH_BANDS × taps: together a unit pulse, but above the last edge */
    float *band_response; /* RESPONSE × PITCH_BANDS */
    float *kernel[2];     /* taps: the noise's filter at the last frame and at this one */
    float *noise;         /* hop + taps − 1, padded */
    uint32_t *turns;      /* φ/2π·2³²; hop */
    float *re, *im;       /* e^{iφ}; hop, padded */
    float *scale;         /* hop */
    float *voiced, *ramp; /* the sum of harmonics; 0, 1, 2, …; hop, padded */
    float *gain[2];       /* the noise's at the harmonics of the last frame and of this one: most */
    float *amplitude[PARTS + 1]; /* at the borders of the parts: most */
    float *slope;                /* of a part: most */
    voice before;
    uint64_t phase, frames, position; /* of the next sample */
};

/* ---- creation ---- */

static double low_pass_tap(const vocoder_source *s, double edge, int i) {
    double cut = 2 * edge / s->rate;
    if (cut >= 1) return i == 0;
    double sinc = i ? sin(M_PI * cut * i) / (M_PI * i) : cut;
    return sinc * (0.5 + 0.5 * cos(M_PI * i / (s->reach + 1.0)));
}

static void design(vocoder_source *s) {
    for (int b = 0; b < PITCH_BANDS; b++)
        for (int i = -s->reach; i <= s->reach; i++) {
            double below = b ? low_pass_tap(s, PITCH_BAND_EDGES[b], i) : 0;
            s->band_taps[b * s->taps + i + s->reach] =
                (float)(low_pass_tap(s, PITCH_BAND_EDGES[b + 1], i) - below);
        }
    double cosine[2 * RESPONSE];
    for (int i = 0; i < 2 * RESPONSE; i++) cosine[i] = cos(M_PI * i / RESPONSE);
    for (int k = 0; k < RESPONSE; k++)
        for (int b = 0; b < PITCH_BANDS; b++) {
            const float *taps = s->band_taps + b * s->taps + s->reach;
            double sum = taps[0];
            for (int i = 1; i <= s->reach; i++) sum += 2 * taps[i] * cosine[k * i % (2 * RESPONSE)];
            s->band_response[k * PITCH_BANDS + b] = (float)sum;
        }
}

static lull_status allocate(vocoder_source *s, lull_error *error) {
    size_t hop = (size_t)s->hop, taps = (size_t)s->taps, most = (size_t)s->most, failed = 0;
    size_t padded = hop + VOCODER_KERNELS_PAD;
    struct {
        float **to;
        size_t count;
    } wanted[] = {{&s->band_taps, PITCH_BANDS * taps},
                  {&s->band_response, RESPONSE * PITCH_BANDS},
                  {&s->kernel[0], taps},
                  {&s->kernel[1], taps},
                  {&s->noise, padded + taps},
                  {&s->re, padded},
                  {&s->im, padded},
                  {&s->scale, hop},
                  {&s->voiced, padded},
                  {&s->ramp, padded},
                  {&s->gain[0], most},
                  {&s->gain[1], most},
                  {&s->slope, most},
                  {&s->amplitude[0], most},
                  {&s->amplitude[1], most},
                  {&s->amplitude[2], most},
                  {&s->amplitude[3], most},
                  {&s->amplitude[4], most}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        *wanted[i].to = base_alloc(wanted[i].count, sizeof(float));
        failed += *wanted[i].to == NULL;
    }
    s->turns = base_alloc(hop, sizeof *s->turns);
    return failed || !s->turns ? base_no_memory(error) : LULL_OK;
}

lull_status vocoder_source_new(int rate, int hop, int first_centre, int noise_row,
                               vocoder_source **result, lull_error *error) {
    *result = NULL;
    vocoder_source *s = base_alloc(1, sizeof *s);
    if (!s) return base_no_memory(error);
    s->kernels = vocoder_kernels_get();
    s->rate = rate;
    s->hop = hop;
    s->first_centre = first_centre;
    s->noise_row = noise_row;
    s->reach = (int)(FILTER_REACH * rate + 0.5);
    s->taps = 2 * s->reach + 1;
    s->most = rate / 2 / LOWEST_F0 + 1;
    lull_status status = allocate(s, error);
    if (status) {
        vocoder_source_free(s);
        return status;
    }
    for (int i = 0; i < hop; i++) s->ramp[i] = (float)i;
    design(s);
    vocoder_source_reset(s);
    *result = s;
    return LULL_OK;
}

uint64_t vocoder_source_bytes(int rate, int hop) {
    const uint64_t taps = 2 * (uint64_t)(FILTER_REACH * rate + 0.5) + 1;
    const uint64_t most = (uint64_t)(rate / 2 / LOWEST_F0 + 1);
    uint64_t sum = base_memory_add(0, 1, sizeof(vocoder_source));
    sum = base_memory_add(sum, (PITCH_BANDS + 3) * taps + RESPONSE * PITCH_BANDS, sizeof(float));
    return base_memory_add(sum, 7 * (uint64_t)hop + (PARTS + 4) * most + 1024, sizeof(float));
}

void vocoder_source_free(vocoder_source *s) {
    if (!s) return;
    float *owned[] = {
        s->band_taps, s->band_response, s->kernel[0], s->kernel[1], s->noise,   s->re,   s->im,
        s->scale,     s->voiced,        s->ramp,      s->gain[0],   s->gain[1], s->slope};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) base_free(owned[i]);
    for (int i = 0; i <= PARTS; i++) base_free(s->amplitude[i]);
    base_free(s->turns);
    base_free(s);
}

void vocoder_source_reset(vocoder_source *s) {
    s->phase = s->frames = s->position = 0;
}

/* ---- a voice ---- */

static float between_0_and_1(float x) {
    return x > 0 ? x < 1 ? x : 1 : 0; /* NaN: 0 */
}

static voice read_voice(const vocoder_source *s, const pitch_values *values, double turn) {
    voice v = {.f0 = values->f0, .turn = (float)turn, .noise_only = true};
    float highest = (float)s->rate / 4;
    if (!(v.f0 >= LOWEST_F0)) v.f0 = LOWEST_F0;
    if (v.f0 > highest) v.f0 = highest;
    for (int b = 0; b < PITCH_BANDS; b++) {
        float periodic =
            between_0_and_1(values->voicing) * (1 - between_0_and_1(values->aperiodicity[b]));
        v.gain[b] = sqrtf(1 - periodic);
        if (periodic > 0) v.noise_only = false;
    }
    return v;
}

/* The noise's filter: a unit pulse less what the bands lose. */
static void make_kernel(const vocoder_source *s, const voice *v, float *kernel) {
    for (int i = 0; i < s->taps; i++) kernel[i] = 0;
    kernel[s->reach] = 1;
    for (int b = 0; b < PITCH_BANDS; b++) {
        float loss = v->gain[b] - 1;
        const float *taps = s->band_taps + b * s->taps;
        for (int i = 0; loss != 0 && i < s->taps; i++) kernel[i] += loss * taps[i];
    }
}

/* The gain of that filter at a frequency. */
static float noise_gain(const vocoder_source *s, const voice *v, float frequency) {
    int k = (int)(frequency * 2 * RESPONSE / (float)s->rate + 0.5f);
    if (k >= RESPONSE) return 1;
    float gain = 1;
    for (int b = 0; b < PITCH_BANDS; b++)
        gain += (v->gain[b] - 1) * s->band_response[k * PITCH_BANDS + b];
    return gain;
}

/* ---- a hop ---- */

static double f0_between(const voice *a, const voice *b, double share) {
    return (double)a->f0 * exp2(log2((double)b->f0 / a->f0) * share);
}

static double f0_at(const vocoder_source *s, const voice *a, const voice *b, int i) {
    return f0_between(a, b, (double)i / s->hop);
}

/* A frame without a voice has no pitch that one could come from or go to. */
static void share_f0(voice *a, voice *b) {
    if (a->noise_only) a->f0 = b->f0;
    if (b->noise_only) b->f0 = a->f0;
}

double vocoder_source_f0(const vocoder_source *s, const pitch_values *a, const pitch_values *b,
                         double share) {
    voice first = read_voice(s, a, 0), second = read_voice(s, b, 0);
    share_f0(&first, &second);
    return f0_between(&first, &second, share);
}

/* Amplitudes of the harmonics at the borders of the parts, so that harmonics and noise have
 * together the power of white noise. Returns of how many. */
static int fill_amplitudes(vocoder_source *s, const voice *a, const voice *b) {
    const float top = (float)s->rate / 2, lowest = a->f0 < b->f0 ? a->f0 : b->f0;
    int count = (int)(top / lowest) + 1;
    if (count > s->most) count = s->most;
    for (int h = 1; h <= count; h++) {
        s->gain[0][h - 1] = noise_gain(s, a, (float)h * a->f0);
        s->gain[1][h - 1] = noise_gain(s, b, (float)h * b->f0);
    }
    for (int p = 0; p <= PARTS; p++)
        s->kernels->amplitudes(s->gain[0], s->gain[1], (float)p / PARTS,
                               (float)f0_at(s, a, b, p * s->hop / PARTS), top, (float)FADE,
                               s->amplitude[p], count);
    return count;
}

/* e^{iφ} of n samples, and the amplitude of a harmonic that has the power of white noise over its
 * part of the spectrum: 2·√(f0/rate). The pitch and its root grow by the same factor from sample to
 * sample. */
static void run_phase(vocoder_source *s, const voice *a, const voice *b, int n) {
    const double root_growth = exp2(log2((double)b->f0 / a->f0) / s->hop / 2);
    const double growth = root_growth * root_growth;
    const double turn = (double)b->turn - a->turn;
    double f0 = (double)a->f0 / s->rate, scale = 2 * sqrt(f0);
    for (int i = 0; i < n; i++) {
        const double turned = a->turn + turn * i / s->hop;
        s->turns[i] = (uint32_t)(s->phase >> 32) + (uint32_t)(int64_t)(turned * 0x1p32);
        s->scale[i] = (float)scale;
        s->phase += (uint64_t)(int64_t)(f0 * 0x1p63) << 1;
        f0 *= growth;
        scale *= root_growth;
    }
    s->kernels->circle(s->turns, s->re, s->im, n);
}

/* The same where nobody hears it: there the pitch stays what it is. */
static void pass_phase(vocoder_source *s, const voice *a, int n) {
    const double f0 = (double)a->f0 / s->rate;
    s->phase += (uint64_t)n * ((uint64_t)(int64_t)(f0 * 0x1p63) << 1);
}

static void add_harmonics(vocoder_source *s, const voice *a, const voice *b, float *out, int n) {
    const int most = fill_amplitudes(s, a, b);
    for (int p = 0; p < PARTS; p++) {
        const int at = p * s->hop / PARTS, end = (p + 1) * s->hop / PARTS;
        const int wanted = (end < n ? end : n) - at;
        const float *from = s->amplitude[p], *to = s->amplitude[p + 1];
        int count = most;
        while (count > 0 && from[count - 1] == 0 && to[count - 1] == 0) count--;
        for (int h = 0; h < count; h++) s->slope[h] = (to[h] - from[h]) / (float)(end - at);
        /* What it writes beyond its part is the next one's. */
        if (wanted > 0)
            s->kernels->harmonics(from, s->slope, count, s->re + at, s->im + at, s->ramp,
                                  s->voiced + at, wanted);
    }
    for (int i = 0; i < n; i++) out[i] += s->scale[i] * s->voiced[i];
}

/* Samples from … from+n−1 of the noise; none before the first. */
static void read_noise(const vocoder_source *s, const vocoder_noise_source *noise, int64_t from,
                       float *out, int n) {
    int missing = from < 0 ? (int)-from : 0;
    if (missing > n) missing = n;
    for (int i = 0; i < missing; i++) out[i] = 0;
    int beyond = 0; /* of a caller's array; the generator has no end */
    if (noise->rows && from + n > (int64_t)noise->samples) {
        const int64_t behind = from + n - (int64_t)noise->samples;
        beyond = behind < n - missing ? (int)behind : n - missing;
    }
    for (int i = n - beyond; i < n; i++) out[i] = 0;
    if (n - missing - beyond > 0)
        vocoder_noise_draw(noise, s->noise_row, (uint64_t)(from + missing), out + missing,
                           (size_t)(n - missing - beyond));
}

/* The n samples behind the middle of the frame of voice a, on the way to voice b. */
static void run(vocoder_source *s, voice from, voice to, const vocoder_noise_source *noise,
                float *out, int n) {
    const voice *a = &from, *b = &to;
    share_f0(&from, &to);
    bool voiced = !a->noise_only || !b->noise_only;
    if (voiced) {
        read_noise(s, noise, (int64_t)s->position - s->reach, s->noise, n + s->taps - 1);
        make_kernel(s, a, s->kernel[0]);
        make_kernel(s, b, s->kernel[1]);
        s->kernels->fading_filter(s->noise, s->kernel[0], s->kernel[1], s->taps, s->ramp,
                                  1 / (float)s->hop, out, n);
        run_phase(s, a, b, n);
        add_harmonics(s, a, b, out, n);
    } else {
        read_noise(s, noise, (int64_t)s->position, out, n);
        pass_phase(s, a, n);
    }
    s->position += (uint64_t)n;
}

int vocoder_source_push(vocoder_source *s, const pitch_values *values, double turn,
                        const vocoder_noise_source *noise, float *out) {
    voice v = read_voice(s, values, turn);
    int n = s->frames ? s->hop : s->first_centre;
    run(s, s->frames ? s->before : v, v, noise, out, n);
    s->before = v;
    s->frames++;
    return n;
}

void vocoder_source_finish(vocoder_source *s, const vocoder_noise_source *noise, float *out,
                           int n) {
    run(s, s->before, s->before, noise, out, n);
}

/* ---- the plain twin ---- */

/* One sample at `at` behind the middle of voice a. */
static double plain_sample(const vocoder_source *s, const voice *a, const voice *b, double phase,
                           const vocoder_noise_source *noise, int64_t position, int at) {
    double share = (double)at / s->hop, sum = 0, f0 = f0_at(s, a, b, at);
    for (int k = -s->reach; k <= s->reach; k++) {
        float x, first = k == 0, second = k == 0;
        read_noise(s, noise, position + k, &x, 1);
        for (int c = 0; c < PITCH_BANDS; c++) {
            double tap = low_pass_tap(s, PITCH_BAND_EDGES[c + 1], k) -
                         (c ? low_pass_tap(s, PITCH_BAND_EDGES[c], k) : 0);
            first += (a->gain[c] - 1) * (float)tap;
            second += (b->gain[c] - 1) * (float)tap;
        }
        sum += x * (first + (second - first) * share);
    }
    int part = 0;
    while ((part + 1) * s->hop / PARTS <= at) part++;
    int begin = part * s->hop / PARTS, end = (part + 1) * s->hop / PARTS;
    double inside = (double)(at - begin) / (end - begin);
    for (int h = 1; h <= s->most; h++) {
        double amplitude[2];
        for (int e = 0; e < 2; e++) {
            double border = f0_at(s, a, b, (part + e) * s->hop / PARTS);
            double room = (s->rate / 2.0 - h * border) / FADE, where = (part + e) / (double)PARTS;
            double first = noise_gain(s, a, (float)h * a->f0),
                   second = noise_gain(s, b, (float)h * b->f0);
            double gain = first + (second - first) * where;
            amplitude[e] = sqrt(fmax(0, 1 - gain * gain)) * fmax(0, fmin(room, 1));
        }
        double level = amplitude[0] + (amplitude[1] - amplitude[0]) * inside;
        sum += 2 * sqrt(f0 / s->rate) * level * cos(2 * M_PI * h * phase);
    }
    return sum;
}

lull_status vocoder_source_plain(int rate, int hop, int first_centre, const pitch_values *voices,
                                 size_t frames, const vocoder_noise_source *noise, float *out,
                                 size_t n, lull_error *error) {
    vocoder_source *s;
    lull_status status = vocoder_source_new(rate, hop, first_centre, 0, &s, error);
    double phase = 0;
    for (size_t i = 0; !status && i < n; i++) {
        int64_t at = (int64_t)i - first_centre, f = at < 0 ? -1 : at / hop;
        int64_t last = (int64_t)frames - 1;
        voice a = read_voice(s, &voices[f < 0 ? 0 : f < last ? f : last], 0);
        voice b = read_voice(s, &voices[f + 1 < last ? f + 1 : last], 0);
        share_f0(&a, &b);
        int inside = f < 0 ? (int)i : (int)(at - f * hop);
        out[i] = (float)plain_sample(s, &a, &b, phase, noise, (int64_t)i, inside);
        phase += f0_at(s, &a, &b, inside) / rate;
        phase -= floor(phase);
    }
    vocoder_source_free(s);
    return status;
}
