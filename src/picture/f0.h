/* The fundamental frequency over a spectrogram: a curve with an axis of its own, because on that of
 * the spectrogram all voices lie in the lowest few pixels. */
#ifndef PICTURE_F0_H
#define PICTURE_F0_H

#include "picture/canvas.h"

/* Values at the seconds first, first + step, …; borrowed. */
typedef struct picture_f0 {
    const float *hz; /* 0: unvoiced, a gap of the curve */
    size_t count;
    double first, step;
} picture_f0;

/* Where a spectrogram lies on the canvas, and how long it is. */
typedef struct picture_area {
    int left, top, width, height;
    double seconds;
} picture_area;

/* Of every curve, so that pictures can be compared: in octaves, upwards. What is beyond is held. */
enum { PICTURE_F0_LOWEST = 50, PICTURE_F0_HIGHEST = 800 };

/* edge: the colour on both sides of the curve, which sets it off from any colour below. */
void picture_f0_curve(picture_canvas *c, const picture_area *area, const picture_f0 *f0,
                      picture_colour ink, picture_colour edge);

/* To the right of the area, PICTURE_F0_ROOM pixels wide; above it "F0 Hz", which begins
 * PICTURE_F0_OVERHANG pixels further to the left. */
enum { PICTURE_F0_ROOM = 52, PICTURE_F0_OVERHANG = 12 };
void picture_f0_axis(picture_canvas *c, const picture_area *area, picture_colour ink);

#endif
