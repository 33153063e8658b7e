/* The source of a crop: see crop_source.h. */
#include "train/crop_source.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"
#include "pitch/label.h"
#include "train/closures.h"
#include "train/minimum_phase.h"
#include "train/streams.h"
#include "vocoder/source.h"

/* Seconds of the window through which harmonics are seen: some three periods of a low voice. */
static const double WINDOW = 0.03;

struct train_crop_source {
    const model_config *config;
    train_corpus *corpus;
    const mel_envelope *envelope;
    int frames;
    pitch_values **labels; /* of every recording, NULL before its first crop */
    size_t *label_count;
    vocoder_source *source;
    train_closures *closures;
    mel_fft *transform;
    pitch_values *voices;      /* frames + 2: one more on each side */
    double *turn;              /* frames + 2 */
    double *phase;             /* of the source without turns at the crop's samples, in cycles */
    train_closure_frame *seen; /* frames */
    float *log_envelope,
        *tract; /* bins: of a frame's envelope ln, and the phase that comes with it */
    float *window, *cosine, *sine, *turning[2]; /* half a window and its middle; a window */
    float *noise, *out;                         /* (frames + 3) × hop */
};

static int64_t half_window(const train_crop_source *s) {
    return (int64_t)(WINDOW / 2 * s->config->mel.sample_rate);
}

static lull_status allocate(train_crop_source *s, lull_error *error) {
    const mel_convention *mel = &s->config->mel;
    size_t n = (size_t)s->frames + 2, samples = (n + 1) * (size_t)mel->hop;
    size_t bins = (size_t)mel_envelope_bins(s->envelope), half = (size_t)half_window(s) + 1;
    s->labels = base_alloc(s->corpus->count, sizeof *s->labels);
    s->label_count = base_alloc(s->corpus->count, sizeof *s->label_count);
    s->voices = base_alloc(n, sizeof *s->voices);
    s->turn = base_alloc(n, sizeof *s->turn);
    s->phase = base_alloc(samples, sizeof *s->phase);
    s->seen = base_alloc(n, sizeof *s->seen);
    if (!s->labels || !s->label_count || !s->voices || !s->turn || !s->phase || !s->seen)
        return base_no_memory(error);
    struct {
        float **to;
        size_t count;
    } wanted[] = {{&s->log_envelope, bins},   {&s->tract, bins},    {&s->window, half},
                  {&s->cosine, 2 * half},     {&s->sine, 2 * half}, {&s->turning[0], 2 * half},
                  {&s->turning[1], 2 * half}, {&s->noise, samples}, {&s->out, samples}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        *wanted[i].to = base_alloc(wanted[i].count, sizeof(float));
        if (!*wanted[i].to) return base_no_memory(error);
    }
    for (size_t i = 0; i < half; i++)
        s->window[i] = (float)(0.5 + 0.5 * cos(M_PI * (double)i / (double)half));
    return LULL_OK;
}

lull_status train_crop_source_new(const model_config *config, train_corpus *corpus,
                                  const mel_envelope *envelope, int frames,
                                  train_crop_source **result, lull_error *error) {
    const mel_convention *mel = &config->mel;
    *result = NULL;
    train_crop_source *s = base_alloc(1, sizeof *s);
    if (!s) return base_no_memory(error);
    s->config = config;
    s->corpus = corpus;
    s->envelope = envelope;
    s->frames = frames;
    lull_status status = allocate(s, error);
    if (!status) status = train_closures_new(frames, &s->closures, error);
    if (!status) status = mel_fft_new(mel->n_fft, MEL_FFT_EXACT, &s->transform, error);
    if (!status)
        status = vocoder_source_new(mel->sample_rate, mel->hop, mel_convention_first_centre(mel), 0,
                                    &s->source, error);
    if (status)
        train_crop_source_free(s);
    else
        *result = s;
    return status;
}

void train_crop_source_free(train_crop_source *s) {
    if (!s) return;
    for (size_t i = 0; s->labels && i < s->corpus->count; i++) base_free(s->labels[i]);
    vocoder_source_free(s->source);
    train_closures_free(s->closures);
    mel_fft_free(s->transform);
    void *owned[] = {s->labels,       s->label_count, s->voices, s->turn,  s->phase,
                     s->seen,         s->window,      s->cosine, s->sine,  s->turning[0],
                     s->log_envelope, s->turning[1],  s->tract,  s->noise, s->out};
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

/* ---- the harmonics' phases ---- */

/* The phase that the source has without turns, at every sample of the crop: as the source itself
 * goes. */
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
        phase += vocoder_source_f0(s->source, a, b, share) / mel->sample_rate;
        phase -= floor(phase);
    }
}

