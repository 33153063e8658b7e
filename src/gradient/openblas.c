/* OpenBLAS, opened when something multiplies with it. */
#include "gradient/openblas.h"

#include "base/error.h"
#include "base/os_library.h"

#include <pthread.h>

/* As in <cblas.h>. */
enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111, TRANSPOSE = 112 };
typedef void sgemm_function(int order, int transpose_a, int transpose_b, int m, int n, int k,
                            float alpha, const float *a, int lda, const float *b, int ldb,
                            float beta, float *c, int ldc);
typedef void threads_function(int threads);

static const char *const names[] = {"libopenblas.so.0", "libopenblas.so", "libopenblas.0.dylib",
                                    "libopenblas.dylib", "libopenblas.dll"};
static sgemm_function *sgemm;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void look(void) {
    /* Threads are the caller's business. Said twice: before, so that none is started; after, for a
     * library that something else has opened already. */
    os_library_tell("OPENBLAS_NUM_THREADS", "1");
    os_library *library = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && !library; i++)
        library = os_library_open(names[i]);
    if (!library) return;
    /* POSIX lets a function's address travel as void *; C has no word for it but this. */
    threads_function *set_threads;
    *(void **)&set_threads = os_library_symbol(library, "openblas_set_num_threads");
    *(void **)&sgemm = os_library_symbol(library, "cblas_sgemm");
    if (set_threads) set_threads(1);
}

lull_status gradient_openblas_open(lull_error *error) {
    pthread_once(&once, look);
    if (sgemm) return LULL_OK;
    return base_fail(error, LULL_UNSUPPORTED,
                     "OpenBLAS cannot be loaded (libopenblas.so.0): install the package "
                     "libopenblas0 (Debian)");
}

void gradient_openblas_product(bool transpose_a, bool transpose_b, int m, int n, int k, float alpha,
                               const float *a, int lda, const float *b, int ldb, float beta,
                               float *c, int ldc) {
    sgemm(ROW_MAJOR, transpose_a ? TRANSPOSE : NO_TRANSPOSE, transpose_b ? TRANSPOSE : NO_TRANSPOSE,
          m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
