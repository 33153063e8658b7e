/* Tables of scores: means, intervals, folders, and values that are not there. */
#include "eval/table.h"

#include "io/json.h"

#include "signals.h"

static void add(eval_table *table, const char *system, const char *folder, const char *name,
                double score, double work) {
    lull_error error;
    eval_row row = {.system = (char *)system,
                    .folder = (char *)folder,
                    .name = (char *)name,
                    .seconds = 2,
                    .work = work};
    for (int s = 0; s < EVAL_COUNT; s++) row.scores.value[s] = score;
    row.scores.value[EVAL_F0] = NAN;
    row.scores.value[EVAL_MODULATION_REFERENCE] = 2 * score;
    row.scores.value[EVAL_LEVEL] = isnan(score) ? NAN : -score;
    assert_ok(eval_table_add(table, &row, &error), error);
}

static void fill(eval_table *table) {
    add(table, "lull", "a", "one.wav", 1, 0.5);
    add(table, "lull", "a", "two.wav", 2, 0.5);
    add(table, "lull", "b", "a, \"quoted\" näme.wav", 6, 1);
    add(table, "griffin-lim", "a", "one.wav", NAN, 0);
}

static void test_means(void **state) {
    (void)state;
    eval_table table = {NULL, 0, 0};
    fill(&table);
    eval_mean mean = eval_table_mean(&table, EVAL_MCD, "lull", NULL);
    assert_near(mean.mean, 3, 1e-12);
    assert_int_equal(mean.n, 3);
    /* s = √7, and Student's t of two degrees of freedom is 4.303 */
    assert_near(mean.interval, 4.303 * sqrt(7.0 / 3), 1e-9);
    mean = eval_table_mean(&table, EVAL_MCD, "lull", "a");
    assert_near(mean.mean, 1.5, 1e-12);
    assert_near(mean.interval, 12.706 * sqrt(0.5 / 2), 1e-9);
    mean = eval_table_mean(&table, EVAL_MCD, "lull", "b");
    assert_near(mean.mean, 6, 1e-12);
    assert_true(isnan(mean.interval));
    mean = eval_table_mean(&table, EVAL_MCD, "griffin-lim", NULL);
    assert_true(isnan(mean.mean) && isnan(mean.interval) && mean.n == 0);
    assert_near(eval_table_mean(&table, EVAL_MCD, NULL, NULL).n, 3, 0);
    assert_near(eval_table_factor(&table, "lull", NULL), 1.0 / 3, 1e-12);
    assert_near(eval_table_factor(&table, "lull", "b"), 0.5, 1e-12);
    assert_true(isnan(eval_table_factor(&table, "griffin-lim", NULL)));
    /* Twice the output's in every row. */
    assert_near(eval_table_modulation_ratio(&table, "lull", "a"), 0.5, 1e-12);
    assert_near(eval_table_modulation_ratio(&table, "lull", NULL), 0.5, 1e-12);
    assert_true(isnan(eval_table_modulation_ratio(&table, "griffin-lim", NULL)));
    assert_string_equal(eval_table_system(&table, 1), "griffin-lim");
    assert_null(eval_table_system(&table, 2));
    assert_string_equal(eval_table_folder(&table, "lull", 1), "b");
    assert_null(eval_table_folder(&table, "griffin-lim", 1));
    eval_table_free(&table);
}

/* For many values the interval is the normal distribution's: 1.96·s/√n. */
static void test_many(void **state) {
    (void)state;
    eval_table table = {NULL, 0, 0};
    for (int i = 0; i < 1000; i++) add(&table, "", "", "x", i % 2, 0);
    eval_mean mean = eval_table_mean(&table, EVAL_MCD, "", "");
    assert_near(mean.mean, 0.5, 1e-12);
    assert_near(mean.interval, 1.96 * 0.5 / sqrt(999.0), 1e-4);
    eval_table_free(&table);
}

static char *printed(const eval_table *table, int form) {
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    if (form == 0)
        eval_table_print(table, to, true);
    else if (form == 1)
        eval_table_print_csv(table, to);
    else
        assert_true(eval_table_print_json(table, to));
    fclose(to);
    return text;
}

static void test_text(void **state) {
    (void)state;
    eval_table table = {NULL, 0, 0};
    fill(&table);
    char *text = printed(&table, 0);
    assert_non_null(strstr(text, "lull"));
    assert_non_null(strstr(text, "griffin-lim"));
    assert_non_null(strstr(text, "3.000 ± 6.573"));
    assert_non_null(strstr(text, "times real     3.000"));
    assert_non_null(strstr(text, "\na/\n"));
    /* In 80 columns: UTF-8's characters, not its bytes. */
    int column = 0;
    for (const char *c = text; *c; c++) {
        column = *c == '\n' ? 0 : column + (((unsigned char)*c & 0xC0) != 0x80);
        assert_true(column <= 80);
    }
    assert_non_null(strstr(text, "näme.wav"));
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
    free(text);
    eval_table_free(&table);
    text = printed(&table, 0);
    assert_string_equal(text, "");
    free(text);
}

static void test_csv(void **state) {
    (void)state;
    eval_table table = {NULL, 0, 0};
    fill(&table);
    char *text = printed(&table, 1);
    assert_non_null(strstr(text, "system,folder,name,seconds,mcd,stft,"));
    assert_non_null(strstr(text, "\nlull,b,\"a, \"\"quoted\"\" näme.wav\",2,6,6,6,6,6,,6,"));
    assert_non_null(strstr(text, "\ngriffin-lim,a,one.wav,2,,,,,,,,,,,,,,,,\n"));
    free(text);
    eval_table_free(&table);
}

static void test_json(void **state) {
    (void)state;
    eval_table table = {NULL, 0, 0};
    fill(&table);
    char *text = printed(&table, 2);
    yyjson_doc *tree;
    assert_int_equal(json_parse(text, strlen(text), "it", &tree, NULL), LULL_OK);
    yyjson_val *lull = yyjson_obj_get(yyjson_doc_get_root(tree), "lull");
    yyjson_val *mcd = yyjson_obj_get(yyjson_obj_get(lull, "mean"), "mcd");
    assert_near(yyjson_get_num(yyjson_obj_get(mcd, "mean")), 3, 1e-12);
    yyjson_val *a = yyjson_obj_get(yyjson_obj_get(lull, "folders"), "a");
    assert_near(yyjson_get_num(yyjson_obj_get(a, "modulation_ratio")), 0.5, 1e-12);
    yyjson_val *reference = yyjson_obj_get(a, "modulation_reference");
    assert_near(yyjson_get_num(yyjson_obj_get(reference, "mean")), 3, 1e-12);
    yyjson_val *file = yyjson_arr_get(yyjson_obj_get(lull, "files"), 2);
    assert_string_equal(yyjson_get_str(yyjson_obj_get(file, "folder")), "b");
    assert_true(yyjson_is_null(yyjson_obj_get(file, "f0_cents")));
    yyjson_doc_free(tree);
    free(text);
    eval_table_free(&table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_means), cmocka_unit_test(test_many), cmocka_unit_test(test_text),
        cmocka_unit_test(test_csv),   cmocka_unit_test(test_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
