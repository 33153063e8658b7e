/* What networks see of a mel frame: see frame_features.h. */
#include "mel/frame_features.h"

#include "base/error.h"
#include "base/memory.h"
#include "mel/compression.h"
#include "mel/filterbank.h"
#include "mel/window.h"

#include <math.h>

static const double HIGHEST = 12000; /* Hz, of the last point */

struct mel_features {
    mel_convention convention;
    mel_filterbank *filterbank;
    float level;                         /* ½ ln(Σ window² · rate) */
    mel_place place[MEL_FEATURE_POINTS]; /* among the filterbank's nodes */
    bool shown[MEL_FEATURE_POINTS];
    float facts[MEL_FEATURE_FACTS];
};

double mel_feature_hz(int point) {
    const double top = mel_from_hz(MEL_SCALE_SLANEY, HIGHEST);
    return mel_to_hz(MEL_SCALE_SLANEY, top * point / (MEL_FEATURE_POINTS - 1));
}

static double limited(double value, double low, double high) {
    return value < low ? low : value > high ? high : value;
}

/* Mean distance of neighbouring bands' centroids in Hz, of those below 1 kHz (of the first two
 * where there are fewer): whether harmonics can be seen apart. */
static double distance_of_bands(const mel_filterbank *f) {
    int last = 0;
    while (last + 1 < f->nodes && (last < 1 || f->centroid[f->node[last + 1]] < 1000)) last++;
    if (last == 0) return 1000;
    return (f->centroid[f->node[last]] - f->centroid[f->node[0]]) / last;
}

static void fill_facts(mel_features *m) {
    const mel_convention *c = &m->convention;
    const double rate = c->sample_rate, fmax = limited(c->fmax, 1000, HIGHEST);
    m->facts[0] = (float)log(c->window / rate / 0.046);
    m->facts[1] = (float)log(c->hop / rate / 0.0116);
    m->facts[2] = (float)log(limited(distance_of_bands(m->filterbank), 1, 1000) / 50);
    m->facts[3] = (float)(limited(c->fmin, 0, 1000) / 100);
    m->facts[4] = (float)((mel_from_hz(MEL_SCALE_SLANEY, fmax) - 45) / 3);
}

static void fill_points(mel_features *m) {
    const mel_convention *c = &m->convention;
    const double norm = mel_window_norm(c);
    m->level = (float)(0.5 * log(norm * norm * c->sample_rate));
    for (int i = 0; i < MEL_FEATURE_POINTS; i++) {
        const double hz = mel_feature_hz(i);
        m->place[i] = mel_filterbank_place(m->filterbank, hz);
        m->shown[i] = hz >= c->fmin && hz <= c->fmax;
    }
}

uint64_t mel_features_bytes(const mel_convention *convention) {
    uint64_t sum = sizeof(mel_features) + mel_filterbank_bytes(convention);
    return base_memory_add(sum, 16 * (uint64_t)convention->bands + 1024, sizeof(float));
}

lull_status mel_features_new(const mel_convention *convention, mel_features **features,
                             lull_error *error) {
    *features = NULL;
    lull_status status = mel_convention_check(convention, error);
    if (status) return status;
    mel_features *m = base_alloc(1, sizeof *m);
    if (!m) return base_no_memory(error);
    m->convention = *convention;
    status = mel_filterbank_new(convention, &m->filterbank, error);
    if (status) {
        mel_features_free(m);
        return status;
    }
    fill_points(m);
    fill_facts(m);
    *features = m;
    return LULL_OK;
}

void mel_features_free(mel_features *features) {
    if (!features) return;
    mel_filterbank_free(features->filterbank);
    base_free(features);
}

void mel_features_of_frame(const mel_features *m, const float *frame, float *out) {
    float values[MEL_MAX_BANDS + 1];
    mel_to_natural_log(&m->convention, frame, values);
    const float per_power = 1.0f / (float)m->convention.power;
    for (int b = 0; b < m->convention.bands; b++)
        values[b] = (values[b] - m->filterbank->log_sum[b]) * per_power;
    mel_filterbank_to_nodes(m->filterbank, values);
    for (int i = 0; i < MEL_FEATURE_POINTS; i++) {
        float x = mel_place_read(m->place[i], values) - m->level;
        if (x < MEL_FEATURE_FLOOR) x = MEL_FEATURE_FLOOR;
        out[i] = m->shown[i] ? (x + MEL_FEATURE_OFFSET) * MEL_FEATURE_SCALE : 0;
    }
    for (int i = 0; i < MEL_FEATURE_FACTS; i++) out[MEL_FEATURE_POINTS + i] = m->facts[i];
}

bool mel_features_shows(const mel_features *features, int point) {
    return features->shown[point];
}
