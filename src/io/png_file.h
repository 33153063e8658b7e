/* PNG pictures through libpng, written atomically. */
#ifndef IO_PNG_FILE_H
#define IO_PNG_FILE_H

#include "lull.h"

/* rgb: height × width × 3 bytes, top row first. */
lull_status png_file_write(const char *path, const uint8_t *rgb, int width, int height, lull_error *error);

#endif
