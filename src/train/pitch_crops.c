/* Crops for the pitch network: see pitch_crops.h. */
#include "train/pitch_crops.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"
#include "recording/resample.h"
#include "mel/analysis.h"
#include "mel/frame_features.h"
#include "pitch/label.h"
#include "train/degrade.h"
#include "train/pitch_pool.h"

#include <math.h>
#include <string.h>

/* Streams of random numbers under a run's seed; each is indexed by the crop's number. */
enum {
    STREAM_PLACE = 0x4c000021,
    STREAM_CONVENTION,
    STREAM_LEVEL,
    STREAM_SPEED,
    STREAM_DEGRADE,
    STREAM_MEL_NOISE
};

/* A convention and what analyses in it. */
typedef struct seen {
    mel_convention convention;
    mel_analysis *analysis;
    mel_features *features;
} seen;

/* What a crop is. */
typedef struct crop {
    const seen *seen;
    size_t recording, span; /* span: samples at the corpus's rate … */
    int64_t first;          /* … from here on */
    double level, speed;    /* factors */
} crop;

struct train_pitch_crops {
    train_corpus *corpus;
    train_pitch_options options;
    seen *pool;
    int count;
    pitch_values **labels; /* of every recording, every LABEL_SECONDS from its first sample on; NULL
                              before its first use */
    size_t label_bytes, bytes;
    float *audio, *mel, *noise, *scratch;
    size_t audio_room;
};

static const double LABEL_SECONDS = 0.005;

/* Samples of the convention that a crop is analysed from: frame f has n_fft of them from f·hop on.
 */
static size_t crop_samples(const mel_convention *c, int frames) {
    return (size_t)(frames - 1) * (size_t)c->hop + (size_t)c->n_fft;
}

/* The rate that a recording is taken to have when it is played so much faster. */
static int played_rate(const train_pitch_crops *p, double speed) {
    return (int)lrint(p->corpus->rate * speed);
}

/* The crop's samples at that rate, and a few more for what resampling keeps back. */
static size_t corpus_samples(const train_pitch_crops *p, const mel_convention *c, double speed) {
    const double seconds = (double)crop_samples(c, p->options.frames) / c->sample_rate;
    return (size_t)(seconds * played_rate(p, speed)) + 16;
}

static lull_status new_pool(train_pitch_crops *p, lull_error *error) {
    const char *name;
    int named = 0;
    while ((name = mel_convention_name_at(named, NULL, NULL)) != NULL) named++;
    p->pool = base_alloc((size_t)(named + p->options.drawn), sizeof *p->pool);
    if (!p->pool) return base_no_memory(error);
    for (int i = 0; i < named + p->options.drawn; i++) {
        seen *s = &p->pool[i];
        lull_status status = LULL_OK;
        if (i < named)
            status = mel_convention_named(mel_convention_name_at(i, NULL, NULL), 0, &s->convention,
                                          error);
        else
            train_pitch_pool_draw(p->options.seed, i - named, &s->convention);
        if (!status) status = mel_analysis_new(&s->convention, &s->analysis, error);
        if (!status) status = mel_features_new(&s->convention, &s->features, error);
        p->count = i + 1;
        if (status) return status;
    }
    return LULL_OK;
}

static lull_status new_buffers(train_pitch_crops *p, lull_error *error) {
    size_t audio = 0, values = 0;
    for (int i = 0; i < p->count; i++) {
        const mel_convention *c = &p->pool[i].convention;
        const size_t samples = corpus_samples(p, c, exp(p->options.speed));
        const size_t all = (size_t)p->options.frames * (size_t)c->bands;
        if (samples > audio) audio = samples;
        if (all > values) values = all;
    }
    p->audio_room = audio;
    p->audio = base_alloc(audio, sizeof *p->audio);
    p->mel = base_alloc(values, sizeof *p->mel);
    p->noise = base_alloc(values, sizeof *p->noise);
    p->scratch = base_alloc(values, sizeof *p->scratch);
    p->labels = base_alloc(p->corpus->count, sizeof *p->labels);
    p->bytes = (audio + 3 * values) * sizeof(float);
    return p->audio && p->mel && p->noise && p->scratch && p->labels ? LULL_OK
                                                                     : base_no_memory(error);
}

lull_status train_pitch_crops_new(train_corpus *corpus, const train_pitch_options *options,
                                  train_pitch_crops **crops, lull_error *error) {
    *crops = NULL;
    train_pitch_crops *p = base_alloc(1, sizeof *p);
    if (!p) return base_no_memory(error);
    p->corpus = corpus;
    p->options = *options;
    lull_status status = new_pool(p, error);
    if (!status) status = new_buffers(p, error);
    if (status) {
        train_pitch_crops_free(p);
        return status;
    }
    *crops = p;
    return LULL_OK;
}

