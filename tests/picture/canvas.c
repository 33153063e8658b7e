/* Drawing: what is drawn is where it was asked for, and nothing is drawn outside. */
#include "picture/canvas.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static lull_error error;
static const picture_colour WHITE = {255, 255, 255}, BLACK = {0, 0, 0};

static bool black(const picture_canvas *c, int x, int y) {
    return c->rgb[3 * (y * c->width + x)] == 0;
}

static int count_black(const picture_canvas *c) {
    int count = 0;
    for (int i = 0; i < c->width * c->height; i++) count += c->rgb[3 * i] == 0;
    return count;
}

static void shapes(void **state) {
    (void)state;
    picture_canvas c;
    assert_int_equal(picture_canvas_new(&c, 40, 30, WHITE, &error), LULL_OK);
    assert_int_equal(count_black(&c), 0);
    picture_canvas_fill(&c, 2, 3, 4, 5, BLACK);
    assert_int_equal(count_black(&c), 20);
    assert_true(black(&c, 2, 3) && black(&c, 5, 7) && !black(&c, 6, 7) && !black(&c, 5, 8));
    picture_canvas_frame(&c, 10, 10, 10, 10, BLACK);
    assert_int_equal(count_black(&c), 20 + 36);
    picture_canvas_line(&c, 25, 5, 35, 15, 1, BLACK);
    assert_true(black(&c, 25, 5) && black(&c, 30, 10) && black(&c, 35, 15));
    assert_int_equal(count_black(&c), 20 + 36 + 11);
    picture_canvas_free(&c);
    assert_null(c.rgb);
}

/* Under AddressSanitizer this is the test of every edge. */
static void outside(void **state) {
    (void)state;
    picture_canvas c;
    assert_int_equal(picture_canvas_new(&c, 20, 20, WHITE, &error), LULL_OK);
    picture_canvas_fill(&c, -10, -10, 5, 5, BLACK);
    picture_canvas_fill(&c, 20, 0, 5, 5, BLACK);
    picture_canvas_dot(&c, -1, 0, BLACK);
    picture_canvas_dot(&c, 0, 20, BLACK);
    picture_canvas_text(&c, -100, 5, "left", BLACK);
    picture_canvas_text(&c, 30, 25, "right", BLACK);
    picture_canvas_line(&c, -50, -50, -1, -1, 1, BLACK);
    picture_canvas_line(&c, 0, 0, 1e300, 1, 1, BLACK);
    assert_int_equal(count_black(&c), 0);
    picture_canvas_fill(&c, -5, -5, 100, 100, BLACK);
    assert_int_equal(count_black(&c), 400);
    picture_canvas_free(&c);
}

static void letters(void **state) {
    (void)state;
    picture_canvas c;
    char two[3] = "";
    assert_int_equal(picture_canvas_text_width(""), 0);
    assert_int_equal(picture_canvas_text_width("ab"), 2 * PICTURE_CANVAS_LETTER - 2);
    assert_int_equal(picture_canvas_text_width("a\xc3\xa4"),
                     2 * PICTURE_CANVAS_LETTER - 2); /* a, a umlaut */
    /* Every character is drawn, and differs from every other. */
    static uint8_t drawn[95][3 * 16 * 20];
    for (int i = 0; i < 95; i++) {
        assert_int_equal(picture_canvas_new(&c, 16, 20, WHITE, &error), LULL_OK);
        two[0] = (char)(' ' + i);
        picture_canvas_text(&c, 1, 1, two, BLACK);
        assert_int_equal(count_black(&c) > 0, i > 0);
        memcpy(drawn[i], c.rgb, sizeof drawn[i]);
        for (int j = 0; j < i; j++)
            if (i != 'O' - ' ' || j != '0' - ' ') /* the same in many fonts */
                assert_memory_not_equal(drawn[i], drawn[j], sizeof drawn[i]);
        picture_canvas_free(&c);
    }
}

static void sizes(void **state) {
    (void)state;
    picture_canvas c;
    const int wrong[][2] = {{0, 5}, {5, 0}, {-1, 5}, {20001, 5}, {5, 20001}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(picture_canvas_new(&c, wrong[i][0], wrong[i][1], WHITE, &error),
                         LULL_INVALID);
        assert_non_null(strstr(error.message, "20000"));
        assert_null(c.rgb);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),
        cmocka_unit_test(outside),
        cmocka_unit_test(letters),
        cmocka_unit_test(sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
