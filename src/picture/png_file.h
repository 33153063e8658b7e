/* PNG pictures through libpng, written atomically. */
#ifndef PICTURE_PNG_FILE_H
#define PICTURE_PNG_FILE_H

#include "lull.h"

/* rgb: height × width × 3 bytes, top row first. A picture of 256 colours or fewer is stored with a
 * palette, which is far smaller. */
lull_status picture_png_write(const char *path, const uint8_t *rgb, int width, int height,
                              lull_error *error);

/* The same into memory: *bytes is freed with base_free. */
lull_status picture_png_encode(const uint8_t *rgb, int width, int height, uint8_t **bytes,
                               size_t *size, lull_error *error);

#endif
