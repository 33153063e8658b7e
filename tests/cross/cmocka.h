/* What the tests of the library use of cmocka, for systems that it is not packaged for: the first thing that does not hold
 * ends the program with 1. */
#ifndef TESTS_CROSS_CMOCKA_H
#define TESTS_CROSS_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
    int (*begin)(void **state), (*end)(void **state);
};

static jmp_buf cross_skipped;

#define fail_msg(...)                                                                              \
    (printf(__VA_ARGS__), printf(" (%s:%d)\n", __FILE__, __LINE__), fflush(stdout), exit(1))
#define fail() fail_msg("failed")
#define skip() longjmp(cross_skipped, 1)
#define print_message printf
#define assert_true(x) ((x) ? (void)0 : fail_msg("not so: %s", #x))
#define assert_false(x) assert_true(!(x))
#define assert_null(x) assert_true((x) == NULL)
#define assert_non_null(x) assert_true((x) != NULL)
#define assert_int_equal(a, b) assert_true((long long)(a) == (long long)(b))
#define assert_int_not_equal(a, b) assert_true((long long)(a) != (long long)(b))
#define assert_in_range(x, least, most) assert_true((x) >= (least) && (x) <= (most))
#define assert_ptr_equal(a, b) assert_true((const void *)(a) == (const void *)(b))
#define assert_string_equal(a, b) assert_true(strcmp((a), (b)) == 0)
#define assert_string_not_equal(a, b) assert_true(strcmp((a), (b)) != 0)
#define assert_memory_equal(a, b, n) assert_true(memcmp((a), (b), (n)) == 0)
#define assert_memory_not_equal(a, b, n) assert_true(memcmp((a), (b), (n)) != 0)
#define cmocka_unit_test(f)                                                                        \
    { #f, f, NULL, NULL }
#define cmocka_unit_test_setup_teardown(f, begin, end)                                             \
    { #f, f, begin, end }
#define cmocka_run_group_tests(tests, begin, end)                                                  \
    cross_run(tests, sizeof(tests) / sizeof *(tests), begin, end)

static inline void cross_run_one(const struct CMUnitTest *test, void **state) {
    if (setjmp(cross_skipped) == 0) test->run(state);
}

static inline int cross_run(const struct CMUnitTest *tests, size_t n, int (*begin)(void **),
                            int (*end)(void **)) {
    void *group = NULL;
    if (begin && begin(&group)) return 1;
    for (size_t i = 0; i < n; i++) {
        void *state = group;
        if (tests[i].begin && tests[i].begin(&state)) return 1;
        cross_run_one(&tests[i], &state);
        if (tests[i].end && tests[i].end(&state)) return 1;
        printf("[       OK ] %s\n", tests[i].name);
    }
    return end && end(&group) ? 1 : 0;
}

#endif
