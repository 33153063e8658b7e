/* Sorting indices by what they stand for: a heap (Williams 1964). qsort has no context to give to
 * its comparison, and each system another qsort_r. */
#include "base/sort.h"

typedef int comparison(size_t a, size_t b, const void *context);

/* Lets indices[at] sink to its place in the heap of n, in which nobody comes after their parent. */
static void sink(size_t *indices, size_t at, size_t n, comparison *compare, const void *context) {
    size_t moved = indices[at];
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && compare(indices[child], indices[child + 1], context) < 0) child++;
        if (compare(moved, indices[child], context) >= 0) break;
        indices[at] = indices[child];
    }
    indices[at] = moved;
}

void base_sort_indices(size_t *indices, size_t n, comparison *compare, const void *context) {
    for (size_t at = n / 2; at-- > 0;) sink(indices, at, n, compare, context);
    for (size_t end = n; end > 1;) {
        size_t last = indices[0];
        indices[0] = indices[--end];
        indices[end] = last;
        sink(indices, 0, end, compare, context);
    }
}

int base_compare_doubles(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
