/* Pictures: what is loud where, axes that agree with it, differences, and sizes at their ends. */
#include "picture/picture.h"

#include "picture/colour_map.h"
#include "mel/front_end.h"
#include "../eval/signals.h"

enum { LEFT = 98, RIGHT = 108, TITLE = 30, BOTTOM = 44 };

/* Perceived lightness (CIE 1976 L*). */
static double lightness(picture_colour c) {
    const uint8_t rgb[3] = {c.r, c.g, c.b};
    const double weight[3] = {0.2126, 0.7152, 0.0722};
    double y = 0;
    for (int i = 0; i < 3; i++) {
        double v = rgb[i] / 255.0;
        y += weight[i] * (v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4));
    }
    return y > 0.008856 ? 116 * cbrt(y) - 16 : 903.3 * y;
}

static picture_colour pixel(const picture_canvas *c, int x, int y) {
    assert_in_range(x, 0, c->width - 1);
    assert_in_range(y, 0, c->height - 1);
    const uint8_t *p = c->rgb + 3 * (y * c->width + x);
    return (picture_colour){p[0], p[1], p[2]};
}

static void test_maps(void **state) {
    (void)state;
    picture_colour_map map;
    picture_colour_map_sequential(&map);
    double last = -1, step = 100 * 0.85 / PICTURE_COLOUR_MAP_STEPS;
    for (int i = 0; i < PICTURE_COLOUR_MAP_STEPS; i++) {
        double here = lightness(map.steps[i]);
        assert_true(here > last);
        if (i > 0) assert_true(here - last < 3 * step); /* no jumps */
        last = here;
    }
    assert_true(lightness(map.steps[0]) < 5 && last > 93);
    picture_colour_map_diverging(&map);
    for (int i = 0; i <= PICTURE_COLOUR_MAP_STEPS / 2; i++) {
        double blue = lightness(map.steps[i]),
               red = lightness(map.steps[PICTURE_COLOUR_MAP_STEPS - 1 - i]);
        assert_true(fabs(blue - red) < 12);
    }
    picture_colour white = picture_colour_map_at(&map, 0.5);
    assert_true(white.r > 245 && white.g > 245 && white.b > 245);
    assert_true(picture_colour_map_at(&map, 2).r > 150 && picture_colour_map_at(&map, 2).b < 60);
    assert_true(picture_colour_map_at(&map, -1).b > 120 && picture_colour_map_at(&map, -1).r < 60);
}

/* The lightest row of a column of a panel, as a part of its height from below. */
static double lightest(const picture_canvas *c, int x, int top, int height) {
    int best = top;
    for (int y = top; y < top + height; y++)
        if (lightness(pixel(c, x, y)) > lightness(pixel(c, x, best))) best = y;
    return (top + height - 0.5 - best) / height;
}

static void test_tone(void **state) {
    (void)state;
    enum { COUNT = 16000 };
    lull_error error;
    picture_canvas c;
    float *x = tone(COUNT, 16000, 3000, 1);
    const picture_source source = {"a tone", x, COUNT, 16000, NULL, 0, NULL, NULL};
    assert_ok(picture_draw(&source, 1, NULL, &c, &error), error);
    assert_int_equal(c.width, 1000);
    assert_int_equal(c.height, TITLE + 280 + BOTTOM);
    for (int column = LEFT + 20; column < c.width - RIGHT - 20; column += 50)
        assert_near(lightest(&c, column, TITLE, 280), 3000.0 / 8000, 0.004);
    picture_canvas_free(&c);
    /* Up to 4 kHz only. */
    const picture_options zoom = {.max_hz = 4000, .width = 500, .panel_height = 100};
    assert_ok(picture_draw(&source, 1, &zoom, &c, &error), error);
    assert_near(lightest(&c, LEFT + 100, TITLE, 100), 0.75, 0.01);
    picture_canvas_free(&c);
    base_free(x);
}

