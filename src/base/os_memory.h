/* Memory as the operating system gives it. */
#ifndef BASE_OS_MEMORY_H
#define BASE_OS_MEMORY_H

#include <stddef.h>

/* `size` bytes (a multiple of `alignment`, a power of two) that begin at a multiple of `alignment`;
 * NULL: there is none. */
void *os_memory_take(size_t alignment, size_t size);

/* Gives it back; NULL is allowed. */
void os_memory_give(void *memory);

/* Bytes of main memory that the process has now, and the most that it ever had; 0 where the system
 * does not say. */
void os_memory_used(double *now, double *most);

#endif
