/* PNG pictures through libpng, written atomically. */
#include "io/png_file.h"

#include <png.h>
#include <setjmp.h>

#include "base/atomic_file.h"
#include "base/error.h"

typedef struct picture {
    const char *path;
    atomic_file *file;
    lull_error *error;
    lull_status status;
} picture;

/* libpng wants functions that do not come back. */
static void on_error(png_structp png, png_const_charp message) {
    picture *p = png_get_error_ptr(png);
    if (!p->status) {
        p->status = base_fail(p->error, LULL_IO, "cannot write '%s': libpng: %s", p->path, message);
    }
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message) {
    (void)png;
    (void)message;
}

static void on_write(png_structp png, png_bytep data, png_size_t size) {
    picture *p = png_get_io_ptr(png);
    p->status = atomic_file_write(p->file, data, size, p->error);
    if (p->status) png_error(png, "write failed");
}

static void on_flush(png_structp png) {
    (void)png;
}

/* Apart from the rest, so that no local variable lives across setjmp. */
static void encode(picture *p, png_structp png, png_infop info, const uint8_t *rgb, int width,
                   int height) {
    if (setjmp(png_jmpbuf(png))) return;
    png_set_write_fn(png, p, on_write, on_flush);
    png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (int y = 0; y < height; y++) png_write_row(png, rgb + (size_t)y * (size_t)width * 3);
    png_write_end(png, info);
}

lull_status png_file_write(const char *path, const uint8_t *rgb, int width, int height,
                           lull_error *error) {
    if (width < 1 || height < 1) {
        return base_fail(error, LULL_INVALID, "'%s': a picture of %d × %d pixels", path, width,
                         height);
    }
    picture p = {.path = path, .error = error};
    lull_status status = atomic_file_open(path, &p.file, error);
    if (status) return status;
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &p, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (info) {
        encode(&p, png, info, rgb, width, height);
    } else {
        p.status = base_no_memory(error);
    }
    png_destroy_write_struct(&png, &info);
    if (p.status) {
        atomic_file_abandon(p.file);
        return p.status;
    }
    return atomic_file_commit(p.file, error);
}
