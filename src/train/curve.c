/* The picture of a run: see curve.h. */
#include "train/curve.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "io/png_file.h"

enum {
    WIDTH = 900,
    HEIGHT = 520,
    LEFT = 70,
    RIGHT = 880,
    TOP = 30,
    BOTTOM = 480,
    COLUMNS = RIGHT - LEFT
};

typedef struct colour {
    uint8_t r, g, b;
} colour;

static const colour INK = {40, 40, 40}, GRID = {225, 225, 225}, FAINT = {190, 205, 225};
static const colour TRAINING = {30, 90, 170}, VALID = {200, 60, 30}, DEGRADED = {220, 150, 20};

typedef struct canvas {
    uint8_t *pixels;
    double x_last, y_low, y_high; /* the data's range; x begins at 0 */
} canvas;

bool train_points_add(train_points *points, double step, double value) {
    size_t n = points->count + 1;
    if (!base_grow((void **)&points->step, &points->step_capacity, n, sizeof(double))) return false;
    if (!base_grow((void **)&points->value, &points->value_capacity, n, sizeof(double)))
        return false;
    points->step[n - 1] = step;
    points->value[n - 1] = value;
    points->count = n;
    return true;
}

void train_points_free(train_points *points) {
    base_free(points->step);
    base_free(points->value);
    memset(points, 0, sizeof *points);
}

/* ---- drawing ------------------------------------------------------------------------------ */

static void dot(canvas *c, int x, int y, colour ink) {
    if (x < 0 || x >= WIDTH || y < 0 || y >= HEIGHT) return;
    uint8_t *p = c->pixels + 3 * ((size_t)y * WIDTH + (size_t)x);
    p[0] = ink.r, p[1] = ink.g, p[2] = ink.b;
}

static void line(canvas *c, double x0, double y0, double x1, double y1, int thick, colour ink) {
    double length = fmax(fabs(x1 - x0), fabs(y1 - y0));
    int steps = (int)length + 1;
    for (int i = 0; i <= steps; i++) {
        int x = (int)lround(x0 + (x1 - x0) * i / steps),
            y = (int)lround(y0 + (y1 - y0) * i / steps);
        for (int dy = 0; dy < thick; dy++)
            for (int dx = 0; dx < thick; dx++) dot(c, x + dx, y + dy, ink);
    }
}

/* A font of 3 × 5 for numbers and three words, each row three bits, drawn twice as large. */
static const struct glyph {
    char letter;
    uint8_t rows[5];
} font[] = {
    {'0', {7, 5, 5, 5, 7}}, {'1', {2, 6, 2, 2, 7}}, {'2', {7, 1, 7, 4, 7}}, {'3', {7, 1, 7, 1, 7}},
    {'4', {5, 5, 7, 1, 1}}, {'5', {7, 4, 7, 1, 7}}, {'6', {7, 4, 7, 5, 7}}, {'7', {7, 1, 1, 2, 2}},
    {'8', {7, 5, 7, 5, 7}}, {'9', {7, 5, 7, 1, 7}}, {'.', {0, 0, 0, 0, 2}}, {'-', {0, 0, 7, 0, 0}},
    {'k', {4, 5, 6, 6, 5}}, {'M', {5, 7, 7, 5, 5}}, {'a', {0, 7, 1, 7, 7}}, {'d', {1, 1, 7, 5, 7}},
    {'e', {7, 5, 7, 4, 7}}, {'g', {7, 5, 7, 1, 7}}, {'i', {2, 0, 2, 2, 2}}, {'l', {4, 4, 4, 4, 6}},
    {'n', {0, 6, 5, 5, 5}}, {'o', {0, 7, 5, 5, 7}}, {'p', {7, 5, 7, 4, 4}}, {'r', {0, 7, 4, 4, 4}},
    {'s', {7, 4, 7, 1, 7}}, {'t', {2, 7, 2, 2, 3}}, {'v', {0, 5, 5, 5, 2}},
};

static void text(canvas *c, int x, int y, const char *words, colour ink) {
    for (; *words; words++, x += 8)
        for (size_t g = 0; g < sizeof font / sizeof *font; g++) {
            if (font[g].letter != *words) continue;
            for (int i = 0; i < 60; i++) { /* 6 × 10 pixels */
                int row = i / 12, column = i / 2 % 3;
                if (font[g].rows[row] >> (2 - column) & 1) dot(c, x + i % 6, y + i / 6, ink);
            }
        }
}

static double x_at(const canvas *c, double step) {
    return LEFT + (RIGHT - LEFT) * step / c->x_last;
}

