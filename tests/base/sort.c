/* Indices end in the order of what they stand for, for every length and many orders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/sort.h"

enum { MOST = 200 };

static int by_value(size_t a, size_t b, const void *context) {
    const int *values = context;
    return (values[a] > values[b]) - (values[a] < values[b]);
}

static void sorts(void **state) {
    (void)state;
    unsigned random = 1;
    for (size_t n = 0; n <= MOST; n++)
        for (int range = 1; range <= 1000; range *= 10) { /* 1: all equal */
            int values[MOST + 1] = {0}, seen[MOST + 1] = {0};
            size_t indices[MOST + 1];
            for (size_t i = 0; i < n; i++) {
                random = random * 1664525u + 1013904223u;
                values[i] = (int)((random >> 8) % (unsigned)range);
                indices[i] = i;
            }
            base_sort_indices(indices, n, by_value, values);
            for (size_t i = 0; i < n; i++) {
                assert_true(indices[i] < n && !seen[indices[i]]++);
                if (i > 0) assert_true(values[indices[i - 1]] <= values[indices[i]]);
            }
        }
}

static void sorts_doubles(void **state) {
    (void)state;
    double values[] = {3, -0.5, 1e300, 3, 0, -1e300}, in_order[] = {-1e300, -0.5, 0, 3, 3, 1e300};
    qsort(values, 6, sizeof *values, base_compare_doubles);
    assert_memory_equal(values, in_order, sizeof values);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sorts), cmocka_unit_test(sorts_doubles)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
