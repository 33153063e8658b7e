/* Memory: Windows. */
#include "base/os_memory.h"

#include <malloc.h>

void *os_memory_take(size_t alignment, size_t size) {
    return _aligned_malloc(size, alignment);
}

void os_memory_give(void *memory) {
    _aligned_free(memory);
}

void os_memory_used(double *now, double *most) {
    *now = *most = 0;
}
