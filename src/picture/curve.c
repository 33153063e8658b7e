/* The picture of a run: see curve.h. */
#include "picture/curve.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "picture/canvas.h"
#include "picture/png_file.h"

enum {
    WIDTH = 900,
    HEIGHT = 520,
    LEFT = 96,
    RIGHT = 880,
    TOP = 30,
    BOTTOM = 474,
    COLUMNS = RIGHT - LEFT
};

static const picture_colour INK = {40, 40, 40}, GRID = {225, 225, 225}, FAINT = {190, 205, 225};
static const picture_colour TRAINING = {30, 90, 170}, VALID = {200, 60, 30},
                            DEGRADED = {220, 150, 20};

typedef struct plot {
    picture_canvas paper;
    double x_last, y_low, y_high; /* the data's range; x begins at 0 */
} plot;

bool picture_points_add(picture_points *points, double step, double value) {
    size_t n = points->count + 1;
    if (!base_grow((void **)&points->step, &points->step_capacity, n, sizeof(double))) return false;
    if (!base_grow((void **)&points->value, &points->value_capacity, n, sizeof(double)))
        return false;
    points->step[n - 1] = step;
    points->value[n - 1] = value;
    points->count = n;
    return true;
}

void picture_points_free(picture_points *points) {
    base_free(points->step);
    base_free(points->value);
    memset(points, 0, sizeof *points);
}

/* ---- drawing ------------------------------------------------------------------------------ */

static double x_at(const plot *p, double step) {
    return LEFT + (RIGHT - LEFT) * step / p->x_last;
}

static double y_at(const plot *p, double value) {
    double part = (value - p->y_low) / (p->y_high - p->y_low);
    return BOTTOM - (BOTTOM - TOP) * fmin(fmax(part, 0.0), 1.0);
}

/* ---- the parts ---------------------------------------------------------------------------- */

/* 1, 2 or 5 times a power of ten: about six of them make the range. */
static double nice_step(double range) {
    double raw = range / 6.0, power = pow(10.0, floor(log10(raw))), times = raw / power;
    return power * (times < 1.5 ? 1.0 : times < 3.5 ? 2.0 : times < 7.5 ? 5.0 : 10.0);
}

static void number(double value, double step, char *out, size_t size) {
    if (step >= 1e6)
        snprintf(out, size, "%gM", value / 1e6);
    else if (step >= 1e3)
        snprintf(out, size, "%gk", value / 1e3);
    else
        snprintf(out, size, "%.*f", step >= 1.0 ? 0 : (int)ceil(-log10(step)), value);
}

static void axes(plot *p) {
    char label[32];
    double step = nice_step(p->y_high - p->y_low);
    for (int i = (int)ceil(p->y_low / step); i * step <= p->y_high + 1e-9 * step; i++) {
        double v = i * step;
        int y = (int)lround(y_at(p, v));
        picture_canvas_line(&p->paper, LEFT, y, RIGHT, y, 1, GRID);
        number(v, step, label, sizeof label);
        picture_canvas_text(&p->paper, LEFT - 8 - picture_canvas_text_width(label), y - 7, label,
                            INK);
    }
    step = nice_step(p->x_last);
    for (int i = 0; i * step <= p->x_last + 1e-9 * step; i++) {
        double v = i * step;
        int x = (int)lround(x_at(p, v));
        picture_canvas_line(&p->paper, x, TOP, x, BOTTOM, 1, GRID);
        number(v, step, label, sizeof label);
        picture_canvas_text(&p->paper, x - picture_canvas_text_width(label) / 2, BOTTOM + 8, label,
                            INK);
    }
    picture_canvas_line(&p->paper, LEFT, TOP, LEFT, BOTTOM, 1, INK);
    picture_canvas_line(&p->paper, LEFT, BOTTOM, RIGHT, BOTTOM, 1, INK);
    picture_canvas_text(&p->paper, (LEFT + RIGHT - picture_canvas_text_width("step")) / 2,
                        BOTTOM + 26, "step", INK);
}