/* What sounds in the second half is drawn there, and the shorter of two ends where it ends. */
static void test_times(void **state) {
    (void)state;
    enum { COUNT = 16000, WIDTH = 1000 - LEFT - RIGHT };
    lull_error error;
    picture_canvas c;
    float *x = white(COUNT, 0.1f, 1);
    memset(x, 0, COUNT / 2 * sizeof *x);
    const picture_source sources[2] = {{"", x, COUNT, 16000, NULL, 0, NULL, NULL},
                                       {NULL, x, 3 * COUNT / 4, 16000, NULL, 0, NULL, NULL}};
    assert_ok(picture_draw(sources, 2, NULL, &c, &error), error);
    for (int panel = 0; panel < 2; panel++) {
        int y = TITLE + 140 + panel * (280 + TITLE);
        assert_true(lightness(pixel(&c, LEFT + WIDTH / 4, y)) < 5);
        assert_true(lightness(pixel(&c, LEFT + WIDTH * 5 / 8, y)) > 40);
    }
    picture_colour nothing = pixel(&c, LEFT + WIDTH * 7 / 8, TITLE + 140 + 280 + TITLE);
    assert_true(nothing.r == nothing.g && nothing.g == nothing.b && nothing.r == 232);
    picture_canvas_free(&c);
    base_free(x);
}

/* A tone in a mel spectrogram is in the band whose centre it is. */
static void test_mel(void **state) {
    (void)state;
    enum { COUNT = 32000 };
    lull_error error;
    picture_canvas c;
    mel_convention mel;
    float *x = tone(COUNT, 16000, 1000, 1), *frames;
    size_t n;
    assert_ok(mel_convention_named("hifigan", 16000, &mel, &error), error);
    assert_ok(mel_from_samples(&mel, x, COUNT, &frames, &n, &error), error);
    size_t loudest = 0;
    for (size_t b = 1; b < 80; b++)
        if (frames[n / 2 * 80 + b] > frames[n / 2 * 80 + loudest]) loudest = b;
    const picture_source source = {"mel", NULL, 0, 0, frames, n, &mel, NULL};
    assert_ok(picture_draw(&source, 1, NULL, &c, &error), error);
    assert_int_equal(c.height, TITLE + 240 + BOTTOM);
    double place = lightest(&c, 500, TITLE, 240);
    assert_in_range((size_t)(place * 80), loudest, loudest);
    picture_canvas_free(&c);
    base_free(x);
    base_free(frames);
}

/* Rows of a column of a panel where two pictures differ, as a part of the height from below: the
 * middle of them; NAN where they are the same. */
static double differs(const picture_canvas *a, const picture_canvas *b, int x, int top,
                      int height) {
    double sum = 0;
    int count = 0;
    for (int y = top; y < top + height; y++) {
        picture_colour p = pixel(a, x, y), q = pixel(b, x, y);
        if (p.r == q.r && p.g == q.g && p.b == q.b) continue;
        sum += (top + height - 0.5 - y) / height;
        count++;
    }
    return count ? sum / count : NAN;
}

/* A curve from 100 to 400 Hz is a straight line over octaves from 50 to 800 Hz; it has a gap where
 * nothing is voiced, and everything else is as without it. */
static void test_f0(void **state) {
    (void)state;
    enum { COUNT = 16000, N = 201, ROOM = PICTURE_F0_ROOM, WIDTH = 800 };
    lull_error error;
    picture_canvas with, without;
    float *x = tone(COUNT, 16000, 3000, 1), hz[N];
    for (int i = 0; i < N; i++)
        hz[i] = i >= 80 && i < 120 ? 0 : (float)(100 * pow(4, (double)i / (N - 1)));
    const picture_f0 f0 = {.hz = hz, .count = N, .first = 0, .step = 0.005};
    picture_source source = {"", x, COUNT, 16000, NULL, 0, NULL, &f0};
    picture_options options = {.width = LEFT + WIDTH + ROOM + RIGHT};
    assert_ok(picture_draw(&source, 1, &options, &with, &error), error);
    source.f0 = NULL;
    options.width -= ROOM;
    assert_ok(picture_draw(&source, 1, &options, &without, &error), error);
    assert_int_equal(with.width, without.width + ROOM);
    assert_int_equal(with.height, without.height);
    for (int column = 10; column < WIDTH - 10; column++) {
        double seconds = (column + 0.5) / WIDTH,
               at = differs(&with, &without, LEFT + column, TITLE, 280);
        if (seconds > 0.405 && seconds < 0.595)
            assert_true(isnan(at));
        else if (seconds < 0.39 || seconds > 0.61)
            assert_near(at, 0.25 + 0.5 * seconds, 0.01);
    }
    /* Legible on light and on dark: a light curve between dark edges. */
    int middle = TITLE + (int)lround(279 * (1 - 0.375)), x0 = LEFT + WIDTH / 4;
    double light = 0, dark = 100;
    for (int y = middle - 4; y <= middle + 4; y++) {
        light = fmax(light, lightness(pixel(&with, x0, y)));
        dark = fmin(dark, lightness(pixel(&with, x0, y)));
    }
    assert_true(light > 80 && dark < 15);
    /* Ticks of its axis where the curve has these values: an octave is a quarter of the height. */
    for (int octave = 0; octave <= 4; octave++) {
        int y = TITLE + (int)lround(279 * (1 - octave / 4.0));
        picture_colour tick = pixel(&with, LEFT + WIDTH + 3, y);
        assert_true(tick.r < 20 && tick.g > 90 && tick.b > 90);
        picture_colour beside = pixel(&with, LEFT + WIDTH + 3, y + 2);
        assert_int_equal(beside.r, 255);
    }
    picture_canvas_free(&with);
    picture_canvas_free(&without);
    base_free(x);
}

