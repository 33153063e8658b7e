/* A picture in memory to draw into: points, lines, areas and small letters. */
#ifndef PICTURE_CANVAS_H
#define PICTURE_CANVAS_H

#include "lull.h"

typedef struct colour {
    uint8_t r, g, b;
} colour;

typedef struct canvas {
    uint8_t *rgb; /* height × width × 3, top row first: what png_file_write takes */
    int width, height;
} canvas;

/* Sides of 1…20000 pixels, filled with one colour. */
lull_status canvas_new(canvas *c, int width, int height, colour paper, lull_error *error);
void canvas_free(canvas *c);

/* What lies outside the picture is left out. */
void canvas_dot(canvas *c, int x, int y, colour ink);
void canvas_fill(canvas *c, int x, int y, int width, int height, colour ink);
void canvas_frame(canvas *c, int x, int y, int width, int height, colour ink); /* one pixel wide */
/* thick: pixels to the right of and below the line. */
void canvas_line(canvas *c, double x0, double y0, double x1, double y1, int thick, colour ink);

/* Letters of CANVAS_LETTER × CANVAS_LINE pixels, x and y the upper left corner. ASCII; any other
 * character of UTF-8 is shown as '?'. */
enum { CANVAS_LETTER = 12, CANVAS_LINE = 18, CANVAS_CAPITAL = 14 };
void canvas_text(canvas *c, int x, int y, const char *text, colour ink);
int canvas_text_width(const char *text);

#endif
