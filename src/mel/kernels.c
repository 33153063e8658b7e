/* The inner loops of the mel code for each instruction set: see kernels.h. */
#include "mel/kernels.h"

#include "base/vectors.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define KERNELS mel_kernels
#define KERNELS_BODY "mel/kernels_body.h"
#include "base/kernel_sets.h"

const mel_kernels *mel_kernels_at(int i) {
    return kernels_at(i);
}

const mel_kernels *mel_kernels_get(void) {
    return kernels_get();
}
