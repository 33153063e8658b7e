/* STFT-domain filtering by a gain per frame: whole signals, and frame by frame. */
#include "mel/whiten.h"

#include "base/error.h"
#include "base/memory.h"
#include "mel/fft.h"
#include "mel/kernels.h"
#include "mel/overlap.h"
#include "mel/window.h"

struct mel_frame_filter {
    const mel_kernels *kernels;
    fft *transform;
    float *window, *synthesis_window; /* the second divided by n_fft */
};

lull_status mel_frame_filter_new(const mel_convention *convention, mel_frame_filter **filter,
                                 lull_error *error) {
    *filter = NULL;
    lull_status status = mel_convention_check(convention, error);
    if (status) return status;
    mel_frame_filter *f = base_alloc(1, sizeof *f);
    if (!f) return base_no_memory(error);
    f->kernels = mel_kernels_get();
    status = fft_new(convention->n_fft, &f->transform, error);
    if (status) goto fail;
    const size_t size = (size_t)convention->n_fft;
    f->window = base_alloc(size, sizeof(float));
    f->synthesis_window = base_alloc(size, sizeof(float));
    if (!f->window || !f->synthesis_window) {
        status = base_no_memory(error);
        goto fail;
    }
    mel_window_fill(convention, f->window);
    for (size_t i = 0; i < size; i++) f->synthesis_window[i] = f->window[i] / (float)size;
    *filter = f;
    return LULL_OK;
fail:
    mel_frame_filter_free(f);
    return status;
}

void mel_frame_filter_free(mel_frame_filter *filter) {
    if (!filter) return;
    fft_free(filter->transform);
    base_free(filter->window);
    base_free(filter->synthesis_window);
    base_free(filter);
}

void mel_frame_filter_run(mel_frame_filter *filter, const float *gain, const float *segment,
                          float *synthesis) {
    fft *t = filter->transform;
    filter->kernels->product(segment, filter->window, t->real, t->size);
    fft_forward(t);
    filter->kernels->apply_gain(t->spectrum, gain, t->bins);
    fft_inverse(t);
    filter->kernels->product(t->real, filter->synthesis_window, synthesis, t->size);
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
    status = mel_overlap_new(convention, count, &overlap, error);
    if (status) goto end;
    gain = base_alloc((size_t)mel_envelope_bins(envelope), sizeof(float));
    segment = base_alloc((size_t)convention->n_fft, sizeof(float));
    if (!gain || !segment) {
        status = base_no_memory(error);
        goto end;
    }
    for (size_t f = 0; f < n && mel_overlap_reaches(overlap, f); f++) {
        const float *frame = frames + f * (size_t)convention->bands;
        if (colour)
            mel_envelope_colouring_gain(envelope, frame, gain);
        else
            mel_envelope_whitening_gain(envelope, frame, gain);
        mel_overlap_segment(overlap, in, f, segment);
        mel_frame_filter_run(filter, gain, segment, segment);
        mel_overlap_add(overlap, f, segment);
    }
    mel_overlap_take(overlap, out);
end:
    base_free(gain);
    base_free(segment);
    mel_overlap_free(overlap);
    mel_frame_filter_free(filter);
    mel_envelope_free(envelope);
    return status;
}
