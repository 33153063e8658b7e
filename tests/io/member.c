/* Tables of members: every kind, from JSON and from words, printed, checked and refused. */
#include "../base/temporary.h"

#include "base/memory.h"
#include "io/member.h"

#include <math.h>

typedef enum { RED, GREEN, BLUE } picture_colour;

typedef struct inner {
    int depth;
    double share;
} inner;

typedef struct outer {
    int count;
    uint64_t seed;
    double rate;
    bool loud;
    char name[8];
    const char *argument;
    picture_colour colour;
    int steps[6];
    float means[4];
    inner first, second;
    bool has_second;
} outer;

static bool second_shown(const void *object) {
    return ((const outer *)object)->has_second;
}

static const char *const colours[] = {"red", "green", "blue", NULL};

static const member inner_members[] = {
    MEMBER_INT(inner, depth, "depth", 0, 9, "3", "how deep"),
    MEMBER_NUMBER(inner, share, "share", 0, 1, "0.25", "how much"),
    {0},
};

static const member more[] = {
    MEMBER_BOOL(outer, loud, "loud", NULL, "or soft"),
    MEMBER_GROUP(outer, second, "second", inner_members, second_shown, "another"),
    {0},
};

static const member table[] = {
    {.name = "format", .kind = MEMBER_KIND_OTHER},
    MEMBER_INT(outer, count, "count", 1, 6, "4", "of the arrays"),
    MEMBER_UINT64(outer, seed, "seed", "7", "of the noise"),
    MEMBER_NUMBER(outer, rate, "rate", 1e-3, 10, "0.5", "of change"),
    MEMBER_TEXT(outer, name, "name", "lull", "of it"),
    MEMBER_NAME(outer, colour, "colour", colours, "green", "of it"),
    MEMBER_CYCLE(outer, steps, count, "steps", 1, 64, "[1, 2]", "repeated"),
    {.name = "means",
     .kind = MEMBER_KIND_FLOATS,
     .offset = offsetof(outer, means),
     .least = -100,
     .most = 100,
     .capacity = 4,
     .count = offsetof(outer, count)},
    MEMBER_GROUP(outer, first, "first", inner_members, NULL, "one"),
    MEMBER_PART(NULL, more, NULL, NULL),
    {0},
};

static lull_error error;

static lull_status read_text(outer *object, const char *text) {
    yyjson_doc *tree;
    lull_status status = json_parse(text, strlen(text), "it.json", &tree, &error);
    if (status) return status;
    status = members_read(table, object, yyjson_doc_get_root(tree), "it.json", "", &error);
    yyjson_doc_free(tree);
    return status;
}

static char *print_text(const outer *object) {
    json_writer writer = json_writer_new();
    members_print(table, object, &writer, writer.root);
    return json_writer_end(&writer, false);
}

static void both_ways(void **state) {
    (void)state;
    outer o;
    memset(&o, 0x5a, sizeof o);
    o.has_second = false;
    members_default(table, &o);
    assert_true(o.count == 4 && o.seed == 7 && o.rate == 0.5 && !o.loud && o.colour == GREEN);
    assert_true(o.steps[5] == 2 && o.first.depth == 3 && o.second.share == 0.25);
    assert_string_equal(o.name, "lull");
    for (int i = 0; i < 4; i++) o.means[i] = (float)i;
    char *text = print_text(&o);
    assert_string_equal(text, "{\"count\":4,\"seed\":7,\"rate\":0.5,\"name\":\"lull\","
                              "\"colour\":\"green\",\"steps\":[1,2],\"means\":[0,1,2,3],"
                              "\"first\":{\"depth\":3,\"share\":0.25},\"loud\":false}");
    base_free(text);
    /* Members in any order; what is missing stays. */
    const char *whole = "{\"second\": {\"depth\": 9}, \"loud\": true, \"steps\": [3, 4, 5], "
                        "\"count\": 5.0, \"seed\": 18446744073709551557, \"colour\": \"blue\", "
                        "\"name\": \"ü\", \"format\": {}, \"means\": -1.5}";
    assert_int_equal(read_text(&o, whole), LULL_OK);
    assert_true(o.count == 5 && o.seed == 18446744073709551557u && o.rate == 0.5 && o.loud);
    assert_true(o.colour == BLUE && o.second.depth == 9 && o.second.share == 0.25);
    assert_true(o.steps[3] == 3 && o.steps[5] == 5 && o.means[0] == -1.5f && o.means[3] == -1.5f);
    o.has_second = true;
    text = print_text(&o);
    assert_contains(text, "\"seed\":18446744073709551557");
    assert_contains(text, "\"steps\":[3,4,5]");
    assert_contains(text, "\"second\":{\"depth\":9,\"share\":0.25}");
    outer again = {.has_second = true};
    members_default(table, &again);
    assert_int_equal(read_text(&again, text), LULL_OK);
    char *twice = print_text(&again);
    assert_string_equal(text, twice);
    base_free(text);
    base_free(twice);
}

