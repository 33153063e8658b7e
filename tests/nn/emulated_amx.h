/* A table whose bfloat16 products are amx.c's, with the tile instructions emulated. */
#ifndef EMULATED_AMX_H
#define EMULATED_AMX_H

#include "nn/kernels.h"

/* Everything else in it is plain C, and the packing that of the AVX-512 tables. */
const nn_kernels *emulated_amx(void);

#endif
