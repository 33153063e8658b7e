/* The pitch source: see source.h. */
#include "vocoder/source.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"

#include <math.h>

/* Half the length of the noise's filters; Hz over which the last harmonics fade below half the
 * rate. */
static const double FILTER_REACH = 0.0029, FADE = 100;

enum {
    PARTS = 4,       /* pieces of a hop in which the amplitudes of harmonics are linear */
    RESPONSE = 1024, /* points of a band's frequency response up to half the rate */
    LOWEST_F0 = 30,
    PHASE_STREAM = 0x534f5552 /* of the random phases */
};

typedef struct voice {
    float f0, turn;
    bool noise_only;         /* of all bands */
    float gain[PITCH_BANDS]; /* of the noise */
} voice;

struct vocoder_source {
    int rate, hop, first_centre, noise_row, reach, taps;
    int most;             /* harmonics at LOWEST_F0 */
    float *cosine, *sine; /* of the harmonics' phases, from the first on; NULL: zero */
    float *band_taps;     /* PITCH_BANDS × taps: together a unit pulse, but above the last edge */
    float *band_response; /* RESPONSE × PITCH_BANDS */
    float *kernel[2];     /* taps: the noise's filter at the last frame and at this one */
    float *noise;         /* hop + taps − 1 */
    float *base[2], *turning[2]; /* e^{iφ}, e^{ihφ}: real parts, imaginary parts; hop */
    float *scale, *voiced;       /* hop */
    float *ramp;                 /* 0, 1, 2, … of a part */
    float *amplitude[PARTS + 1]; /* at the borders of the parts: most */
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
    for (int k = 0; k < RESPONSE; k++)
        for (int b = 0; b < PITCH_BANDS; b++) {
            const float *taps = s->band_taps + b * s->taps + s->reach;
            double sum = taps[0];
            for (int i = 1; i <= s->reach; i++) sum += 2 * taps[i] * cos(M_PI * k * i / RESPONSE);
            s->band_response[k * PITCH_BANDS + b] = (float)sum;
        }
}

static double phase_of(vocoder_phases phases, int harmonic) {
    return phases == VOCODER_PHASES_RANDOM ? random_uniform(1, PHASE_STREAM, (uint64_t)harmonic)
                                           : 0;
}

static void fill_tables(vocoder_source *s, vocoder_phases phases) {
    for (int h = 1; phases != VOCODER_PHASES_ZERO && h <= s->most; h++) {
        s->cosine[h - 1] = (float)cos(2 * M_PI * phase_of(phases, h));
        s->sine[h - 1] = (float)sin(2 * M_PI * phase_of(phases, h));
    }
    for (int i = 0; i < s->hop; i++) s->ramp[i] = (float)i;
    design(s);
}

static lull_status allocate(vocoder_source *s, bool phases, lull_error *error) {
    size_t hop = (size_t)s->hop, taps = (size_t)s->taps, most = (size_t)s->most, failed = 0;
    struct {
        float **to;
        size_t count;
    } wanted[] = {{&s->cosine, phases ? most : 0},
                  {&s->sine, phases ? most : 0},
                  {&s->band_taps, PITCH_BANDS * taps},
                  {&s->band_response, RESPONSE * PITCH_BANDS},
                  {&s->kernel[0], taps},
                  {&s->kernel[1], taps},
                  {&s->noise, hop + taps},
                  {&s->base[0], hop},
                  {&s->base[1], hop},
                  {&s->turning[0], hop},
                  {&s->turning[1], hop},
                  {&s->scale, hop},
                  {&s->voiced, hop},
                  {&s->ramp, hop},
                  {&s->amplitude[0], most},
                  {&s->amplitude[1], most},
                  {&s->amplitude[2], most},
                  {&s->amplitude[3], most},
                  {&s->amplitude[4], most}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        *wanted[i].to = base_alloc(wanted[i].count, sizeof(float));
        failed += *wanted[i].to == NULL;
    }
    return failed ? base_no_memory(error) : LULL_OK;
}

