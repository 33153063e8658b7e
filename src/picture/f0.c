/* The fundamental frequency over a spectrogram: see f0.h. */
#include "picture/f0.h"

#include <math.h>
#include <stdio.h>

enum { THICK = 2, EDGE = 1, TICK = 5, HEADING = 22 /* above the area */ };

static int height_of(const picture_area *area, double hz) {
    double octaves = log2((double)PICTURE_F0_HIGHEST / PICTURE_F0_LOWEST);
    double part = log2(hz / PICTURE_F0_LOWEST) / octaves;
    return area->top + (int)lround((area->height - 1) * (1 - fmin(fmax(part, 0), 1)));
}

/* Strokes between neighbours that are both voiced; a frame alone is a dot. margin: pixels more on
 * every side. */
static void strokes(picture_canvas *c, const picture_area *area, const picture_f0 *f0, int margin,
                    picture_colour ink) {
    int last_x = 0, last_y = 0;
    bool joined = false;
    for (size_t i = 0; i < f0->count; i++) {
        double x = (f0->first + (double)i * f0->step) / area->seconds * area->width;
        bool here = f0->hz[i] > 0 && x >= EDGE && x < area->width - THICK - EDGE;
        if (here) {
            int now_x = area->left + (int)x - margin;
            int now_y = height_of(area, f0->hz[i]) - THICK / 2 - margin;
            picture_canvas_line(c, joined ? last_x : now_x, joined ? last_y : now_y, now_x, now_y,
                                THICK + 2 * margin, ink);
            last_x = now_x, last_y = now_y;
        }
        joined = here;
    }
}

void picture_f0_curve(picture_canvas *c, const picture_area *area, const picture_f0 *f0,
                      picture_colour ink, picture_colour edge) {
    strokes(c, area, f0, EDGE, edge);
    strokes(c, area, f0, 0, ink);
}

void picture_f0_axis(picture_canvas *c, const picture_area *area, picture_colour ink) {
    const int x = area->left + area->width, heading = picture_canvas_text_width("F0 Hz");
    int last = area->top + area->height + 2 * PICTURE_CANVAS_LINE;
    char label[16];
    picture_canvas_text(c, x + PICTURE_F0_ROOM - PICTURE_F0_OVERHANG - heading + 6,
                        area->top - HEADING, "F0 Hz", ink);
    for (int hz = PICTURE_F0_LOWEST; hz <= PICTURE_F0_HIGHEST; hz *= 2) {
        int y = height_of(area, hz);
        picture_canvas_fill(c, x + 1, y, TICK, 1, ink);
        if (last - y < PICTURE_CANVAS_LINE + 2 || y < area->top + PICTURE_CANVAS_CAPITAL)
            continue; /* the heading */
        snprintf(label, sizeof label, "%d", hz);
        picture_canvas_text(c, x + TICK + 4, y - PICTURE_CANVAS_CAPITAL / 2, label, ink);
        last = y;
    }
}