void train_pitch_crops_free(train_pitch_crops *p) {
    if (!p) return;
    for (int i = 0; i < p->count; i++) {
        mel_analysis_free(p->pool[i].analysis);
        mel_features_free(p->pool[i].features);
    }
    for (size_t i = 0; p->labels && i < p->corpus->count; i++) base_free(p->labels[i]);
    base_free(p->pool);
    base_free(p->labels);
    base_free(p->audio);
    base_free(p->mel);
    base_free(p->noise);
    base_free(p->scratch);
    base_free(p);
}

size_t train_pitch_crops_bytes(const train_pitch_crops *p) {
    return p->bytes + p->label_bytes;
}

/* ---- labels ---- */

static size_t label_count(const train_recording *recording, int rate) {
    return (size_t)((double)recording->samples / rate / LABEL_SECONDS) + 1;
}

static lull_status measure(train_pitch_crops *p, size_t recording, lull_error *error) {
    if (p->labels[recording]) return LULL_OK;
    const train_recording *r = &p->corpus->recordings[recording];
    const size_t n = label_count(r, p->corpus->rate);
    float *audio = base_alloc(r->samples, sizeof *audio);
    pitch_values *labels = base_alloc(n, sizeof *labels);
    lull_status status = audio && labels ? LULL_OK : base_no_memory(error);
    if (!status) status = train_corpus_read(p->corpus, recording, 0, r->samples, audio, error);
    if (!status)
        status = pitch_label(audio, r->samples, p->corpus->rate, 0, LABEL_SECONDS * p->corpus->rate,
                             labels, n, error);
    base_free(audio);
    if (status) {
        base_free(labels);
        return status;
    }
    p->labels[recording] = labels;
    p->label_bytes += n * sizeof *labels;
    return LULL_OK;
}

static float between(float a, float b, float part) {
    return a + part * (b - a);
}

/* What is true of a recording at a time: between the two labels around it; outside, silence. Bands
 * that the recording's own rate does not reach are not known. */
static void label_at(const train_pitch_crops *p, const crop *c, double seconds, float *target) {
    const train_recording *recording = &p->corpus->recordings[c->recording];
    const size_t n = label_count(recording, p->corpus->rate);
    const double at = seconds / LABEL_SECONDS;
    memset(target, 0, PITCH_OUTPUTS * sizeof *target);
    for (int b = 0; b < PITCH_BANDS; b++) target[PITCH_OUT_APERIODICITY + b] = 1;
    if (at < 0 || at >= (double)n - 1) return;
    const pitch_values *low = &p->labels[c->recording][(size_t)at], *high = low + 1;
    const float part = (float)(at - floor(at)), faster = (float)log2(c->speed);
    target[PITCH_OUT_F0] = between(log2f(low->f0 / 200), log2f(high->f0 / 200), part) + faster;
    target[PITCH_OUT_VOICING] = between(low->voicing, high->voicing, part);
    for (int b = 0; b < PITCH_BANDS; b++) {
        const bool known = PITCH_BAND_EDGES[b + 1] <= recording->rate / 2.0f;
        target[PITCH_OUT_APERIODICITY + b] =
            known ? between(low->aperiodicity[b], high->aperiodicity[b], part) : -1;
    }
}

/* ---- rendering ---- */

static double drawn(const train_pitch_crops *p, uint32_t stream, uint64_t index) {
    return random_uniform(p->options.seed, stream, index);
}

