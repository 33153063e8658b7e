/* The envelope of a recording above a mel: see bandwidth_target.h. */
#include "train/bandwidth_target.h"

#include "base/error.h"
#include "base/memory.h"
#include "mel/analysis.h"

#include <math.h>
#include <string.h>

/* A recording that was resampled to its rate shows what is below this part of half of it. */
static const double SHOWN = 0.95;
/* Frames so many dB below their recording are pauses: what hisses there is no model for speech. */
static const double PAUSE = 30;

struct train_bandwidth_target {
    mel_convention convention; /* of the same window, at the corpus's rate, with bands to the top */
    mel_analysis *analysis;
    mel_features *features;
    bool open[BANDWIDTH_POINTS]; /* what the convention that was given does not show */
    float *segment, *mel;
};

static void fill_open(train_bandwidth_target *t, const mel_convention *seen) {
    for (int i = 0; i < BANDWIDTH_POINTS; i++)
        t->open[i] = mel_feature_hz(BANDWIDTH_FIRST + i) > seen->fmax;
}

lull_status train_bandwidth_target_new(const mel_convention *seen, int rate,
                                       train_bandwidth_target **target, lull_error *error) {
    train_bandwidth_target *t = *target = base_alloc(1, sizeof *t);
    if (!t) return base_no_memory(error);
    mel_convention *c = &t->convention;
    lull_status status = mel_convention_named("hifigan", 0, c, error);
    c->sample_rate = rate;
    c->window = 2 * (int)lrint((double)seen->window * rate / seen->sample_rate / 2);
    for (c->n_fft = 256; c->n_fft < c->window;) c->n_fft *= 2;
    c->hop =
        c->window / 4; /* of no consequence, as what follows: frames lie where they are asked for */
    c->centred = true;
    c->bands = MEL_FEATURE_POINTS;
    c->fmax = fmin(12000, rate / 2.0);
    c->floor = 1e-10;
    if (!status) status = mel_analysis_new(c, &t->analysis, error);
    if (!status) status = mel_features_new(c, &t->features, error);
    t->segment = base_alloc((size_t)c->n_fft, sizeof *t->segment);
    t->mel = base_alloc((size_t)c->bands, sizeof *t->mel);
    if (!status && (!t->segment || !t->mel)) status = base_no_memory(error);
    fill_open(t, seen);
    if (!status) return LULL_OK;
    train_bandwidth_target_free(t);
    *target = NULL;
    return status;
}

void train_bandwidth_target_free(train_bandwidth_target *t) {
    if (!t) return;
    mel_analysis_free(t->analysis);
    mel_features_free(t->features);
    base_free(t->segment);
    base_free(t->mel);
    base_free(t);
}

/* Up to where a recording shows something: all of 12 kHz where its rate reaches there, because that
 * is how recordings at that rate end. */
static double shown_to(const train_recording *recording) {
    return recording->rate >= 24000 ? 12000 : SHOWN * recording->rate / 2;
}

/* In dB of full scale, as train_recording.level. */
static double level_of(const float *samples, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += (double)samples[i] * samples[i];
    return 10 * log10(sum / n + 1e-12);
}

bool train_bandwidth_shows(const train_recording *recording) {
    return shown_to(recording) > 9000;
}

lull_status train_bandwidth_target_at(train_bandwidth_target *t, train_corpus *corpus,
                                      size_t recording, int64_t centre, double level, float *out,
                                      lull_error *error) {
    float features[MEL_FEATURES];
    const int size = t->convention.n_fft;
    const double highest = shown_to(&corpus->recordings[recording]);
    lull_status status =
        train_corpus_read(corpus, recording, centre - size / 2, (size_t)size, t->segment, error);
    if (status) return status;
    const bool pause = level_of(t->segment, size) < corpus->recordings[recording].level - PAUSE;
    for (int i = 0; i < size; i++) t->segment[i] *= (float)level;
    mel_analysis_frame(t->analysis, t->segment, t->mel);
    mel_features_of_frame(t->features, t->mel, features);
    for (int i = 0; i < BANDWIDTH_POINTS; i++) {
        const bool known =
            !pause && t->open[i] && mel_feature_hz(BANDWIDTH_FIRST + i) <= highest + 1;
        out[i] = known ? features[BANDWIDTH_FIRST + i] : NAN;
    }
    return LULL_OK;
}

double train_bandwidth_loss(const float *outputs, const float *targets, int frames,
                            float *gradient) {
    double sum = 0;
    for (int f = 0; f < frames; f++) {
        const size_t from = (size_t)f * BANDWIDTH_POINTS;
        int known = 0;
        double loss = 0;
        for (int i = 0; i < BANDWIDTH_POINTS; i++) known += !isnan(targets[from + (size_t)i]);
        for (size_t i = from; i < from + BANDWIDTH_POINTS; i++) {
            gradient[i] = 0;
            if (isnan(targets[i])) continue;
            const double difference = (double)outputs[i] - targets[i];
            const double sign = difference > 0 ? 1 : difference < 0 ? -1 : 0;
            loss += fabs(difference) / known;
            gradient[i] = (float)(sign / known / frames);
        }
        sum += loss;
    }
    return sum / frames;
}