lull_status vocoder_source_new(int rate, int hop, int first_centre, vocoder_phases phases,
                               int noise_row, vocoder_source **result, lull_error *error) {
    *result = NULL;
    vocoder_source *s = base_alloc(1, sizeof *s);
    if (!s) return base_no_memory(error);
    s->rate = rate;
    s->hop = hop;
    s->first_centre = first_centre;
    s->noise_row = noise_row;
    s->reach = (int)(FILTER_REACH * rate + 0.5);
    s->taps = 2 * s->reach + 1;
    s->most = rate / 2 / LOWEST_F0 + 1;
    lull_status status = allocate(s, phases != VOCODER_PHASES_ZERO, error);
    if (status) {
        vocoder_source_free(s);
        return status;
    }
    fill_tables(s, phases);
    if (phases == VOCODER_PHASES_ZERO) {
        base_free(s->cosine);
        base_free(s->sine);
        s->cosine = s->sine = NULL;
    }
    vocoder_source_reset(s);
    *result = s;
    return LULL_OK;
}

uint64_t vocoder_source_bytes(int rate, int hop) {
    const uint64_t taps = 2 * (uint64_t)(FILTER_REACH * rate + 0.5) + 1;
    const uint64_t most = (uint64_t)(rate / 2 / LOWEST_F0 + 1);
    uint64_t sum = base_memory_add(0, 1, sizeof(vocoder_source));
    sum = base_memory_add(sum, (PITCH_BANDS + 3) * taps + RESPONSE * PITCH_BANDS, sizeof(float));
    return base_memory_add(sum, 8 * (uint64_t)hop + (PARTS + 3) * most + 512, sizeof(float));
}

void vocoder_source_free(vocoder_source *s) {
    if (!s) return;
    float *owned[] = {s->cosine,     s->sine,  s->band_taps, s->band_response, s->kernel[0],
                      s->kernel[1],  s->noise, s->base[0],   s->base[1],       s->turning[0],
                      s->turning[1], s->scale, s->voiced,    s->ramp};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) base_free(owned[i]);
    for (int i = 0; i <= PARTS; i++) base_free(s->amplitude[i]);
    base_free(s);
}

void vocoder_source_reset(vocoder_source *s) {
    s->phase = s->frames = s->position = 0;
}

