/* The short-time Fourier transform: see stft.h. */
#include "mel/stft.h"

#include "base/error.h"
#include "base/memory.h"
#include "mel/window.h"

#include <string.h>

mel_stft_grid mel_stft_grid_of(const mel_convention *convention) {
    return (mel_stft_grid){.size = convention->n_fft,
                           .window = convention->window,
                           .hop = convention->hop,
                           .lead = mel_window_lead(convention)};
}

static lull_status transforms_new(mel_stft *s, mel_stft_kind kind, lull_error *error) {
    const int size = s->grid.size;
    if (kind == MEL_STFT_PAIRS) return mel_fft_pair_new(size, &s->pair, error);
    const mel_fft_kind bits = kind == MEL_STFT_EXACT ? MEL_FFT_EXACT : MEL_FFT_FAST;
    const lull_status status = mel_fft_new(size, bits, &s->transform, error);
    if (!status) s->spectrum = s->transform->spectrum;
    return status;
}

lull_status mel_stft_new(const mel_stft_grid *grid, mel_stft_kind kind, mel_stft **stft,
                         lull_error *error) {
    *stft = NULL;
    mel_stft *s = base_alloc(1, sizeof *s);
    if (!s) return base_no_memory(error);
    s->grid = *grid;
    s->bins = grid->size / 2 + 1;
    s->kernels = mel_kernels_get();
    lull_status status = transforms_new(s, kind, error);
    if (status) goto fail;
    const size_t size = (size_t)grid->size;
    s->window = base_alloc(size, sizeof(float));
    s->synthesis = base_alloc(size, sizeof(float));
    s->power = base_alloc(size, sizeof(float));
    if (!s->window || !s->synthesis || !s->power) {
        status = base_no_memory(error);
        goto fail;
    }
    mel_window_hann(grid->window, s->window + (grid->size - grid->window) / 2);
    for (size_t i = 0; i < size; i++) s->synthesis[i] = s->window[i] / (float)size;
    s->kernels->product(s->window, s->window, s->power, grid->size);
    *stft = s;
    return LULL_OK;
fail:
    mel_stft_free(s);
    return status;
}

void mel_stft_free(mel_stft *stft) {
    if (!stft) return;
    mel_fft_free(stft->transform);
    mel_fft_pair_free(stft->pair);
    base_free(stft->window);
    base_free(stft->synthesis);
    base_free(stft->power);
    base_free(stft);
}

int64_t mel_stft_begin(const mel_stft *stft, int64_t f) {
    return f * stft->grid.hop - stft->grid.lead;
}

size_t mel_stft_frames(const mel_stft *stft, size_t count) {
    const size_t size = (size_t)stft->grid.size, extended = count + 2 * (size_t)stft->grid.lead;
    return count == 0 || extended < size ? 0 : (extended - size) / (size_t)stft->grid.hop + 1;
}

size_t mel_stft_mirrored(int64_t index, size_t count) {
    if (count == 1) return 0;
    const int64_t period = 2 * ((int64_t)count - 1);
    int64_t i = index % period;
    if (i < 0) i += period;
    return (size_t)(i < (int64_t)count ? i : period - i);
}

void mel_stft_cut(const mel_stft *stft, const float *signal, size_t count, int64_t begin,
                  bool mirror, float *segment) {
    const int64_t size = stft->grid.size, end = (int64_t)count;
    int64_t from = begin < 0 ? -begin : 0, to = end - begin;
    if (from > size) from = size;
    if (to > size) to = size;
    if (to < from) to = from;
    if (to > from)
        memcpy(segment + from, signal + begin + from, (size_t)(to - from) * sizeof *segment);
    mirror = mirror && count > 0;
    for (int64_t i = 0; i < from; i++)
        segment[i] = mirror ? signal[mel_stft_mirrored(begin + i, count)] : 0;
    for (int64_t i = to; i < size; i++)
        segment[i] = mirror ? signal[mel_stft_mirrored(begin + i, count)] : 0;
}

void mel_stft_analyse(mel_stft *stft, const float *segment) {
    mel_fft *t = stft->transform;
    stft->kernels->product(segment, stft->window, t->real, t->size);
    mel_fft_forward(t);
}

void mel_stft_synthesise(mel_stft *stft, float *synthesis) {
    mel_fft *t = stft->transform;
    mel_fft_inverse(t);
    stft->kernels->product(t->real, stft->synthesis, synthesis, t->size);
}

void mel_stft_analyse_pair(mel_stft *stft, const float *first, const float *second) {
    mel_fft_pair *t = stft->pair;
    stft->kernels->pair_window(stft->window, first, second, t->frames, t->size);
    mel_fft_pair_forward(t);
}

void mel_stft_invert_pair(mel_stft *stft) {
    mel_fft_pair_inverse(stft->pair);
}
