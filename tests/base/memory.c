/* Allocations are zeroed, aligned, checked for overflow, and fail when told to. */
#include "temporary.h"

#include "base/memory.h"

static void zeroed_and_aligned(void **state) {
    (void)state;
    for (size_t n = 0; n < 300; n += 7) {
        unsigned char *memory = base_alloc(n, 3);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % 64, 0);
        for (size_t i = 0; i < 3 * n; i++) assert_int_equal(memory[i], 0);
        memset(memory, 0xa5, 3 * n);
        base_free(memory);
    }
    base_free(NULL);
}

static void overflow_is_refused(void **state) {
    (void)state;
    assert_null(base_alloc(SIZE_MAX, 2));
    assert_null(base_alloc(SIZE_MAX / 4 + 1, 4));
    assert_null(base_alloc(SIZE_MAX, 1));
    assert_null(base_alloc(PTRDIFF_MAX, 1));
}

static void fails_at_the_nth(void **state) {
    (void)state;
    base_memory_fail_at(3);
    void *first = base_alloc(1, 1), *second = base_alloc(1, 1);
    assert_non_null(first);
    assert_non_null(second);
    assert_null(base_alloc(1, 1));
    void *fourth = base_alloc(1, 1);
    assert_non_null(fourth);
    base_memory_fail_at(1);
    assert_null(base_strdup("text"));
    base_memory_fail_at(1);
    base_memory_fail_at(0);
    char *copy = base_strdup("text");
    assert_string_equal(copy, "text");
    base_free(first);
    base_free(second);
    base_free(fourth);
    base_free(copy);
}

static void grows_and_keeps(void **state) {
    (void)state;
    int *array = NULL;
    size_t capacity = 0;
    for (int i = 0; i < 1000; i++) {
        assert_true(base_grow((void **)&array, &capacity, (size_t)i + 1, sizeof *array));
        assert_true(capacity > (size_t)i);
        array[i] = i;
    }
    for (int i = 0; i < 1000; i++) assert_int_equal(array[i], i);
    size_t before = capacity;
    base_memory_fail_at(1);
    assert_false(base_grow((void **)&array, &capacity, capacity + 1, sizeof *array));
    base_memory_fail_at(0);
    assert_false(base_grow((void **)&array, &capacity, SIZE_MAX, sizeof *array));
    assert_int_equal(capacity, before);
    assert_int_equal(array[999], 999);
    base_free(array);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeroed_and_aligned),
        cmocka_unit_test(overflow_is_refused),
        cmocka_unit_test(fails_at_the_nth),
        cmocka_unit_test(grows_and_keeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
