/* A picture in memory to draw into: see canvas.h. */
#include "picture/canvas.h"

#include <math.h>

#include "base/error.h"
#include "base/memory.h"

enum { LARGEST_SIDE = 20000, FONT_ROWS = 9, FONT_COLUMNS = 5 };

/* ' ' to '~': nine rows each, the last two below the line; bit 4 is the left column. */
static const uint8_t FONT[95][FONT_ROWS] = {
    {0, 0, 0, 0, 0, 0, 0, 0, 0},        {4, 4, 4, 4, 4, 0, 4, 0, 0},
    {10, 10, 10, 0, 0, 0, 0, 0, 0},     {10, 10, 31, 10, 31, 10, 10, 0, 0},
    {4, 15, 20, 14, 5, 30, 4, 0, 0},    {24, 25, 2, 4, 8, 19, 3, 0, 0},
    {12, 18, 20, 8, 21, 18, 13, 0, 0},  {4, 4, 8, 0, 0, 0, 0, 0, 0},
    {2, 4, 8, 8, 8, 4, 2, 0, 0},        {8, 4, 2, 2, 2, 4, 8, 0, 0},
    {0, 4, 21, 14, 21, 4, 0, 0, 0},     {0, 4, 4, 31, 4, 4, 0, 0, 0},
    {0, 0, 0, 0, 0, 12, 4, 8, 0},       {0, 0, 0, 31, 0, 0, 0, 0, 0},
    {0, 0, 0, 0, 0, 12, 12, 0, 0},      {1, 1, 2, 4, 8, 16, 16, 0, 0},
    {14, 17, 17, 17, 17, 17, 14, 0, 0}, {4, 12, 4, 4, 4, 4, 14, 0, 0},
    {14, 17, 1, 2, 4, 8, 31, 0, 0},     {14, 17, 1, 6, 1, 17, 14, 0, 0},
    {2, 6, 10, 18, 31, 2, 2, 0, 0},     {31, 16, 30, 1, 1, 17, 14, 0, 0},
    {6, 8, 16, 30, 17, 17, 14, 0, 0},   {31, 1, 2, 4, 8, 8, 8, 0, 0},
    {14, 17, 17, 14, 17, 17, 14, 0, 0}, {14, 17, 17, 15, 1, 2, 12, 0, 0},
    {0, 12, 12, 0, 12, 12, 0, 0, 0},    {0, 12, 12, 0, 12, 4, 8, 0, 0},
    {2, 4, 8, 16, 8, 4, 2, 0, 0},       {0, 0, 31, 0, 31, 0, 0, 0, 0},
    {8, 4, 2, 1, 2, 4, 8, 0, 0},        {14, 17, 1, 2, 4, 0, 4, 0, 0},
    {14, 17, 1, 13, 21, 21, 14, 0, 0},  {14, 17, 17, 31, 17, 17, 17, 0, 0},
    {30, 17, 17, 30, 17, 17, 30, 0, 0}, {14, 17, 16, 16, 16, 17, 14, 0, 0},
    {28, 18, 17, 17, 17, 18, 28, 0, 0}, {31, 16, 16, 30, 16, 16, 31, 0, 0},
    {31, 16, 16, 30, 16, 16, 16, 0, 0}, {14, 17, 16, 23, 17, 17, 15, 0, 0},
    {17, 17, 17, 31, 17, 17, 17, 0, 0}, {14, 4, 4, 4, 4, 4, 14, 0, 0},
    {7, 2, 2, 2, 2, 18, 12, 0, 0},      {17, 18, 20, 24, 20, 18, 17, 0, 0},
    {16, 16, 16, 16, 16, 16, 31, 0, 0}, {17, 27, 21, 21, 17, 17, 17, 0, 0},
    {17, 25, 25, 21, 19, 19, 17, 0, 0}, {14, 17, 17, 17, 17, 17, 14, 0, 0},
    {30, 17, 17, 30, 16, 16, 16, 0, 0}, {14, 17, 17, 17, 21, 18, 13, 0, 0},
    {30, 17, 17, 30, 20, 18, 17, 0, 0}, {15, 16, 16, 14, 1, 1, 30, 0, 0},
    {31, 4, 4, 4, 4, 4, 4, 0, 0},       {17, 17, 17, 17, 17, 17, 14, 0, 0},
    {17, 17, 17, 17, 17, 10, 4, 0, 0},  {17, 17, 17, 21, 21, 27, 17, 0, 0},
    {17, 17, 10, 4, 10, 17, 17, 0, 0},  {17, 17, 10, 4, 4, 4, 4, 0, 0},
    {31, 1, 2, 4, 8, 16, 31, 0, 0},     {14, 8, 8, 8, 8, 8, 14, 0, 0},
    {16, 16, 8, 4, 2, 1, 1, 0, 0},      {14, 2, 2, 2, 2, 2, 14, 0, 0},
    {4, 10, 17, 0, 0, 0, 0, 0, 0},      {0, 0, 0, 0, 0, 0, 0, 31, 0},
    {8, 4, 2, 0, 0, 0, 0, 0, 0},        {0, 0, 14, 1, 15, 17, 15, 0, 0},
    {16, 16, 30, 17, 17, 17, 30, 0, 0}, {0, 0, 14, 16, 16, 16, 14, 0, 0},
    {1, 1, 15, 17, 17, 17, 15, 0, 0},   {0, 0, 14, 17, 31, 16, 14, 0, 0},
    {6, 8, 28, 8, 8, 8, 8, 0, 0},       {0, 0, 15, 17, 17, 17, 15, 1, 14},
    {16, 16, 30, 17, 17, 17, 17, 0, 0}, {4, 0, 12, 4, 4, 4, 14, 0, 0},
    {2, 0, 6, 2, 2, 2, 2, 18, 12},      {16, 16, 18, 20, 24, 20, 18, 0, 0},
    {12, 4, 4, 4, 4, 4, 14, 0, 0},      {0, 0, 26, 21, 21, 21, 21, 0, 0},
    {0, 0, 30, 17, 17, 17, 17, 0, 0},   {0, 0, 14, 17, 17, 17, 14, 0, 0},
    {0, 0, 30, 17, 17, 17, 30, 16, 16}, {0, 0, 15, 17, 17, 17, 15, 1, 1},
    {0, 0, 22, 24, 16, 16, 16, 0, 0},   {0, 0, 15, 16, 14, 1, 30, 0, 0},
    {8, 8, 28, 8, 8, 8, 6, 0, 0},       {0, 0, 17, 17, 17, 17, 15, 0, 0},
    {0, 0, 17, 17, 17, 10, 4, 0, 0},    {0, 0, 21, 21, 21, 21, 10, 0, 0},
    {0, 0, 17, 10, 4, 10, 17, 0, 0},    {0, 0, 17, 17, 17, 17, 15, 1, 14},
    {0, 0, 31, 2, 4, 8, 31, 0, 0},      {2, 4, 4, 8, 4, 4, 2, 0, 0},
    {4, 4, 4, 4, 4, 4, 4, 0, 0},        {8, 4, 4, 2, 4, 4, 8, 0, 0},
    {0, 0, 8, 21, 2, 0, 0, 0, 0},
};

