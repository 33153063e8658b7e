/* Names of files as lines of text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/printable.h"

static void names(void **state) {
    (void)state;
    const char *const cases[][2] = {
        {"plain name.wav", "plain name.wav"},
        {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8e\xa4", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8e\xa4"},
        {"caf\xe9.wav", "caf\\xe9.wav"},
        {"two\nlines\t\x7f", "two\\x0alines\\x09\\x7f"},
        {"\xc0\xaf \xe0\x80\x80", "\\xc0\\xaf \\xe0\\x80\\x80"}, /* overlong */
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},                     /* a surrogate */
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},            /* beyond Unicode */
        {"\xe2\x82", "\\xe2\\x82"},                              /* cut off */
    };
    char out[64];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(base_printable(cases[i][0], out, sizeof out), cases[i][1]);
    assert_string_equal(base_printable("ab\xc3\xa9", out, 4), "ab");
    assert_string_equal(base_printable("ab\xe9", out, 6), "ab");
    assert_string_equal(base_printable("ab\xe9", out, 7), "ab\\xe9");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
