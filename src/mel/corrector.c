/* One iteration of a frame: see corrector.h. */
#include "mel/corrector.h"

#include "base/error.h"
#include "base/memory.h"

void mel_corrector_clear(mel_corrector *c) {
    mel_envelope_free(c->envelope);
    mel_stft_free(c->stft);
    for (int i = 0; i < 2; i++) {
        base_free(c->magnitude[i]);
        base_free(c->gain[i]);
        base_free(c->pull[i]);
    }
}

mel_stft_grid mel_corrector_grid(const mel_convention *convention, int decimation) {
    mel_stft_grid grid = mel_stft_grid_of(convention);
    grid.size /= decimation;
    grid.window /= decimation;
    grid.hop /= decimation;
    grid.lead /= decimation;
    return grid;
}

lull_status mel_corrector_init(mel_corrector *c, const mel_convention *convention, int decimation,
                               lull_error *error) {
    *c = (mel_corrector){0};
    /* Under the root stands the square of a transform of fewer samples. */
    c->epsilon = (float)(convention->magnitude_epsilon / decimation / decimation);
    lull_status status = decimation > 1
                             ? mel_envelope_new_low(convention, decimation, &c->envelope, error)
                             : mel_envelope_new(convention, 0, &c->envelope, error);
    if (status) return status;
    const mel_stft_grid grid = mel_corrector_grid(convention, decimation);
    status = mel_stft_new(&grid, MEL_STFT_PAIRS, &c->stft, error);
    if (status) return status;
    const size_t bins = (size_t)c->stft->bins;
    for (int i = 0; i < 2; i++) {
        c->magnitude[i] = base_alloc(bins, sizeof(float));
        c->gain[i] = base_alloc(bins, sizeof(float));
        c->pull[i] = base_alloc(bins, sizeof(float));
        if (!c->magnitude[i] || !c->gain[i] || !c->pull[i]) return base_no_memory(error);
    }
    return LULL_OK;
}

void mel_corrector_run(mel_corrector *c, const float *const wanted[2],
                       const mel_guide *const guide[2], const float *const segment[2]) {
    mel_stft *stft = c->stft;
    const int size = stft->grid.size, reach = mel_envelope_reach(c->envelope);
    float *spectrum = stft->pair->spectrum;
    mel_stft_analyse_pair(stft, segment[0], segment[1]);
    stft->kernels->pair_magnitude(spectrum, c->epsilon, c->magnitude[0], c->magnitude[1], size,
                                  reach);
    for (int i = 0; i < 2; i++) {
        const mel_guide *g = guide[i];
        const int known = !g ? 0 : g->count < reach ? g->count : reach;
        if (g)
            stft->kernels->pull(g->target, g->weight, g->floor, c->magnitude[i], c->pull[i], known);
        mel_envelope_correction(c->envelope, wanted[i], c->magnitude[i], c->gain[i]);
        stft->kernels->scale(c->pull[i], c->gain[i], known);
    }
    stft->kernels->pair_gain(spectrum, c->gain[0], c->gain[1], size, reach);
    mel_stft_invert_pair(stft);
}
