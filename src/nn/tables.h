/* The tables of kernels that dispatch.c chooses from. Each is defined in the file of its name,
 * which is compiled with the flags of its instruction set: nothing that must run everywhere may be
 * in that file. */
#ifndef NN_TABLES_H
#define NN_TABLES_H

#include "nn/kernels.h"

extern const nn_kernels nn_reference;
extern const nn_kernels nn_portable;

/* Which of the others exist depends on the target: NN_X86, NN_NEON (meson.build). */
extern const nn_kernels nn_avx2;
extern const nn_kernels nn_avx512;
extern const nn_kernels nn_avx512bf16;
extern const nn_kernels nn_neon;

/* NN_AMX: tile products (amx.c) in a table that is otherwise nn_avx512bf16's. It is complete when
 * nn_amx_ready says so (amx_ready.c), which takes its time at the first call only. */
extern nn_kernels nn_amx;
bool nn_amx_ready(void);
void nn_amx_product_bf16(int rows, int n, int k, int taps, const bf16 *const *a, size_t lda,
                         const bf16 *packed, const float *bias, bool accumulate, float *c,
                         size_t ldc);
void nn_amx_outer_bf16(int rows, int m, int n, const bf16 *a, size_t lda, const bf16 *b, size_t ldb,
                       float *c, size_t ldc, void *scratch);
/* `count` tile instructions on registers, to measure their peak. */
void nn_amx_chains(int count);

#endif
