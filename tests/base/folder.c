/* The names in a folder: all of them, sorted, whatever they are made of; and no folder. */
#include "temporary.h"

#include "base/folder.h"
#include "base/memory.h"
#include "base/os_file.h"

static void names_are_sorted(void **state) {
    (void)state;
    static const char *const names[] = {"b", ".hidden", "a b", "B", "\xc3\xa9t\xc3\xa9", "a"};
    static const char *const sorted[] = {".hidden", "B", "a", "a b", "b", "\xc3\xa9t\xc3\xa9"};
    base_folder folder;
    lull_error error = {LULL_OK, ""};
    assert_int_equal(base_folder_list(temporary_folder, &folder, &error), LULL_OK);
    assert_int_equal(folder.count, 0);
    base_folder_free(&folder);
    for (size_t i = 0; i < 6; i++) {
        int descriptor = os_open_new(temporary_path(names[i]));
        assert_true(descriptor >= 0);
        os_close(descriptor);
    }
    assert_int_equal(base_folder_list(temporary_folder, &folder, &error), LULL_OK);
#ifdef _WIN32 /* where b and B are one file */
    assert_int_equal(folder.count, 5);
    (void)sorted;
#else
    assert_int_equal(folder.count, 6);
    for (size_t i = 0; i < 6; i++) assert_string_equal(folder.names[i], sorted[i]);
#endif
    base_folder_free(&folder);
    assert_int_equal(folder.count, 0);
    /* Every allocation may fail, and then nothing is lost. */
    for (size_t n = 1; n < 9; n++) {
        base_memory_fail_at(n);
        lull_status status = base_folder_list(temporary_folder, &folder, &error);
        base_memory_fail_at(0);
        assert_true(status == LULL_OK || status == LULL_NO_MEMORY);
        if (n == 1) assert_int_equal(status, LULL_NO_MEMORY);
        base_folder_free(&folder);
    }
}

static void what_is_no_folder(void **state) {
    (void)state;
    base_folder folder;
    lull_error error = {LULL_OK, ""};
    assert_int_equal(base_folder_list(temporary_path("none"), &folder, &error), LULL_IO);
    assert_contains(error.message, "none: cannot be listed: ");
    base_folder_free(&folder);
    file_put(temporary_path("file"), "x", 1);
    assert_int_equal(base_folder_list(temporary_path("file"), &folder, NULL), LULL_IO);
    base_folder_free(&folder);
}

static void links_are_told_apart(void **state) {
    (void)state;
    file_put(temporary_path("real"), "x", 1);
    assert_false(os_is_link(temporary_path("real")));
    assert_false(os_is_link(temporary_path("nothing")));
    assert_false(os_is_link(temporary_folder));
#ifndef _WIN32
    assert_int_equal(symlink("nowhere", temporary_path("dangling")), 0);
    assert_int_equal(symlink(temporary_folder, temporary_path("folder")), 0);
    assert_true(os_is_link(temporary_path("dangling")));
    assert_true(os_is_link(temporary_path("folder")));
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_are_sorted, temporary_begin, temporary_end),
        cmocka_unit_test_setup_teardown(what_is_no_folder, temporary_begin, temporary_end),
        cmocka_unit_test_setup_teardown(links_are_told_apart, temporary_begin, temporary_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
