/* Crops for networks over frames: see frame_crops.h. */
#include "train/frame_crops.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"
#include "recording/resample.h"
#include "mel/analysis.h"
#include "mel/frame_features.h"
#include "mel/low_band.h"
#include "train/degrade.h"
#include "train/bandwidth_target.h"
#include "train/pitch_target.h"

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

/* Numbers of a stream that one crop has for itself. */
static const uint64_t NOISE_OF_A_CROP = 1 << 20;

/* A convention and what analyses in it. */
typedef struct seen {
    mel_convention convention;
    mel_analysis *analysis;
    mel_features *features;
    train_bandwidth_target *above; /* NULL: not asked for */
} seen;

/* What a crop is. */
typedef struct crop {
    const seen *seen;
    size_t recording, span; /* span: samples at the corpus's rate … */
    int64_t first;          /* … from here on */
    double level, speed;    /* factors */
} crop;

struct train_frame_crops {
    train_corpus *corpus;
    train_frame_options options;
    seen *pool;
    int count;
    size_t *recordings, *first; /* those that are used; running sum of their samples */
    size_t used;
    train_pitch_target *voices; /* NULL: not asked for */
    size_t bytes;
    float *audio, *mel, *noise, *scratch;
    size_t audio_room;
};

/* Samples of the convention that a crop is analysed from: frame f has n_fft of them from f·hop on.
 */
static size_t crop_samples(const mel_convention *c, int frames) {
    return (size_t)(frames - 1) * (size_t)c->hop + (size_t)c->n_fft;
}

/* The rate that a recording is taken to have when it is played so much faster. */
static int played_rate(const train_frame_crops *p, double speed) {
    return (int)lrint(p->corpus->rate * speed);
}

/* The crop's samples at that rate, and a few more for what resampling keeps back. */
static size_t corpus_samples(const train_frame_crops *p, const mel_convention *c, double speed) {
    const double seconds = (double)crop_samples(c, p->options.frames) / c->sample_rate;
    return (size_t)(seconds * played_rate(p, speed)) + 16;
}

static bool for_bandwidth(const train_frame_crops *p) {
    return p->options.target == TRAIN_FRAME_BANDWIDTH;
}

static bool is_recorded(const train_frame_crops *p) {
    return p->options.target == TRAIN_FRAME_RECORDED;
}

static bool has_low_band(const mel_convention *c) {
    return mel_low_band_decimation(c) > 1;
}

train_convention_pool train_frame_recorded_pool(const mel_convention *own, int drawn) {
    return (train_convention_pool){.drawn = drawn, .fits = has_low_band, .own = own};
}

static lull_status add_seen(train_frame_crops *p, const mel_convention *c, lull_error *error) {
    seen *s = &p->pool[p->count++];
    s->convention = *c;
    lull_status status = mel_analysis_new(c, &s->analysis, error);
    if (!status) status = mel_features_new(c, &s->features, error);
    if (!status && for_bandwidth(p))
        status = train_bandwidth_target_new(c, p->corpus->rate, &s->above, error);
    return status;
}

static lull_status new_pool(train_frame_crops *p, lull_error *error) {
    const train_convention_pool all =
        is_recorded(p)
            ? train_frame_recorded_pool(p->options.own, p->options.drawn)
            : (train_convention_pool){.seed = p->options.seed,
                                      .drawn = p->options.drawn,
                                      .fits = for_bandwidth(p) ? bandwidth_is_open : NULL};
    train_convention_pool pool = all;
    size_t count = 0;
    lull_status status = LULL_OK;
    mel_convention c;
    while (train_convention_pool_next(&pool, &c)) count++;
    p->pool = base_alloc(count, sizeof *p->pool);
    if (!p->pool) return base_no_memory(error);
    pool = all;
    while (!status && train_convention_pool_next(&pool, &c)) status = add_seen(p, &c, error);
    return status;
}

