/* The tables of kernels that dispatch.c chooses from. Each is defined in the file of its name,
 * which is compiled with the flags of its instruction set: nothing that must run everywhere may be
 * in that file. */
#ifndef NN_TABLES_H
#define NN_TABLES_H

#include "nn/kernels.h"

extern const nn_kernels nn_reference;
extern const nn_kernels nn_blas;

/* Which of the others exist depends on the target: NN_X86, NN_NEON (meson.build). */
extern const nn_kernels nn_avx2;
extern const nn_kernels nn_avx512;
extern const nn_kernels nn_avx512bf16;
extern const nn_kernels nn_neon;

#endif
