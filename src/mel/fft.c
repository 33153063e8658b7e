/* Real Fourier transforms of one size: FFTW plans on buffers of their own. */
#include "mel/fft.h"

#include "base/error.h"
#include "base/memory.h"

#include <fftw3.h>
#include <pthread.h>

/* FFTW's planner keeps tables that are shared by the whole process; everything but executing a plan
 * goes through this lock. */
static pthread_mutex_t planner_lock = PTHREAD_MUTEX_INITIALIZER;

lull_status fft_new(int size, fft **transform, lull_error *error) {
    *transform = NULL;
    if (size < 2 || size % 2 != 0)
        return base_fail(error, LULL_INVALID, "transform of %d samples: the size must be even",
                         size);
    fft *t = base_alloc(1, sizeof *t);
    if (!t) return base_no_memory(error);
    t->size = size;
    t->bins = size / 2 + 1;
    /* Room beyond the end lets vector loops run in whole vectors. */
    t->real = base_alloc((size_t)size + 16, sizeof(float));
    t->spectrum = base_alloc(2 * ((size_t)t->bins + 16), sizeof(float));
    if (!t->real || !t->spectrum) goto fail;
    pthread_mutex_lock(&planner_lock);
    fftwf_complex *spectrum = (fftwf_complex *)t->spectrum;
    t->forward_plan =
        fftwf_plan_dft_r2c_1d(size, t->real, spectrum, FFTW_ESTIMATE | FFTW_PRESERVE_INPUT);
    t->inverse_plan =
        fftwf_plan_dft_c2r_1d(size, spectrum, t->real, FFTW_ESTIMATE | FFTW_DESTROY_INPUT);
    pthread_mutex_unlock(&planner_lock);
    if (!t->forward_plan || !t->inverse_plan) goto fail;
    *transform = t;
    return LULL_OK;
fail:
    fft_free(t);
    return base_no_memory(error);
}

void fft_free(fft *transform) {
    if (!transform) return;
    pthread_mutex_lock(&planner_lock);
    if (transform->forward_plan) fftwf_destroy_plan(transform->forward_plan);
    if (transform->inverse_plan) fftwf_destroy_plan(transform->inverse_plan);
    pthread_mutex_unlock(&planner_lock);
    base_free(transform->real);
    base_free(transform->spectrum);
    base_free(transform);
}

void fft_forward(fft *transform) {
    fftwf_execute(transform->forward_plan);
}

void fft_inverse(fft *transform) {
    fftwf_execute(transform->inverse_plan);
}

lull_status fft_pair_new(int size, fft_pair **transform, lull_error *error) {
    *transform = NULL;
    if (size < 2 || size % 2 != 0)
        return base_fail(error, LULL_INVALID, "transform of %d samples: the size must be even",
                         size);
    fft_pair *t = base_alloc(1, sizeof *t);
    if (!t) return base_no_memory(error);
    t->size = size;
    t->frames = base_alloc(2 * (size_t)size, sizeof(float));
    t->spectrum = base_alloc(2 * ((size_t)size + 8), sizeof(float));
    if (!t->frames || !t->spectrum) goto fail;
    fftwf_complex *frames = (fftwf_complex *)t->frames, *spectrum = (fftwf_complex *)t->spectrum;
    pthread_mutex_lock(&planner_lock);
    t->forward_plan = fftwf_plan_dft_1d(size, frames, spectrum, FFTW_FORWARD, FFTW_ESTIMATE);
    t->inverse_plan = fftwf_plan_dft_1d(size, spectrum, frames, FFTW_BACKWARD, FFTW_ESTIMATE);
    pthread_mutex_unlock(&planner_lock);
    if (!t->forward_plan || !t->inverse_plan) goto fail;
    *transform = t;
    return LULL_OK;
fail:
    fft_pair_free(t);
    return base_no_memory(error);
}

void fft_pair_free(fft_pair *transform) {
    if (!transform) return;
    pthread_mutex_lock(&planner_lock);
    if (transform->forward_plan) fftwf_destroy_plan(transform->forward_plan);
    if (transform->inverse_plan) fftwf_destroy_plan(transform->inverse_plan);
    pthread_mutex_unlock(&planner_lock);
    base_free(transform->frames);
    base_free(transform->spectrum);
    base_free(transform);
}

void fft_pair_forward(fft_pair *transform) {
    fftwf_execute(transform->forward_plan);
}

void fft_pair_inverse(fft_pair *transform) {
    fftwf_execute(transform->inverse_plan);
}
