/* The source of a crop: see crop_source.h. */
#include "train/crop_source.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"
#include "pitch/label.h"
#include "vocoder/source.h"

/* Of random numbers under a run's seed (crops.c has those below), indexed by the crop. */
enum { STREAM_SOURCE = 0x4c000021 };

/* Seconds of the window through which the fundamental is heard: its zeros keep out the second
 * partial from 50 Hz on. */
static const double WINDOW = 0.04;

struct train_crop_source {
    const model_config *config;
    train_corpus *corpus;
    int frames;
    pitch_values **labels; /* of every recording, NULL before its first crop */
    size_t *label_count;
    source *source;
    pitch_values *voices; /* frames + 2: one more on each side */
    double *turn;         /* frames + 2 */
    double *middle;       /* re, im of the demodulated fundamental: 2 × frames */
    double *phase;        /* of the source without turns at the crop's samples, in cycles */
    float *noise, *out;   /* (frames + 2) × hop */
};

lull_status train_crop_source_new(const model_config *config, train_corpus *corpus, int frames,
                                  train_crop_source **result, lull_error *error) {
    const mel_convention *mel = &config->mel;
    *result = NULL;
    train_crop_source *s = base_alloc(1, sizeof *s);
    if (!s) return base_no_memory(error);
    size_t n = (size_t)frames + 2, samples = (n + 1) * (size_t)mel->hop;
    s->config = config;
    s->corpus = corpus;
    s->frames = frames;
    s->labels = base_alloc(corpus->count, sizeof *s->labels);
    s->label_count = base_alloc(corpus->count, sizeof *s->label_count);
    s->voices = base_alloc(n, sizeof *s->voices);
    s->turn = base_alloc(n, sizeof *s->turn);
    s->middle = base_alloc(2 * n, sizeof *s->middle);
    s->phase = base_alloc(samples, sizeof *s->phase);
    s->noise = base_alloc(samples, sizeof *s->noise);
    s->out = base_alloc(samples, sizeof *s->out);
    lull_status status = LULL_OK;
    if (!s->labels || !s->label_count || !s->voices || !s->turn || !s->middle || !s->phase ||
        !s->noise || !s->out)
        status = base_no_memory(error);
    if (!status)
        status = source_new(mel->sample_rate, mel->hop, mel_convention_first_centre(mel),
                            SOURCE_PHASES_ZERO, 0, &s->source, error);
    if (status) {
        train_crop_source_free(s);
        return status;
    }
    *result = s;
    return LULL_OK;
}

void train_crop_source_free(train_crop_source *s) {
    if (!s) return;
    for (size_t i = 0; s->labels && i < s->corpus->count; i++) base_free(s->labels[i]);
    source_free(s->source);
    void *owned[] = {s->labels, s->label_count, s->voices, s->turn,
                     s->middle, s->phase,       s->noise,  s->out};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) base_free(owned[i]);
    base_free(s);
}

/* ---- labels ---- */

static lull_status label(train_crop_source *s, size_t recording, lull_error *error) {
    const mel_convention *mel = &s->config->mel;
    if (s->labels[recording]) return LULL_OK;
    size_t count = s->corpus->recordings[recording].samples;
    size_t n = count / (size_t)mel->hop + 1;
    float *audio = base_alloc(count, sizeof *audio);
    pitch_values *values = base_alloc(n, sizeof *values);
    lull_status status = audio && values ? LULL_OK : base_no_memory(error);
    if (!status) status = train_corpus_read(s->corpus, recording, 0, count, audio, error);
    if (!status)
        status = pitch_label(audio, count, mel->sample_rate, mel_convention_first_centre(mel),
                             mel->hop, values, n, error);
    base_free(audio);
    if (status) {
        base_free(values);
        return status;
    }
    s->labels[recording] = values;
    s->label_count[recording] = n;
    return LULL_OK;
}

static void take_voices(train_crop_source *s, size_t recording, int64_t first_frame) {
    int64_t last = (int64_t)s->label_count[recording] - 1;
    for (int64_t i = 0; i < s->frames + 2; i++) {
        int64_t f = first_frame - 1 + i;
        s->voices[i] = s->labels[recording][f < 0 ? 0 : f > last ? last : f];
        if (f < 0 || f > last) s->voices[i].voicing = 0;
    }
}

/* ---- the fundamental's phase ---- */

