/* Fourier transforms of one size: see fft.h. */
#include "mel/fft.h"

#include "base/error.h"
#include "base/memory.h"
#include "mel/fftw.h"
#include "mel/stockham.h"

const char *mel_fft_backend(void) {
    return MEL_FFTW ? "fftw" : "plain";
}

static lull_status check(int size, lull_error *error) {
    if (size >= 2 && size % 2 == 0) return LULL_OK;
    return base_fail(error, LULL_INVALID, "transform of %d samples: the size must be even", size);
}

lull_status mel_fft_new(int size, mel_fft_kind kind, mel_fft **transform, lull_error *error) {
    *transform = NULL;
    lull_status status = check(size, error);
    if (status) return status;
    mel_fft *t = base_alloc(1, sizeof *t);
    if (!t) return base_no_memory(error);
    t->size = size;
    t->bins = size / 2 + 1;
    /* Room beyond the end lets vector loops run in whole vectors. */
    t->real = base_alloc((size_t)size + 16, sizeof(float));
    t->spectrum = base_alloc(2 * ((size_t)t->bins + 16), sizeof(float));
    if (!t->real || !t->spectrum)
        status = base_no_memory(error);
    else if (MEL_FFTW && kind == MEL_FFT_FAST)
        status = mel_fftw_plan_real(size, t->real, t->spectrum, &t->forward_plan, &t->inverse_plan,
                                    error);
    else
        status = mel_stockham_new(size, true, 0, &t->own, error);
    if (status) {
        mel_fft_free(t);
        return status;
    }
    *transform = t;
    return LULL_OK;
}

void mel_fft_free(mel_fft *transform) {
    if (!transform) return;
    mel_stockham_free(transform->own);
    mel_fftw_forget(transform->forward_plan);
    mel_fftw_forget(transform->inverse_plan);
    base_free(transform->real);
    base_free(transform->spectrum);
    base_free(transform);
}

void mel_fft_forward(mel_fft *transform) {
    if (transform->own)
        mel_stockham_forward(transform->own, transform->real, transform->spectrum);
    else
        mel_fftw_run(transform->forward_plan);
}

void mel_fft_inverse(mel_fft *transform) {
    if (transform->own)
        mel_stockham_inverse(transform->own, transform->spectrum, transform->real);
    else
        mel_fftw_run(transform->inverse_plan);
}

lull_status mel_fft_pair_new(int size, mel_fft_pair **transform, lull_error *error) {
    *transform = NULL;
    lull_status status = check(size, error);
    if (status) return status;
    mel_fft_pair *t = base_alloc(1, sizeof *t);
    if (!t) return base_no_memory(error);
    t->size = size;
    t->frames = base_alloc(2 * (size_t)size, sizeof(float));
    t->spectrum = base_alloc(2 * ((size_t)size + 8), sizeof(float));
    if (!t->frames || !t->spectrum)
        status = base_no_memory(error);
    else if (MEL_FFTW)
        status = mel_fftw_plan_complex(size, t->frames, t->spectrum, &t->forward_plan,
                                       &t->inverse_plan, error);
    else
        status = mel_stockham_new(size, false, 0, &t->own, error);
    if (status) {
        mel_fft_pair_free(t);
        return status;
    }
    *transform = t;
    return LULL_OK;
}

void mel_fft_pair_free(mel_fft_pair *transform) {
    if (!transform) return;
    mel_stockham_free(transform->own);
    mel_fftw_forget(transform->forward_plan);
    mel_fftw_forget(transform->inverse_plan);
    base_free(transform->frames);
    base_free(transform->spectrum);
    base_free(transform);
}

void mel_fft_pair_forward(mel_fft_pair *transform) {
    if (transform->own)
        mel_stockham_run(transform->own, true, transform->frames, transform->spectrum);
    else
        mel_fftw_run(transform->forward_plan);
}

void mel_fft_pair_inverse(mel_fft_pair *transform) {
    if (transform->own)
        mel_stockham_run(transform->own, false, transform->spectrum, transform->frames);
    else
        mel_fftw_run(transform->inverse_plan);
}
