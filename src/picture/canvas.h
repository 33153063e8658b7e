/* A picture in memory to draw into: points, lines, areas and small letters. */
#ifndef PICTURE_CANVAS_H
#define PICTURE_CANVAS_H

#include "lull.h"

typedef struct picture_colour {
    uint8_t r, g, b;
} picture_colour;

typedef struct picture_canvas {
    uint8_t *rgb; /* height × width × 3, top row first: what picture_png_write takes */
    int width, height;
} picture_canvas;

/* Sides of 1…20000 pixels, filled with one colour. */
lull_status picture_canvas_new(picture_canvas *c, int width, int height, picture_colour paper,
                               lull_error *error);
void picture_canvas_free(picture_canvas *c);

/* What lies outside the picture is left out. */
void picture_canvas_dot(picture_canvas *c, int x, int y, picture_colour ink);
void picture_canvas_fill(picture_canvas *c, int x, int y, int width, int height,
                         picture_colour ink);
void picture_canvas_frame(picture_canvas *c, int x, int y, int width, int height,
                          picture_colour ink); /* one pixel wide */
/* thick: pixels to the right of and below the line. */
void picture_canvas_line(picture_canvas *c, double x0, double y0, double x1, double y1, int thick,
                         picture_colour ink);

/* Letters of PICTURE_CANVAS_LETTER × PICTURE_CANVAS_LINE pixels, x and y the upper left corner. ASCII; any other
 * character of UTF-8 is shown as '?'. */
enum { PICTURE_CANVAS_LETTER = 12, PICTURE_CANVAS_LINE = 18, PICTURE_CANVAS_CAPITAL = 14 };
void picture_canvas_text(picture_canvas *c, int x, int y, const char *text, picture_colour ink);
int picture_canvas_text_width(const char *text);

#endif
