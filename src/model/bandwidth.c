/* The envelope above a mel: see bandwidth.h. */
#include "model/bandwidth.h"

#include "base/error.h"
#include "base/memory.h"
#include "mel/envelope.h"
#include "mel/filterbank.h"
#include "mel/window.h"

#include <math.h>
#include <string.h>

static const double TOP = 12000;
static const double FADE =
    500; /* Hz below the top over which the gains end, where it is not Nyquist */

/* A bin between two of the points from the edge on. */
typedef struct place {
    mel_place at;
    float level; /* of the gain; 0: below the mel's fmax or above the top */
} place;

struct bandwidth {
    mel_features *features;
    model_frame_stack *stack;
    int bins, edge; /* edge: the highest point that the convention shows */
    place *places;  /* [bins] */
};

model_frame_stack_shape bandwidth_shape(const model_config *config) {
    return (model_frame_stack_shape){.role = MODEL_BANDWIDTH_CONVOLUTION,
                                     .count = config->bandwidth_layers,
                                     .bands = 1,
                                     .across = 1,
                                     .first = MEL_FEATURES,
                                     .inner = config->bandwidth_channels,
                                     .last = BANDWIDTH_POINTS,
                                     .silu = true,
                                     .scale = 1};
}

bool bandwidth_is_open(const mel_convention *convention) {
    return convention->fmax + 300 < fmin(TOP, convention->sample_rate / 2.0);
}

int bandwidth_edge(const mel_features *features) {
    int edge = MEL_FEATURE_POINTS - 1;
    while (edge > 0 && !mel_features_shows(features, edge)) edge--;
    return edge;
}

/* The amplitude that what is above has where the mel's part has `unity`. */
static double beside(double hz, const mel_convention *c) {
    const double unity = mel_envelope_below_fmax(c, hz);
    return sqrt(1 - unity * unity);
}

static double below_top(double hz, const mel_convention *c) {
    if (c->sample_rate / 2.0 <= TOP) return 1;
    const double part = (hz - (TOP - FADE)) / FADE;
    if (part <= 0) return 1;
    return part >= 1 ? 0 : 0.5 + 0.5 * cos(M_PI * part);
}

static void fill_places(bandwidth *b, const mel_convention *c) {
    for (int k = 0; k < b->bins; k++) {
        const double hz = (double)k * c->sample_rate / c->n_fft;
        place *p = &b->places[k];
        int j = b->edge;
        while (j + 2 < MEL_FEATURE_POINTS && mel_feature_hz(j + 1) <= hz) j++;
        const double low = mel_feature_hz(j), high = mel_feature_hz(j + 1);
        p->at = (mel_place){j, (float)fmin(fmax((hz - low) / (high - low), 0), 1)};
        /* Features are per √Hz, ln E = x + ½ ln(Σw² · rate), and mels are means of |S|, which are
         * √(π/4) of its root mean square where it is noise; the gain is E/√Σw². */
        const double level = sqrt((double)c->sample_rate * 4 / M_PI);
        p->level = (float)(level * beside(hz, c) * below_top(hz, c));
    }
}

static bool has_network(const model_config *config) {
    return config && config->bandwidth_channels > 0;
}

uint64_t bandwidth_bytes(const model_config *config, const mel_convention *convention) {
    uint64_t sum = base_memory_add(0, 1, sizeof(bandwidth));
    if (has_network(config)) {
        const model_frame_stack_shape shape = bandwidth_shape(config);
        sum += model_frame_stack_bytes(&shape);
    }
    sum += mel_features_bytes(convention);
    return base_memory_add(sum, (uint64_t)convention->n_fft / 2 + 1, sizeof(place));
}

lull_status bandwidth_new(const model_config *config, const model_parameters *parameters,
                          const mel_convention *convention, bandwidth **result, lull_error *error) {
    *result = NULL;
    bandwidth *b = base_alloc(1, sizeof *b);
    if (!b) return base_no_memory(error);
    b->bins = convention->n_fft / 2 + 1;
    b->places = base_alloc((size_t)b->bins, sizeof *b->places);
    lull_status status = b->places ? LULL_OK : base_no_memory(error);
    if (!status) status = mel_features_new(convention, &b->features, error);
    if (!status && has_network(config)) {
        const model_frame_stack_shape shape = bandwidth_shape(config);
        status = model_frame_stack_new(&shape, parameters, &b->stack, error);
    }
    if (status) {
        bandwidth_free(b);
        return status;
    }
    b->edge = bandwidth_edge(b->features);
    fill_places(b, convention);
    *result = b;
    return LULL_OK;
}

void bandwidth_free(bandwidth *b) {
    if (!b) return;
    mel_features_free(b->features);
    model_frame_stack_free(b->stack);
    base_free(b->places);
    base_free(b);
}

void bandwidth_reset(bandwidth *b) {
    if (b->stack) model_frame_stack_reset(b->stack);
}

void bandwidth_gain(bandwidth *b, const float *frame, float *gain) {
    float features[MEL_FEATURES], x[MEL_FEATURE_POINTS], above[BANDWIDTH_POINTS] = {0};
    mel_features_of_frame(b->features, frame, features);
    const float *const frames[] = {features};
    if (b->stack) model_frame_stack_push(b->stack, frames, 1, above);
    for (int p = b->edge; p < MEL_FEATURE_POINTS; p++) {
        const bool guessed = p > b->edge && p >= BANDWIDTH_FIRST;
        const float value = features[b->edge] + (guessed ? above[p - BANDWIDTH_FIRST] : 0);
        x[p] = value / MEL_FEATURE_SCALE - MEL_FEATURE_OFFSET;
    }
    for (int k = 0; k < b->bins; k++) {
        const place *p = &b->places[k];
        if (p->level == 0) {
            gain[k] = 0;
            continue;
        }
        gain[k] = p->level * expf(mel_place_read(p->at, x));
    }
}