static double phase_now(const vocoder_source *s) {
    return (double)(s->phase >> 11) * 0x1p-53;
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

static float lerp(float a, float b, float share) {
    return a + (b - a) * share;
}

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
 * together the power of white noise. Returns how many harmonics there are. */
static int fill_amplitudes(vocoder_source *s, const voice *a, const voice *b) {
    int count = 0;
    for (int p = 0; p <= PARTS; p++) {
        float share = (float)p / PARTS;
        float f0 = (float)f0_at(s, a, b, p * s->hop / PARTS);
        for (int h = 1; h <= s->most; h++) {
            float room = ((float)s->rate / 2 - (float)h * f0) / (float)FADE;
            if (room <= 0) {
                for (int i = h; i <= s->most; i++) s->amplitude[p][i - 1] = 0;
                break;
            }
            float noise =
                lerp(noise_gain(s, a, (float)h * a->f0), noise_gain(s, b, (float)h * b->f0), share);
            float power = 1 - noise * noise;
            float amplitude = power > 0 ? sqrtf(power) * (room < 1 ? room : 1) : 0;
            s->amplitude[p][h - 1] = amplitude;
            if (amplitude > 0 && h > count) count = h;
        }
    }
    return count;
}

/* out += (from + slope·i)·(turning's real part), then turning by base. */
static void add_harmonic(float *restrict out, float from, float slope, const float *restrict ramp,
                         float *restrict re, float *restrict im, const float *restrict base_re,
                         const float *restrict base_im, int n) {
    for (int i = 0; i < n; i++) {
        float x = re[i], y = im[i];
        out[i] += (from + slope * ramp[i]) * x;
        re[i] = x * base_re[i] - y * base_im[i];
        im[i] = x * base_im[i] + y * base_re[i];
    }
}

static void add_turned_harmonic(float *restrict out, float from, float slope,
                                const float *restrict ramp, float *restrict re, float *restrict im,
                                const float *restrict base_re, const float *restrict base_im,
                                float cosine, float sine, int n) {
    for (int i = 0; i < n; i++) {
        float x = re[i], y = im[i];
        out[i] += (from + slope * ramp[i]) * (x * cosine - y * sine);
        re[i] = x * base_re[i] - y * base_im[i];
        im[i] = x * base_im[i] + y * base_re[i];
    }
}

/* e^{iφ} of n samples, and the amplitude of a harmonic that has the power of white noise over its
 * part of the spectrum: 2·√(f0/rate). */
static void run_phase(vocoder_source *s, const voice *a, const voice *b, bool wanted, int n) {
    double turn = (double)b->turn - a->turn;
    for (int i = 0; i < n; i++) {
        double f0 = f0_at(s, a, b, i) / s->rate;
        if (wanted) {
            double cycles = phase_now(s) + (a->turn + turn * i / s->hop);
            s->base[0][i] = (float)cos(2 * M_PI * cycles);
            s->base[1][i] = (float)sin(2 * M_PI * cycles);
            s->scale[i] = (float)(2 * sqrt(f0));
        }
        s->phase += (uint64_t)(f0 * 0x1p63) << 1;
    }
}

static void add_harmonics(vocoder_source *s, const voice *a, const voice *b, float *out, int n) {
    int count = fill_amplitudes(s, a, b);
    for (int i = 0; i < n; i++) {
        s->turning[0][i] = s->base[0][i];
        s->turning[1][i] = s->base[1][i];
        s->voiced[i] = 0;
    }
    for (int p = 0; p < PARTS; p++) {
        int at = p * s->hop / PARTS, end = (p + 1) * s->hop / PARTS, length = end - at;
        if (end > n) end = n;
        for (int h = 0; h < count && at < end; h++) {
            float from = s->amplitude[p][h],
                  slope = (s->amplitude[p + 1][h] - from) / (float)length;
            float *re = s->turning[0] + at, *im = s->turning[1] + at;
            const float *base_re = s->base[0] + at, *base_im = s->base[1] + at;
            if (s->cosine)
                add_turned_harmonic(s->voiced + at, from, slope, s->ramp, re, im, base_re, base_im,
                                    s->cosine[h], s->sine[h], end - at);
            else
                add_harmonic(s->voiced + at, from, slope, s->ramp, re, im, base_re, base_im,
                             end - at);
        }
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

/* Noise through both frames' filters, one fading into the other. */
static void filter_noise(const vocoder_source *s, float *restrict out, int n) {
    float *restrict first = s->scale, *restrict second = s->voiced; /* not in use yet */
    for (int i = 0; i < n; i++) first[i] = second[i] = 0;
    for (int k = 0; k < s->taps; k++) {
        float a = s->kernel[0][k], b = s->kernel[1][k];
        const float *restrict x = s->noise + k;
        for (int i = 0; i < n; i++) {
            first[i] += a * x[i];
            second[i] += b * x[i];
        }
    }
    float step = 1 / (float)s->hop;
    for (int i = 0; i < n; i++) out[i] = first[i] + (second[i] - first[i]) * ((float)i * step);
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
        filter_noise(s, out, n);
    } else {
        read_noise(s, noise, (int64_t)s->position, out, n);
    }
    run_phase(s, a, b, voiced, n);
    if (voiced) add_harmonics(s, a, b, out, n);
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
                           const vocoder_noise_source *noise, int64_t position, int at,
                           vocoder_phases phases) {
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
        sum += 2 * sqrt(f0 / s->rate) * level * cos(2 * M_PI * (h * phase + phase_of(phases, h)));
    }
    return sum;
}

lull_status vocoder_source_plain(int rate, int hop, int first_centre, vocoder_phases phases,
                                 const pitch_values *voices, size_t frames,
                                 const vocoder_noise_source *noise, float *out, size_t n,
                                 lull_error *error) {
    vocoder_source *s;
    lull_status status = vocoder_source_new(rate, hop, first_centre, phases, 0, &s, error);
    double phase = 0;
    for (size_t i = 0; !status && i < n; i++) {
        int64_t at = (int64_t)i - first_centre, f = at < 0 ? -1 : at / hop;
        int64_t last = (int64_t)frames - 1;
        voice a = read_voice(s, &voices[f < 0 ? 0 : f < last ? f : last], 0);
        voice b = read_voice(s, &voices[f + 1 < last ? f + 1 : last], 0);
        share_f0(&a, &b);
        int inside = f < 0 ? (int)i : (int)(at - f * hop);
        out[i] = (float)plain_sample(s, &a, &b, phase, noise, (int64_t)i, inside, phases);
        phase += f0_at(s, &a, &b, inside) / rate;
        phase -= floor(phase);
    }
    vocoder_source_free(s);
    return status;
}
