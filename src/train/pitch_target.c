/* The voice of a recording: see pitch_target.h. */
#include "train/pitch_target.h"

#include "base/error.h"
#include "base/memory.h"
#include "pitch/label.h"

#include <math.h>
#include <string.h>

struct train_pitch_target {
    train_corpus *corpus;
    pitch_values **labels; /* of every recording, every LABEL_SECONDS from its first sample on; NULL
                              before its first use */
    size_t bytes;
};

static const double LABEL_SECONDS = 0.005;

lull_status train_pitch_target_new(train_corpus *corpus, train_pitch_target **target,
                                   lull_error *error) {
    train_pitch_target *p = *target = base_alloc(1, sizeof *p);
    if (!p) return base_no_memory(error);
    p->corpus = corpus;
    p->labels = base_alloc(corpus->count, sizeof *p->labels);
    if (p->labels) return LULL_OK;
    train_pitch_target_free(p);
    *target = NULL;
    return base_no_memory(error);
}

void train_pitch_target_free(train_pitch_target *p) {
    if (!p) return;
    for (size_t i = 0; p->labels && i < p->corpus->count; i++) base_free(p->labels[i]);
    base_free(p->labels);
    base_free(p);
}

size_t train_pitch_target_bytes(const train_pitch_target *p) {
    return p->bytes;
}

static size_t label_count(const train_recording *recording, int rate) {
    return (size_t)((double)recording->samples / rate / LABEL_SECONDS) + 1;
}

lull_status train_pitch_target_measure(train_pitch_target *p, size_t recording, lull_error *error) {
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
    p->bytes += n * sizeof *labels;
    return LULL_OK;
}

static float between(float a, float b, float part) {
    return a + part * (b - a);
}

/* Between the two labels around the time; outside, silence. Bands that the recording's own rate does
 * not reach are not known. */
void train_pitch_target_at(const train_pitch_target *p, size_t index, double seconds, double speed,
                           float *out) {
    const train_recording *recording = &p->corpus->recordings[index];
    const size_t n = label_count(recording, p->corpus->rate);
    const double at = seconds / LABEL_SECONDS;
    memset(out, 0, PITCH_OUTPUTS * sizeof *out);
    for (int b = 0; b < PITCH_BANDS; b++) out[PITCH_OUT_APERIODICITY + b] = 1;
    if (at < 0 || at >= (double)n - 1) return;
    const pitch_values *low = &p->labels[index][(size_t)at], *high = low + 1;
    const float part = (float)(at - floor(at)), faster = (float)log2(speed);
    out[PITCH_OUT_F0] = between(log2f(low->f0 / 200), log2f(high->f0 / 200), part) + faster;
    out[PITCH_OUT_VOICING] = between(low->voicing, high->voicing, part);
    for (int b = 0; b < PITCH_BANDS; b++) {
        const bool known = PITCH_BAND_EDGES[b + 1] <= recording->rate / 2.0f;
        out[PITCH_OUT_APERIODICITY + b] =
            known ? between(low->aperiodicity[b], high->aperiodicity[b], part) : -1;
    }
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