static double y_at(const canvas *c, double value) {
    double part = (value - c->y_low) / (c->y_high - c->y_low);
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

static void axes(canvas *c) {
    char label[32];
    double step = nice_step(c->y_high - c->y_low);
    for (int i = (int)ceil(c->y_low / step); i * step <= c->y_high + 1e-9 * step; i++) {
        double v = i * step;
        int y = (int)lround(y_at(c, v));
        line(c, LEFT, y, RIGHT, y, 1, GRID);
        number(v, step, label, sizeof label);
        text(c, LEFT - 8 - 8 * (int)strlen(label), y - 5, label, INK);
    }
    step = nice_step(c->x_last);
    for (int i = 0; i * step <= c->x_last + 1e-9 * step; i++) {
        double v = i * step;
        int x = (int)lround(x_at(c, v));
        line(c, x, TOP, x, BOTTOM, 1, GRID);
        number(v, step, label, sizeof label);
        text(c, x - 4 * (int)strlen(label), BOTTOM + 10, label, INK);
    }
    line(c, LEFT, TOP, LEFT, BOTTOM, 1, INK);
    line(c, LEFT, BOTTOM, RIGHT, BOTTOM, 1, INK);
    text(c, (LEFT + RIGHT) / 2 - 20, BOTTOM + 26, "step", INK);
}

/* Mean of the values in each column of pixels; NAN where there are none. */
static void columns(const canvas *c, const train_points *points, double *mean) {
    size_t count[COLUMNS + 1] = {0};
    for (int i = 0; i <= COLUMNS; i++) mean[i] = 0.0;
    for (size_t i = 0; i < points->count; i++) {
        if (!isfinite(points->value[i])) continue;
        int column = (int)(x_at(c, points->step[i]) - LEFT);
        if (column < 0 || column > COLUMNS) continue;
        mean[column] += points->value[i];
        count[column]++;
    }
    for (int i = 0; i <= COLUMNS; i++) mean[i] = count[i] > 0 ? mean[i] / (double)count[i] : NAN;
}

static void polyline(canvas *c, const double *values, int thick, colour ink) {
    int last = -1;
    for (int i = 0; i <= COLUMNS; i++) {
        if (isnan(values[i])) continue;
        if (last >= 0)
            line(c, LEFT + last, y_at(c, values[last]), LEFT + i, y_at(c, values[i]), thick, ink);
        last = i;
    }
}

/* Column means, faint, and over them their running average over about 2 % of the width. */
static void training_curve(canvas *c, const double *mean) {
    double smooth[COLUMNS + 1], state = NAN;
    for (int i = 0; i <= COLUMNS; i++) {
        if (!isnan(mean[i])) state = isnan(state) ? mean[i] : state + (mean[i] - state) / 16.0;
        smooth[i] = isnan(mean[i]) ? NAN : state;
    }
    polyline(c, mean, 1, FAINT);
    polyline(c, smooth, 2, TRAINING);
}

static void marks(canvas *c, const train_points *points, colour ink) {
    for (size_t i = 0; i < points->count; i++) {
        double x = x_at(c, points->step[i]), y = y_at(c, points->value[i]);
        if (!isfinite(y)) continue;
        if (points->count < 200) line(c, x - 2, y - 1, x + 2, y - 1, 4, ink);
        if (i > 0 && isfinite(points->value[i - 1]))
            line(c, x_at(c, points->step[i - 1]), y_at(c, points->value[i - 1]), x, y, 1, ink);
    }
}

static void widen(double value, double *low, double *high) {
    if (!isfinite(value)) return;
    *low = fmin(*low, value);
    *high = fmax(*high, value);
}

static void legend(canvas *c, int y, const char *name, bool there, colour ink) {
    if (!there) return;
    line(c, RIGHT - 130, y + 4, RIGHT - 105, y + 4, 3, ink);
    text(c, RIGHT - 95, y, name, INK);
}

lull_status train_curve_write(const char *path, const train_points *training,
                              const train_points *valid, const train_points *degraded,
                              lull_error *error) {
    canvas c = {base_alloc((size_t)WIDTH * HEIGHT, 3), 1.0, INFINITY, -INFINITY};
    if (c.pixels == NULL) return base_no_memory(error);
    memset(c.pixels, 255, (size_t)WIDTH * HEIGHT * 3);
    const train_points *series[] = {training, valid, degraded};
    for (int s = 0; s < 3; s++)
        if (series[s]->count > 0) c.x_last = fmax(c.x_last, series[s]->step[series[s]->count - 1]);
    double mean[COLUMNS + 1];
    columns(&c, training, mean);
    for (int i = 0; i <= COLUMNS; i++) widen(mean[i], &c.y_low, &c.y_high);
    for (int s = 1; s < 3; s++)
        for (size_t i = 0; i < series[s]->count; i++)
            widen(series[s]->value[i], &c.y_low, &c.y_high);
    if (!(c.y_high >= c.y_low)) c.y_low = 0.0, c.y_high = 1.0;
    double room = fmax(0.05 * (c.y_high - c.y_low), 1e-3 * fmax(fabs(c.y_high), 1e-3));
    c.y_low -= room;
    c.y_high += room;
    axes(&c);
    training_curve(&c, mean);
    marks(&c, valid, VALID);
    marks(&c, degraded, DEGRADED);
    legend(&c, TOP + 6, "train", training->count > 0, TRAINING);
    legend(&c, TOP + 24, "valid", valid->count > 0, VALID);
    legend(&c, TOP + 42, "degraded", degraded->count > 0, DEGRADED);
    lull_status status = png_file_write(path, c.pixels, WIDTH, HEIGHT, error);
    base_free(c.pixels);
    return status;
}