/* y·e^{−ihφ} summed, and the phase h·φ turned on to the next harmonic. */
static void add_up(const float *restrict base_re, const float *restrict base_im, float *restrict re,
                   float *restrict im, int64_t n, float *sum) {
    float real = 0, imaginary = 0;
    for (int64_t i = 0; i < n; i++) {
        float x = re[i] * base_re[i] + im[i] * base_im[i];
        im[i] = im[i] * base_re[i] - re[i] * base_im[i];
        re[i] = x;
        real += re[i];
        imaginary += im[i];
    }
    sum[0] = real;
    sum[1] = imaginary;
}

/* Takes the phase off that the tract gives each harmonic. */
static void undo_tract(train_crop_source *s, const float *frame, double f0,
                       train_closure_frame *seen) {
    mel_envelope_log(s->envelope, frame, s->log_envelope);
    train_minimum_phase(s->transform, s->log_envelope, s->tract);
    for (int h = 1; h <= seen->harmonics; h++) {
        double bin = h * f0 * s->transform->size / s->config->mel.sample_rate;
        int low = (int)bin;
        double angle = s->tract[low] + (bin - low) * (s->tract[low + 1] - s->tract[low]);
        float c = (float)cos(angle), i = (float)sin(angle), *part = &seen->part[2 * h - 2];
        float re = part[0] * c + part[1] * i;
        part[1] = part[1] * c - part[0] * i;
        part[0] = re;
    }
}

/* The crop's harmonics about the middle of frame f, against the source's. */
static void see_frame(train_crop_source *s, const float *signal, const float *mel_frame, int f) {
    const mel_convention *mel = &s->config->mel;
    train_closure_frame *seen = &s->seen[f];
    const pitch_values *voice = &s->voices[f + 1];
    double highest = TRAIN_CLOSURE_HIGHEST < mel->sample_rate / 2 - voice->f0
                         ? TRAIN_CLOSURE_HIGHEST
                         : mel->sample_rate / 2 - (double)voice->f0;
    seen->harmonics = 0;
    if (!(voice->voicing > 0) || !(voice->f0 > 0)) return;
    int harmonics = (int)(highest / (double)voice->f0);
    seen->harmonics = harmonics < TRAIN_CLOSURE_HARMONICS ? harmonics : TRAIN_CLOSURE_HARMONICS;
    int64_t half = half_window(s), count = (int64_t)s->frames * mel->hop, n = 0;
    int64_t middle = f * (int64_t)mel->hop + mel_convention_first_centre(mel);
    for (int64_t i = -half; i <= half; i++) {
        if (middle + i < 0 || middle + i >= count) continue;
        double angle = 2 * M_PI * s->phase[middle + i];
        s->cosine[n] = (float)cos(angle);
        s->sine[n] = (float)sin(angle);
        s->turning[0][n] = signal[middle + i] * s->window[i < 0 ? -i : i];
        s->turning[1][n] = 0;
        n++;
    }
    for (int h = 1; h <= seen->harmonics; h++)
        add_up(s->cosine, s->sine, s->turning[0], s->turning[1], n, &seen->part[2 * h - 2]);
    undo_tract(s, mel_frame, (double)voice->f0, seen);
}

/* ---- rendering ---- */

static void run_source(train_crop_source *s, uint64_t seed, uint64_t index, float *to) {
    const mel_convention *mel = &s->config->mel;
    size_t hop = (size_t)mel->hop, samples = ((size_t)s->frames + 3) * hop, n = 0;
    random_normal(seed, TRAIN_STREAM_SOURCE, index * samples, s->noise, samples);
    const vocoder_noise_source noise = {.rows = s->noise, .row_count = 1, .samples = samples};
    vocoder_source_reset(s->source);
    for (int f = 0; f < s->frames + 2; f++)
        n += (size_t)vocoder_source_push(s->source, &s->voices[f], s->turn[f], &noise, s->out + n);
    /* It began one hop before the crop; behind the middle of the frame after it more than enough is
     * there. */
    memcpy(to, s->out + hop, (size_t)s->frames * hop * sizeof *to);
}

lull_status train_crop_source_render(train_crop_source *s, const train_crop_place *place,
                                     const float *mel, float *signal, float *to,
                                     lull_error *error) {
    lull_status status = label(s, place->recording, error);
    if (status) return status;
    take_voices(s, place->recording, place->first_frame);
    find_phase(s);
    for (int f = 0; f < s->frames; f++)
        see_frame(s, signal, mel + (size_t)f * (size_t)s->config->mel.bands, f);
    int sign = train_closures_find(s->closures, s->seen, s->turn + 1);
    s->turn[0] = s->turn[1];
    s->turn[s->frames + 1] = s->turn[s->frames];
    size_t samples = (size_t)s->frames * (size_t)s->config->mel.hop;
    for (size_t i = 0; sign < 0 && i < samples; i++) signal[i] = -signal[i];
    run_source(s, place->seed, place->index, to);
    return LULL_OK;
}
