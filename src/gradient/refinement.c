/* Forward and backward through refinement: see refinement.h. */
#include "gradient/refinement.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "mel/compression.h"
#include "mel/corrector.h"
#include "mel/low_band.h"
#include "mel/overlap.h"

/* What one iteration of one frame leaves behind for its way back. */
typedef struct trace {
    float *spectrum;  /* [bins] pairs, of the frame as it was */
    float *magnitude; /* [bins] √(|S|² + epsilon) */
    float *pull;      /* [bins] what the guide multiplies it by */
    float *gain;      /* [bins] guide and mel together */
    float *mel;       /* [bands] of the pulled magnitudes */
} trace;

struct gradient_refinement {
    mel_convention convention;
    int decimation, most_frames, most_iterations, most_window;
    mel_envelope *envelope;
    mel_filterbank *filterbank;
    mel_stft *stft;
    mel_guide *guides; /* of each frame */
    float *wanted;     /* of each frame, `stride` apart */
    size_t stride;
    int bins;        /* that have a gain */
    int said, known; /* of which a guide says something; those of them that have a gain */
    float lowest, highest, epsilon;
    float *trace_memory;
    trace *traces;                       /* [frame of a turn][iteration][slot] */
    float *inverse, *region, *committed; /* of a turn */
    float *signal, *previous;            /* [frames] windowed frames, with and without momentum */
    float *d_signal, *d_previous;        /* their gradients */
    float *d_region, *d_committed, *d_final; /* the last: by the samples alone */
    float *unity;                            /* [bins] gain where the mel is as it should be */
    float *scratch, *d_gain, *d_bands, *pull, *zeros; /* of a frame */
    /* The forward run at hand. */
    gradient_refinement_way way;
    int frames;
    bool guided;
};

void gradient_refinement_free(gradient_refinement *r) {
    if (!r) return;
    mel_envelope_free(r->envelope);
    mel_filterbank_free(r->filterbank);
    mel_stft_free(r->stft);
    for (int f = 0; r->guides && f < r->most_frames; f++) mel_guide_clear(&r->guides[f]);
    base_free(r->guides);
    base_free(r->traces);
    float *owned[] = {r->wanted,  r->trace_memory, r->inverse,     r->region,     r->committed,
                      r->signal,  r->previous,     r->d_signal,    r->d_previous, r->d_region,
                      r->scratch, r->d_gain,       r->d_committed, r->d_bands,    r->d_final,
                      r->unity,   r->pull,         r->zeros};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) base_free(owned[i]);
    base_free(r);
}

static size_t traces_of(const gradient_refinement *r) {
    return (size_t)(r->most_frames * r->most_iterations * (r->most_window + 1));
}

static size_t trace_size(const gradient_refinement *r) {
    return 5 * (size_t)r->bins + (size_t)r->filterbank->bands;
}

/* Samples that a crop's frames cover. */
static size_t extent_of(const gradient_refinement *r, int frames) {
    return (size_t)((frames - 1) * r->stft->grid.hop + r->stft->grid.size);
}