lull_status picture_canvas_new(picture_canvas *c, int width, int height, picture_colour paper,
                               lull_error *error) {
    *c = (picture_canvas){NULL, 0, 0};
    if (width < 1 || height < 1 || width > LARGEST_SIDE || height > LARGEST_SIDE)
        return base_fail(error, LULL_INVALID,
                         "a picture of %d × %d pixels: each side is 1 to %d long", width, height,
                         LARGEST_SIDE);
    uint8_t *rgb = base_alloc((size_t)width * (size_t)height, 3);
    if (!rgb) return base_no_memory(error);
    *c = (picture_canvas){rgb, width, height};
    picture_canvas_fill(c, 0, 0, width, height, paper);
    return LULL_OK;
}

void picture_canvas_free(picture_canvas *c) {
    base_free(c->rgb);
    *c = (picture_canvas){NULL, 0, 0};
}

void picture_canvas_dot(picture_canvas *c, int x, int y, picture_colour ink) {
    if (x < 0 || x >= c->width || y < 0 || y >= c->height) return;
    uint8_t *p = c->rgb + 3 * ((size_t)y * (size_t)c->width + (size_t)x);
    p[0] = ink.r, p[1] = ink.g, p[2] = ink.b;
}

void picture_canvas_fill(picture_canvas *c, int x, int y, int width, int height,
                         picture_colour ink) {
    for (int row = y < 0 ? 0 : y; row < y + height && row < c->height; row++)
        for (int column = x < 0 ? 0 : x; column < x + width && column < c->width; column++)
            picture_canvas_dot(c, column, row, ink);
}