static size_t recording_at(const train_corpus *corpus, size_t sample) {
    size_t low = 0, high = corpus->count;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (corpus->first_sample[middle] <= sample)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* What crop `index` is. Some of it may lie before the recording's beginning or behind its end. */
static void choose(const train_pitch_crops *p, uint64_t index, crop *c) {
    const size_t total = p->corpus->first_sample[p->corpus->count];
    const size_t sample = (size_t)(drawn(p, STREAM_PLACE, 2 * index) * (double)total);
    c->recording = recording_at(p->corpus, sample < total ? sample : total - 1);
    c->seen = &p->pool[(int)(drawn(p, STREAM_CONVENTION, index) * p->count)];
    c->level = exp(p->options.level * (2 * drawn(p, STREAM_LEVEL, index) - 1));
    /* In whole hundredths: few ratios of rates. Half of the crops are played as they are. */
    const double u = 4 * drawn(p, STREAM_SPEED, index) - 2;
    c->speed = fabs(u) > 1 ? 1 : rint(100 * exp(p->options.speed * u)) / 100;
    c->span = corpus_samples(p, &c->seen->convention, c->speed);
    const double places = (double)p->corpus->recordings[c->recording].samples - (double)c->span / 2;
    const double place = drawn(p, STREAM_PLACE, 2 * index + 1) * fmax(places, 0);
    c->first = (int64_t)place - (int64_t)(c->span / 4);
}

static void degrade(train_pitch_crops *p, uint64_t index, const mel_convention *c, size_t n) {
    train_degrade amount;
    double uniform[8];
    if (drawn(p, STREAM_DEGRADE, 16 * index) >= p->options.degrade) return;
    for (uint64_t i = 0; i < 8; i++) uniform[i] = drawn(p, STREAM_DEGRADE, 16 * index + 1 + i);
    train_degrade_draw(uniform, &amount);
    random_normal(p->options.seed, STREAM_MEL_NOISE, index << 20, p->noise, n * (size_t)c->bands);
    train_degrade_apply(&amount, c, p->mel, n, p->noise, p->scratch);
}

/* The crop's samples at its level, in p->audio. */
static lull_status take(train_pitch_crops *p, const crop *c, lull_error *error) {
    const lull_status status =
        train_corpus_read(p->corpus, c->recording, c->first, c->span, p->audio, error);
    for (size_t i = 0; i < c->span && !status; i++) p->audio[i] *= (float)c->level;
    return status;
}

/* Its frames in its convention, in p->mel. */
static lull_status analyse(train_pitch_crops *p, const crop *c, lull_error *error) {
    const mel_convention *mel = &c->seen->convention;
    const int from = played_rate(p, c->speed);
    float *samples = p->audio;
    size_t count = c->span;
    lull_status status = LULL_OK;
    if (mel->sample_rate != from)
        status =
            recording_resample(p->audio, c->span, from, mel->sample_rate, &samples, &count, error);
    if (!status && count < crop_samples(mel, p->options.frames))
        status = base_fail(error, LULL_INVALID, "a crop of %zu samples at %d Hz: %zu are needed",
                           count, mel->sample_rate, crop_samples(mel, p->options.frames));
    for (int f = 0; f < p->options.frames && !status; f++)
        mel_analysis_frame(c->seen->analysis, samples + (size_t)f * (size_t)mel->hop,
                           p->mel + (size_t)f * (size_t)mel->bands);
    if (samples != p->audio) base_free(samples);
    return status;
}

lull_status train_pitch_crops_render(train_pitch_crops *p, uint64_t index, float *features,
                                     float *targets, lull_error *error) {
    crop c;
    choose(p, index, &c);
    const mel_convention *mel = &c.seen->convention;
    lull_status status = measure(p, c.recording, error);
    if (!status) status = take(p, &c, error);
    if (!status) status = analyse(p, &c, error);
    if (status) return status;
    degrade(p, index, mel, (size_t)p->options.frames);
    for (int f = 0; f < p->options.frames; f++) {
        const double centre = (f * (double)mel->hop + mel->n_fft / 2.0) / mel->sample_rate;
        mel_features_of_frame(c.seen->features, p->mel + (size_t)f * (size_t)mel->bands,
                              features + (size_t)f * MEL_FEATURES);
        label_at(p, &c, (double)c.first / p->corpus->rate + centre * c.speed,
                 targets + (size_t)f * PITCH_OUTPUTS);
    }
    return LULL_OK;
}

/* ---- loss ---- */

/* −t·ln σ(x) − (1−t)·ln(1 − σ(x)), and its derivative σ(x) − t. */
static double cross_entropy(double x, double t, double *derivative) {
    const double e = exp(-fabs(x)), sigmoid = x >= 0 ? 1 / (1 + e) : e / (1 + e);
    *derivative = sigmoid - t;
    return fmax(x, 0) - x * t + log1p(e);
}

double train_pitch_loss(const float *outputs, const float *targets, int frames, float *gradient) {
    double sum = 0, derivative;
    for (int f = 0; f < frames; f++) {
        const float *o = outputs + f * PITCH_OUTPUTS, *t = targets + f * PITCH_OUTPUTS;
        float *g = gradient + f * PITCH_OUTPUTS;
        const double voicing = t[PITCH_OUT_VOICING];
        const double difference = (double)o[PITCH_OUT_F0] - t[PITCH_OUT_F0];
        const double sign = difference > 0 ? 1 : difference < 0 ? -1 : 0;
        sum += 4 * voicing * fabs(difference);
        g[PITCH_OUT_F0] = (float)(4 * voicing * sign / frames);
        sum += cross_entropy(o[PITCH_OUT_VOICING], voicing, &derivative);
        g[PITCH_OUT_VOICING] = (float)(derivative / frames);
        for (int b = PITCH_OUT_APERIODICITY; b < PITCH_OUTPUTS; b++) {
            g[b] = 0;
            if (t[b] < 0) continue;
            sum += cross_entropy(o[b], t[b], &derivative) / PITCH_BANDS;
            g[b] = (float)(derivative / PITCH_BANDS / frames);
        }
    }
    return sum / frames;
}