static lull_status allocate(gradient_refinement *r, lull_error *error) {
    const size_t frames = (size_t)r->most_frames, size = (size_t)r->stft->grid.size;
    const size_t extent = extent_of(r, r->most_frames), count = traces_of(r);
    const size_t bins = (size_t)r->bins;
    struct {
        float **to;
        size_t n;
    } wanted[] = {{&r->wanted, frames * r->stride},
                  {&r->trace_memory, count * trace_size(r)},
                  {&r->inverse, frames * extent_of(r, r->most_window + 1)},
                  {&r->region, extent},
                  {&r->committed, extent},
                  {&r->signal, frames * size},
                  {&r->previous, frames * size},
                  {&r->d_signal, frames * size},
                  {&r->d_previous, frames * size},
                  {&r->d_region, extent},
                  {&r->d_committed, extent},
                  {&r->d_final, extent},
                  {&r->unity, bins},
                  {&r->scratch, 2 * size},
                  {&r->d_gain, bins},
                  {&r->pull, bins},
                  {&r->zeros, bins},
                  {&r->d_bands, (size_t)r->filterbank->bands + 1}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        *wanted[i].to = base_alloc(wanted[i].n, sizeof(float));
        if (!*wanted[i].to) return base_no_memory(error);
    }
    r->traces = base_alloc(count, sizeof *r->traces);
    r->guides = base_alloc(frames, sizeof *r->guides);
    if (!r->traces || !r->guides) return base_no_memory(error);
    for (size_t i = 0; i < count; i++) {
        float *at = r->trace_memory + i * trace_size(r);
        r->traces[i] = (trace){at, at + 2 * bins, at + 3 * bins, at + 4 * bins, at + 5 * bins};
    }
    for (size_t f = 0; f < frames; f++) {
        const lull_status status = mel_guide_init(&r->convention, &r->guides[f], error);
        if (status) return status;
    }
    return LULL_OK;
}

/* The gain of a frame whose mel is what it should be. */
static void find_unity(gradient_refinement *r) {
    const mel_filterbank *f = r->filterbank;
    float wanted[MEL_MAX_BANDS];
    for (int k = 0; k < r->bins; k++) r->scratch[k] = 1;
    for (int b = 0; b < f->bands; b++) {
        float sum = 0;
        for (int i = 0; i < f->count[b]; i++) sum += f->weights[f->offset[b] + i];
        wanted[b] = logf(fminf(fmaxf(sum, r->lowest), r->highest));
    }
    mel_envelope_correction(r->envelope, wanted, r->scratch, r->unity);
}

lull_status gradient_refinement_new(const mel_convention *convention, int frames, int iterations,
                                    int window, gradient_refinement **result, lull_error *error) {
    *result = NULL;
    gradient_refinement *r = base_alloc(1, sizeof *r);
    if (!r) return base_no_memory(error);
    r->convention = *convention;
    const int d = r->decimation = mel_low_band_decimation(convention);
    r->most_frames = frames;
    r->most_iterations = iterations;
    r->most_window = window;
    const mel_stft_grid grid = mel_corrector_grid(convention, d);
    lull_status status = mel_envelope_new_low(convention, d, &r->envelope, error);
    if (!status)
        status = mel_filterbank_new_low(convention, convention->n_fft / d / 2,
                                        pow(d, convention->power), &r->filterbank, error);
    if (!status) status = mel_stft_new(&grid, MEL_STFT_FAST, &r->stft, error);
    if (!status) {
        double lowest, highest;
        mel_linear_range(convention, &lowest, &highest);
        r->lowest = (float)lowest;
        r->highest = (float)fmin(highest, 1e9);
        r->epsilon = (float)(convention->magnitude_epsilon / d / d);
        r->bins = mel_envelope_reach(r->envelope);
        r->said = mel_low_band_bins(convention);
        r->known = r->said < r->bins ? r->said : r->bins;
        r->stride = (size_t)convention->bands;
        status = allocate(r, error);
    }
    if (!status) find_unity(r);
    if (status) {
        gradient_refinement_free(r);
        return status;
    }
    *result = r;
    return LULL_OK;
}

size_t gradient_refinement_bytes(const gradient_refinement *r) {
    const size_t frames = (size_t)r->most_frames, size = (size_t)r->stft->grid.size;
    const size_t floats = traces_of(r) * trace_size(r) + frames * (r->stride + 4 * size) +
                          frames * extent_of(r, r->most_window + 1) +
                          5 * extent_of(r, r->most_frames);
    return sizeof *r + floats * sizeof(float) + frames * (size_t)mel_guide_bytes(&r->convention) +
           traces_of(r) * sizeof(trace);
}

