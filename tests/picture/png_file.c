/* Pictures come back from libpng as they went out. */
#include "../base/temporary.h"

#include <png.h>

#include "base/memory.h"
#include "picture/png_file.h"

static lull_error error;

static void round_trip(void **state) {
    (void)state;
    const char *path = temporary_path("picture.png");
    enum { WIDTH = 37, HEIGHT = 21 };
    uint8_t in[HEIGHT * WIDTH * 3], out[HEIGHT * WIDTH * 3];
    for (size_t i = 0; i < sizeof in; i++) in[i] = (uint8_t)(i * 7919 >> 3);
    assert_int_equal(picture_png_write(path, in, WIDTH, HEIGHT, &error), LULL_OK);
    assert_int_equal(temporary_count(), 1);
    png_image image = {.version = PNG_IMAGE_VERSION};
    assert_int_equal(png_image_begin_read_from_file(&image, path), 1);
    assert_int_equal(image.width, WIDTH);
    assert_int_equal(image.height, HEIGHT);
    assert_int_equal(image.format, PNG_FORMAT_RGB);
    assert_int_equal(png_image_finish_read(&image, NULL, out, 0, NULL), 1);
    assert_memory_equal(in, out, sizeof in);
}

/* Few colours become a palette; the 257th is one too many. In memory they are the same bytes. */
static void palettes(void **state) {
    (void)state;
    enum { WIDTH = 257, HEIGHT = 3, BYTES = WIDTH * HEIGHT * 3 };
    for (int colours = 255; colours <= 257; colours++) {
        uint8_t in[BYTES], out[BYTES], *bytes = NULL;
        size_t size = 0;
        for (int i = 0; i < WIDTH * HEIGHT; i++) {
            int index = i % colours;
            in[3 * i] = (uint8_t)(index * 37);
            in[3 * i + 1] = (uint8_t)(index >> 1);
            in[3 * i + 2] = (uint8_t)(index * 5 + (index == 256));
        }
        assert_int_equal(picture_png_encode(in, WIDTH, HEIGHT, &bytes, &size, &error), LULL_OK);
        png_image image = {.version = PNG_IMAGE_VERSION};
        assert_int_equal(png_image_begin_read_from_memory(&image, bytes, size), 1);
        assert_int_equal((image.format & PNG_FORMAT_FLAG_COLORMAP) != 0, colours <= 256);
        image.format = PNG_FORMAT_RGB;
        assert_int_equal(png_image_finish_read(&image, NULL, out, 0, NULL), 1);
        assert_memory_equal(in, out, BYTES);
        const char *path = temporary_path("picture.png");
        assert_int_equal(picture_png_write(path, in, WIDTH, HEIGHT, &error), LULL_OK);
        FILE *file = fopen(path, "rb");
        uint8_t *stored = malloc(size + 1);
        assert_int_equal(fread(stored, 1, size + 1, file), size);
        assert_memory_equal(stored, bytes, size);
        fclose(file);
        free(stored);
        base_free(bytes);
    }
}

static void failures_leave_nothing(void **state) {
    (void)state;
    const uint8_t pixel[3] = {1, 2, 3};
    assert_int_equal(picture_png_write("/dev/full", pixel, 1, 1, &error), LULL_IO);
    assert_contains(error.message, "/dev/full");
    assert_contains(error.message, "No space left");
    assert_int_equal(picture_png_write(temporary_path("no/x.png"), pixel, 1, 1, &error), LULL_IO);
    assert_int_equal(picture_png_write(temporary_path("x.png"), pixel, 0, 1, &error), LULL_INVALID);
    assert_int_equal(picture_png_write(temporary_path("x.png"), pixel, 1, -1, &error),
                     LULL_INVALID);
    /* Wider than libpng takes: refused before a pixel is read. */
    assert_int_equal(picture_png_write(temporary_path("x.png"), pixel, 2000000, 1, &error),
                     LULL_IO);
    assert_contains(error.message, "libpng");
    assert_int_equal(temporary_count(), 0);
}

#define test_here(name) cmocka_unit_test_setup_teardown(name, temporary_begin, temporary_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        test_here(round_trip),
        test_here(palettes),
        test_here(failures_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
