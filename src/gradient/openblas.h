/* OpenBLAS, opened when something multiplies with it: it starts threads and takes memory as soon as
 * it is loaded, which a program that trains nothing need not pay for. */
#ifndef GRADIENT_OPENBLAS_H
#define GRADIENT_OPENBLAS_H

#include "lull.h"

/* Opens it, once; any thread. LULL_UNSUPPORTED where there is none: the message names the package.
 */
lull_status gradient_openblas_open(lull_error *error);

/* c = alpha·op(a)·op(b) + beta·c, row-major float32, on the calling thread: op(a) is m × k, op(b) k
 * × n, c m × n; op transposes where a flag says so. lda, ldb, ldc: floats from row to row as
 * stored. gradient_openblas_open must have succeeded. */
void gradient_openblas_product(bool transpose_a, bool transpose_b, int m, int n, int k, float alpha,
                               const float *a, int lda, const float *b, int ldb, float beta,
                               float *c, int ldc);

#endif