size_t gradient_refinement_samples(const gradient_refinement *r, int frames, int window) {
    return frames > window ? (size_t)((frames - window) * r->stft->grid.hop) : 0;
}

static trace *trace_at(const gradient_refinement *r, int turn, int iteration, int slot) {
    return &r->traces[(turn * r->most_iterations + iteration) * (r->most_window + 1) + slot];
}

static int oldest_of(const gradient_refinement *r, int turn) {
    return turn > r->way.window ? turn - r->way.window : 0;
}

/* 1/Σ window² of a turn's region, which begins with its oldest frame. */
static float *inverse_at(const gradient_refinement *r, int turn) {
    return r->inverse + (size_t)turn * extent_of(r, r->most_window + 1);
}

static void weigh(gradient_refinement *r, int turn) {
    const int oldest = oldest_of(r, turn), size = r->stft->grid.size, hop = r->stft->grid.hop;
    const int count = (int)extent_of(r, turn - oldest + 1);
    float *inverse = inverse_at(r, turn);
    memset(inverse, 0, (size_t)count * sizeof *inverse);
    for (int f = 0; f <= turn; f++)
        for (int i = 0; i < size; i++) {
            const int at = (f - oldest) * hop + i;
            if (at >= 0 && at < count) inverse[at] += r->stft->power[i];
        }
    mel_overlap_invert(inverse, (size_t)count);
}

/* ---- one frame, once ----------------------------------------------------------------------- */

/* The transpose of the interpolation of gains between bands. */
static void gather(const gradient_refinement *r, const float *at_bins, float *at_bands) {
    const mel_filterbank *f = r->filterbank;
    float nodes[MEL_MAX_BANDS + 1] = {0};
    for (int k = 0; k < r->bins; k++) mel_place_add(f->place[k], at_bins[k], nodes);
    /* The last node stands twice. */
    nodes[f->nodes - 1] += nodes[f->nodes];
    memset(at_bands, 0, (size_t)f->bands * sizeof *at_bands);
    for (int j = 0; j < f->nodes; j++) at_bands[f->node[j]] = nodes[j];
}

/* Bins of a frame's guide. */
static int guided_bins(const gradient_refinement *r, const mel_guide *guide) {
    if (!r->guided) return 0;
    return guide->count < r->bins ? guide->count : r->bins;
}

/* Mel consistency once, as mel/corrector.h has it. */
static void correct(gradient_refinement *r, int frame, const float *segment, trace *t, float *out) {
    const mel_filterbank *f = r->filterbank;
    const mel_kernels *kernels = r->stft->kernels;
    const mel_guide *g = &r->guides[frame];
    const float *wanted = r->wanted + (size_t)frame * r->stride;
    float *spectrum = r->stft->spectrum, *pulled = r->scratch, values[MEL_MAX_BANDS + 1];
    const bool squares = r->convention.power == 2;
    mel_stft_analyse(r->stft, segment);
    memcpy(t->spectrum, spectrum, 2 * (size_t)r->bins * sizeof *spectrum);
    kernels->magnitude(spectrum, r->epsilon, t->magnitude, r->bins);
    memset(pulled, 0, (size_t)f->bins * sizeof *pulled);
    memcpy(pulled, t->magnitude, (size_t)r->bins * sizeof *pulled);
    for (int k = guided_bins(r, g); k < r->bins; k++) t->pull[k] = 1;
    kernels->pull(g->target, g->weight, g->floor, pulled, t->pull, guided_bins(r, g));
    if (squares) kernels->scale(pulled, pulled, r->bins);
    kernels->tiles(&f->filters, pulled, t->mel, f->bands);
    kernels->log_ratio(wanted, t->mel, r->lowest, r->highest, values, f->bands);
    for (int b = 0; b < f->bands && squares; b++) values[b] *= 0.5f;
    mel_filterbank_to_nodes(f, values);
    kernels->interpolated_gain(f, values, r->unity, t->gain, r->bins);
    kernels->scale(t->pull, t->gain, r->bins);
    kernels->apply_gain(spectrum, t->gain, r->bins);
    for (int k = 2 * r->bins; k < 2 * r->stft->bins; k++) spectrum[k] = 0;
    mel_stft_synthesise(r->stft, out);
}