/* Mean of the values in each column of pixels; NAN where there are none. */
static void columns(const plot *p, const picture_points *points, double *mean) {
    size_t count[COLUMNS + 1] = {0};
    for (int i = 0; i <= COLUMNS; i++) mean[i] = 0.0;
    for (size_t i = 0; i < points->count; i++) {
        if (!isfinite(points->value[i])) continue;
        int column = (int)(x_at(p, points->step[i]) - LEFT);
        if (column < 0 || column > COLUMNS) continue;
        mean[column] += points->value[i];
        count[column]++;
    }
    for (int i = 0; i <= COLUMNS; i++) mean[i] = count[i] > 0 ? mean[i] / (double)count[i] : NAN;
}

static void polyline(plot *p, const double *values, int thick, picture_colour ink) {
    int last = -1;
    for (int i = 0; i <= COLUMNS; i++) {
        if (isnan(values[i])) continue;
        if (last >= 0)
            picture_canvas_line(&p->paper, LEFT + last, y_at(p, values[last]), LEFT + i,
                                y_at(p, values[i]), thick, ink);
        last = i;
    }
}

/* Column means, faint, and over them their running average over about 2 % of the width. */
static void training_curve(plot *p, const double *mean) {
    double smooth[COLUMNS + 1], state = NAN;
    for (int i = 0; i <= COLUMNS; i++) {
        if (!isnan(mean[i])) state = isnan(state) ? mean[i] : state + (mean[i] - state) / 16.0;
        smooth[i] = isnan(mean[i]) ? NAN : state;
    }
    polyline(p, mean, 1, FAINT);
    polyline(p, smooth, 2, TRAINING);
}

static void marks(plot *p, const picture_points *points, picture_colour ink) {
    for (size_t i = 0; i < points->count; i++) {
        double x = x_at(p, points->step[i]), y = y_at(p, points->value[i]);
        if (!isfinite(y)) continue;
        if (points->count < 200) picture_canvas_line(&p->paper, x - 2, y - 1, x + 2, y - 1, 4, ink);
        if (i > 0 && isfinite(points->value[i - 1]))
            picture_canvas_line(&p->paper, x_at(p, points->step[i - 1]),
                                y_at(p, points->value[i - 1]), x, y, 1, ink);
    }
}

static void widen(double value, double *low, double *high) {
    if (!isfinite(value)) return;
    *low = fmin(*low, value);
    *high = fmax(*high, value);
}

static void legend(plot *p, int y, const char *name, bool there, picture_colour ink) {
    if (!there) return;
    picture_canvas_line(&p->paper, RIGHT - 140, y + 6, RIGHT - 110, y + 6, 3, ink);
    picture_canvas_text(&p->paper, RIGHT - 100, y, name, INK);
}

lull_status picture_curve_write(const char *path, const picture_points *training,
                                const picture_points *valid, const picture_points *degraded,
                                lull_error *error) {
    plot p = {.x_last = 1.0, .y_low = INFINITY, .y_high = -INFINITY};
    lull_status status =
        picture_canvas_new(&p.paper, WIDTH, HEIGHT, (picture_colour){255, 255, 255}, error);
    if (status != LULL_OK) return status;
    const picture_points *series[] = {training, valid, degraded};
    for (int s = 0; s < 3; s++)
        if (series[s]->count > 0) p.x_last = fmax(p.x_last, series[s]->step[series[s]->count - 1]);
    double mean[COLUMNS + 1];
    columns(&p, training, mean);
    for (int i = 0; i <= COLUMNS; i++) widen(mean[i], &p.y_low, &p.y_high);
    for (int s = 1; s < 3; s++)
        for (size_t i = 0; i < series[s]->count; i++)
            widen(series[s]->value[i], &p.y_low, &p.y_high);
    if (!(p.y_high >= p.y_low)) p.y_low = 0.0, p.y_high = 1.0;
    double room = fmax(0.05 * (p.y_high - p.y_low), 1e-3 * fmax(fabs(p.y_high), 1e-3));
    p.y_low -= room;
    p.y_high += room;
    axes(&p);
    training_curve(&p, mean);
    marks(&p, valid, VALID);
    marks(&p, degraded, DEGRADED);
    legend(&p, TOP + 6, "train", training->count > 0, TRAINING);
    legend(&p, TOP + 28, "valid", valid->count > 0, VALID);
    legend(&p, TOP + 50, "degraded", degraded->count > 0, DEGRADED);
    status = picture_png_write(path, p.paper.rgb, WIDTH, HEIGHT, error);
    picture_canvas_free(&p.paper);
    return status;
}
