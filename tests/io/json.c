/* JSON from strangers: one value, not too deep, and whole numbers that are whole. */
#include "../base/temporary.h"

#include "io/json.h"

static lull_error error;

static void parses_one_value(void **state) {
    (void)state;
    const char *text = " {\"a\": [1, 2.5, -1, 1e300, 9007199254740992, \"]}[{\\\"\"]} \n";
    cJSON *tree;
    assert_int_equal(json_parse(text, strlen(text), "it", &tree, &error), LULL_OK);
    const cJSON *a = cJSON_GetObjectItemCaseSensitive(tree, "a");
    assert_int_equal(cJSON_GetArraySize(a), 6);
    const bool whole[6] = {true, false, false, false, true, false};
    for (int i = 0; i < 6; i++) {
        size_t value = 7;
        assert_int_equal(json_size(cJSON_GetArrayItem(a, i), &value), whole[i]);
        if (i == 0) assert_int_equal(value, 1);
        if (i == 4) assert_true(value == (size_t)9007199254740992u);
    }
    size_t value;
    assert_false(json_size(NULL, &value));
    cJSON_Delete(tree);
}

static void refuses_the_rest(void **state) {
    (void)state;
    const char *wrong[] = {"", " ", "{", "{}}", "{} x", "[1,]", "\"open", "nul", "{\"a\" 1}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cJSON *tree = (cJSON *)1;
        assert_int_equal(json_parse(wrong[i], strlen(wrong[i]), "it.json", &tree, &error),
                         LULL_FORMAT);
        assert_null(tree);
        assert_contains(error.message, "it.json");
    }
    char deep[200];
    memset(deep, '[', 100);
    memset(deep + 100, ']', 100);
    cJSON *tree;
    assert_int_equal(json_parse(deep, 200, "it", &tree, &error), LULL_FORMAT);
    assert_contains(error.message, "deeper");
    assert_int_equal(json_parse(deep + 40, 120, "it", &tree, &error), LULL_OK);
    cJSON_Delete(tree);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_one_value),
        cmocka_unit_test(refuses_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