/* The gradient of ln of the pulled magnitudes from that of ln of the gains. */
static void mel_back(gradient_refinement *r, const trace *t, const float *d_gain, float *d_log) {
    const mel_filterbank *f = r->filterbank;
    const bool squares = r->convention.power == 2;
    float *d_bands = r->d_bands;
    gather(r, d_gain, d_bands);
    memset(d_log, 0, (size_t)r->filterbank->bins * sizeof *d_log);
    for (int b = 0; b < f->bands; b++) {
        if (!(t->mel[b] > r->lowest && t->mel[b] < r->highest)) continue;
        const float d = -d_bands[b] / t->mel[b]; /* above the lowest, so above 0 */
        const float *weights = f->weights + f->offset[b];
        float *to = d_log + f->start[b];
        for (int i = 0; i < f->count[b]; i++) to[i] += weights[i] * d;
    }
    /* Of a square twice as much, of its root half of that. */
    for (int k = 0; k < r->bins; k++) {
        const float pulled = t->magnitude[k] * t->pull[k];
        d_log[k] *= squares ? pulled * pulled : pulled;
    }
}

/* Added to squares that something is divided by. */
#define NOTHING 1e-30f

/* From the gradient of what `correct` wrote to that of the segment it read, which is added, and of
 * the frame's guide, added to d_outputs. */
static void correct_back(gradient_refinement *r, int frame, const trace *t, const float *d_out,
                         float *d_segment, float *d_outputs) {
    const mel_kernels *kernels = r->stft->kernels;
    const mel_guide *g = &r->guides[frame];
    const int size = r->stft->grid.size, known = r->guided ? r->known : 0;
    float *to = r->stft->transform->spectrum, *real = r->stft->transform->real;
    float *d_log = r->scratch, *d_gain = r->d_gain, *pull = r->pull;
    kernels->product(r->stft->synthesis, d_out, real, size);
    mel_fft_forward(r->stft->transform);
    /* Each bin but the first stands for two, here and on the way back. */
    to[1] = 0;
    for (int k = 0; k < r->bins; k++) {
        const float re = t->spectrum[2 * k], im = t->spectrum[2 * k + 1];
        to[2 * k] *= t->gain[k];
        to[2 * k + 1] *= t->gain[k];
        d_gain[k] = 2 * (to[2 * k] * re + to[2 * k + 1] * im); /* of ln gain */
    }
    d_gain[0] *= 0.5f;
    mel_back(r, t, d_gain, d_log);
    /* −ln of what the guide multiplied by */
    kernels->log_ratio(r->zeros, t->pull, 0.01f, 100, pull, r->bins);
    for (int k = 0; k < known; k++) {
        const float m = t->magnitude[k], w = g->weight[k], d_pull = d_gain[k] + d_log[k];
        const float inside = fabsf(pull[k]) < 0.9999f * MEL_PULL_LIMIT ? d_pull : 0;
        d_outputs[k] += inside * w;
        d_outputs[r->said + k] -= inside * pull[k] * (1 - w);
        /* Half of what the square is multiplied by. */
        d_log[k] = d_log[k] / (m * m + NOTHING) - inside * w / (m * m + g->floor[k]);
    }
    for (int k = known; k < r->bins; k++) d_log[k] /= t->magnitude[k] * t->magnitude[k] + NOTHING;
    for (int k = 0; k < r->bins; k++) {
        const float half = k == 0 ? 1 : 0.5f;
        to[2 * k] += half * d_log[k] * t->spectrum[2 * k];
        to[2 * k + 1] += half * d_log[k] * t->spectrum[2 * k + 1];
    }
    for (int k = 2 * r->bins; k < 2 * r->stft->bins; k++) to[k] = 0;
    mel_fft_inverse(r->stft->transform);
    for (int i = 0; i < size; i++) d_segment[i] += r->stft->window[i] * real[i];
}