static void refusals(void **state) {
    (void)state;
    const char *wrong[][2] = {
        {"{\"colors\": 1}", "it.json: colors is not known"},
        {"{\"first\": {\"count\": 1}}", "it.json: first.count is not known"},
        {"{\"\\u0001\": 1}", "(not printable) is not known"},
        {"{\"count\": 1, \"count\": 1}", "count stands twice"},
        {"{\"first\": {\"depth\": 1, \"share\": 0, \"depth\": 2}}", "first.depth stands twice"},
        {"[]", "it is an array of 0 values, expected an object"},
        {"{\"first\": []}", "first is an array of 0 values, expected an object"},
        {"{\"count\": 7}", "count is 7, expected a whole number from 1 to 6"},
        {"{\"count\": 1.5}", "count is 1.5, expected a whole number"},
        {"{\"count\": true}", "count is true, expected a whole number"},
        {"{\"seed\": -1}", "seed is -1, expected a whole number from 0 to 18446744073709551615"},
        {"{\"seed\": 18446744073709551616}", "seed is 1.84467440737e+19, expected"},
        {"{\"seed\": 0.5}", "seed is 0.5"},
        {"{\"rate\": 1e-4}", "rate is 0.0001, expected a number from 0.001 to 10"},
        {"{\"rate\": \"1\"}", "rate is \"1\", expected a number"},
        {"{\"loud\": 1}", "loud is 1, expected true or false"},
        {"{\"loud\": null}", "loud is null"},
        {"{\"name\": \"12345678\"}",
         "name is \"12345678\", expected printable text of less than 8"},
        {"{\"name\": \"a\\u0000b\"}", "expected printable text"},
        {"{\"name\": \"a\\nb\"}", "expected printable text"},
        {"{\"colour\": \"pink\"}", "colour is \"pink\", expected one of red, green or blue"},
        {"{\"colour\": 1}", "colour is 1, expected one of"},
        {"{\"steps\": []}", "steps is an array of 0 values, expected an array of 1 to 6 whole"},
        {"{\"steps\": [1, 2, 65]}", "steps[2] is 65, expected a whole number from 1 to 64"},
        {"{\"steps\": [1, \"2\"]}", "steps[1] is \"2\""},
        {"{\"steps\": [1,1,1,1,1,1,1]}", "steps is an array of 7 values"},
        {"{\"steps\": 1}", "steps is 1, expected an array"},
        {"{\"means\": [1, 2, 1e9]}", "means[2] is 1000000000, expected a number from -100 to 100"},
        {"{\"means\": 101}", "means is 101, expected"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        outer o;
        memset(&o, 0, sizeof o);
        members_default(table, &o);
        assert_int_equal(read_text(&o, wrong[i][0]), LULL_FORMAT);
        if (!strstr(error.message, wrong[i][1])) fail_msg("%s: '%s'", wrong[i][0], error.message);
        if (strncmp(error.message, "it.json: ", 9)) fail_msg("'%s'", error.message);
    }
}

static void words(void **state) {
    (void)state;
    outer o = {.has_second = true};
    members_default(table, &o);
    const char *fine[][2] = {{"count", "6"},       {"seed", "18446744073709551615"},
                             {"rate", "1e-3"},     {"loud", "true"},
                             {"name", "a b"},      {"colour", "red"},
                             {"steps", "[7]"},     {"means", "[1, 2]"},
                             {"second.depth", "1"}};
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
        if (members_set(table, &o, fine[i][0], fine[i][1], &error)) fail_msg("%s", error.message);
    assert_true(o.count == 6 && o.seed == UINT64_MAX && o.rate == 1e-3 && o.loud);
    assert_true(o.colour == RED && o.steps[5] == 7 && o.second.depth == 1 && o.first.depth == 3);
    assert_string_equal(o.name, "a b");
    assert_int_equal(members_set(table, &o, "name", "\"q\"", &error), LULL_OK);
    assert_string_equal(o.name, "q");
    const char *wrong[][2] = {{"count", ""},
                              {"count", "7"},
                              {"count", "3x"},
                              {"count", "0x3"},
                              {"count", "99999999999999999999"},
                              {"seed", "-1"},
                              {"rate", "nan"},
                              {"rate", "inf"},
                              {"loud", "yes"},
                              {"name", "12345678"},
                              {"colour", ""},
                              {"steps", "[7"},
                              {"steps", "[0]"},
                              {"format", "1"},
                              {"second", "1"},
                              {"depth", "1"},
                              {"", "1"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        outer before = o;
        assert_int_equal(members_set(table, &o, wrong[i][0], wrong[i][1], &error), LULL_INVALID);
        assert_memory_equal(&o, &before, sizeof o);
    }
    assert_int_equal(members_set(table, &o, "depth", "1", &error), LULL_INVALID);
    assert_string_equal(error.message, "there is no 'depth'; do you mean first.depth");
}

static void checks(void **state) {
    (void)state;
    outer o = {.has_second = false};
    members_default(table, &o);
    for (int i = 0; i < 4; i++) o.means[i] = 0;
    assert_int_equal(members_check(table, &o, "it", &error), LULL_OK);
#define REFUSED(change, says)                                                                      \
    do {                                                                                           \
        outer good = o;                                                                            \
        change;                                                                                    \
        assert_int_equal(members_check(table, &o, "it", &error), LULL_INVALID);                    \
        assert_contains(error.message, says);                                                      \
        o = good;                                                                                  \
    } while (0)
    REFUSED(o.count = -1, "it: count is -1, expected a whole number from 1 to 6");
    REFUSED(o.rate = NAN, "it: rate is nan");
    REFUSED(o.colour = (picture_colour)3, "it: colour is value 3, expected one of");
    REFUSED(o.steps[3] = 0, "it: steps is an array with 0");
    REFUSED(o.means[3] = INFINITY, "it: means is an array with inf");
    REFUSED(o.first.depth = 10, "it: first.depth is 10");
    o.steps[4] = 0;      /* behind the count */
    o.second.depth = 10; /* not shown: not there */
    assert_int_equal(members_check(table, &o, "it", &error), LULL_OK);
    REFUSED(o.has_second = true, "it: second.depth is 10");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways),
        cmocka_unit_test(refusals),
        cmocka_unit_test(words),
        cmocka_unit_test(checks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