/* The phase that the source has without turns, at every sample of the crop: as the source itself goes. */
static void find_phase(train_crop_source *s) {
    const mel_convention *mel = &s->config->mel;
    int centre = mel_convention_first_centre(mel);
    double phase = 0;
    /* Frame 0 of the voices lies one hop before the crop. */
    int64_t at = -mel->hop, count = (int64_t)s->frames * mel->hop;
    for (; at < count; at++) {
        int64_t from = at + mel->hop - centre, f = from < 0 ? 0 : from / mel->hop;
        double share = from < 0 ? 0 : (double)(from - f * mel->hop) / mel->hop;
        const pitch_values *a = &s->voices[f], *b = &s->voices[f + 1 < s->frames + 2 ? f + 1 : f];
        if (at >= 0) s->phase[at] = phase;
        phase += source_f0(s->source, a, b, share) / mel->sample_rate;
        phase -= floor(phase);
    }
}

/* The crop's first partial about the middles of its frames, against the source's: re, im. */
static void demodulate(train_crop_source *s, const float *signal) {
    const mel_convention *mel = &s->config->mel;
    int64_t half = (int64_t)(WINDOW / 2 * mel->sample_rate),
            centre = mel_convention_first_centre(mel);
    int64_t count = (int64_t)s->frames * mel->hop;
    for (int f = 0; f < s->frames; f++) {
        int64_t middle = f * (int64_t)mel->hop + centre;
        double re = 0, im = 0;
        for (int64_t i = -half; i <= half; i++) {
            if (middle + i < 0 || middle + i >= count) continue;
            double y = signal[middle + i] * (1 + cos(M_PI * (double)i / ((double)half + 1)));
            double angle = 2 * M_PI * s->phase[middle + i];
            re += y * cos(angle);
            im -= y * sin(angle);
        }
        s->middle[2 * f] = re;
        s->middle[2 * f + 1] = im;
    }
}

/* Turns in cycles, continuous, smoothed by their neighbours as strong as those are; held where
 * nothing is voiced. */
static void find_turns(train_crop_source *s) {
    double last = 0;
    bool known = false;
    for (int f = 0; f < s->frames; f++) {
        double re = 0, im = 0;
        for (int g = f - 1; g <= f + 1; g++) {
            if (g < 0 || g >= s->frames || !(s->voices[g + 1].voicing > 0)) continue;
            double weight = g == f ? 2 : 1;
            re += weight * s->middle[2 * g];
            im += weight * s->middle[2 * g + 1];
        }
        if (s->voices[f + 1].voicing > 0 && (re != 0 || im != 0)) {
            double turn = atan2(im, re) / (2 * M_PI);
            last = turn + round(last - turn);
            if (!known)
                for (int g = 0; g <= f; g++) s->turn[g] = last;
            known = true;
        }
        s->turn[f + 1] = last;
    }
    if (!known)
        for (int f = 0; f < s->frames + 2; f++) s->turn[f] = 0;
    s->turn[0] = s->turn[1];
    s->turn[s->frames + 1] = s->turn[s->frames];
}

/* ---- rendering ---- */

static void run_source(train_crop_source *s, uint64_t seed, uint64_t index, float *to) {
    const mel_convention *mel = &s->config->mel;
    size_t hop = (size_t)mel->hop, samples = ((size_t)s->frames + 3) * hop, n = 0;
    random_normal(seed, STREAM_SOURCE, index * samples, s->noise, samples);
    const noise_source noise = {.rows = s->noise, .row_count = 1, .samples = samples};
    source_reset(s->source);
    for (int f = 0; f < s->frames + 2; f++)
        n += (size_t)source_push(s->source, &s->voices[f], s->turn[f], &noise, s->out + n);
    /* It began one hop before the crop; behind the middle of the frame after it more than enough is
     * there. */
    memcpy(to, s->out + hop, (size_t)s->frames * hop * sizeof *to);
}

lull_status train_crop_source_render(train_crop_source *s, size_t recording, int64_t first_frame,
                                     const float *signal, uint64_t seed, uint64_t index, float *to,
                                     lull_error *error) {
    lull_status status = label(s, recording, error);
    if (status) return status;
    take_voices(s, recording, first_frame);
    find_phase(s);
    demodulate(s, signal);
    find_turns(s);
    run_source(s, seed, index, to);
    return LULL_OK;
}