/* ---- turns --------------------------------------------------------------------------------- */

static float *of_frame(const gradient_refinement *r, float *frames, int f) {
    return frames + (size_t)f * (size_t)r->stft->grid.size;
}

static void add(float *to, const float *from, int n) {
    for (int i = 0; i < n; i++) to[i] += from[i];
}

/* The frame that has just come in has no iteration behind it. */
static float momentum_of(const gradient_refinement *r, int turn, int iteration, int frame) {
    return iteration == 0 && frame == turn ? 0 : (float)r->way.momentum;
}

static void iterate(gradient_refinement *r, int turn, int iteration) {
    const int oldest = oldest_of(r, turn), size = r->stft->grid.size, hop = r->stft->grid.hop;
    const int count = (int)extent_of(r, turn - oldest + 1);
    const float *inverse = inverse_at(r, turn);
    float *made = r->scratch + r->stft->grid.size;
    memcpy(r->region, r->committed + oldest * hop, (size_t)count * sizeof *r->region);
    for (int f = oldest; f <= turn; f++)
        add(r->region + (f - oldest) * hop, of_frame(r, r->signal, f), size);
    for (int i = 0; i < count; i++) r->region[i] *= inverse[i];
    for (int f = oldest; f <= turn; f++) {
        float *signal = of_frame(r, r->signal, f), *previous = of_frame(r, r->previous, f);
        const float momentum = momentum_of(r, turn, iteration, f);
        correct(r, f, r->region + (f - oldest) * hop, trace_at(r, turn, iteration, f - oldest),
                made);
        for (int i = 0; i < size; i++) {
            signal[i] = made[i] + momentum * (made[i] - previous[i]);
            previous[i] = made[i];
        }
    }
}

void gradient_refinement_forward(gradient_refinement *r, const gradient_refinement_way *way,
                                 int frames, const float *mel, const float *outputs,
                                 const float *open, float *samples) {
    const int size = r->stft->grid.size, hop = r->stft->grid.hop;
    const size_t extent = extent_of(r, frames);
    r->way = *way;
    r->frames = frames;
    r->guided = outputs != NULL;
    memset(r->committed, 0, extent * sizeof *r->committed);
    for (int f = 0; f < frames; f++) {
        const float *frame = mel + (size_t)f * r->stride;
        mel_envelope_wanted(r->envelope, frame, r->wanted + (size_t)f * r->stride);
        if (outputs)
            mel_guide_read(&r->guides[f], r->envelope, frame,
                           outputs + 2 * (size_t)f * (size_t)r->guides[f].bins, 1);
    }
    for (int turn = 0; turn < frames; turn++) {
        const size_t bytes = (size_t)size * sizeof(float);
        memcpy(of_frame(r, r->signal, turn), of_frame(r, (float *)open, turn), bytes);
        memset(of_frame(r, r->previous, turn), 0, bytes);
        weigh(r, turn);
        for (int i = 0; i < way->iterations; i++) iterate(r, turn, i);
        if (turn >= way->window) {
            const int f = turn - way->window;
            add(r->committed + f * hop, of_frame(r, r->previous, f), size);
        }
    }
    const size_t n = gradient_refinement_samples(r, frames, way->window);
    memset(r->region, 0, extent * sizeof *r->region);
    for (int f = 0; f < frames; f++) add(r->region + f * hop, r->stft->power, size);
    mel_overlap_invert(r->region, n);
    for (size_t i = 0; i < n; i++) samples[i] = r->committed[i] * r->region[i];
}

