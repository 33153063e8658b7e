/* A table's bfloat16 products tried on the machine at hand, before they are trusted. */
#ifndef NN_SELF_CHECK_H
#define NN_SELF_CHECK_H

#include "nn/kernels.h"

/* Whether a product, whole and cut, and a weight's gradient, of odd sizes and numbers that have
 * exact sums, are the twins'. */
bool nn_self_check(const nn_kernels *table);

#endif