/* The recordings that are used. */
static lull_status new_recordings(train_frame_crops *p, lull_error *error) {
    const train_corpus *corpus = p->corpus;
    p->recordings = base_alloc(corpus->count, sizeof *p->recordings);
    p->first = base_alloc(corpus->count + 1, sizeof *p->first);
    if (!p->recordings || !p->first) return base_no_memory(error);
    for (size_t i = 0; i < corpus->count; i++) {
        if (for_bandwidth(p) && !train_bandwidth_shows(&corpus->recordings[i])) continue;
        p->recordings[p->used++] = i;
        p->first[p->used] = p->first[p->used - 1] + corpus->recordings[i].samples;
    }
    if (p->used > 0) return LULL_OK;
    return base_fail(error, LULL_INVALID,
                     "no recording reaches above 8 kHz: a bandwidth network needs some with sample "
                     "rates of 22050 Hz or more");
}

static lull_status new_buffers(train_frame_crops *p, lull_error *error) {
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
    p->bytes = (audio + 3 * values) * sizeof(float);
    return p->audio && p->mel && p->noise && p->scratch ? LULL_OK : base_no_memory(error);
}

lull_status train_frame_crops_new(train_corpus *corpus, const train_frame_options *options,
                                  train_frame_crops **crops, lull_error *error) {
    *crops = NULL;
    train_frame_crops *p = base_alloc(1, sizeof *p);
    if (!p) return base_no_memory(error);
    p->corpus = corpus;
    p->options = *options;
    lull_status status = new_pool(p, error);
    if (!status) status = new_recordings(p, error);
    if (!status) status = new_buffers(p, error);
    if (!status && p->options.target == TRAIN_FRAME_PITCH)
        status = train_pitch_target_new(corpus, &p->voices, error);
    if (status) {
        train_frame_crops_free(p);
        return status;
    }
    *crops = p;
    return LULL_OK;
}

void train_frame_crops_free(train_frame_crops *p) {
    if (!p) return;
    for (int i = 0; i < p->count; i++) {
        mel_analysis_free(p->pool[i].analysis);
        mel_features_free(p->pool[i].features);
        train_bandwidth_target_free(p->pool[i].above);
    }
    train_pitch_target_free(p->voices);
    base_free(p->pool);
    base_free(p->recordings);
    base_free(p->first);
    base_free(p->audio);
    base_free(p->mel);
    base_free(p->noise);
    base_free(p->scratch);
    base_free(p);
}

size_t train_frame_crops_bytes(const train_frame_crops *p) {
    return p->bytes + (p->voices ? train_pitch_target_bytes(p->voices) : 0);
}

int train_frame_outputs(train_frame_target target) {
    return target == TRAIN_FRAME_PITCH ? (int)PITCH_OUTPUTS : (int)BANDWIDTH_POINTS;
}

/* ---- rendering ---- */

static double drawn(const train_frame_crops *p, uint32_t stream, uint64_t index) {
    return random_uniform(p->options.seed, stream, index);
}

static size_t recording_at(const train_frame_crops *p, size_t sample) {
    size_t low = 0, high = p->used;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (p->first[middle] <= sample)
            low = middle;
        else
            high = middle;
    }
    return p->recordings[low];
}

/* What crop `index` is. Some of it may lie before the recording's beginning or behind its end. */
static void choose(const train_frame_crops *p, uint64_t index, crop *c) {
    const size_t total = p->first[p->used];
    const size_t sample = (size_t)(drawn(p, STREAM_PLACE, 2 * index) * (double)total);
    c->recording = recording_at(p, sample < total ? sample : total - 1);
    c->seen = is_recorded(p) ? &p->pool[index % (uint64_t)p->count]
                             : &p->pool[(int)(drawn(p, STREAM_CONVENTION, index) * p->count)];
    c->level = exp(p->options.level * (2 * drawn(p, STREAM_LEVEL, index) - 1));
    /* In whole hundredths: few ratios of rates. Half of the crops are played as they are. */
    const double u = 4 * drawn(p, STREAM_SPEED, index) - 2;
    c->speed = fabs(u) > 1 ? 1 : rint(100 * exp(p->options.speed * u)) / 100;
    c->span = corpus_samples(p, &c->seen->convention, c->speed);
    const double places = (double)p->corpus->recordings[c->recording].samples - (double)c->span / 2;
    const double place = drawn(p, STREAM_PLACE, 2 * index + 1) * fmax(places, 0);
    c->first = (int64_t)place - (int64_t)(c->span / 4);
}