/* Multiplied by `keep`, and no longer than `longest`. */
static void tame(float *gradient, int n, double keep, double longest) {
    double square = 0;
    for (int i = 0; i < n; i++) square += (double)gradient[i] * (double)gradient[i];
    const double length = sqrt(square);
    const double scale = isfinite(length) ? (length > longest ? keep * longest / length : keep) : 0;
    if (scale == 0)
        memset(gradient, 0, (size_t)n * sizeof *gradient);
    else
        for (int i = 0; i < n; i++) gradient[i] *= (float)scale;
}

static void iterate_back(gradient_refinement *r, int turn, int iteration, float *outputs_gradient) {
    const int oldest = oldest_of(r, turn), size = r->stft->grid.size, hop = r->stft->grid.hop;
    const int count = (int)extent_of(r, turn - oldest + 1);
    const float *inverse = inverse_at(r, turn);
    float *d_made = r->scratch + r->stft->grid.size;
    memset(r->d_region, 0, (size_t)count * sizeof *r->d_region);
    for (int f = oldest; f <= turn; f++) {
        float *d_signal = of_frame(r, r->d_signal, f), *d_previous = of_frame(r, r->d_previous, f);
        const float momentum = momentum_of(r, turn, iteration, f);
        for (int i = 0; i < size; i++) {
            d_made[i] = (1 + momentum) * d_signal[i] + d_previous[i];
            d_previous[i] = -momentum * d_signal[i];
        }
        correct_back(r, f, trace_at(r, turn, iteration, f - oldest), d_made,
                     r->d_region + (f - oldest) * hop,
                     outputs_gradient + 2 * (size_t)f * (size_t)r->said);
    }
    for (int i = 0; i < count; i++) r->d_region[i] *= inverse[i];
    add(r->d_committed + oldest * hop, r->d_region, count);
    for (int f = oldest; f <= turn; f++)
        memcpy(of_frame(r, r->d_signal, f), r->d_region + (f - oldest) * hop,
               (size_t)size * sizeof(float));
}

void gradient_refinement_backward(gradient_refinement *r, const float *samples_gradient,
                                  double keep, double longest, float *outputs_gradient) {
    const int size = r->stft->grid.size, hop = r->stft->grid.hop, frames = r->frames;
    const int window = r->way.window;
    const size_t extent = extent_of(r, frames);
    const size_t n = gradient_refinement_samples(r, frames, window);
    memset(outputs_gradient, 0, 2 * (size_t)frames * (size_t)r->said * sizeof *outputs_gradient);
    memset(r->d_committed, 0, extent * sizeof *r->d_committed);
    memset(r->d_signal, 0, (size_t)(frames * size) * sizeof *r->d_signal);
    memset(r->d_previous, 0, (size_t)(frames * size) * sizeof *r->d_previous);
    memset(r->d_final, 0, extent * sizeof *r->d_final);
    /* r->region still holds the weights of the samples. */
    double square = 0;
    for (size_t i = 0; i < n; i++) {
        r->d_final[i] = samples_gradient[i] * r->region[i];
        square += (double)r->d_final[i] * (double)r->d_final[i];
    }
    const double limit = longest * sqrt(square);
    for (int turn = frames - 1; turn >= 0; turn--) {
        const int oldest = oldest_of(r, turn);
        if (turn >= window) {
            float *leaving = of_frame(r, r->d_previous, turn - window);
            add(leaving, r->d_committed + (turn - window) * hop, size);
            add(leaving, r->d_final + (turn - window) * hop, size);
        }
        for (int i = r->way.iterations - 1; i >= 0; i--) iterate_back(r, turn, i, outputs_gradient);
        /* What goes on to the turn before: frames that were open in it, and what had been
         * committed. */
        const int count = (turn - oldest) * size, behind = oldest * hop;
        tame(of_frame(r, r->d_signal, oldest), count, keep, limit);
        tame(of_frame(r, r->d_previous, oldest), count, keep, limit);
        tame(r->d_committed + behind, size, keep, limit);
    }
}
