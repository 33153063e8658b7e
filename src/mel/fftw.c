/* FFTW, where the build has it: see fftw.h. */
#include "mel/fftw.h"

#include "base/error.h"
#include "base/memory.h"

#include <fftw3.h>
#include <pthread.h>

/* FFTW's planner keeps tables that the whole process shares; everything but running a plan goes
 * through this lock. FFTW's own, where its library of threads is there, keeps out others of the
 * process that plan, too. */
static pthread_mutex_t planner_lock = PTHREAD_MUTEX_INITIALIZER;

/* FFTW ends the process when an allocation of its own fails. So as much as it may want is asked for
 * and given back before. All that it allocates for a pair of plans, what it frees again included,
 * was measured to be 3.4 MB at most for sizes to 16384 (3.3.10). */
enum { ROOM = 4 << 20 };

static lull_status enter(lull_error *error) {
    if (!base_memory_there(ROOM)) return base_no_memory(error);
    pthread_mutex_lock(&planner_lock);
#if MEL_FFTW_THREADS
    static bool asked;
    if (!asked) fftwf_make_planner_thread_safe();
    asked = true;
#endif
    return LULL_OK;
}

static lull_status leave(void **forward, void **inverse, lull_error *error) {
    pthread_mutex_unlock(&planner_lock);
    if (*forward && *inverse) return LULL_OK;
    mel_fftw_forget(*forward);
    mel_fftw_forget(*inverse);
    *forward = *inverse = NULL;
    return base_no_memory(error);
}

lull_status mel_fftw_plan_real(int size, float *real, float *spectrum, void **forward,
                               void **inverse, lull_error *error) {
    const lull_status status = enter(error);
    if (status) return status;
    fftwf_complex *pairs = (fftwf_complex *)spectrum;
    *forward = fftwf_plan_dft_r2c_1d(size, real, pairs, FFTW_ESTIMATE | FFTW_PRESERVE_INPUT);
    *inverse = fftwf_plan_dft_c2r_1d(size, pairs, real, FFTW_ESTIMATE | FFTW_DESTROY_INPUT);
    return leave(forward, inverse, error);
}

lull_status mel_fftw_plan_complex(int size, float *frames, float *spectrum, void **forward,
                                  void **inverse, lull_error *error) {
    const lull_status status = enter(error);
    if (status) return status;
    fftwf_complex *from = (fftwf_complex *)frames, *to = (fftwf_complex *)spectrum;
    *forward = fftwf_plan_dft_1d(size, from, to, FFTW_FORWARD, FFTW_ESTIMATE);
    *inverse = fftwf_plan_dft_1d(size, to, from, FFTW_BACKWARD, FFTW_ESTIMATE);
    return leave(forward, inverse, error);
}

void mel_fftw_run(void *plan) {
    fftwf_execute(plan);
}

void mel_fftw_forget(void *plan) {
    if (!plan) return;
    pthread_mutex_lock(&planner_lock);
    fftwf_destroy_plan(plan);
    pthread_mutex_unlock(&planner_lock);
}