static void degrade(train_frame_crops *p, uint64_t index, const mel_convention *c, size_t n) {
    train_degrade amount;
    double uniform[8];
    if (drawn(p, STREAM_DEGRADE, 16 * index) >= p->options.degrade) return;
    for (uint64_t i = 0; i < 8; i++) uniform[i] = drawn(p, STREAM_DEGRADE, 16 * index + 1 + i);
    train_degrade_draw(uniform, &amount);
    random_normal(p->options.seed, STREAM_MEL_NOISE, index * NOISE_OF_A_CROP, p->noise,
                  n * (size_t)c->bands);
    train_degrade_apply(&amount, c, p->mel, n, p->noise, p->scratch);
}

/* The crop's samples at its level, in p->audio. */
static lull_status take(train_frame_crops *p, const crop *c, lull_error *error) {
    const lull_status status =
        train_corpus_read(p->corpus, c->recording, c->first, c->span, p->audio, error);
    for (size_t i = 0; i < c->span && !status; i++) p->audio[i] *= (float)c->level;
    return status;
}

/* Its frames in its convention, in p->mel, and where it is asked for the samples that they see. */
static lull_status analyse(train_frame_crops *p, const crop *c, float *kept, lull_error *error) {
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
    if (kept && !status) memcpy(kept, samples, crop_samples(mel, p->options.frames) * sizeof *kept);
    if (samples != p->audio) base_free(samples);
    return status;
}

static void see(const train_frame_crops *p, const crop *c, float *features) {
    const mel_convention *mel = &c->seen->convention;
    for (int f = 0; f < p->options.frames; f++)
        mel_features_of_frame(c->seen->features, p->mel + (size_t)f * (size_t)mel->bands,
                              features + (size_t)f * MEL_FEATURES);
}

/* What is true of frame f, whose features are known. */
static lull_status target_of(train_frame_crops *p, const crop *c, int f, const float *features,
                             float *target, lull_error *error) {
    const mel_convention *mel = &c->seen->convention;
    const double centre = (f * (double)mel->hop + mel->n_fft / 2.0) / mel->sample_rate * c->speed;
    const double seconds = (double)c->first / p->corpus->rate + centre;
    if (!for_bandwidth(p)) {
        train_pitch_target_at(p->voices, c->recording, seconds, c->speed, target);
        return LULL_OK;
    }
    const int64_t sample = (int64_t)llrint(seconds * p->corpus->rate);
    lull_status status = train_bandwidth_target_at(c->seen->above, p->corpus, c->recording, sample,
                                                   c->level, target, error);
    for (int i = 0; i < BANDWIDTH_POINTS; i++)
        target[i] -= features[bandwidth_edge(c->seen->features)];
    return status;
}

lull_status train_frame_crops_render(train_frame_crops *p, uint64_t index, float *features,
                                     float *targets, lull_error *error) {
    const int outputs = train_frame_outputs(p->options.target);
    crop c;
    choose(p, index, &c);
    lull_status status = LULL_OK;
    if (p->voices) status = train_pitch_target_measure(p->voices, c.recording, error);
    if (!status) status = take(p, &c, error);
    if (!status) status = analyse(p, &c, NULL, error);
    if (status) return status;
    degrade(p, index, &c.seen->convention, (size_t)p->options.frames);
    see(p, &c, features);
    for (int f = 0; f < p->options.frames && !status; f++)
        status = target_of(p, &c, f, features + (size_t)f * MEL_FEATURES,
                           targets + (size_t)f * (size_t)outputs, error);
    return status;
}

const mel_convention *train_frame_crops_convention(const train_frame_crops *p, uint64_t index) {
    return &p->pool[index % (uint64_t)p->count].convention;
}

lull_status train_frame_crops_recorded(train_frame_crops *p, uint64_t index, float *features,
                                       float *mel, float *samples, lull_error *error) {
    crop c;
    choose(p, index, &c);
    lull_status status = take(p, &c, error);
    if (!status) status = analyse(p, &c, samples, error);
    if (status) return status;
    const size_t n = (size_t)p->options.frames, bands = (size_t)c.seen->convention.bands;
    degrade(p, index, &c.seen->convention, n);
    see(p, &c, features);
    memcpy(mel, p->mel, n * bands * sizeof *mel);
    return LULL_OK;
}