/* Over the difference there are the curves of both, where both are known; what lies outside the
 * scale and the panel is held or left out. */
static void test_f0_of_both(void **state) {
    (void)state;
    enum { COUNT = 16000, TOP = TITLE + 2 * (280 + TITLE), WIDTH = 1000 - LEFT - RIGHT };
    lull_error error;
    picture_canvas c;
    float *x = white(COUNT, 0.1f, 1), low[300], high[300];
    for (int i = 0; i < 300; i++) low[i] = 100, high[i] = i < 100 ? 200 : 5000;
    const picture_f0 first = {low, 300, 0, 0.005}, second = {high, 300, 0, 0.005};
    picture_source sources[2] = {{"", x, COUNT, 16000, NULL, 0, NULL, &first},
                                 {"", x, COUNT, 16000, NULL, 0, NULL, &second}};
    const picture_options options = {.difference = true};
    assert_ok(picture_draw(sources, 2, &options, &c, &error), error);
    const int at_100 = TOP + (int)lround(279 * 0.75), at_200 = TOP + (int)lround(279 * 0.5);
    picture_colour dark = pixel(&c, LEFT + 200, at_100), green = pixel(&c, LEFT + 200, at_200);
    assert_true(dark.r < 60 && dark.g < 60 && dark.b < 60);
    assert_true(green.g > green.r + 80 && green.g > green.b + 30);
    picture_colour held = pixel(&c, LEFT + 600, TOP);
    assert_true(held.g > held.r + 80);
    picture_canvas_free(&c);
    sources[1].f0 = NULL; /* known of one only: no curves, no axis */
    assert_ok(picture_draw(sources, 2, &options, &c, &error), error);
    for (int y = TOP; y < TOP + 280; y += 3) assert_true(pixel(&c, LEFT + 200, y).r > 240);
    assert_int_equal(pixel(&c, LEFT + WIDTH - PICTURE_F0_ROOM + 3, at_100).r, 255);
    picture_canvas_free(&c);
    base_free(x);
}

static void test_difference(void **state) {
    (void)state;
    enum { COUNT = 16000 };
    lull_error error;
    picture_canvas c;
    float *x = white(COUNT, 0.1f, 1), *louder = white(COUNT, 0.3f, 1);
    const picture_options options = {.difference = true};
    picture_source sources[2] = {{"", x, COUNT, 16000, NULL, 0, NULL, NULL},
                                 {"", x, COUNT, 16000, NULL, 0, NULL, NULL}};
    int y = TITLE + 2 * (280 + TITLE) + 140;
    assert_ok(picture_draw(sources, 2, &options, &c, &error), error);
    assert_int_equal(c.height, 3 * (280 + TITLE) + BOTTOM);
    picture_colour same = pixel(&c, 500, y);
    assert_true(same.r > 245 && same.g > 245 && same.b > 245);
    picture_canvas_free(&c);
    sources[1].samples = louder;
    assert_ok(picture_draw(sources, 2, &options, &c, &error), error);
    picture_colour more = pixel(&c, 500, y);
    assert_true(more.r > more.b + 50);
    picture_canvas_free(&c);
    sources[0].samples = louder, sources[1].samples = x;
    assert_ok(picture_draw(sources, 2, &options, &c, &error), error);
    picture_colour less = pixel(&c, 500, y);
    assert_true(less.b > less.r + 50);
    picture_canvas_free(&c);
    base_free(x);
    base_free(louder);
}

