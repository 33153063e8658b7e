/* PNG pictures through libpng, written atomically. */
#include "picture/png_file.h"

#include <png.h>
#include <setjmp.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/memory.h"

enum { MOST_COLOURS = 256, TABLE = 1024 };

/* Where the bytes go: a file, or memory when file is NULL. */
typedef struct picture {
    const char *name;
    atomic_file *file;
    uint8_t *bytes;
    size_t size, capacity;
    lull_error *error;
    lull_status status;
} picture;

/* The colours of a picture, found through a table of open addressing. */
typedef struct palette {
    png_color colours[MOST_COLOURS];
    int count; /* MOST_COLOURS + 1: too many */
    int16_t table[TABLE];
} palette;

/* ---- colours ------------------------------------------------------------------------------ */

/* The place of a colour in the palette, which gets it when it is new; -1 when there is no room. */
static int colour_index(palette *p, const uint8_t *rgb) {
    uint32_t key = (uint32_t)rgb[0] << 16 | (uint32_t)rgb[1] << 8 | rgb[2];
    for (uint32_t at = key * 2654435761u >> 22;; at = (at + 1) % TABLE) {
        int i = p->table[at] - 1;
        if (i < 0) {
            if (p->count >= MOST_COLOURS) return -1;
            p->colours[p->count] = (png_color){rgb[0], rgb[1], rgb[2]};
            p->table[at] = (int16_t)++p->count;
            return p->count - 1;
        }
        const png_color *c = &p->colours[i];
        if (c->red == rgb[0] && c->green == rgb[1] && c->blue == rgb[2]) return i;
    }
}

/* One byte a pixel, or NULL when there are too many colours (or no memory: then RGB will do). */
static uint8_t *indexed(palette *p, const uint8_t *rgb, size_t pixels) {
    uint8_t *indices = base_alloc(pixels, 1);
    memset(p, 0, sizeof *p);
    for (size_t i = 0; indices && i < pixels; i++) {
        int index = colour_index(p, rgb + 3 * i);
        if (index < 0) {
            base_free(indices);
            return NULL;
        }
        indices[i] = (uint8_t)index;
    }
    return indices;
}

/* ---- libpng ------------------------------------------------------------------------------- */

/* libpng wants functions that do not come back. */
static void on_error(png_structp png, png_const_charp message) {
    picture *p = png_get_error_ptr(png);
    if (!p->status) {
        p->status = base_fail(p->error, LULL_IO, "cannot write '%s': libpng: %s", p->name, message);
    }
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message) {
    (void)png;
    (void)message;
}

static void on_write(png_structp png, png_bytep data, png_size_t size) {
    picture *p = png_get_io_ptr(png);
    if (p->file) {
        p->status = atomic_file_write(p->file, data, size, p->error);
    } else if (base_grow((void **)&p->bytes, &p->capacity, p->size + size, 1)) {
        memcpy(p->bytes + p->size, data, size);
        p->size += size;
    } else {
        p->status = base_no_memory(p->error);
    }
    if (p->status) png_error(png, "write failed");
}

static void on_flush(png_structp png) {
    (void)png;
}

/* Apart from the rest, so that no local variable lives across setjmp. colours NULL: pixels are RGB.
 */
static void encode(picture *p, png_structp png, png_infop info, const uint8_t *pixels, int width,
                   int height, const palette *colours) {
    if (setjmp(png_jmpbuf(png))) return;
    png_set_write_fn(png, p, on_write, on_flush);
    png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, 8,
                 colours ? PNG_COLOR_TYPE_PALETTE : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (colours) {
        png_set_PLTE(png, info, colours->colours, colours->count);
        png_set_compression_level(png, 9);
    }
    png_text mark = {.compression = PNG_TEXT_COMPRESSION_NONE,
                     .key = (char *)"Software",
                     .text = (char *)"lull",
                     .text_length = 4};
    png_set_text(png, info, &mark, 1);
    png_write_info(png, info);
    for (int y = 0; y < height; y++)
        png_write_row(png, pixels + (size_t)y * (size_t)width * (colours ? 1 : 3));
    png_write_end(png, info);
}

static void write_picture(picture *p, const uint8_t *rgb, int width, int height) {
    palette colours;
    uint8_t *indices = indexed(&colours, rgb, (size_t)width * (size_t)height);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, p, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (info)
        encode(p, png, info, indices ? indices : rgb, width, height, indices ? &colours : NULL);
    else
        p->status = base_no_memory(p->error);
    png_destroy_write_struct(&png, &info);
    base_free(indices);
}

static lull_status check_sides(const char *name, int width, int height, lull_error *error) {
    if (width >= 1 && height >= 1 && width <= 1000000 && height <= 1000000) return LULL_OK;
    if (width < 1 || height < 1)
        return base_fail(error, LULL_INVALID, "'%s': a picture of %d × %d pixels", name, width,
                         height);
    return base_fail(error, LULL_IO,
                     "cannot write '%s': libpng takes at most 1000000 pixels a side", name);
}

lull_status picture_png_write(const char *path, const uint8_t *rgb, int width, int height,
                              lull_error *error) {
    picture p = {.name = path, .error = error};
    lull_status status = check_sides(path, width, height, error);
    if (status == LULL_OK) status = atomic_file_open(path, &p.file, error);
    if (status) return status;
    write_picture(&p, rgb, width, height);
    if (p.status) {
        atomic_file_abandon(p.file);
        return p.status;
    }
    return atomic_file_commit(p.file, error);
}

lull_status picture_png_encode(const uint8_t *rgb, int width, int height, uint8_t **bytes,
                               size_t *size, lull_error *error) {
    picture p = {.name = "a picture", .error = error};
    lull_status status = check_sides(p.name, width, height, error);
    if (status) return status;
    write_picture(&p, rgb, width, height);
    if (p.status) {
        base_free(p.bytes);
        return p.status;
    }
    *bytes = p.bytes;
    *size = p.size;
    return LULL_OK;
}
