/* JSON from strangers: one value, where it is wrong, and whole numbers that are whole. */
#include "../base/temporary.h"

#include "base/memory.h"
#include "io/json.h"

static lull_error error;

static void parses_one_value(void **state) {
    (void)state;
    const char *text = " {\"a\": [1, 2.5, -1, 1e300, 9007199254740992, \"]}[{\\\"\"]} \n";
    yyjson_doc *tree;
    assert_int_equal(json_parse(text, strlen(text), "it", &tree, &error), LULL_OK);
    yyjson_val *a = yyjson_obj_get(yyjson_doc_get_root(tree), "a");
    assert_int_equal(yyjson_arr_size(a), 6);
    const bool whole[6] = {true, false, false, false, true, false};
    for (size_t i = 0; i < 6; i++) {
        size_t value = 7;
        assert_int_equal(json_size(yyjson_arr_get(a, i), &value), whole[i]);
        if (i == 0) assert_int_equal(value, 1);
        if (i == 4) assert_true(value == (size_t)9007199254740992u);
    }
    size_t value;
    assert_false(json_size(NULL, &value));
    yyjson_doc_free(tree);
}

static void refuses_the_rest(void **state) {
    (void)state;
    const char *wrong[][2] = {
        {"", "empty"},           {" ", ":1:1: "},
        {"{", ":1:2: "},         {"{}}", ":1:3: "},
        {"{} x", ":1:4: "},      {"[1,]", ":1:3: "},
        {"\"open", ":1:6: "},    {"nul", ":1:4: "},
        {"{\"a\" 1}", ":1:6: "}, {"{\n \"a\":\n  x}", ":3:3: "},
        {"[1e999]", ":1:2: "},   {"[01]", ":1:2: "},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        yyjson_doc *tree = (yyjson_doc *)1;
        assert_int_equal(json_parse(wrong[i][0], strlen(wrong[i][0]), "it.json", &tree, &error),
                         LULL_FORMAT);
        assert_null(tree);
        assert_contains(error.message, "it.json");
        assert_contains(error.message, wrong[i][1]);
    }
    /* Nesting takes no stack. */
    enum { DEPTH = 1000000 };
    char *deep = malloc(2 * DEPTH);
    assert_non_null(deep);
    memset(deep, '[', DEPTH);
    memset(deep + DEPTH, ']', DEPTH);
    yyjson_doc *tree;
    assert_int_equal(json_parse(deep, 2 * DEPTH, "it", &tree, &error), LULL_OK);
    char *again = json_print(yyjson_doc_get_root(tree));
    assert_memory_equal(again, deep, 2 * DEPTH);
    json_writer writer = json_writer_new();
    json_add_copy(&writer, writer.root, "deep", yyjson_doc_get_root(tree));
    base_free(again);
    again = json_writer_end(&writer, false);
    assert_int_equal(strlen(again), 2 * DEPTH + strlen("{\"deep\":}"));
    base_free(again);
    yyjson_doc_free(tree);
    free(deep);
}

static void writes_what_it_is_told(void **state) {
    (void)state;
    json_writer writer = json_writer_new();
    json_add_number(&writer, writer.root, "whole", 80);
    json_add_number(&writer, writer.root, "third", 1.0 / 3);
    json_add_number(&writer, writer.root, "nan", __builtin_nan(""));
    json_add_number(&writer, writer.root, "zero", -0.0);
    json_add_whole(&writer, writer.root, "seed", 18446744073709551557u);
    json_add_bool(&writer, writer.root, "yes", true);
    yyjson_mut_val *list = json_add_array(&writer, writer.root, "list");
    json_add_text(&writer, list, NULL, "\"ü\"\n");
    json_add_text(&writer, list, NULL, "caf\xe9.wav \xed\xa0\x80");
    json_add_number(&writer, json_add_object(&writer, list, NULL), "in", 1);
    json_add_number(&writer, NULL, "nowhere", 1);
    assert_true(writer.lost);
    writer.lost = false;
    char *text = json_writer_end(&writer, false);
    assert_string_equal(text,
                        "{\"whole\":80,\"third\":0.3333333333333333,\"nan\":null,\"zero\":-0.0,"
                        "\"seed\":18446744073709551557,\"yes\":true,\"list\":[\"\\\"ü\\\"\\n\","
                        "\"caf\xef\xbf\xbd.wav \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\","
                        "{\"in\":1}]}");
    base_free(text);
    /* Kept bytes come back as they were. */
    writer = json_writer_new();
    writer.keep_bytes = true;
    json_add_text(&writer, writer.root, "path", "caf\xe9");
    text = json_writer_end(&writer, true);
    yyjson_doc *tree;
    assert_int_equal(json_parse(text, strlen(text), "it", &tree, &error), LULL_OK);
    assert_string_equal(yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(tree), "path")),
                        "caf\xe9");
    yyjson_doc_free(tree);
    base_free(text);
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    for (size_t n = 1;; n++) {
        base_memory_fail_at(n);
        json_writer writer = json_writer_new();
        yyjson_mut_val *object = json_add_object(&writer, writer.root, "a");
        for (int i = 0; i < 300; i++) json_add_text(&writer, object, "name\xff", "text\xff");
        char *text = json_writer_end(&writer, true);
        base_memory_fail_at(0);
        if (text != NULL) {
            assert_true(n > 10);
            base_free(text);
            break;
        }
    }
    const char *text = "{\"a\": [1, 2]}";
    yyjson_doc *tree;
    base_memory_fail_at(1);
    assert_int_equal(json_parse(text, strlen(text), "it", &tree, &error), LULL_NO_MEMORY);
    base_memory_fail_at(0);
    assert_null(tree);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_one_value),
        cmocka_unit_test(refuses_the_rest),
        cmocka_unit_test(writes_what_it_is_told),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
