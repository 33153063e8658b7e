/* One mel frame of the samples that lie under its window. */
#include "mel/analysis.h"

#include "base/error.h"
#include "base/memory.h"
#include "mel/compression.h"
#include "mel/filterbank.h"

struct mel_analysis {
    mel_convention convention;
    mel_filterbank *filterbank;
    mel_stft *stft;
    float *magnitude, *linear;
};

lull_status mel_analysis_new(const mel_convention *convention, mel_analysis **analysis,
                             lull_error *error) {
    *analysis = NULL;
    lull_status status = mel_convention_check(convention, error);
    if (status) return status;
    mel_analysis *a = base_alloc(1, sizeof *a);
    if (!a) return base_no_memory(error);
    a->convention = *convention;
    const mel_stft_grid grid = mel_stft_grid_of(convention);
    status = mel_filterbank_new(convention, &a->filterbank, error);
    if (!status) status = mel_stft_new(&grid, MEL_STFT_EXACT, &a->stft, error);
    if (status) goto fail;
    a->magnitude = base_alloc((size_t)a->stft->bins, sizeof(float));
    a->linear = base_alloc((size_t)convention->bands, sizeof(float));
    if (!a->magnitude || !a->linear) {
        status = base_no_memory(error);
        goto fail;
    }
    *analysis = a;
    return LULL_OK;
fail:
    mel_analysis_free(a);
    return status;
}

void mel_analysis_free(mel_analysis *analysis) {
    if (!analysis) return;
    mel_filterbank_free(analysis->filterbank);
    mel_stft_free(analysis->stft);
    base_free(analysis->magnitude);
    base_free(analysis->linear);
    base_free(analysis);
}

const mel_stft *mel_analysis_stft(const mel_analysis *analysis) {
    return analysis->stft;
}

void mel_analysis_frame(mel_analysis *analysis, const float *segment, float *frame) {
    mel_stft *stft = analysis->stft;
    mel_stft_analyse(stft, segment);
    stft->kernels->magnitude(stft->spectrum, (float)analysis->convention.magnitude_epsilon,
                             analysis->magnitude, stft->bins);
    mel_filterbank_raise(&analysis->convention, analysis->magnitude, stft->bins);
    stft->kernels->tiles(&analysis->filterbank->filters, analysis->magnitude, analysis->linear,
                         analysis->filterbank->bands);
    mel_compress(&analysis->convention, analysis->linear, frame);
}
