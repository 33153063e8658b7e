/* STFT-domain filtering by a gain per frame: whole signals, and frame by frame. */
#include "mel/whiten.h"

#include "base/error.h"
#include "base/memory.h"
#include "mel/overlap.h"

#include <string.h>

struct mel_frame_filter {
    mel_stft *stft;
    float *spectrum; /* of the segment, before a gain */
};

lull_status mel_frame_filter_new(const mel_convention *convention, mel_frame_filter **filter,
                                 lull_error *error) {
    *filter = NULL;
    lull_status status = mel_convention_check(convention, error);
    if (status) return status;
    mel_frame_filter *f = base_alloc(1, sizeof *f);
    if (!f) return base_no_memory(error);
    const mel_stft_grid grid = mel_stft_grid_of(convention);
    status = mel_stft_new(&grid, MEL_STFT_FAST, &f->stft, error);
    if (!status) f->spectrum = base_alloc(2 * (size_t)f->stft->bins, sizeof *f->spectrum);
    if (!status && !f->spectrum) status = base_no_memory(error);
    if (status) {
        mel_frame_filter_free(f);
        return status;
    }
    *filter = f;
    return LULL_OK;
}

void mel_frame_filter_free(mel_frame_filter *filter) {
    if (!filter) return;
    mel_stft_free(filter->stft);
    base_free(filter->spectrum);
    base_free(filter);
}

const mel_stft *mel_frame_filter_stft(const mel_frame_filter *filter) {
    return filter->stft;
}

void mel_frame_filter_run(mel_frame_filter *filter, const float *gain, const float *segment,
                          float *synthesis) {
    const mel_stft *stft = filter->stft;
    mel_stft_analyse(filter->stft, segment);
    memcpy(filter->spectrum, stft->spectrum, 2 * (size_t)stft->bins * sizeof *filter->spectrum);
    mel_frame_filter_again(filter, gain, synthesis);
}

void mel_frame_filter_again(mel_frame_filter *filter, const float *gain, float *synthesis) {
    mel_stft *stft = filter->stft;
    memcpy(stft->spectrum, filter->spectrum, 2 * (size_t)stft->bins * sizeof *filter->spectrum);
    stft->kernels->apply_gain(stft->spectrum, gain, stft->bins);
    mel_stft_synthesise(stft, synthesis);
}

lull_status mel_filter_whole(const mel_convention *convention, double tilt_hz, const float *frames,
                             size_t n, const float *in, float *out, size_t count, bool colour,
                             lull_error *error) {
    mel_envelope *envelope = NULL;
    mel_frame_filter *filter = NULL;
    mel_overlap *overlap = NULL;
    float *gain = NULL, *segment = NULL;
    lull_status status = mel_envelope_new(convention, tilt_hz, &envelope, error);
    if (status) goto end;
    status = mel_frame_filter_new(convention, &filter, error);
    if (status) goto end;
    status = mel_overlap_new(filter->stft, count, &overlap, error);
    if (status) goto end;
    gain = base_alloc((size_t)mel_envelope_bins(envelope), sizeof(float));
    segment = base_alloc((size_t)convention->n_fft, sizeof(float));
    if (!gain || !segment) {
        status = base_no_memory(error);
        goto end;
    }
    for (size_t f = 0; f < n; f++) {
        const int64_t begin = mel_stft_begin(filter->stft, (int64_t)f);
        if (begin >= (int64_t)count) break;
        const float *frame = frames + f * (size_t)convention->bands;
        if (colour)
            mel_envelope_colouring_gain(envelope, frame, gain);
        else
            mel_envelope_whitening_gain(envelope, frame, gain);
        mel_stft_cut(filter->stft, in, count, begin, false, segment);
        mel_frame_filter_run(filter, gain, segment, segment);
        mel_overlap_add(overlap, begin, segment);
    }
    mel_overlap_read(overlap, 0, count, out);
end:
    base_free(gain);
    base_free(segment);
    mel_overlap_free(overlap);
    mel_frame_filter_free(filter);
    mel_envelope_free(envelope);
    return status;
}
