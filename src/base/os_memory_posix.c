/* Memory: POSIX systems. */
#include "base/os_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *os_memory_take(size_t alignment, size_t size) {
    return aligned_alloc(alignment, size);
}

void os_memory_give(void *memory) {
    free(memory);
}

/* Linux says it in a file (proc(5)). */
void os_memory_used(double *now, double *most) {
    char line[256];
    *now = *most = 0;
    FILE *file = fopen("/proc/self/status", "r");
    if (!file) return;
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, "VmRSS:", 6) == 0) *now = strtod(line + 6, NULL) * 1024;
        if (strncmp(line, "VmHWM:", 6) == 0) *most = strtod(line + 6, NULL) * 1024;
    }
    fclose(file);
}
