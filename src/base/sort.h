/* Sorting indices by what they stand for, and what qsort is given. */
#ifndef BASE_SORT_H
#define BASE_SORT_H

#include <stddef.h>

/* Sorts the n indices so that compare (below 0: a comes first; 0: either; above 0: b) never finds a
 * pair in wrong order. Nothing is allocated and the time is n·log n, whatever the order was. */
void base_sort_indices(size_t *indices, size_t n,
                       int (*compare)(size_t a, size_t b, const void *context),
                       const void *context);

/* For qsort of doubles that are all finite: the smallest comes first. */
int base_compare_doubles(const void *a, const void *b);

#endif
