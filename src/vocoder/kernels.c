/* The inner loops of the pitch source and of the crossover for each instruction set: see kernels.h. */
#include "vocoder/kernels.h"

#include "base/circle.h"

#include <math.h>
#include <string.h>

#define KERNELS vocoder_kernels
#define KERNELS_BODY "vocoder/kernels_body.h"
#include "base/kernel_sets.h"

const vocoder_kernels *vocoder_kernels_at(int i) {
    return kernels_at(i);
}

const vocoder_kernels *vocoder_kernels_get(void) {
    return kernels_get();
}
