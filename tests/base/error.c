/* Messages stay one line, end whole, and name the status. */
#include "temporary.h"

#include "base/error.h"

static void fills_and_returns(void **state) {
    (void)state;
    lull_error error;
    assert_int_equal(base_fail(&error, LULL_FORMAT, "%s: %d bands, expected %d", "a.npy", 100, 80),
                     LULL_FORMAT);
    assert_int_equal(error.status, LULL_FORMAT);
    assert_string_equal(error.message, "a.npy: 100 bands, expected 80");
    assert_int_equal(base_fail(NULL, LULL_IO, "nobody listens"), LULL_IO);
    assert_int_equal(base_no_memory(&error), LULL_NO_MEMORY);
    assert_string_equal(error.message, "out of memory");
}

static void stays_one_line(void **state) {
    (void)state;
    lull_error error;
    base_fail(&error, LULL_IO, "%s", "a\nb\033[2Jc\x7f");
    assert_string_equal(error.message, "a?b?[2Jc?");
}

static void is_cut_between_characters(void **state) {
    (void)state;
    char text[LULL_MESSAGE_SIZE + 100];
    /* The last place is byte 510: 'é' (2 bytes) then begins at every parity, '€' has 3, the clef 4.
     */
    const char *characters[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9d\x84\x9e"};
    for (size_t k = 0; k < 3; k++) {
        size_t length = strlen(characters[k]);
        for (size_t shift = 0; shift < length; shift++) {
            memset(text, 'a', shift);
            text[shift] = '\0';
            while (strlen(text) < LULL_MESSAGE_SIZE + 50) strcat(text, characters[k]);
            lull_error error;
            base_fail(&error, LULL_IO, "%s", text);
            size_t got = strlen(error.message);
            assert_int_equal((got - shift) % length, 0);
            assert_true(got > LULL_MESSAGE_SIZE - 1 - length);
            assert_memory_equal(error.message, text, got);
        }
    }
}

static void every_status_has_a_name(void **state) {
    (void)state;
    for (int i = LULL_OK; i <= LULL_FINISHED; i++) {
        const char *name = lull_strerror((lull_status)i);
        assert_true(strlen(name) > 0);
        assert_string_not_equal(name, "unknown status");
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(name, lull_strerror((lull_status)j));
        }
    }
    assert_string_equal(lull_strerror((lull_status)999), "unknown status");
    int major, minor, patch;
    assert_int_equal(sscanf(lull_version(), "%d.%d.%d", &major, &minor, &patch), 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_and_returns),
        cmocka_unit_test(stays_one_line),
        cmocka_unit_test(is_cut_between_characters),
        cmocka_unit_test(every_status_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