void picture_canvas_frame(picture_canvas *c, int x, int y, int width, int height,
                          picture_colour ink) {
    picture_canvas_fill(c, x, y, width, 1, ink);
    picture_canvas_fill(c, x, y + height - 1, width, 1, ink);
    picture_canvas_fill(c, x, y, 1, height, ink);
    picture_canvas_fill(c, x + width - 1, y, 1, height, ink);
}

void picture_canvas_line(picture_canvas *c, double x0, double y0, double x1, double y1, int thick,
                         picture_colour ink) {
    double length = fmax(fabs(x1 - x0), fabs(y1 - y0));
    if (!(length < 4 * LARGEST_SIDE)) return;
    int steps = (int)length + 1;
    for (int i = 0; i <= steps; i++) {
        int x = (int)lround(x0 + (x1 - x0) * i / steps);
        int y = (int)lround(y0 + (y1 - y0) * i / steps);
        picture_canvas_fill(c, x, y, thick, thick, ink);
    }
}

/* ---- letters ------------------------------------------------------------------------------ */

static bool set(const uint8_t *glyph, int row, int column) {
    if (row < 0 || row >= FONT_ROWS || column < 0 || column >= FONT_COLUMNS) return false;
    return glyph[row] >> (FONT_COLUMNS - 1 - column) & 1;
}

/* One pixel as four. A corner takes the colour of its two neighbours when these agree and their
 * opposites do not: slanted strokes lose their steps. */
static void enlarged(picture_canvas *c, int x, int y, const uint8_t *glyph, int row, int column,
                     picture_colour ink) {
    bool here = set(glyph, row, column), up = set(glyph, row - 1, column),
         down = set(glyph, row + 1, column), left = set(glyph, row, column - 1),
         right = set(glyph, row, column + 1);
    const bool corner[4] = {
        left == up && left != down && up != right ? left : here,
        up == right && up != left && right != down ? right : here,
        down == left && down != right && left != up ? left : here,
        right == down && right != up && down != left ? right : here,
    };
    for (int i = 0; i < 4; i++)
        if (corner[i]) picture_canvas_dot(c, x + 2 * column + i % 2, y + 2 * row + i / 2, ink);
}

static bool continues(char byte) { /* a byte of UTF-8 that is not a character's first */
    return ((unsigned char)byte & 0xC0) == 0x80;
}

void picture_canvas_text(picture_canvas *c, int x, int y, const char *text, picture_colour ink) {
    for (; *text; text++) {
        if (continues(*text)) continue;
        const uint8_t *glyph = FONT[*text >= ' ' && *text <= '~' ? *text - ' ' : '?' - ' '];
        for (int row = 0; row < FONT_ROWS; row++)
            for (int column = 0; column < FONT_COLUMNS; column++)
                enlarged(c, x, y, glyph, row, column, ink);
        x += PICTURE_CANVAS_LETTER;
    }
}

int picture_canvas_text_width(const char *text) {
    int letters = 0;
    for (; *text; text++) letters += !continues(*text);
    return letters ? letters * PICTURE_CANVAS_LETTER - 2 : 0;
}