static void test_ends(void **state) {
    (void)state;
    lull_error error;
    picture_canvas c;
    mel_convention mel, other;
    float sample = 0.5f, frame[80] = {0}, *hour = base_alloc(8000 * 600, sizeof *hour);
    assert_ok(mel_convention_named("hifigan", 0, &mel, &error), error);
    other = mel;
    other.bands = 40;
    /* One sample; one frame; minutes; silence. */
    picture_source sources[2] = {{"one", &sample, 1, 192000, NULL, 0, NULL, NULL}};
    assert_ok(picture_draw(sources, 1, NULL, &c, &error), error);
    picture_canvas_free(&c);
    sources[0] = (picture_source){"one", NULL, 0, 0, frame, 1, &mel, NULL};
    assert_ok(picture_draw(sources, 1, NULL, &c, &error), error);
    picture_canvas_free(&c);
    sources[0] = (picture_source){"long", hour, 8000 * 600, 8000, NULL, 0, NULL, NULL};
    const picture_options small = {.width = 1, .panel_height = 1};
    assert_ok(picture_draw(sources, 1, &small, &c, &error), error);
    assert_in_range(c.height, 48, 200);
    picture_canvas_free(&c);
    base_free(hour);
    /* What cannot be drawn, in words. */
    assert_int_equal(picture_draw(sources, 0, NULL, &c, &error), LULL_INVALID);
    sources[0].count = 0;
    assert_int_equal(picture_draw(sources, 1, NULL, &c, &error), LULL_INVALID);
    assert_non_null(strstr(error.message, "long"));
    const picture_options difference = {.difference = true};
    sources[0] = (picture_source){"", NULL, 0, 0, frame, 1, &mel, NULL};
    sources[1] = (picture_source){"", NULL, 0, 0, frame, 1, &other, NULL};
    assert_int_equal(picture_draw(sources, 2, &difference, &c, &error), LULL_MISMATCH);
    sources[1] = (picture_source){"", &sample, 1, 16000, NULL, 0, NULL, NULL};
    assert_int_equal(picture_draw(sources, 2, &difference, &c, &error), LULL_MISMATCH);
    const picture_options wide = {.width = 30000};
    assert_int_equal(picture_draw(sources, 1, &wide, &c, &error), LULL_INVALID);
    const picture_options odd = {.n_fft = 1 << 20};
    assert_int_equal(picture_draw(sources + 1, 1, &odd, &c, &error), LULL_INVALID);
    assert_null(c.rgb);
}

static void test_every_allocation_may_fail(void **state) {
    (void)state;
    enum { COUNT = 2000 };
    lull_error error;
    float *x = white(COUNT, 0.1f, 1), frame[80] = {0};
    mel_convention mel;
    assert_ok(mel_convention_named("hifigan", 0, &mel, &error), error);
    const picture_options options = {.width = 300, .panel_height = 48};
    const picture_source sources[2] = {{"", x, COUNT, 16000, NULL, 0, NULL, NULL},
                                       {"", NULL, 0, 0, frame, 1, &mel, NULL}};
    size_t n = 1;
    for (;; n++) {
        uint8_t *png = NULL;
        size_t size = 0;
        base_memory_fail_at(n);
        lull_status status = picture_encode(sources, 2, &options, &png, &size, &error);
        base_memory_fail_at(0);
        if (status == LULL_OK) {
            assert_memory_equal(png, "\x89PNG", 4);
            base_free(png);
            /* Without memory for a palette the picture is stored without one. */
            if (n > 14) break;
            continue;
        }
        assert_int_equal(status, LULL_NO_MEMORY);
        assert_true(n < 1000);
    }
    base_free(x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_maps),
        cmocka_unit_test(test_tone),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_mel),
        cmocka_unit_test(test_f0),
        cmocka_unit_test(test_f0_of_both),
        cmocka_unit_test(test_difference),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
